"""The API keys for calls to Supabase.

A secret key (`sb_secret_...`) goes into `apikey` only: the gateway replaces it by the service role's token. The
`service_role` key of older projects is that token, so it goes into `Authorization` as well.

A project may have several keys at once. Calls use the first one until it is rejected, then the next: so a new key can
be listed before it exists, and an old one deleted while environments still list it.
"""

from __future__ import annotations

from studysync.settings import Settings

_JWT_PREFIX = "ey"


class ApiKeys:
    """The keys from the settings, and the index of the one in use.

    Args:
        settings: must name at least one key.
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
        """Return the headers of a call as the service role."""
        key = self.current
        return {"apikey": key} | ({"Authorization": f"Bearer {key}"} if key.startswith(_JWT_PREFIX) else {})

    def refuse(self, key: str) -> None:
        """Switch to the next key after `key` was rejected."""
        if key == self.current:
            self._in_use = (self._in_use + 1) % len(self._keys)
