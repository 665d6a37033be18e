"""A student who works while others attack: `python -m benchmarks.attacks.bystander URL`, until standard input ends.

Finally it prints one line of JSON: the number of answers, the statuses of those that failed, and the slowest response
time in seconds. It runs in its own process, so that it waits for the stack and not for the attackers.
"""

from __future__ import annotations

import json
import sys
import threading
import time

import httpx

from benchmarks.attacks.account import Account

PAUSE_SECONDS = 0.75  # below the limit of 100 calls a minute


def main() -> None:
    """Run one session, cycling through a heartbeat, the profile, the leaderboard and the changes."""
    with httpx.Client(base_url=sys.argv[1], timeout=30) as client:
        student = Account.register(client)
        done = threading.Event()
        threading.Thread(target=lambda: (sys.stdin.read(), done.set()), daemon=True).start()
        session = student.post("/api/sessions/start", {"duration_minutes": 60}).json()["data"]["session_id"]
        calls = [
            lambda: student.post(f"/api/sessions/{session}/heartbeat", {}),
            lambda: student.get("/api/users/me"),
            lambda: student.get("/api/gamification/leaderboard/weekly"),
            lambda: student.get("/api/sync/changes"),
        ]
        answers: list[tuple[int, float]] = []
        print("working", flush=True)
        while not done.wait(PAUSE_SECONDS):
            began = time.perf_counter()
            status = calls[len(answers) % len(calls)]().status_code
            answers.append((status, time.perf_counter() - began))
        outcome = student.post(f"/api/sessions/{session}/complete", {}).status_code
    print(
        json.dumps(
            {
                "answers": len(answers),
                "failed": sorted(status for status, _ in [*answers, (outcome, 0.0)] if status >= 400),
                "slowest_seconds": max((seconds for _, seconds in answers), default=0.0),
            }
        )
    )


if __name__ == "__main__":
    main()
