"""The command line: `python -m local serve` and `python -m local invoke <LogicalId> ['<event>']`."""

import argparse
import json
import os
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from local.console import Terminal
from local.errors import StackError
from local.home import REPOSITORY, Home, default_home


def main(arguments: list[str] | None = None) -> int:
    """Run a command; 1 when it could not do what was asked."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "invoke":
            return invoke(Home(options.home), options.function, options.event)
        from local.serve import serve

        serve(options.home, options.port, options.template, concurrency=options.concurrency)
    except StackError as error:
        Terminal().problem(str(error))
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description="The local stack: everything real, no Docker.")
    parser.set_defaults(home=default_home())
    commands = parser.add_subparsers(dest="command", required=True)
    serving = commands.add_parser("serve", help="bring everything up (PORT, STUDYSYNC_HOME)")
    serving.add_argument("--port", type=int, default=os.environ.get("PORT", "8000"), help="where the API answers")
    template = os.environ.get("STUDYSYNC_TEMPLATE") or REPOSITORY / "template.yaml"
    serving.add_argument("--template", type=Path, default=template, help="a SAM template (STUDYSYNC_TEMPLATE)")
    most = os.environ.get("LOCAL_CONCURRENCY", "4")
    serving.add_argument("--concurrency", type=int, default=most, help="processes a function (LOCAL_CONCURRENCY)")
    invoking = commands.add_parser("invoke", help="run one function of the running stack, as a schedule would")
    invoking.add_argument("function", help="its logical id in template.yaml")
    invoking.add_argument("event", nargs="?", default="{}", help="the event as JSON")
    for command in (serving, invoking):
        command.add_argument("--home", type=lambda text: Path(text).resolve(), default=default_home())
    return parser


def invoke(home: Home, function: str, event: str) -> int:
    """Invoke a function of the stack that runs on `home` and print its result; 1 when it failed."""
    try:
        stack = json.loads((home.run / "stack.json").read_text())
        url = f"{stack['control']}/2015-03-31/functions/{function}/invocations"
        with urlopen(Request(url, event.encode(), method="POST")) as answer:  # noqa: S310 - our own
            print(answer.read().decode())
            return 1 if answer.headers.get("X-Amz-Function-Error") else 0
    except HTTPError as error:
        raise StackError(error.read().decode()) from error
    except OSError as error:
        raise StackError(f"No stack is running on {home.root}: `make serve` starts one") from error


if __name__ == "__main__":
    sys.exit(main())
