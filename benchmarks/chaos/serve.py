"""The stack of `make chaos`: the usual one, whose functions find some parts behind proxies (CHAOS_ADDRESSES, JSON)."""

from __future__ import annotations

import json
import os
import sys

from local.backends import Backends
from local.serve import serve
from local.stack_directory import REPOSITORY, default_home


class ProxiedBackends(Backends):
    """Backends that the functions reach at other addresses than their own."""

    @property
    def environment(self) -> dict[str, str]:
        """What the functions need to find all of it."""
        return {**super().environment, **json.loads(os.environ["CHAOS_ADDRESSES"])}


if __name__ == "__main__":
    serve(
        default_home(), int(os.environ["PORT"]), REPOSITORY / "template.yaml", concurrency=4, backends=ProxiedBackends
    )
    sys.exit(0)
