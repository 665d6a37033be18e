"""Requests and answers of the users domain (docs/contract.md: "Users and authentication")."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, SecretStr, StringConstraints

from studysync.display_names import clean_name
from studysync.fields import UNCHANGED, DisplayText, RequestBody, writable

Username = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]{3,30}$")]

# The addresses that browsers accept. Deliberately not stricter: Supabase Auth has the last word, and validators that
# know about special domains refuse what developers test with.
Email = Annotated[
    str,
    StringConstraints(
        max_length=254,
        to_lower=True,
        pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
        r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)+$",
    ),
]


def _letter_and_digit(password: SecretStr) -> SecretStr:
    value = password.get_secret_value()
    if not (any(char.isalpha() for char in value) and any(char.isdigit() for char in value)):
        raise ValueError("must contain a letter and a digit")
    if len(value.encode("utf-8", "surrogatepass")) > 72:  # noqa: PLR2004
        raise ValueError("must not be longer than 72 bytes")  # what bcrypt reads, and Supabase Auth accepts
    if not writable(value):
        raise ValueError("must not contain NUL or half a character")
    return password


# Since 2024 these are links, and have summer time as their targets have. PostgreSQL takes them for abbreviations of an
# offset, which they also are, so that a day would begin an hour late in summer.
_LINKS = {"CET": "Europe/Brussels", "MET": "Europe/Brussels", "EET": "Europe/Athens", "WET": "Europe/Lisbon"}


def _link_target(name: str) -> str:
    # Which names there are the database says, which alone counts local days: Python's own zones may be others.
    return _LINKS.get(name, name)


NewPassword = Annotated[SecretStr, Field(min_length=8), AfterValidator(_letter_and_digit)]
TimeZone = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+){0,2}$", max_length=64),
    AfterValidator(_link_target),
]
DisplayName = Annotated[
    Annotated[DisplayText, AfterValidator(clean_name)], StringConstraints(min_length=1, max_length=80)
]


class Registration(RequestBody):
    """A new account."""

    username: Username
    email: Email
    password: NewPassword


class Login(RequestBody):
    """Address and password; their form is not judged, so that every wrong pair gets the same answer."""

    email: str = Field(max_length=254)
    password: SecretStr = Field(max_length=1024)


class Refresh(RequestBody):
    """A refresh token, which works once."""

    refresh_token: SecretStr = Field(min_length=1, max_length=1024)


class ProfileChanges(RequestBody):
    """What to change of the own profile; what is absent stays."""

    username: Username = UNCHANGED
    display_name: DisplayName = UNCHANGED
    timezone: TimeZone = UNCHANGED
    daily_goal_minutes: int = Field(default=UNCHANGED, ge=1, le=1440)


class Tokens(BaseModel):
    """A session of Supabase Auth."""

    user_id: UUID
    token: str = Field(description="The access token for `Authorization: Bearer`.")
    refresh_token: str
    expires_at: datetime


class Registered(Tokens):
    """A new account and its first session."""

    username: str


class PublicProfile(BaseModel):
    """What everybody sees of a user."""

    user_id: UUID
    username: str
    display_name: str
    xp: int
    level: int
    current_streak: int = Field(description="Days.")
    created_at: datetime


class OwnProfile(PublicProfile):
    """What only the user sees of themselves."""

    email: str | None
    timezone: str
    daily_goal_minutes: int


class LoggedOut(BaseModel):
    """The refresh token is dead."""

    logged_out: Literal[True] = True


class AccountDeleted(BaseModel):
    """The account and everything personal is gone."""

    user_id: UUID
    deleted: bool


class AuditEntry(BaseModel):
    """Something that was done by the user, or to what is theirs."""

    entry_id: int = Field(description="Unique; below zero for what sessions tell. The order is that of time.")
    action: Literal["authentication", "authorization", "data_access", "data_modification"]
    operation: str = Field(examples=["sign_in", "update"])
    resource_type: str = Field(examples=["profile", "session", "membership"])
    resource_id: str | None
    success: bool
    changes: dict[str, Any] = Field(description="The new values, by field.")
    occurred_at: datetime
