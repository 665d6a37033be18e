"""The peer's routes for XP, badges, streaks and leaderboards."""

from datetime import date
from typing import Literal
from uuid import UUID

from peer.common import Answer, User, call, create_app, create_handler

app = create_app("Gamification")


@app.get("/api/gamification/xp/history/{user_id}")
def history(user: User, user_id: str, limit: int = 50, before: int | None = None) -> Answer:
    """Read a user's XP history."""
    wanted = user if user_id == "me" else user_id
    return Answer(data=call("get_xp_history", p_user_id=wanted, p_limit=limit, p_before=before))


@app.get("/api/gamification/xp/{user_id}")
def xp(user: User, user_id: str) -> Answer:
    """Read a user's XP and level."""
    return Answer(data=call("get_xp", p_user_id=user if user_id == "me" else user_id))


@app.get("/api/gamification/badges")
def badges(user: User) -> Answer:
    """Read the badge catalogue."""
    return Answer(data=call("get_badges"))


@app.get("/api/gamification/badges/{user_id}")
def user_badges(user: User, user_id: str) -> Answer:
    """Read a user's badges."""
    return Answer(data=call("get_user_badges", p_user_id=user if user_id == "me" else user_id))


@app.get("/api/gamification/streaks/{user_id}")
def streaks(user: User, user_id: str) -> Answer:
    """Read a user's streaks."""
    return Answer(data=call("get_streaks", p_user_id=user if user_id == "me" else user_id))


@app.get("/api/gamification/leaderboard/{period}")
def leaderboard(
    user: User,
    period: Literal["weekly", "monthly", "all-time"],
    period_start: date | None = None,
    space_id: UUID | None = None,
    limit: int = 50,
) -> Answer:
    """Read a leaderboard."""
    return Answer(
        data=call(
            "get_leaderboard",
            p_caller_id=user,
            p_period=period,
            p_period_start=period_start.isoformat() if period_start else None,
            p_space_id=str(space_id) if space_id else None,
            p_limit=limit,
        )
    )


handler = create_handler(app)
