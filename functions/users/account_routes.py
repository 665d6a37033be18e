"""HTTP routes of accounts and sign-in."""

from __future__ import annotations

from uuid import UUID

from studysync.auth.dependencies import CurrentUser, FirstFactorUser, refuse_other_user
from studysync.errors import forbidden
from studysync.fields import RequestBody
from studysync.web.idempotency import IdempotencyKey, Write
from studysync.web.pagination import DEFAULT_LIMIT, Cursor, Limit
from studysync.web.responses import Page, Success
from studysync.web.routing import create_router
from users import account, registration, sign_in
from users.models import (
    Accepted,
    AccountDeleted,
    AccountDeletion,
    EmailChange,
    EmailConfirmation,
    EmailConfirmed,
    EmailOnly,
    ExportedRow,
    LoggedOut,
    Login,
    Logout,
    PasswordChange,
    PasswordChanged,
    PasswordReset,
    Refresh,
    Registered,
    Registration,
    SignIn,
    SignInEnded,
    Tokens,
)

router = create_router("users")


@router.post("/api/auth/register", status_code=201)
async def register(body: Registration, idempotency_key: IdempotencyKey = None) -> Success[Registered]:
    """Register an account. If this stage requires it, confirm your email address before you sign in."""
    if body.user_id is not None or body.created_by is not None:
        raise forbidden("The server assigns the user id.")
    return Success(data=await registration.register(body, idempotency_key))


@router.post("/api/auth/login")
async def login(body: Login) -> Success[Tokens]:
    """Sign in with email address and password."""
    email = body.email.strip().lower()
    tokens = await sign_in.sign_in(email, body.password.get_secret_value())
    await sign_in.describe_session(tokens)
    return Success(data=_own(tokens, body))


@router.post("/api/auth/refresh")
async def refresh(body: Refresh) -> Success[Tokens]:
    """Exchange a refresh token for new tokens.

    Each refresh token works once. A repeat within 10 seconds, or with the token just before the current one, returns
    the session's current tokens. An older token ends the session.
    """
    return Success(data=_own(await sign_in.refresh(body.refresh_token.get_secret_value()), body))


def _own(tokens: Tokens, body: RequestBody) -> Tokens:
    refuse_other_user(tokens.user_id, body)
    return tokens


@router.post("/api/auth/logout")
async def logout(caller: FirstFactorUser, body: Logout | None = None) -> Success[LoggedOut]:
    """Sign out. The refresh tokens of the sessions that end no longer work."""
    refuse_other_user(caller.user_id, body)
    await sign_in.sign_out(caller, body.scope if body else "local")
    return Success(data=LoggedOut())


@router.get("/api/auth/sessions")
async def list_sessions(caller: CurrentUser) -> Success[list[SignIn]]:
    """List your active sign-ins."""
    return Success(data=await sign_in.list_sessions(caller))


@router.delete("/api/auth/sessions/{auth_session_id}")
async def end_session(request: Write, auth_session_id: UUID) -> Success[SignInEnded]:
    """End one of your sign-ins: this one, or one on another device."""
    return Success(data=await request.run("end_auth_session", SignInEnded, auth_session=str(auth_session_id)))


@router.post("/api/auth/password/forgot", status_code=202)
async def forgot_password(body: EmailOnly) -> Success[Accepted]:
    """Request an email with a link to choose a new password."""
    await account.send_reset(body.email)
    return Success(data=Accepted())


@router.post("/api/auth/password/reset")
async def reset_password(body: PasswordReset) -> Success[Tokens]:
    """Choose a new password with the token from the email. All other sessions end."""
    return Success(data=await account.reset_password(body.token.get_secret_value(), body.password.get_secret_value()))


@router.post("/api/auth/password/change")
async def change_password(caller: CurrentUser, body: PasswordChange) -> Success[PasswordChanged]:
    """Change your password. All other sessions end."""
    refuse_other_user(caller.user_id, body)
    await account.change_password(caller, body.password.get_secret_value(), body.new_password.get_secret_value())
    return Success(data=PasswordChanged())


@router.post("/api/auth/email/change", status_code=202)
async def change_email(caller: CurrentUser, body: EmailChange) -> Success[Accepted]:
    """Change your email address. Emails to the new and the old address ask for confirmation."""
    refuse_other_user(caller.user_id, body)
    await account.change_email(caller, body.email, body.password.get_secret_value())
    return Success(data=Accepted())


@router.post("/api/auth/email/confirm")
async def confirm_email(body: EmailConfirmation) -> Success[EmailConfirmed]:
    """Confirm an email address with the token from the email."""
    return Success(data=await account.confirm_email(body.token.get_secret_value()))


@router.post("/api/auth/email/resend", status_code=202)
async def resend_confirmation(body: EmailOnly) -> Success[Accepted]:
    """Request the confirmation email again."""
    await account.send_confirmation(body.email)
    return Success(data=Accepted())


@router.get("/api/users/me/export")
async def export(caller: CurrentUser, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Page[ExportedRow]:
    """Export all data stored about you, page by page."""
    return await account.export(caller, limit, cursor)


@router.delete("/api/users/me")
async def delete_account(request: Write, body: AccountDeletion | None = None) -> Success[AccountDeleted]:
    """Delete your account and all personal data."""
    refuse_other_user(request.caller.user_id, body)
    password = body.password.get_secret_value() if body and body.password else None
    return Success(data=await account.delete_account(request, password))
