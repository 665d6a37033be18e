"""Leaderboards: ranks, pages, periods, and what each caller can see."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from resilience import cache_manager
from testing.client import Api, Student, assert_problem
from testing.clock import DatabaseClock
from testing.cursors import sealed
from testing.timeline import completed_session

MONDAY = datetime(2031, 3, 3, 12, tzinfo=UTC)  # a week and a month that no other test uses
_weeks = count(10, 10)


@pytest.fixture
def far_week(clock: DatabaseClock) -> DatabaseClock:
    """The clock is set to an unused week, so that its boards contain only this test's students."""
    clock.set(MONDAY + timedelta(weeks=next(_weeks)))
    return clock


def board(student: Student, period: str = "weekly", **params: Any) -> dict[str, Any]:
    cache_manager.clear()  # the tests award XP without the API, so that no cached page is invalidated
    response = student.get(f"/api/gamification/leaderboard/{period}", params=params)
    assert response.status_code == 200, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


def test_equal_xp_shares_the_higher_rank(api: Api, far_week: DatabaseClock, sql: Any) -> None:
    """Ranks are 1, 2, 2, 4; ties are ordered by who got there first, and the caller's own line is included."""
    students = [api.student() for _ in range(4)]
    for student, minutes in zip(students, (10, 20, 15, 15), strict=True):
        completed_session(sql, student.user_id, far_week.now(), minutes)
    found = board(students[0])
    expected = [(1, students[1]), (2, students[2]), (2, students[3]), (4, students[0])]
    assert [(entry["rank"], entry["user_id"]) for entry in found["entries"]] == [(r, s.user_id) for r, s in expected]
    assert found["me"] == found["entries"][-1]
    assert (found["total_users"], found["period"], found["next_cursor"]) == (4, "weekly", None)
    assert date.fromisoformat(found["period_start"]) == (far_week.now().date())


