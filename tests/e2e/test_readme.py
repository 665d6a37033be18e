"""What the README tells people to type works, in the order in which they type it."""

from __future__ import annotations

import json
import re
import subprocess
import uuid
from pathlib import Path

from tests.e2e.conftest import Stack

README = Path(__file__).parents[2] / "README.md"


def test_the_walk_goes_as_printed(stack: Stack) -> None:
    """Every request is answered with success, and the last one sent twice changes nothing."""
    walk = "".join(re.findall(r"```bash\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL))
    again = walk[walk.rindex("ask $API/api/sync/offline") :]
    script = (walk + again).replace("http://localhost:8000", stack.facts["url"])
    script = re.sub(r"\bada\b", f"ada_{uuid.uuid4().hex[:12]}", script)  # a real project knows the last run's
    asked = f"TOKEN=\n{script}"
    done = subprocess.run(["bash", "-eu"], input=asked, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == script.count("\nask ")
    assert all(answer["success"] for answer in answers), done.stdout
    assert [answer["data"]["duplicate_count"] for answer in answers[-2:]] == [0, 2]
