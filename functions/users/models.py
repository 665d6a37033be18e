"""Requests and responses of the users domain (docs/contract.md: "Users and authentication")."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, SecretStr, StringConstraints

from studysync.display_names import clean_name
from studysync.fields import UNCHANGED, DisplayText, Integer, RequestBody, UtcDatetime, writable
from users.common_passwords import COMMON_PASSWORDS

Username = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]{3,30}$")]

# The addresses that browsers accept. Deliberately not stricter: Supabase Auth decides, and validators that know special
# domains reject the addresses that developers test with.
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
        raise ValueError("must not be longer than 72 bytes")  # bcrypt reads, and Supabase Auth accepts, no more
    if not writable(value):
        raise ValueError("must not contain NUL or a lone surrogate")
    if value.lower() in COMMON_PASSWORDS:
        raise ValueError("is one of the most common passwords")
    return password


# Since 2024 these are links, and have summer time like their targets. PostgreSQL interprets them as abbreviations of an
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
    captcha_token: str | None = Field(default=None, max_length=4096, description="Required if the stage uses captchas.")


class Login(RequestBody):
    """Email address and password. Their format is not validated, so that every wrong pair gets the same answer."""

    email: str = Field(max_length=254)
    password: SecretStr = Field(max_length=1024)


class Refresh(RequestBody):
    """A refresh token. It works once; a repeat because of a lost answer returns the same tokens."""

    refresh_token: SecretStr = Field(min_length=1, max_length=1024)


class Logout(RequestBody):
    """Which sessions to end."""

    scope: Literal["local", "others", "global"] = Field(
        default="local", description="`local`: this session; `others`: all but this one; `global`: all."
    )


class EmailOnly(RequestBody):
    """An email address. The response does not reveal whether it has an account."""

    email: Email


MailToken = Annotated[SecretStr, Field(min_length=1, max_length=512, description="From the link in the email.")]
CurrentPassword = Annotated[SecretStr, Field(max_length=1024)]


class PasswordReset(RequestBody):
    """A new password, with the token from an email."""

    token: MailToken
    password: NewPassword


class PasswordChange(RequestBody):
    """A new password, with the current one."""

    password: CurrentPassword
    new_password: NewPassword


class EmailChange(RequestBody):
    """A new email address, with the current password."""

    email: Email
    password: CurrentPassword


class EmailConfirmation(RequestBody):
    """The token from the email that asks to confirm an address."""

    token: MailToken


class AccountDeletion(RequestBody):
    """The current password, required if you signed in more than ten minutes ago."""

    password: CurrentPassword | None = None


class ProfileChanges(RequestBody):
    """The fields to change. Omitted fields keep their values."""

    username: Username = UNCHANGED
    display_name: DisplayName = UNCHANGED
    timezone: TimeZone = UNCHANGED
    daily_goal_minutes: Integer = Field(default=UNCHANGED, ge=1, le=1440)
    discoverable: bool = Field(default=UNCHANGED, description="Whether other users can find you by searching.")
    share_activity: bool = Field(default=UNCHANGED, description="Whether other users can see when you study.")


class Tokens(BaseModel):
    """A session of Supabase Auth."""

    user_id: UUID
    token: str = Field(description="The access token for `Authorization: Bearer`.")
    refresh_token: str
    expires_at: UtcDatetime
    session_id: Annotated[str, Field(exclude=True)] = ""
    second_factor_required: bool = Field(
        default=False,
        description="The account has a second factor: verify it with Supabase Auth before you use this token.",
    )


class Registered(BaseModel):
    """A new account, and its first session unless the email address must be confirmed first."""

    user_id: UUID
    username: str
    token: str | None
    refresh_token: str | None
    expires_at: UtcDatetime | None
    confirmation_sent_at: UtcDatetime | None = None


class Accepted(BaseModel):
    """The request was accepted. The response is the same whether there was something to do or not."""

    accepted: Literal[True] = True


class PasswordChanged(BaseModel):
    """The password was changed."""

    changed: Literal[True] = True


class EmailConfirmed(BaseModel):
    """The result of a confirmation."""

    confirmed: bool = Field(description="False if the other address must be confirmed too.")


class SignIn(BaseModel):
    """A session of Supabase Auth."""

    session_id: UUID
    created_at: UtcDatetime
    last_used_at: UtcDatetime
    user_agent: str | None
    current: bool


class SignInEnded(BaseModel):
    """The refresh token of the session no longer works; its access token expires within an hour."""

    session_id: UUID
    ended: Literal[True]


class ExportedRow(BaseModel):
    """A row of data stored about you."""

    table: str = Field(examples=["study_sessions"])
    row: dict[str, Any]


class PublicProfile(BaseModel):
    """The public part of a user's profile."""

    user_id: UUID
    username: str
    display_name: str
    xp: int
    level: int
    current_streak: int = Field(description="In days.")
    created_at: UtcDatetime


class OwnProfile(PublicProfile):
    """Your own profile, including its private part."""

    email: str | None
    timezone: str
    daily_goal_minutes: int
    email_confirmed: bool
    discoverable: bool
    share_activity: bool


class LoggedOut(BaseModel):
    """The refresh token no longer works."""

    logged_out: Literal[True] = True


class AccountDeleted(BaseModel):
    """Confirms that the account and all personal data were deleted."""

    user_id: UUID
    deleted: bool


class AuditEntry(BaseModel):
    """An action of the user, or a change to the user's data."""

    entry_id: int = Field(description="Unique; negative for entries about sessions. Sorted by time, not by id.")
    action: Literal["authentication", "authorization", "data_access", "data_modification"]
    operation: str = Field(examples=["sign_in", "update"])
    resource_type: str = Field(examples=["profile", "session", "membership"])
    resource_id: str | None
    success: bool
    changes: dict[str, Any] = Field(description="The new values by field.")
    occurred_at: UtcDatetime
