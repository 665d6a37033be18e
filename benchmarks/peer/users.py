"""The peer's routes for users and sign-in."""

from fastapi import HTTPException
from peer.common import Answer, Body, User, call, create_app, create_handler, supabase, write
from pydantic import Field

from supabase import AuthApiError

app = create_app("Users")


class Registration(Body):
    """A new account."""

    username: str = Field(pattern=r"^[A-Za-z0-9_]{3,30}$")
    email: str
    password: str = Field(min_length=8)


class Login(Body):
    """Credentials."""

    email: str
    password: str


class Refresh(Body):
    """A refresh token."""

    refresh_token: str


class ProfileChanges(Body):
    """Changes to a profile."""

    username: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_]{3,30}$")
    display_name: str | None = Field(default=None, min_length=1, max_length=80)
    timezone: str | None = None
    daily_goal_minutes: int | None = Field(default=None, ge=1, le=1440)


@app.post("/api/auth/register", status_code=201)
def register(body: Registration) -> Answer:
    """Create an account and sign in."""
    try:
        supabase.auth.admin.create_user(
            {
                "email": body.email,
                "password": body.password,
                "email_confirm": True,
                "user_metadata": {"username": body.username},
            }
        )
    except AuthApiError as error:
        raise HTTPException(409, str(error)) from error
    return login(Login(email=body.email, password=body.password))


@app.post("/api/auth/login")
def login(body: Login) -> Answer:
    """Sign in."""
    try:
        answer = supabase.auth.sign_in_with_password({"email": body.email, "password": body.password})
    except AuthApiError as error:
        raise HTTPException(401, str(error)) from error
    assert answer.session
    return Answer(data={"token": answer.session.access_token, "refresh_token": answer.session.refresh_token})


@app.post("/api/auth/refresh")
def refresh(body: Refresh) -> Answer:
    """Refresh the access token."""
    answer = supabase.auth.refresh_session(body.refresh_token)
    assert answer.session
    return Answer(data={"token": answer.session.access_token, "refresh_token": answer.session.refresh_token})


@app.post("/api/auth/logout")
def logout(user: User) -> Answer:
    """Sign out."""
    supabase.auth.sign_out()
    return Answer(data={"user_id": user})


@app.get("/api/users")
def search(user: User, query: str | None = None, limit: int = 50, cursor: str | None = None) -> Answer:
    """Search for users."""
    return Answer(data=call("search_users", p_query=query, p_limit=limit, p_after=cursor or ""))


@app.get("/api/users/me/audit")
def audit(user: User, limit: int = 50, cursor: str | None = None) -> Answer:
    """Read the caller's audit trail."""
    return Answer(data=call("get_audit", p_user_id=user, p_limit=limit, p_before=cursor))


@app.get("/api/users/me")
def own_profile(user: User) -> Answer:
    """Read the caller's profile."""
    return Answer(data=call("get_profile", p_caller_id=user, p_user_id=user))


@app.get("/api/users/{user_id}")
def profile(user: User, user_id: str) -> Answer:
    """Read a profile."""
    return Answer(data=call("get_profile", p_caller_id=user, p_user_id=user_id))


@app.patch("/api/users/me")
def change(user: User, body: ProfileChanges) -> Answer:
    """Change the caller's profile."""
    return write("update_profile", user, body)


@app.delete("/api/users/me")
def delete(user: User) -> Answer:
    """Delete the caller's account."""
    return write("delete_account", user)


handler = create_handler(app)
