"""The accounts in `auth.users`: what may be stored, and how it is."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from local.auth.errors import AuthError, database_error, user_not_found, validation_failed
from local.auth.passwords import hash_password
from local.auth.pool import Pool

_MIN_PASSWORD, _MAX_PASSWORD_BYTES, _MAX_EMAIL = 6, 72, 255
_EMAIL = re.compile(r"[^@\s\x00-\x1f]+@[^@\s\x00-\x1f.]+(\.[^@\s\x00-\x1f.]+)+")
_APP_METADATA = {"provider": "email", "providers": ["email"]}


def clean_email(value: object) -> str:
    """An address in lower case, or validation_failed."""
    if not isinstance(value, str) or not value:
        raise validation_failed("To signup, please provide your email")
    if len(value) > _MAX_EMAIL:
        raise validation_failed("An email address is too long")
    if not _EMAIL.fullmatch(value):
        raise validation_failed("Unable to validate email address: invalid format")
    return value.lower()


def clean_password(value: object) -> str:
    """A password that may be set, or weak_password or validation_failed."""
    if not isinstance(value, str) or not value:
        raise validation_failed("Signup requires a valid password")
    if len(value.encode()) > _MAX_PASSWORD_BYTES:
        raise validation_failed(f"Password cannot be longer than {_MAX_PASSWORD_BYTES} characters")
    if len(value) < _MIN_PASSWORD:
        message = f"Password should be at least {_MIN_PASSWORD} characters."
        raise AuthError(422, "weak_password", message, weak_password={"reasons": ["length"]})
    return value


class Accounts:
    """Reads and writes accounts."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def by_email(self, email: str) -> DictRow | None:
        """The account of an address."""
        return await self._pool.one("select * from auth.users where email = %s", email.lower())

    async def by_id(self, user_id: str) -> DictRow:
        """The account with an id, or user_not_found."""
        row = await self._pool.one("select * from auth.users where id = %s", _uuid(user_id))
        if row is None:
            raise user_not_found()
        return row

    async def page(self, number: int, size: int) -> list[DictRow]:
        """A page of all accounts, the newest first."""
        query = "select * from auth.users order by created_at desc, id limit %s offset %s"
        async with self._pool.connection() as connection:
            return await (await connection.execute(query, (size, (number - 1) * size))).fetchall()

    async def create(
        self,
        email: str,
        password: str | None,
        metadata: Mapping[str, Any],
        *,
        confirmed: bool,
        taken: AuthError,
        doing: str,
    ) -> DictRow:
        """Insert an account; one statement, so that a trigger which raises leaves nothing behind.

        Raises:
            AuthError: `taken` when the address has an account, the database's when anything else refuses.
        """
        if await self.by_email(email):
            raise taken
        hashed = await hash_password(password) if password else None
        query = """
            insert into auth.users
              (email, encrypted_password, raw_user_meta_data, raw_app_meta_data, email_confirmed_at)
            values (%s, %s, %s, %s, case when %s then now() end) returning *
        """
        try:
            row = await self._pool.one(query, email, hashed, Jsonb(dict(metadata)), Jsonb(_APP_METADATA), confirmed)
        except psycopg.Error as error:
            # Only our own index means a taken address: a trigger may well run into a unique index of its own.
            if error.diag.constraint_name == "users_email_key":
                raise taken from error
            raise database_error(doing) from error
        assert row is not None
        return row

    async def delete(self, user_id: str) -> None:
        """Delete an account and, by cascade, what hangs on it."""
        try:
            row = await self._pool.one("delete from auth.users where id = %s returning id", _uuid(user_id))
        except psycopg.Error as error:
            raise database_error("deleting user") from error
        if row is None:
            raise user_not_found()


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise validation_failed("user_id must be an UUID", 404) from None


def as_user(row: DictRow) -> dict[str, Any]:
    """An account as GoTrue shows it."""
    return {
        "id": str(row["id"]),
        "aud": row["aud"],
        "role": row["role"],
        "email": row["email"],
        "email_confirmed_at": _time(row["email_confirmed_at"]),
        "phone": "",
        "confirmed_at": _time(row["email_confirmed_at"]),
        "last_sign_in_at": _time(row["last_sign_in_at"]),
        "app_metadata": row["raw_app_meta_data"],
        "user_metadata": row["raw_user_meta_data"],
        "identities": [],
        "created_at": _time(row["created_at"]),
        "updated_at": _time(row["updated_at"]),
        "is_anonymous": False,
    }


def _time(value: datetime | None) -> str | None:
    return value.isoformat().replace("+00:00", "Z") if value else None
