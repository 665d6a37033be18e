"""The accounts in `auth.users`: validation and storage."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from local.auth.config import Config
from local.auth.errors import AuthError, database_error, user_not_found, validation_failed
from local.auth.passwords import hash_password
from local.auth.pool import Connection, Pool

_MAX_PASSWORD_BYTES, _MAX_EMAIL = 72, 255
_EMAIL = re.compile(r"[^@\s\x00-\x1f]+@[^@\s\x00-\x1f.]+(\.[^@\s\x00-\x1f.]+)+")
_APP_METADATA = {"provider": "email", "providers": ["email"]}
# An account with its identities and factors, as responses include them.
_SELECT = """
    select u.*,
      (select coalesce(jsonb_agg(to_jsonb(i) order by i.created_at), '[]') from auth.identities i
       where i.user_id = u.id) as identities,
      (select coalesce(jsonb_agg(to_jsonb(f) order by f.created_at), '[]') from auth.mfa_factors f
       where f.user_id = u.id) as factors
    from auth.users u
"""


def clean_email(value: object) -> str:
    """Return an address in lower case, or raise validation_failed."""
    if not isinstance(value, str) or not value:
        raise validation_failed("An email address is required")
    if len(value) > _MAX_EMAIL:
        raise validation_failed("An email address is too long")
    if not _EMAIL.fullmatch(value):
        raise validation_failed("Unable to validate email address: invalid format")
    return value.lower()


def clean_password(value: object) -> str:
    """Return a password that can be stored, or raise validation_failed."""
    if not isinstance(value, str) or not value:
        raise validation_failed("Signup requires a valid password")
    if len(value.encode()) > _MAX_PASSWORD_BYTES:
        raise validation_failed(f"Password cannot be longer than {_MAX_PASSWORD_BYTES} characters")
    return value


def strong_password(value: object, config: Config) -> str:
    """Return a password that users may choose, or raise weak_password or validation_failed."""
    password, least = clean_password(value), config.minimum_password_length
    if len(password) < least:
        message = f"Password should be at least {least} characters."
        raise AuthError(422, "weak_password", message, weak_password={"reasons": ["length"]})
    return password


class Accounts:
    """Reads and writes accounts."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def by_email(self, email: str) -> DictRow | None:
        """The account of an address."""
        return await self._pool.one(f"{_SELECT} where u.email = %s", email.lower())

    async def by_id(self, user_id: str | UUID) -> DictRow:
        """Return the account with an id, or raise user_not_found."""
        row = await self._pool.one(f"{_SELECT} where u.id = %s", _uuid(str(user_id)))
        if row is None:
            raise user_not_found()
        return row

    @staticmethod
    async def read(connection: Connection, user_id: UUID) -> DictRow:
        """The account with an id, within a transaction."""
        row = await (await connection.execute(f"{_SELECT} where u.id = %s", [user_id])).fetchone()
        if row is None:
            raise user_not_found(403)
        return row

    async def page(self, number: int, size: int) -> tuple[list[DictRow], int]:
        """Return a page of all accounts, newest first, and their total number."""
        query = f"{_SELECT} order by u.created_at desc, u.id limit %s offset %s"
        async with self._pool.connection() as connection:
            rows = await (await connection.execute(query, (size, (number - 1) * size))).fetchall()
        counted = await self._pool.one("select count(*) as count from auth.users")
        return rows, counted["count"] if counted else 0

    async def create(
        self,
        email: str,
        password: str | None,
        metadata: Mapping[str, Any],
        *,
        confirmed: bool,
        taken: AuthError,
        doing: str,
        app_metadata: Mapping[str, Any] | None = None,
    ) -> DictRow:
        """Insert an account with its identity in one transaction, so that a trigger which raises leaves nothing behind.

        Raises:
            AuthError: `taken` if the address has an account, or the database's own error.
        """
        if await self.by_email(email):
            raise taken
        hashed = await hash_password(password) if password else None
        query = """
            with made as (
              insert into auth.users
                (email, encrypted_password, raw_user_meta_data, raw_app_meta_data, email_confirmed_at)
              values (%s, %s, %s, %s, case when %s then now() end) returning id, email
            )
            insert into auth.identities (user_id, provider, provider_id, identity_data)
            select id, 'email', id::text, jsonb_build_object(
              'sub', id, 'email', email, 'email_verified', %s::boolean, 'phone_verified', false) from made
            returning user_id
        """
        app = Jsonb({**(app_metadata or {}), **_APP_METADATA})
        try:
            row = await self._pool.one(query, email, hashed, Jsonb(dict(metadata)), app, confirmed, confirmed)
        except psycopg.Error as error:
            # Only our own index means a taken address: a trigger may violate other unique indexes.
            if error.diag.constraint_name == "users_email_key":
                raise taken from error
            raise database_error(doing) from error
        assert row is not None
        return await self.by_id(row["user_id"])

    async def update(self, user_id: UUID, **values: Any) -> DictRow:
        """Set columns of an account; returns the account.

        Raises:
            AuthError: email_exists, or the database's.
        """
        given = {name: Jsonb(value) if isinstance(value, dict) else value for name, value in values.items()}
        columns = sql.SQL(", ").join(
            sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder()) for name in given
        )
        query = sql.SQL("update auth.users set {}, updated_at = now() where id = {}").format(columns, sql.Placeholder())
        try:
            async with self._pool.connection() as connection, connection.transaction():
                await connection.execute(query, [*given.values(), user_id])
                if "email" in given:
                    await connection.execute(_RENAME_IDENTITY, [given["email"], user_id])
        except psycopg.Error as error:
            if error.diag.constraint_name == "users_email_key":
                raise email_exists() from error
            raise database_error("updating user") from error
        return await self.by_id(user_id)

    async def delete(self, user_id: str) -> None:
        """Delete an account and, by cascade, everything that belongs to it."""
        try:
            row = await self._pool.one("delete from auth.users where id = %s returning id", _uuid(user_id))
        except psycopg.Error as error:
            raise database_error("deleting user") from error
        if row is None:
            raise user_not_found()


