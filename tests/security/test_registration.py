"""What a registration leaves behind: nothing by which somebody who sees a token could find out more."""

from __future__ import annotations

import uuid
from typing import Any

import jwt
import psycopg

from studysync.web.idempotency import fingerprint
from testing.client import Api

ADDRESS = "127.0.0.1"


def claims(token: str) -> dict[str, Any]:
    """What anybody who holds a token can read."""
    read: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return read


def test_tokens_do_not_tell_where_an_account_was_registered(api: Api, sql: psycopg.Connection[Any]) -> None:
    """Neither the first one nor later ones, nor what Supabase Auth keeps of the account."""
    name, key = f"r_{uuid.uuid4().hex[:20]}", str(uuid.uuid4())
    body = {"username": name, "email": f"{name}@example.test", "password": "correct horse 1"}
    tokens = [api.post("/api/auth/register", body, headers={"Idempotency-Key": key}).json()["data"]]
    tokens.append(api.post("/api/auth/register", body, headers={"Idempotency-Key": key}).json()["data"])
    tokens.append(api.post("/api/auth/login", {each: body[each] for each in ("email", "password")}).json()["data"])
    tokens.append(api.post("/api/auth/refresh", {"refresh_token": tokens[-1]["refresh_token"]}).json()["data"])
    for each in tokens:
        assert claims(each["token"])["user_metadata"] == {"username": name}
        assert key not in str(claims(each["token"]))
    kept = sql.execute("select raw_user_meta_data from auth.users where email = %s", [body["email"]]).fetchone()
    assert kept == ({"username": name},)


def test_the_place_of_a_registration_cannot_be_found_by_trying(api: Api, sql: psycopg.Connection[Any]) -> None:
    """There are few enough addresses to hash all of them, so that the hash has a key."""
    name, key = f"r_{uuid.uuid4().hex[:20]}", str(uuid.uuid4())
    body = {"username": name, "email": f"{name}@example.test", "password": "correct horse 1"}
    api.post("/api/auth/register", body, headers={"Idempotency-Key": key})
    row = sql.execute("select scope from registration_keys where key = %s", [key]).fetchone()
    assert row is not None
    tried = {fingerprint(key, {"address": ADDRESS}), fingerprint(f"{key} {ADDRESS}", {})}
    assert row[0] not in tried
    assert len(row[0]) == 32


def test_metadata_that_comes_back_is_forgotten_again(api: Api, sql: psycopg.Connection[Any]) -> None:
    """Supabase Auth writes what it began with when it confirms an address, and users may write their own."""
    student = api.student()
    sql.execute(
        """update auth.users set raw_user_meta_data = raw_user_meta_data || '{"registration": {"key": "k"}, "a": 1}'
           where id = %s""",
        [student.user_id],
    )
    kept = sql.execute("select raw_user_meta_data from auth.users where id = %s", [student.user_id]).fetchone()
    assert kept == ({"username": student.username, "a": 1},)
