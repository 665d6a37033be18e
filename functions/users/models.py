"""Requests and answers of the users domain (CONTRACT: "Users and authentication")."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, Field, SecretStr, StringConstraints

from studysync.display_names import clean_name
from studysync.fields import UNCHANGED, DisplayText, Integer, RequestBody, UtcDatetime, writable

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


@cache
def common_passwords() -> frozenset[str]:
    """Return the passwords that are guessed first, of those that would be accepted otherwise; in lower case.

    From the 20,000 most common that Django refuses as well (BSD-3-Clause).
    """
    return frozenset(Path(__file__).with_name("common_passwords.txt").read_text(encoding="utf-8").split())


def _letter_and_digit(password: SecretStr) -> SecretStr:
    value = password.get_secret_value()
    if not (any(char.isalpha() for char in value) and any(char.isdigit() for char in value)):
        raise ValueError("must contain a letter and a digit")
    if len(value.encode("utf-8", "surrogatepass")) > 72:  # noqa: PLR2004
        raise ValueError("must not be longer than 72 bytes")  # what bcrypt reads, and Supabase Auth accepts
    if not writable(value):
        raise ValueError("must not contain NUL or half a character")
    if value.lower() in common_passwords():
        raise ValueError("is one of the most common passwords")
    return password


# Since 2024 these are links, and have summer time as their targets have. PostgreSQL takes them for abbreviations of an
# offset, which they also are, so that a day would begin an hour late in summer.
_LINKS = {"CET": "Europe/Brussels", "MET": "Europe/Brussels", "EET": "Europe/Athens", "WET": "Europe/Lisbon"}


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:  # ZoneInfoNotFoundError is a KeyError
        raise ValueError("must be an IANA time zone, such as Europe/Berlin") from error
    return _LINKS.get(name, name)


NewPassword = Annotated[SecretStr, Field(min_length=8), AfterValidator(_letter_and_digit)]
TimeZone = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+){0,2}$", max_length=64),
    AfterValidator(_known_zone),
]
DisplayName = Annotated[
    Annotated[DisplayText, AfterValidator(clean_name)], StringConstraints(min_length=1, max_length=80)
]


class Registration(RequestBody):
    """A new account."""

    username: Username
    email: Email
    password: NewPassword
    captcha_token: str | None = Field(default=None, max_length=4096, description="Where the stage asks for a captcha.")


class Login(RequestBody):
    """Address and password; their form is not judged, so that every wrong pair gets the same answer."""

    email: str = Field(max_length=254)
    password: SecretStr = Field(max_length=1024)


class Refresh(RequestBody):
    """A refresh token. It works once, but that a repeat whose answer was lost gets the same tokens."""

    refresh_token: SecretStr = Field(min_length=1, max_length=1024)


class Logout(RequestBody):
    """Which sessions to end."""

    scope: Literal["local", "others", "global"] = Field(
        default="local", description="`local`: this session; `others`: all but this one; `global`: all."
    )


class EmailOnly(RequestBody):
    """An address; whether it has an account is not told."""

    email: Email


MailToken = Annotated[SecretStr, Field(min_length=1, max_length=512, description="From the link in the mail.")]
CurrentPassword = Annotated[SecretStr, Field(max_length=1024)]


class PasswordReset(RequestBody):
    """A new password for who can read the account's mail."""

    token: MailToken
    password: NewPassword


class PasswordChange(RequestBody):
    """A new password for who knows the old one."""

    password: CurrentPassword
    new_password: NewPassword


class EmailChange(RequestBody):
    """Another address for who knows the password."""

    email: Email
    password: CurrentPassword


class EmailConfirmation(RequestBody):
    """The token of a mail that asks to confirm an address."""

    token: MailToken


class AccountDeletion(RequestBody):
    """Who was signed in more than ten minutes ago shows the password."""

    password: CurrentPassword | None = None


class ProfileChanges(RequestBody):
    """What to change of the own profile; what is absent stays."""

    username: Username = UNCHANGED
    display_name: DisplayName = UNCHANGED
    timezone: TimeZone = UNCHANGED
    daily_goal_minutes: Integer = Field(default=UNCHANGED, ge=1, le=1440)
    discoverable: bool = Field(default=UNCHANGED, description="Whether searches find you.")
    share_activity: bool = Field(default=UNCHANGED, description="Whether others see when you study.")


class Tokens(BaseModel):
    """A session of Supabase Auth."""

    user_id: UUID
    token: str = Field(description="The access token for `Authorization: Bearer`.")
    refresh_token: str
    expires_at: UtcDatetime
    session_id: Annotated[str, Field(exclude=True)] = ""
    second_factor_required: bool = Field(
        default=False,
        description="The account has a second factor: show it at Supabase Auth, this token opens nothing yet.",
    )


class Registered(BaseModel):
    """A new account, and its first session where the address need not be confirmed first."""

    user_id: UUID
    username: str
    token: str | None
    refresh_token: str | None
    expires_at: UtcDatetime | None
    confirmation_sent_at: UtcDatetime | None = None


class Accepted(BaseModel):
    """If there is something to do, it is done; the answer is the same if there is not."""

    accepted: Literal[True] = True


class PasswordChanged(BaseModel):
    """The new password is the only one."""

    changed: Literal[True] = True


class EmailConfirmed(BaseModel):
    """What a confirmation came to."""

    confirmed: bool = Field(description="False: the mail to the other address has to be answered as well.")


class SignIn(BaseModel):
    """A session of Supabase Auth."""

    session_id: UUID
    created_at: UtcDatetime
    last_used_at: UtcDatetime
    user_agent: str | None
    current: bool


class SignInEnded(BaseModel):
    """The session's refresh token is dead; its access token expires within an hour."""

    session_id: UUID
    ended: Literal[True]


class ExportedRow(BaseModel):
    """Something that is kept of the user."""

    table: str = Field(examples=["study_sessions"])
    row: dict[str, Any]


class PublicProfile(BaseModel):
    """What everybody sees of a user."""

    user_id: UUID
    username: str
    display_name: str
    xp: int
    level: int
    current_streak: int = Field(description="Days.")
    created_at: UtcDatetime


class OwnProfile(PublicProfile):
    """What only the user sees of themselves."""

    email: str | None
    timezone: str
    daily_goal_minutes: int
    email_confirmed: bool
    discoverable: bool
    share_activity: bool


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
    occurred_at: UtcDatetime
