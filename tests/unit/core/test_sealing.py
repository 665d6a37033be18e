"""Sealed values cannot be read, forged or reused elsewhere, and expire with their key."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studysync.context import _current, begin_request
from studysync.errors import ApiError
from studysync.sealing import keyed_hash, seal, unseal
from studysync.settings import get_settings
from studysync.web.pagination import decode_cursor, encode_cursor
from tests.unit.core.web.test_pagination import NAME

OWNER = ("/api/sessions", "caller")


@pytest.fixture(autouse=True)
def no_request() -> Iterator[None]:
    """Each test runs outside a request, even after another one's."""
    token = _current.set(None)
    yield
    _current.reset(token)


def with_key(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("SUPABASE_URL", "http://project.test")
    monkeypatch.setenv("SUPABASE_SECRET_KEY", key)
    monkeypatch.delenv("SUPABASE_SECRET_NAME", raising=False)
    get_settings.cache_clear()


@pytest.fixture(autouse=True)
def settings_as_before() -> Iterator[None]:
    yield
    get_settings.cache_clear()


@given(st.binary(min_size=1, max_size=200))
def test_what_was_sealed_comes_back(content: bytes) -> None:
    """Any content can be unsealed, and equal content has equal text, so that answers keep their ETag."""
    sealed = seal("cursor", content, OWNER)
    assert unseal("cursor", sealed, OWNER) == content
    assert seal("cursor", content, OWNER) == sealed


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_byte_is_refused(place: int, change: int) -> None:
    """A changed byte is refused, wherever it is and whatever its new value."""
    raw = bytearray(base64.urlsafe_b64decode(seal("cursor", b"seventeen bytes..", OWNER) + "="))
    raw[place % len(raw)] ^= change
    with pytest.raises(ValueError, match="not sealed here"):
        unseal("cursor", base64.urlsafe_b64encode(raw).decode(), OWNER)


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_what_was_made_up_is_refused(text: str) -> None:
    """Text that is not base64, or shorter than any seal, is refused too."""
    with pytest.raises(ValueError, match=r".*"):
        unseal("cursor", text, OWNER)


@pytest.mark.parametrize(
    ("purpose", "bound_to"),
    [
        ("other", OWNER),
        ("cursor", ("/api/sessions", "somebody else")),
        ("cursor", ("/api/spaces/mine", "caller")),
        ("cursor", ("/api/sessionscaller", "")),
        ("cursor", ("/api/sessions",)),
    ],
)
def test_it_is_good_for_what_it_was_sealed_for(purpose: str, bound_to: tuple[str, ...]) -> None:
    """A seal does not open for another purpose, owner or list."""
    with pytest.raises(ValueError, match="not sealed here"):
        unseal(purpose, seal("cursor", b"content", OWNER), bound_to)


def test_a_cursor_shows_nothing() -> None:
    """A cursor reveals neither its content nor that two are alike."""
    names = [encode_cursor([f"ada{n}"]) for n in range(3)]
    for name in names:
        raw = base64.urlsafe_b64decode(name + "=" * (-len(name) % 4))
        assert b"ada" not in raw
        with pytest.raises(ValueError, match=r".*"):
            json.loads(raw)
    assert len({name[:8] for name in names}) == 3


def test_a_cursor_belongs_to_its_list_and_its_owner() -> None:
    """On another route it is a 400, and for another caller too if the list is private."""

    def asked(route: str, caller: str) -> None:
        context = begin_request({"method": "GET", "path": "/", "type": "http"}, None)
        context.route, context.user_id = route, caller

    asked("/api/sessions", "ada")
    own = encode_cursor(["x"])
    changes = encode_cursor(["x"], "/api/sync/changes")
    assert decode_cursor(own, NAME) == ("x",)
    for route, caller, cursor in (
        ("/api/sessions", "eve", own),
        ("/api/spaces/mine", "ada", own),
        ("/api/sessions", "ada", changes),
    ):
        asked(route, caller)
        with pytest.raises(ApiError):
            decode_cursor(cursor, NAME)
    asked("/api/sync/changes", "ada")
    assert decode_cursor(changes, NAME) == ("x",)
    asked("/api/gamification/leaderboard/{period}", "ada")
    board = encode_cursor(["x"])
    asked("/api/gamification/leaderboard/{period}", "eve")
    assert decode_cursor(board, NAME) == ("x",)


def test_all_environments_have_the_same_key_and_a_new_secret_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cursor outlives its process, but not the service role key; then it is refused like any other text."""
    with_key(monkeypatch, "first")
    sealed, hashed = seal("cursor", b"content", OWNER), keyed_hash("logs", "ada@example.test")
    assert sealed == "f5ecxjwKaru6JP0j_yiG7gGCAbhQtVw", "the key is derived otherwise than it was"
    with_key(monkeypatch, "second")
    with pytest.raises(ValueError, match="not sealed here"):
        unseal("cursor", sealed, OWNER)
    assert keyed_hash("logs", "ada@example.test") != hashed
    with_key(monkeypatch, "first")
    assert unseal("cursor", sealed, OWNER) == b"content"


def test_without_a_secret_the_key_is_nobody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty secret must not give a key that anybody can derive."""
    with_key(monkeypatch, "")
    made = seal("cursor", b"content", OWNER)
    monkeypatch.setattr("studysync.sealing._FALLBACK_SECRET", "another process's")
    with pytest.raises(ValueError, match="not sealed here"):
        unseal("cursor", made, OWNER)


def test_a_keyed_hash_is_short_and_for_one_purpose() -> None:
    """Lone surrogates can be hashed too, and no address can be found by hashing candidates."""
    assert len(keyed_hash("logs", "\ud800")) == 32
    assert keyed_hash("logs", "a") == keyed_hash("logs", "a") != keyed_hash("sign-in", "a")


def test_a_cursor_outlives_the_change_of_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """It opens while its key is listed, whatever precedes it, and not afterwards."""
    with_key(monkeypatch, "sb_secret_old")
    sealed = seal("cursor", b"place", OWNER)
    with_key(monkeypatch, "sb_secret_new,sb_secret_old")
    assert unseal("cursor", sealed, OWNER) == b"place"
    assert seal("cursor", b"place", OWNER) != sealed
    with_key(monkeypatch, "sb_secret_new")
    with pytest.raises(ValueError, match="not sealed here"):
        unseal("cursor", sealed, OWNER)
