"""What users can do with their account: change password and email address, delete it, export its data."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, TypeAdapter

from studysync.auth.tokens import Caller
from studysync.db.client import database
from studysync.errors import AUTHENTICATION_ERROR, NOT_FOUND, ApiError, unauthenticated
from studysync.web.idempotency import WriteRequest
from studysync.web.pagination import DEFERRED, decode_cursor, page
from studysync.web.responses import Page
from users.auth import supabase_auth
from users.models import AccountDeleted, EmailConfirmed, ExportedRow, Tokens
from users.service import own_profile
from users.sign_in import describe_session, log_sign_in, require_password
from users.throttles import mail_throttle, mail_token_throttle
from users.timing import steady_time

# A table, and the key of its last exported row, each value as text.
_POSITION: TypeAdapter[tuple[str, list[str]]] = TypeAdapter(
    tuple[Annotated[str, Field(max_length=100)], list[str]], config=DEFERRED
)
# What an email asks to confirm: the address of a new account, or a new address of an existing one.
_CONFIRMATIONS = ("signup", "email_change", "magiclink")


async def send_reset(email: str) -> None:
    """Email a link to choose a new password, if the address has an account. The response never reveals that."""
    await mail_throttle(email).hit()
    async with steady_time():
        await supabase_auth().send_mail("/recover", email=email)


async def send_confirmation(email: str) -> None:
    """Send the pending confirmation email again, if any. The response never reveals whether there is one."""
    await mail_throttle(email).hit()
    async with steady_time():
        kind = await database().call("awaited_confirmation", p_email=email)
        if kind == "magiclink":
            await supabase_auth().send_mail("/otp", email=email, create_user=False)
        elif kind is not None:
            await supabase_auth().send_mail("/resend", type=kind, email=email)


async def reset_password(token: str, password: str) -> Tokens:
    """Set a new password with the token from an email. All other sessions end.

    Raises:
        ApiError: AUTHENTICATION_ERROR, the token is invalid; AUTHORIZATION_ERROR, the account has a second factor.
    """
    tokens = await _take("recovery", token)
    if tokens is None:  # pragma: no cover - a recovery needs only one email
        raise unauthenticated()
    auth = supabase_auth()
    try:
        await auth.change_password(tokens.token, password)
    except ApiError:
        await auth.sign_out(tokens.token)
        raise
    await auth.sign_out(tokens.token, "others")
    await describe_session(tokens)
    log_sign_in("password_reset", tokens.user_id)
    return tokens


async def change_password(caller: Caller, password: str, new_password: str) -> None:
    """Set a new password, given the old one. All other sessions end.

    Raises:
        ApiError: REAUTHENTICATION_REQUIRED, the old one is wrong; AUTHENTICATION_ERROR, the session has ended.
    """
    await require_password(await _email_of(caller), password)
    await supabase_auth().change_password(caller.token, new_password)
    await supabase_auth().sign_out(caller.token, "others")
    log_sign_in("password_change", caller.user_id)


async def change_email(caller: Caller, email: str, password: str) -> None:
    """Request confirmation from the new address and the old one; whether the new one is taken is not revealed.

    Raises:
        ApiError: as `change_password`.
    """
    await mail_throttle(email).hit()
    await require_password(await _email_of(caller), password)
    async with steady_time():
        await supabase_auth().change_email(caller.token, email)


async def confirm_email(token: str) -> EmailConfirmed:
    """Confirm an address with the token from an email.

    Raises:
        ApiError: AUTHENTICATION_ERROR, the token is invalid.
    """
    for kind in _CONFIRMATIONS[:-1]:
        try:
            tokens = await _take(kind, token, last=False)
            break
        except ApiError as error:
            if error.kind is not AUTHENTICATION_ERROR:
                raise
    else:
        tokens = await _take(_CONFIRMATIONS[-1], token)
    if tokens is None:
        return EmailConfirmed(confirmed=False)
    await database().call("confirm_email", p_user_id=str(tokens.user_id))
    await supabase_auth().sign_out(tokens.token)  # a link in an email must not sign anyone in
    return EmailConfirmed(confirmed=True)


async def delete_account(request: WriteRequest, password: str | None) -> AccountDeleted:
    """Delete the caller's account and all personal data.

    Raises:
        ApiError: REAUTHENTICATION_REQUIRED, the password is wrong, or it is missing and the session is not new;
            AUTHENTICATION_ERROR, the session has ended.
    """
    caller, verified = request.caller, False
    if password is not None:
        try:
            profile = await database().call(
                "get_profile", p_caller_id=str(caller.user_id), p_user_id=str(caller.user_id)
            )
        except ApiError as error:
            if error.kind is not NOT_FOUND:
                raise  # deleting a deleted account again returns the same answer
        else:
            await require_password(profile["email"] or "", password)
            verified = True
    session_id = str(caller.session_id) if caller.session_id else None
    return await request.run("delete_account", AccountDeleted, auth_session=session_id, verified=verified)


async def export(caller: Caller, limit: int, cursor: str | None) -> Page[ExportedRow]:
    """Return a page of all data stored about the caller, table by table."""
    table, after = decode_cursor(cursor, _POSITION) or (None, None)
    rows = await database().call(
        "export_account", p_user_id=str(caller.user_id), p_table=table, p_after=after, p_limit=limit + 1
    )
    if not rows and cursor is None:
        raise unauthenticated("This account no longer exists.")
    return page(Page[ExportedRow], rows, limit, lambda row: [row["table"], row["key"]])


async def _take(kind: str, token: str, *, last: bool = True) -> Tokens | None:
    """Use up the token of an email; a wrong token counts once, whatever it is tried as."""
    throttle = mail_token_throttle()
    await throttle.hit()
    try:
        tokens = await supabase_auth().verify(kind, token)
    except ApiError as error:
        if not last or error.kind is not AUTHENTICATION_ERROR:
            throttle.refund()
        raise
    throttle.refund()
    return tokens


async def _email_of(caller: Caller) -> str:
    return (await own_profile(caller)).email or ""
