"""API keys as Supabase's gateway handles them: which are valid, and which token they are replaced by."""

from pathlib import Path

from local.keys import Keys
from local.supabase.heads import Head

_KEY_PREFIX = "sb_"


class RefusedError(Exception):
    """A rejected request; the message is for its sender."""


class ApiKeys:
    """The keys of a project, read again whenever their file changes, so that keys can be added and removed."""

    def __init__(self, path: Path) -> None:
        self._path, self._read_at = path, -1

    def admit(self, head: Head) -> None:
        """Accept a request, and add the key's token if it has none of a user.

        Raises:
            RefusedError: without a key, with a wrong one, or with a secret one from a browser.
        """
        keys = self._current()
        sent = head.get("apikey") or _in_query(head.target)
        if not sent:
            raise RefusedError("No API key found in request")
        secret = sent in keys.secret_keys
        if secret and "Mozilla/" in (head.get("user-agent") or ""):
            raise RefusedError("A secret API key must not be used in a browser")
        if not secret and sent not in (keys.publishable_key, keys.anon_key, keys.service_role_key):
            raise RefusedError("Invalid API key")
        if sent.startswith(_KEY_PREFIX):
            self._translate(head, sent, keys.service_role_key if secret else keys.anon_key)
        if not secret:
            head.set("sb-forwarded-for", None)  # only servers may choose whom they act for

    def _translate(self, head: Head, sent: str, token: str) -> None:
        scheme, _, bearer = (head.get("authorization") or "").partition(" ")
        if not bearer or (scheme.lower() == "bearer" and bearer.strip() == sent):
            head.set("authorization", f"Bearer {token}")
        elif bearer.strip().startswith(_KEY_PREFIX):
            raise RefusedError("Invalid API key")

    def _current(self) -> Keys:
        changed = self._path.stat().st_mtime_ns
        if changed != self._read_at:
            self._keys, self._read_at = Keys.read(self._path), changed
        return self._keys


def _in_query(target: str) -> str | None:
    for pair in target.partition("?")[2].split("&"):
        name, _, value = pair.partition("=")
        if name == "apikey":
            return value
    return None
