"""The API keys that calls to Supabase carry.

A secret key (`sb_secret_...`) goes into `apikey` alone: the gateway puts the service role's token in its place. The
`service_role` key of older projects is that token, so it goes into `Authorization` as well.

A project may have several keys at once. All calls carry the first one until it is refused, and then the next: a new key
may be listed before it exists, and an old one deleted while environments still list it.
"""

from __future__ import annotations

from studysync.settings import Settings

_JWT_PREFIX = "ey"


class ApiKeys:
    """The keys of the settings, and which of them is in use.

    Args:
        settings: name at least one.
    """

    def __init__(self, settings: Settings) -> None:
        self._keys = settings.api_keys or ("",)
        self._in_use = 0

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def current(self) -> str:
        """The key in use."""
        return self._keys[self._in_use]

    def headers(self) -> dict[str, str]:
        """Return what a call as the service role carries."""
        key = self.current
        return {"apikey": key} | ({"Authorization": f"Bearer {key}"} if key.startswith(_JWT_PREFIX) else {})

    def refuse(self, key: str) -> None:
        """Take in that `key` was refused: the next one is in use from now on."""
        if key == self.current:
            self._in_use = (self._in_use + 1) % len(self._keys)
