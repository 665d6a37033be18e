"""The stack of `make chaos`: the local stack, with some parts behind proxies (CHAOS_ADDRESSES, a JSON object)."""

from __future__ import annotations

import json
import os
import sys

from local.backends import Backends
from local.serve import serve
from local.stack_directory import REPOSITORY, default_home


class ProxiedBackends(Backends):
    """Backends that the functions reach through proxies."""

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables of the functions, with the proxies' addresses."""
        return {**super().environment, **json.loads(os.environ["CHAOS_ADDRESSES"])}


if __name__ == "__main__":
    serve(
        default_home(), int(os.environ["PORT"]), REPOSITORY / "template.yaml", concurrency=4, backends=ProxiedBackends
    )
    sys.exit(0)
