"""The program of the DynamoDB part: moto's WSGI application for this one service, with a thread per connection."""

import json
import logging
import os
from collections.abc import Iterable
from pathlib import Path
from threading import Lock
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from local.policies import Guard, Wsgi
from local.served import inherited_socket
from local.web_pages import REFUSAL, is_refused

PERMISSIONS_VARIABLE = "LOCAL_PERMISSIONS"


class _Handler(MotoRequestHandler):
    """Keeps connections open; otherwise an SDK would connect for every call."""

    protocol_version = "HTTP/1.1"
    # A response is sent in two writes; without this, the second waits 40 ms for the client's delayed acknowledgement.
    disable_nagle_algorithm = True


def one_at_a_time(application: Wsgi) -> Wsgi:
    """Serialise requests: moto checks a condition and writes in two steps, DynamoDB in one."""
    lock = Lock()

    def serve(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "GET":  # a health check: DynamoDB's own are POST
            start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
            return [b"ok"]
        with lock:
            return application(environ, start_response)

    return serve


def closed_to_pages(application: Wsgi) -> Wsgi:
    """Reject requests from web pages: moto allows every origin, and has commands that need only a POST."""

    def serve(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        sent = {name[5:].lower().replace("_", "-"): value for name, value in environ.items() if name[:5] == "HTTP_"}
        if is_refused(sent):
            start_response(
                "403 Forbidden", [("Content-Type", "application/json"), ("Content-Length", str(len(REFUSAL)))]
            )
            return [REFUSAL]
        return application(environ, start_response)

    return serve


def _log(call: dict[str, str | None]) -> None:
    print(json.dumps(call), flush=True)


def main() -> None:
    """Serve until the process is ended."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    listener = inherited_socket()
    host, port = listener.getsockname()[:2]
    guarded = Guard(create_backend_app("dynamodb"), Path(os.environ[PERMISSIONS_VARIABLE]), _log)
    application = closed_to_pages(one_at_a_time(guarded))
    make_server(host, port, application, threaded=True, request_handler=_Handler, fd=listener.fileno()).serve_forever()


if __name__ == "__main__":
    main()
