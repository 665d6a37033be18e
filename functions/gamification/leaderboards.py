"""Leaderboards: a shared first page from the cache, and the caller's own place, which is always current."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, datetime
from typing import TypedDict
from uuid import UUID

from pydantic import TypeAdapter

from gamification.models import Leaderboard, Period
from resilience import cached
from studysync.auth.tokens import Caller
from studysync.db.client import database
from studysync.errors import ApiError, invalid
from studysync.fields import Timestamp
from studysync.web.pagination import DEFERRED, MAX_LIMIT, Count, decode_cursor, encode_cursor

_POSITION: TypeAdapter[tuple[int, datetime, UUID]] = TypeAdapter(tuple[Count, Timestamp, UUID], config=DEFERRED)


class Question(TypedDict):
    """The arguments of the SQL function, without the caller."""

    p_period: str
    p_period_start: str | None
    p_space_id: str | None
    p_limit: int
    p_after_xp: int | None
    p_after_at: str | None
    p_after_id: str | None


class Place(TypedDict):
    """A place on a leaderboard; `rank` is None without XP in the period."""

    rank: int | None
    user_id: str
    username: str
    xp: int
    level: int


class Entry(Place):
    """A place on a page. `reached_at`, when its XP was reached, is part of the next page's starting position."""

    reached_at: str


class Standing(TypedDict):
    """The caller's place, and the number of users on the leaderboard."""

    period_start: str
    me: Place
    total_users: int


class SharedPage(TypedDict):
    """The part of a page that is the same for every caller; one entry more than its limit if there are more."""

    period: str
    period_start: str
    entries: list[Entry]
    generated_at: str


class Board(SharedPage, Standing):
    """A page with the caller's place."""


async def leaderboard(
    caller: Caller, period: Period, period_start: date | None, space_id: UUID | None, limit: int, cursor: str | None
) -> Leaderboard:
    """Return a page of a leaderboard with the caller's own place.

    The first pages of current periods are shared by all callers and up to a minute old. The caller's own place is
    always current; a cached page that contradicts it is read again. No other page is cached, because a caller can
    request any number of them.

    Raises:
        ApiError: VALIDATION_ERROR, no such period begins on `period_start`; NOT_FOUND, no such space.
    """
    if period_start is not None and not period.begins_on(period_start):
        raise invalid(f"No {period} period begins on this day.", "query.period_start")
    after = decode_cursor(cursor, _POSITION)
    question: Question = {
        "p_period": period.value,
        "p_period_start": period_start.isoformat() if period_start else None,
        "p_space_id": str(space_id) if space_id else None,
        "p_limit": limit,
        "p_after_xp": after[0] if after else None,
        "p_after_at": after[1].isoformat() if after else None,
        "p_after_id": str(after[2]) if after else None,
    }
    if after is not None or period_start is not None:
        board = await _read_board(caller, question)
    else:
        board = await _first_page(caller, question)
    return _answer(board, limit)


class _PageReader:
    """Reads a page on a cache miss and remembers the caller's own standing from it.

    Attributes:
        asked: whether this caller did the read that all concurrent callers share.
        standing: the caller's standing if `asked`; otherwise None.
    """

    def __init__(self, caller: Caller, question: Question) -> None:
        self._caller, self._question = caller, question
        self.asked = False
        self.standing: Standing | None = None

    async def read(self) -> SharedPage:
        self.asked = True
        board = await _read_board(self._caller, self._question)
        self.standing = Standing(period_start=board["period_start"], me=board["me"], total_users=board["total_users"])
        return SharedPage(
            period=board["period"],
            period_start=board["period_start"],
            entries=board["entries"],
            generated_at=board["generated_at"],
        )


async def _first_page(caller: Caller, question: Question) -> Board:
    limit = question["p_limit"]
    largest: Question = {**question, "p_limit": MAX_LIMIT}  # cached once, whatever the caller's limit
    reader = _PageReader(caller, largest)
    try:
        shared = await _shared_page(largest, reader.read)
    except ApiError:
        if reader.asked:
            raise
        # Another caller, who asked at the same moment, was denied; this one may be allowed.
        return await _read_board(caller, question)
    entries = shared["entries"][: limit + 1]
    standing = reader.standing
    if standing is None:
        standing = await _read_standing(caller, question)
        if _contradicts(standing, shared["period_start"], entries, limit):
            # Bypass the cache; the cached page is still good for everyone else.
            return await _read_board(caller, question)
    # The rank and the total it refers to must come from the same read.
    return Board(
        period=shared["period"],
        period_start=shared["period_start"],
        entries=entries,
        generated_at=shared["generated_at"],
        me=standing["me"],
        total_users=standing["total_users"],
    )


async def _read_board(caller: Caller, question: Question) -> Board:
    board: Board = await database().call(
        "get_leaderboard", p_caller_id=str(caller.user_id), p_with_page=True, **question
    )
    return board


async def _read_standing(caller: Caller, question: Question) -> Standing:
    standing: Standing = await database().call(
        "get_leaderboard", p_caller_id=str(caller.user_id), p_with_page=False, **question
    )
    return standing


@cached(
    ttl=60,
    key_prefix="leaderboard",
    key=lambda question, _read: question,
    stale_while_revalidate=30,
    stale_if_error=600,
)
async def _shared_page(
    question: Question,  # noqa: ARG001  # the key
    read: Callable[[], Awaitable[SharedPage]],
) -> SharedPage:
    return await read()


def _contradicts(standing: Standing, period_start: str, entries: list[Entry], limit: int) -> bool:
    """Return whether a cached first page is of another period, or contradicts the caller's standing."""
    if standing["period_start"] != period_start:
        return True
    me = standing["me"]
    shown = next((entry for entry in entries if entry["user_id"] == me["user_id"]), None)
    if shown is not None:
        return (shown["rank"], shown["xp"], shown["username"]) != (me["rank"], me["xp"], me["username"])
    # A page with room left shows everyone; a full one shows everyone above its last entry.
    return me["rank"] is not None and (len(entries) <= limit or me["xp"] > entries[-1]["xp"])


def _answer(board: Board, limit: int) -> Leaderboard:
    entries = board["entries"]
    last = entries[limit - 1] if len(entries) > limit else None
    position = [last["xp"], last["reached_at"], last["user_id"]] if last else None
    cursor = encode_cursor(position) if position else None
    return Leaderboard.model_validate({**board, "entries": entries[:limit], "next_cursor": cursor})
