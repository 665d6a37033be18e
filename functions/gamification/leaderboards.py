"""Leaderboards: a first page that everybody shares, and the caller's own place, which is never old."""

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
    """A place on a board; without XP in the period there is no rank."""

    rank: int | None
    user_id: str
    username: str
    xp: int
    level: int


class Entry(Place):
    """A place on a page, and when its XP was reached: part of the position that the next page starts after."""

    reached_at: str


class Standing(TypedDict):
    """Where the caller stands, and out of how many."""

    period_start: str
    me: Place
    total_users: int


class SharedPage(TypedDict):
    """What a page says to everybody; it holds one entry more than its limit where there are more."""

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

    The first pages of current periods are the same for everybody and up to a minute old. The caller's own place never
    is, nor a page that contradicts it. Nothing else is cached: a caller can ask for any number of other pages.

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
    """Reads the page that a cache miss asks for, and keeps what it says of the caller alone.

    Attributes:
        asked: whether it was this caller who read for all that asked at the same moment.
        standing: of the caller, where it was.
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
        # Another caller's refusal, who asked at the same moment; this one may be allowed what that one is not.
        return await _read_board(caller, question)
    entries = shared["entries"][: limit + 1]
    standing = reader.standing
    if standing is None:
        standing = await _read_standing(caller, question)
        if _contradicts(standing, shared["period_start"], entries, limit):
            # Read past the cache: the page is as good as before for everybody else.
            return await _read_board(caller, question)
    # What a rank is out of belongs to the rank.
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
    """Tell whether a cached first page is of another period, or shows the caller otherwise than they stand."""
    if standing["period_start"] != period_start:
        return True
    me = standing["me"]
    shown = next((entry for entry in entries if entry["user_id"] == me["user_id"]), None)
    if shown is not None:
        return (shown["rank"], shown["xp"], shown["username"]) != (me["rank"], me["xp"], me["username"])
    # A page with free places shows everybody; a full one those above its last line.
    return me["rank"] is not None and (len(entries) <= limit or me["xp"] > entries[-1]["xp"])


def _answer(board: Board, limit: int) -> Leaderboard:
    entries = board["entries"]
    last = entries[limit - 1] if len(entries) > limit else None
    position = [last["xp"], last["reached_at"], last["user_id"]] if last else None
    cursor = encode_cursor(position) if position else None
    return Leaderboard.model_validate({**board, "entries": entries[:limit], "next_cursor": cursor})
