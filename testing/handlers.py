"""The handlers of all functions in one separate process, called as by Lambda; without a database and a table."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
# Each line of JSON is one event. The answers have standard output for themselves: logs go to standard error.
_PROCESS = """
import json, sys
from importlib import import_module
out, sys.stdout = sys.stdout, sys.stderr
for line in sys.stdin:
    function, event = json.loads(line)
    if function == "restore":
        import studysync.aws.snapstart
        answer = studysync.aws.snapstart.restore()
    else:
        answer = import_module(f"{function}.app").handler(event, None)
    print(json.dumps(answer), file=out, flush=True)
"""


class Handlers:
    """Calls the handlers."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process, self._log = process, log

    @property
    def log(self) -> str:
        """Everything that the process has written to its log so far."""
        return self._log.read_text(encoding="utf-8")

    def __call__(self, function: str, event: Any) -> Any:
        """Return the answer of a function's handler to an event; "restore" runs the SnapStart restore hook instead."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([function, event]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, self.log[-2000:]
        return json.loads(line)


@contextmanager
def handlers(folder: Path, **environment: str) -> Iterator[Handlers]:
    """Run the process with these environment variables inside the block; `folder` gets its log."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AWS", "RESILIENCE", "SUPABASE"))}
    own |= {"SUPABASE_URL": "http://127.0.0.1:1", "STAGE": "prod", "POWERTOOLS_SERVICE_NAME": "test"}
    own |= {"RATE_LIMIT_PER_MINUTE": "100000", "RATE_LIMIT_PER_HOUR": "1000000"}
    own["PYTHONPATH"] = os.pathsep.join(str(ROOT / each) for each in ("functions", "layers/core", "layers/resilience"))
    log = folder / "log"
    with (
        log.open("w", encoding="utf-8") as errors,
        subprocess.Popen(
            [sys.executable, "-c", _PROCESS],
            env=own | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        yield Handlers(process, log)
        assert process.stdin is not None
        process.stdin.close()
