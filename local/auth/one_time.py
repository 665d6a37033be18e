"""One-time tokens in emails: confirming an address, signing in without a password, changing an address.

As in GoTrue, a token is a short code. Links contain, and the database stores, the hash of the token and its address. It
works once, for the configured time.
"""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg.rows import DictRow

from local.auth.accounts import Accounts, refuse_banned
from local.auth.config import Config
from local.auth.errors import AuthError, validation_failed
from local.auth.mail import Mailbox
from local.auth.pool import Pool

# The columns with the hash and the time it was sent, by verification.
_COLUMNS = {
    "signup": ("confirmation_token", "confirmation_sent_at"),
    "invite": ("confirmation_token", "confirmation_sent_at"),
    "recovery": ("recovery_token", "recovery_sent_at"),
    "magiclink": ("recovery_token", "recovery_sent_at"),
    "reauthentication": ("reauthentication_token", "reauthentication_sent_at"),
}
_BY_CODE = ("signup", "invite", "recovery", "magiclink")
CONFIRM_OTHER = "Confirmation link accepted. Please proceed to confirm link sent to the other email"


class OneTimeTokens:
    """Sends and verifies them."""

    def __init__(self, pool: Pool, accounts: Accounts, mailbox: Mailbox, config: Config) -> None:
        self._pool, self._accounts, self._mailbox, self._config = pool, accounts, mailbox, config

    async def send(self, user: DictRow, verification: str, redirect_to: str | None = None) -> str:
        """Mail a token to the account's address; its hash."""
        token, sent_at = _COLUMNS[verification]
        self._refuse_often(user[sent_at])
        code, hashed = self._draw(user["email"])
        self._mail(user, user["email"], verification, code, hashed, redirect_to)
        await self._accounts.update(user["id"], **{token: hashed, sent_at: datetime.now(UTC)})
        return hashed

    async def send_email_change(self, user: DictRow, email: str, redirect_to: str | None = None) -> None:
        """Mail tokens to the new address, and where the configuration wants both confirmed to the old one."""
        self._refuse_often(user["email_change_sent_at"])
        code, hashed = self._draw(email)
        columns: dict[str, Any] = {"email_change_token_new": hashed, "email_change_token_current": None}
        self._mail(user, email, "email_change", code, hashed, redirect_to, new_email=email)
        if self._config.double_confirm_changes and user["email"]:
            code, hashed = self._draw(user["email"])
            columns["email_change_token_current"] = hashed
            self._mail(user, user["email"], "email_change", code, hashed, redirect_to, new_email=email)
        columns |= {"email_change": email, "email_change_confirm_status": 0, "email_change_sent_at": datetime.now(UTC)}
        await self._accounts.update(user["id"], **columns)

    async def take(self, verification: str, body: dict[str, Any]) -> DictRow | None:
        """Use a token up; the account that it has confirmed, or None: the other address has to confirm as well."""
        user, hashed = await self._find(verification, body)
        refuse_banned(user)
        if verification == "email_change":
            return await self._change_email(user, hashed)
        column = self._column_of(user, hashed)
        if column is None:
            raise _expired()
        values: dict[str, Any] = {column: None}
        if user["email_confirmed_at"] is None:
            values["email_confirmed_at"] = datetime.now(UTC)
        return await self._accounts.update(user["id"], **values)

    async def take_nonce(self, user: DictRow, nonce: object) -> None:
        """Use up the code of a reauthentication."""
        expected = _hash(user["email"], str(nonce))
        if user["reauthentication_token"] != expected or self._is_old(user["reauthentication_sent_at"]):
            raise AuthError(422, "reauthentication_not_valid", "Nonce has expired or is invalid")
        await self._accounts.update(user["id"], reauthentication_token=None)

    async def _find(self, verification: str, body: dict[str, Any]) -> tuple[DictRow, str]:
        names = ("email", *_BY_CODE, "email_change")
        if verification not in names:
            raise validation_failed("Verify requires a verification type")
        hashed = body.get("token_hash")
        if not hashed:
            token, email = body.get("token"), body.get("email")
            if not isinstance(token, str) or not isinstance(email, str):
                raise validation_failed("Verify requires a token or a token hash")
            hashed = _hash(email.lower(), token)
        columns = self._candidates(verification)
        condition = " or ".join(f"{column} = %(hash)s" for column in columns)
        query = f"select id from auth.users where {condition}"  # noqa: S608 - names of columns
        async with self._pool.connection() as connection:
            row = await (await connection.execute(query, {"hash": str(hashed)})).fetchone()
        if row is None:
            raise _expired()
        return await self._accounts.by_id(row["id"]), str(hashed)

    def _candidates(self, verification: str) -> tuple[str, ...]:
        if verification == "email_change":
            return ("email_change_token_new", "email_change_token_current")
        if verification == "email":
            return ("confirmation_token", "recovery_token")
        return (_COLUMNS[verification][0],)

    def _column_of(self, user: DictRow, hashed: str) -> str | None:
        """Return the column of a valid token; None if it has expired."""
        for column, sent_at in {_COLUMNS[name] for name in _BY_CODE}:
            if user[column] == hashed and not self._is_old(user[sent_at]):
                return column
        return None

    async def _change_email(self, user: DictRow, hashed: str) -> DictRow | None:
        if self._is_old(user["email_change_sent_at"]):
            raise _expired()
        column = "email_change_token_new" if user["email_change_token_new"] == hashed else "email_change_token_current"
        both = self._config.double_confirm_changes and bool(user["email"])
        if both and user["email_change_confirm_status"] == 0:
            await self._accounts.update(user["id"], **{column: None, "email_change_confirm_status": 1})
            return None
        return await self._accounts.update(
            user["id"],
            email=user["email_change"],
            email_confirmed_at=user["email_confirmed_at"] or datetime.now(UTC),
            email_change=None,
            email_change_token_new=None,
            email_change_token_current=None,
            email_change_confirm_status=0,
        )

    def _mail(
        self,
        user: DictRow,
        to: str,
        verification: str,
        code: str,
        hashed: str,
        redirect_to: str | None,
        new_email: str = "",
    ) -> None:
        fields = {"Token": code, "TokenHash": hashed, "Email": user["email"] or "", "NewEmail": new_email}
        self._mailbox.send(to, verification, fields, redirect_to)

    def _draw(self, email: str) -> tuple[str, str]:
        digits = self._config.otp_length
        code = f"{secrets.randbelow(10**digits):0{digits}}"
        return code, _hash(email, code)

    def _refuse_often(self, sent_at: datetime | None) -> None:
        if sent_at is None:
            return
        wait = self._config.max_frequency - (datetime.now(UTC) - sent_at).total_seconds()
        if wait > 0:
            message = f"For security purposes, you can only request this after {int(wait) + 1} seconds."
            raise AuthError(429, "over_email_send_rate_limit", message)

    def _is_old(self, sent_at: datetime | None) -> bool:
        return sent_at is None or datetime.now(UTC) - sent_at > timedelta(seconds=self._config.otp_expiry)


def _hash(email: str, code: str) -> str:
    return hashlib.sha224((email + code).encode()).hexdigest()


def _expired() -> AuthError:
    return AuthError(403, "otp_expired", "Email link is invalid or has expired")