def test_pages_cover_a_board_once_with_the_right_ranks(api: Api, far_week: DatabaseClock, sql: Any) -> None:
    """Keyset pages contain every user exactly once with the overall rank, even when ties span pages."""
    students = [api.student() for _ in range(11)]
    minutes = [300, 300, 257, 256, 256, 256, 255, 3, 2, 2, 1]
    for student, length in zip(students, minutes, strict=True):
        completed_session(sql, student.user_id, far_week.now(), length)
    found, cursor = [], None
    while True:
        page = board(students[0], limit=3, **({"cursor": cursor} if cursor else {}))
        assert len(page["entries"]) <= 3
        found += page["entries"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert [entry["user_id"] for entry in found] == [student.user_id for student in students]
    assert [entry["rank"] for entry in found] == [1, 1, 3, 4, 4, 4, 7, 8, 9, 9, 11]
    assert [board(student, limit=1)["me"]["rank"] for student in students] == [entry["rank"] for entry in found]


def test_without_xp_there_is_no_rank(api: Api, far_week: DatabaseClock, sql: Any) -> None:
    """A user who earned nothing in the period is not on its board."""
    student, other = api.student(), api.student()
    assert board(student)["entries"] == []
    completed_session(sql, other.user_id, far_week.now(), 10)
    found = board(student)
    assert (found["me"]["rank"], found["me"]["xp"], found["total_users"]) == (None, 0, 1)


def test_periods_roll_over_and_can_be_read_afterwards(api: Api, far_week: DatabaseClock, sql: Any) -> None:
    """A new week starts empty, the previous one is found by its first day, and the all-time board continues."""
    student = api.student()
    week = far_week.now().date()
    completed_session(sql, student.user_id, far_week.now(), 10)
    far_week.advance(days=7)
    assert board(student)["me"]["rank"] is None
    assert board(student, period_start=week.isoformat())["me"]["xp"] == 10
    assert board(student, "all-time")["me"]["xp"] == 10
    assert board(student, "monthly", period_start=week.replace(day=1).isoformat())["me"]["xp"] == 10


def test_a_closed_period_takes_no_more(api: Api, far_week: DatabaseClock, sql: Any) -> None:
    """XP that arrives after its week ended counts for the open month and all-time boards, but not for that week."""
    student, week = api.student(), far_week.now()
    far_week.advance(days=7)
    completed_session(sql, student.user_id, week, 10)
    assert board(student, period_start=week.date().isoformat())["me"]["xp"] == 0
    assert board(student)["me"]["xp"] == 0
    assert board(student, "all-time")["me"]["xp"] == 10


def test_the_own_line_is_never_stale(api: Api, far_week: DatabaseClock) -> None:
    """The caller's new award is in `me` and on the page immediately; pages of others may be a minute old."""
    student, other = api.student(), api.student()
    path = "/api/gamification/leaderboard/weekly"
    seen = []
    for _ in range(3):
        student.complete(student.start())
        found = student.get(path).json()["data"]
        assert found["me"] in found["entries"]
        other.get(path)
        seen.append(found["me"]["xp"])
    assert seen == [1, 2, 3]
    newcomer = api.student()
    newcomer.complete(newcomer.start())
    watched = other.get(path).json()["data"]
    assert (watched["total_users"], len(watched["entries"])) == (2, 1)  # a cached page, and how many there are now


def test_a_page_that_ranks_the_caller_otherwise_is_read_anew(api: Api, far_week: DatabaseClock, sql: Any) -> None:
    """Another user's award moves the caller down in `me` and on the page alike."""
    low, top, between = (api.student() for _ in range(3))
    completed_session(sql, low.user_id, far_week.now(), 10)
    completed_session(sql, top.user_id, far_week.now(), 30)
    path = "/api/gamification/leaderboard/weekly"
    assert low.get(path).json()["data"]["me"]["rank"] == 2
    completed_session(sql, between.user_id, far_week.now(), 20)
    found = low.get(path).json()["data"]
    assert found["me"]["rank"] == 3
    assert found["me"] in found["entries"]


def test_the_cursor_stands_beside_the_data(api: Api, far_week: DatabaseClock, sql: Any) -> None:
    """The cursor is beside the data, as in every list, and in its former place too."""
    for xp in (10, 20):
        completed_session(sql, api.student().user_id, far_week.now(), xp)
    page = api.student().get("/api/gamification/leaderboard/weekly", params={"limit": 1}).json()
    assert page["next_cursor"] == page["data"]["next_cursor"] is not None
    cursor = {"limit": 1, "cursor": page["next_cursor"]}
    last = api.student().get("/api/gamification/leaderboard/weekly", params=cursor).json()
    assert last["next_cursor"] is None
    assert last["data"]["entries"][0]["rank"] == 2


def test_a_caller_cannot_fill_the_cache(api: Api, far_week: DatabaseClock, sql: Any) -> None:
    """Each board has one cache entry, whatever limits, later pages and past or future periods are requested."""
    students = [api.student() for _ in range(4)]
    for student in students:
        completed_session(sql, student.user_id, far_week.now(), 10)
    path, asker = "/api/gamification/leaderboard/weekly", students[0]
    cache_manager.clear()
    before = cache_manager.get_stats().entries
    first = [asker.get(path, params={"limit": limit}).json() for limit in (1, 2, 3, 4, 50, 100)]
    for page, limit in zip(first, (1, 2, 3, 4, 50, 100), strict=True):
        assert [entry["user_id"] for entry in page["data"]["entries"]] == [each.user_id for each in students[:limit]]
        assert (page["next_cursor"] is None) == (limit >= 4)
    cursor = first[0]["next_cursor"]
    assert asker.get(path, params={"limit": 3, "cursor": cursor}).json()["next_cursor"] is None
    route = "/api/gamification/leaderboard/{period}"
    for n in range(30):
        made_up = sealed(route, n, "2026-01-01T00:00:00Z", uuid.uuid4())
        assert asker.get(path, params={"cursor": made_up}).status_code == 200
        period_start = (far_week.now() - timedelta(weeks=n - 10)).date().isoformat()
        assert asker.get(path, params={"period_start": period_start}).status_code == 200
        assert_problem(asker.get(path, params={"cursor": cursor[:-4] + f"{n:04}"}), 400, "VALIDATION_ERROR")
        assert_problem(asker.get(path, params={"space_id": str(uuid.uuid4())}), 404, "NOT_FOUND")
    assert cache_manager.get_stats().entries == before + 1


def test_one_callers_refusal_is_not_anothers(api: Api, far_week: DatabaseClock) -> None:
    """Concurrent callers share one page read, but each is authorised separately."""
    owner, outsider, gone = api.student(), api.student(), api.student()
    gone.delete("/api/users/me")
    space = owner.post("/api/spaces/create", {"name": "Owls", "visibility": "private"}).json()["data"]["space_id"]
    path = "/api/gamification/leaderboard/weekly"
    for url, other in ((f"{path}?space_id={space}", outsider), (path, gone)):
        api.run(cache_manager.clear_async())
        answers = api.at_once([api.send("GET", url, token=each.token) for each in (other, owner)])
        assert answers[0].status_code in (401, 403, 404)
        assert answers[1].status_code == 200


def test_a_session_paid_at_midnight_counts_for_one_week(api: Api, far_week: DatabaseClock, sql: Any) -> None:
    """The time of the award decides its week, even when the week ends before the clock is read again."""
    student, ended = api.student(), far_week.now()
    midnight = (ended + timedelta(days=7 - ended.weekday())).replace(hour=0, minute=0, second=0, microsecond=0)
    far_week.set(midnight)
    sql.execute(
        """select internal.change_scores(%(user)s, jsonb_agg(jsonb_build_object('board_id', b, 'xp', 7)), %(paid)s)
           from unnest(internal.ensure_boards(null, %(ended)s, %(paid)s)) b""",
        {
            "user": student.user_id,
            "ended": midnight - timedelta(minutes=1),
            "paid": midnight - timedelta(seconds=1),
        },
    )
    week = (midnight - timedelta(days=7)).date().isoformat()
    assert board(student, period_start=week)["me"]["xp"] == 7
    assert board(student)["me"]["xp"] == 0
    sql.execute("select internal.remove_scores(%s)", [student.user_id])


def test_deleted_users_vanish(api: Api, far_week: DatabaseClock, sql: Any) -> None:
    """A deleted user leaves the board, and lower ranks move up."""
    first, second = api.student(), api.student()
    completed_session(sql, first.user_id, far_week.now(), 20)
    completed_session(sql, second.user_id, far_week.now(), 10)
    assert board(second)["me"]["rank"] == 2
    first.delete("/api/users/me")
    found = board(second)
    assert (found["me"]["rank"], found["total_users"], len(found["entries"])) == (1, 1, 1)


def test_names_and_levels_are_current(api: Api, far_week: DatabaseClock, sql: Any) -> None:
    """A renamed user is shown with the new name."""
    student = api.student()
    completed_session(sql, student.user_id, far_week.now(), 200)
    name = f"n_{uuid.uuid4().hex[:12]}"
    student.patch("/api/users/me", {"username": name})
    entry = board(student)["entries"][0]
    assert (entry["username"], entry["level"]) == (name, 3)


@pytest.mark.parametrize(
    ("period", "params"),
    [
        ("daily", {}),
        ("weekly", {"limit": 0}),
        ("weekly", {"limit": -1}),
        ("weekly", {"limit": 101}),
        ("weekly", {"limit": "all"}),
        ("weekly", {"cursor": "forged"}),
        ("weekly", {"cursor": "WzEsMiwzXQ"}),
        ("weekly", {"space_id": "mine"}),
        ("weekly", {"period_start": "2026-01-01"}),
        ("weekly", {"period_start": "last"}),
        ("monthly", {"period_start": "2026-01-02"}),
        ("all-time", {"period_start": "2026-01-01"}),
    ],
)
def test_bad_boards_are_refused(student: Student, period: str, params: dict[str, Any]) -> None:
    """An unknown period, a bad limit or cursor, or a day on which no period starts is answered with 400."""
    response = student.get(f"/api/gamification/leaderboard/{period}", params=params)
    assert_problem(response, 400, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    "position",
    [(10**12, "2026-01-01T00:00:00Z", uuid.uuid4()), (1, "0001-01-01T00:00:00+23:59", uuid.uuid4()), (1,), ()],
)
def test_positions_that_no_board_has_are_refused(student: Student, position: tuple[Any, ...]) -> None:
    """A cursor with a position that no board has is answered with 400, even when it is correctly sealed."""
    cursor = sealed("/api/gamification/leaderboard/{period}", *position)
    response = student.get("/api/gamification/leaderboard/weekly", params={"cursor": cursor})
    assert_problem(response, 400, "VALIDATION_ERROR")


def test_positions_beyond_any_number_are_refused(student: Student) -> None:
    """A cursor with a number that no column can hold is answered with 400."""
    route = "/api/gamification/xp/history/{user_id}"
    cursors = [sealed(route, number, owner=student.user_id) for number in (7, 10**30)]
    good, beyond = (student.get("/api/gamification/xp/history/me", params={"cursor": cursor}) for cursor in cursors)
    assert good.status_code == 200
    assert_problem(beyond, 400, "VALIDATION_ERROR")


def test_the_board_has_no_place_for_a_deleted_account(api: Api) -> None:
    """The token of a deleted account is answered with 401."""
    student = api.student()
    student.delete("/api/users/me")
    assert_problem(student.get("/api/gamification/leaderboard/weekly"), 401, "AUTHENTICATION_ERROR")


def test_the_board_of_an_unknown_space_is_a_404(student: Student) -> None:
    """The board of an unknown space is answered with 404."""
    response = student.get("/api/gamification/leaderboard/weekly", params={"space_id": str(uuid.uuid4())})
    assert_problem(response, 404, "NOT_FOUND")
