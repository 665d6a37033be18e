"""Child process of the cold start benchmark: import a handler, answer one event, and report time, CPU and memory."""

import time

_BEGAN, _CPU = time.perf_counter(), time.process_time()

import importlib  # noqa: E402 - the clock starts before anything is imported
import json  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402


class _Context:
    function_name = "benchmark"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:benchmark"
    aws_request_id = "00000000-0000-0000-0000-000000000000"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 15_000


def _peak_memory() -> float:
    """Return the peak RSS in MB. Not from getrusage, whose peak starts at that of the parent process."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main() -> None:
    """Measure the module in the first argument with the event (JSON) in the second; times are in seconds."""
    module, event = importlib.import_module(sys.argv[1]), json.loads(sys.argv[2])
    imported = time.perf_counter()
    answer = module.handler(event, _Context())
    answered, cpu = time.perf_counter(), time.process_time()
    assert answer["statusCode"] == 200, answer
    figures = {
        "import": imported - _BEGAN,
        "total": answered - _BEGAN,
        "cpu": cpu - _CPU,
        "memory": _peak_memory(),
    }
    sys.stderr.write("\n" + json.dumps(figures) + "\n")
    sys.stderr.flush()


main()
