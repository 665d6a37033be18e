"""The command line: `python -m local serve` and `python -m local invoke <LogicalId> ['<event>']`."""

import argparse
import json
import os
import socket
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request

from local.console import Terminal
from local.errors import StackError
from local.loopback import open_url
from local.stack_directory import REPOSITORY, StackDirectory, default_home

_HIGHEST_PORT = 65535
_MOST_PROCESSES = 64  # a function


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns 1 if it failed."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "invoke":
            return invoke(StackDirectory(options.home), options.function, options.event)
        from local.serve import serve

        port = _whole("PORT", options.port, 0, _HIGHEST_PORT)
        concurrency = _whole("LOCAL_CONCURRENCY", options.concurrency, 1, _MOST_PROCESSES)
        serve(options.home, port, options.template, host=options.host, concurrency=concurrency)
    except StackError as error:
        Terminal().problem(str(error))
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description="The local stack: real components, no Docker.")
    parser.set_defaults(home=default_home())
    commands = parser.add_subparsers(dest="command", required=True)
    serving = commands.add_parser("serve", help="start the whole stack (PORT, HOST, STUDYSYNC_HOME)")
    serving.add_argument("--port", default=os.environ.get("PORT") or "8000", help="the API's port (PORT)")
    host = os.environ.get("HOST") or "localhost"
    if host.partition(".")[0] == socket.gethostname().partition(".")[0]:
        host = "localhost"  # some shells export the machine's name as HOST, which the user did not choose
    serving.add_argument("--host", default=host, help="an additional address to listen on, 0.0.0.0 for all (HOST)")
    template = os.environ.get("STUDYSYNC_TEMPLATE") or REPOSITORY / "template.yaml"
    serving.add_argument("--template", type=Path, default=template, help="a SAM template (STUDYSYNC_TEMPLATE)")
    most = os.environ.get("LOCAL_CONCURRENCY") or "4"
    serving.add_argument("--concurrency", default=most, help="maximum processes per function (LOCAL_CONCURRENCY)")
    invoking = commands.add_parser("invoke", help="run one function of the running stack, as a schedule would")
    invoking.add_argument("function", help="its logical id in template.yaml")
    invoking.add_argument("event", nargs="?", default="{}", help="the event as JSON")
    for command in (serving, invoking):
        command.add_argument("--home", type=lambda text: Path(text).resolve(), default=default_home())
    return parser


def _whole(name: str, text: str, lowest: int, highest: int) -> int:
    try:
        value = int(text)
    except ValueError:
        value = lowest - 1
    if not lowest <= value <= highest:
        raise StackError(f"{name} must be a number from {lowest} to {highest}, not {text!r}")
    return value


def invoke(home: StackDirectory, function: str, event: str) -> int:
    """Invoke a function of the stack running on `home` and print its result; returns 1 if it failed."""
    try:
        stack = json.loads((home.run / "stack.json").read_text())
        url = f"{stack['control']}/2015-03-31/functions/{function}/invocations"
        with open_url(Request(url, event.encode(), method="POST")) as answer:  # noqa: S310 - our own
            print(answer.read().decode())
            return 1 if answer.headers.get("X-Amz-Function-Error") else 0
    except HTTPError as error:
        with error:
            raise StackError(error.read().decode()) from error
    except OSError as error:
        raise StackError(f"No stack is running on {home.root}: `make serve` starts one") from error


if __name__ == "__main__":
    sys.exit(main())
