"""The sync function's memory does not grow, however many batches an environment has served."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from testing.client import Student

WARM_UP, BATCHES, EVENTS = 12, 60, 200
PYTHON_BYTES = 512 * 1024  # one leaked batch in thirty would exceed it
RESIDENT_BYTES = 16 * 1024 * 1024

# As on Lambda: one process, one handler, one event after another. Each batch comes four times.
_PROGRAM = """
import gc, json, sys, tracemalloc, uuid
from datetime import UTC, datetime, timedelta
import psutil
from sync.app import handler

token, warm_up, batches, size = sys.argv[1], *map(int, sys.argv[2:])
start = datetime.now(UTC) - timedelta(days=20)

class Context:
    function_name = "sync"
    aws_request_id = "test"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:sync"
    def get_remaining_time_in_millis(self):
        return 15000

def batch(number):
    session, at = str(uuid.uuid4()), start + timedelta(hours=2 * number)
    kinds = ["start", *["heartbeat"] * (size - 2), "complete"]
    events = [
        {"event_id": str(uuid.uuid4()), "session_id": session, "event_type": kind, "event_payload": {"text": "x" * 100},
         "created_at": (at + timedelta(seconds=30 * n)).isoformat()} for n, kind in enumerate(kinds)]
    events[0]["event_payload"] = events[-1]["event_payload"] = {}
    return json.dumps({"events": events, "client_id": "phone"})

def send(body):
    http = {"method": "POST", "path": "/api/sync/offline", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"}
    answer = handler({
        "version": "2.0", "routeKey": "$default", "rawPath": http["path"], "rawQueryString": "", "body": body,
        "headers": {"host": "test", "content-type": "application/json", "authorization": f"Bearer {token}"},
        "requestContext": {"http": http, "requestId": "test", "stage": "$default", "timeEpoch": 0},
        "isBase64Encoded": False,
    }, Context())
    assert answer["statusCode"] == 200, answer
    data = json.loads(answer["body"])["data"]
    assert data["synced_count"] + data["duplicate_count"] == size, answer["body"][:1000]

def serve(numbers):
    for number in numbers:
        if number % 4 == 0:
            body = batch(number)
        send(body)

def measure():
    gc.collect()
    return tracemalloc.get_traced_memory()[0], psutil.Process().memory_info().rss

tracemalloc.start()
serve(range(warm_up))
before = measure()
serve(range(warm_up, warm_up + batches))
after = measure()
print(json.dumps([after[0] - before[0], after[1] - before[1]]))
"""


def test_memory_does_not_grow_with_batches(student: Student) -> None:
    """60 batches of 200 events, most of them repeats, go through the handler of one process."""
    arguments = [student.token, *map(str, (WARM_UP, BATCHES, EVENTS))]
    command = [sys.executable, "-c", _PROGRAM, *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    python, resident = json.loads(done.stdout.splitlines()[-1])
    assert python < PYTHON_BYTES, python
    assert resident < RESIDENT_BYTES, resident