_RENAME_IDENTITY = """
    update auth.identities set updated_at = now(),
      identity_data = identity_data || jsonb_build_object('email', %s::text, 'email_verified', true)
    where user_id = %s and provider = 'email'
"""


def email_exists() -> AuthError:
    """The address belongs to another account."""
    return AuthError(422, "email_exists", "A user with this email address has already been registered")


def refuse_banned(row: DictRow, message: str = "User is banned") -> None:
    """Raise user_banned for a banned account."""
    if row["banned_until"] and row["banned_until"] > datetime.now(UTC):
        raise AuthError(400, "user_banned", message)


def has_second_factor(row: DictRow) -> bool:
    """Return whether an account has a factor that sign-ins must verify."""
    return any(factor["status"] == "verified" for factor in row["factors"])


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise validation_failed("user_id must be an UUID", 404) from None


def as_user(row: DictRow) -> dict[str, Any]:
    """Return an account in GoTrue's format."""
    shown = {
        "id": str(row["id"]),
        "aud": row["aud"],
        "role": row["role"],
        "email": row["email"],
        "email_confirmed_at": _time(row["email_confirmed_at"]),
        "phone": "",
        "confirmed_at": _time(row["email_confirmed_at"]),
        "confirmation_sent_at": _time(row["confirmation_sent_at"]),
        "recovery_sent_at": _time(row["recovery_sent_at"]),
        "email_change_sent_at": _time(row["email_change_sent_at"]),
        "new_email": row["email_change"],
        "invited_at": _time(row["invited_at"]),
        "banned_until": _time(row["banned_until"]),
        "last_sign_in_at": _time(row["last_sign_in_at"]),
        "app_metadata": row["raw_app_meta_data"],
        "user_metadata": row["raw_user_meta_data"],
        "identities": [_as_identity(each) for each in row["identities"]],
        "factors": [as_factor(each) for each in row["factors"]] or None,
        "created_at": _time(row["created_at"]),
        "updated_at": _time(row["updated_at"]),
        "is_anonymous": False,
    }
    return {name: value for name, value in shown.items() if value is not None}


def _as_identity(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "identity_id": row["id"],
        "id": row["provider_id"],
        "user_id": row["user_id"],
        "identity_data": row["identity_data"],
        "provider": row["provider"],
        "last_sign_in_at": row["last_sign_in_at"] or row["created_at"],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "email": row["identity_data"].get("email"),
    }


def as_factor(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a factor in GoTrue's format, without its secret."""
    names = ("id", "friendly_name", "factor_type", "status", "created_at", "updated_at")
    return {name: row[name] if isinstance(row[name], str | None) else str(row[name]) for name in names}


def _time(value: datetime | None) -> str | None:
    return value.isoformat().replace("+00:00", "Z") if value else None
