"""`python -m tools.mutation [SUITE...]`: change the code in small ways, and list the changes that no test notices.

mutmut expects code and imports in one folder, which layers and functions are not, so everything is copied into one. A
run ends after MINUTES (20), and changes that were not tried by then are counted as such. A surviving change means a
missing test, or makes no difference: `mutmut show NAME` shows it, in the folder printed at the end.
ONLY="resilience/cache/* resilience/retry/*" changes only those files.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
# By name: the code to change, and the tests that should notice. Tests that measure time are left out.
SUITES = {
    "resilience": (
        ["src/resilience/*"],
        ["tests/unit/resilience", "--ignore=tests/unit/resilience/test_public_api.py"],
    ),
    "core": (
        ["src/studysync/*", "src/sync/events.py"],
        ["tests/unit/core", "tests/unit/sync"],
    ),
    # The domains' logic is tested on the real database, with a stack per change, so this takes a while.
    "domains": (
        [f"src/{name}/service.py" for name in ("users", "sessions", "gamification", "spaces", "sync", "health")],
        # Tests of logs and of the guide's examples cannot run twice in a process.
        [
            *("tests/contract", "tests/unit/gamification", "tests/integration/test_gamification_rules.py"),
            *("--ignore=tests/contract/test_logs.py", "--ignore=tests/contract/test_guide.py"),
        ],
    ),
}
_COPIED = (
    *("tests", "testing", "docs", "local", "tools", "benchmarks", "supabase"),
    *("README.md", "CONTRIBUTING.md", "Makefile"),
)
_SURVIVED, _UNTRIED, _UNTESTED = 0, None, 33


def lay_out(folder: Path, suite: str) -> None:
    """Copy code, tests and settings for one suite into an empty folder."""
    changed, tests = SUITES[suite]
    if only := os.environ.get("ONLY"):
        changed = [f"src/{pattern}" for pattern in only.split()]
    for source in (
        ROOT / "layers/resilience/resilience",
        ROOT / "layers/core/studysync",
        *(ROOT / "functions").iterdir(),
    ):
        if source.is_dir():
            shutil.copytree(source, folder / "src" / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (*_COPIED, "template.yaml", "layers", "functions"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    settings = {
        "source_paths": ["src"],
        "only_mutate": changed,
        "also_copy": [*_COPIED, "template.yaml", "layers", "functions"],
        "pytest_add_cli_args": ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist"],
        "pytest_add_cli_args_test_selection": tests,
        "timeout_multiplier": 8.0,
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    lines += ["use_git_change_detection = false", "track_dependencies = false"]
    pytest = '[tool.pytest.ini_options]\npythonpath = ["src", "."]\naddopts = ["--import-mode=importlib"]\n'
    (folder / "pyproject.toml").write_text(f"{pytest}[tool.mutmut]\n" + "\n".join(lines) + "\n", encoding="utf-8")


def scores(folder: Path) -> dict[str, Counter[str]]:
    """Return by module how many changes were noticed, survived, had no test, or were not tried."""
    found = {}
    for path in sorted((folder / "mutants" / "src").rglob("*.meta")):
        codes = json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"].values()
        kinds = {_SURVIVED: "survived", _UNTRIED: "not tried", _UNTESTED: "no test"}
        if codes:
            module = str(path.relative_to(folder / "mutants" / "src")).removesuffix(".py.meta")
            found[module] = Counter(kinds.get(code, "noticed") for code in codes)
    return found


def main() -> int:
    """Run the suites, each for its share of the time; returns 1 if one could not run at all."""
    suites = sys.argv[1:] or list(SUITES)
    seconds = float(os.environ.get("MINUTES", "20")) * 60 / len(suites)
    for suite in suites:
        folder = Path(tempfile.mkdtemp(prefix=f"studysync-mutation-{suite}-"))
        lay_out(folder, suite)
        command = ["nice", "-n", "15", sys.executable, "-m", "mutmut", "run", "--max-children", "1"]
        with (folder / "log").open("wb") as log:
            run = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT, env=_environment())
            try:
                run.wait(seconds)
            except subprocess.TimeoutExpired:
                run.terminate()
                run.wait(30)
        found = scores(folder)
        if not any(counts["noticed"] for counts in found.values()):
            print((folder / "log").read_text(encoding="utf-8", errors="replace")[-2000:])
            return 1
        for module, counts in (*found.items(), (f"{suite}, all", sum(found.values(), Counter[str]()))):
            tried = counts["noticed"] + counts["survived"]
            share = f"{counts['noticed'] / tried:6.1%}" if tried else "     -"
            print(f"{share}  {module:<40} {dict(counts)}")
        print(f"Survivors: cd {folder} && {sys.executable} -m mutmut results")
    return 0


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


if __name__ == "__main__":
    sys.exit(main())
