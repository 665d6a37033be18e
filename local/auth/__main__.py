"""The program of the auth part."""

import uvicorn

from local.auth.app import create_app
from local.auth.settings import Settings
from local.socket_service import inherited_socket
from local.web_pages import OwnHostsOnly


def main() -> None:
    """Serve until the process is ended."""
    application = OwnHostsOnly(create_app(Settings.from_environment()))
    config = uvicorn.Config(application, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[inherited_socket()])


if __name__ == "__main__":
    main()
