"""Registration data in tokens: nothing that reveals more about the user."""

from __future__ import annotations

import uuid
from typing import Any

import jwt
import psycopg

from studysync.web.idempotency import fingerprint
from testing.client import Api

ADDRESS = "127.0.0.1"


def claims(token: str) -> dict[str, Any]:
    """What a holder of the token can read."""
    read: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return read


def test_tokens_do_not_tell_where_an_account_was_registered(api: Api, sql: psycopg.Connection[Any]) -> None:
    """Neither first nor later tokens, nor Supabase Auth's account data, reveal where the account was registered."""
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
    """There are few enough IP addresses to hash all of them, so the hash is keyed."""
    name, key = f"r_{uuid.uuid4().hex[:20]}", str(uuid.uuid4())
    body = {"username": name, "email": f"{name}@example.test", "password": "correct horse 1"}
    api.post("/api/auth/register", body, headers={"Idempotency-Key": key})
    row = sql.execute("select scope from registration_keys where key = %s", [key]).fetchone()
    assert row is not None
    tried = {fingerprint(key, {"address": ADDRESS}), fingerprint(f"{key} {ADDRESS}", {})}
    assert row[0] not in tried
    assert len(row[0]) == 32


def test_metadata_that_comes_back_is_forgotten_again(api: Api, sql: psycopg.Connection[Any]) -> None:
    """Supabase Auth restores the original metadata on confirmation and users can write their own; both are removed."""
    student = api.student()
    sql.execute(
        """update auth.users set raw_user_meta_data = raw_user_meta_data || '{"registration": {"key": "k"}, "a": 1}'
           where id = %s""",
        [student.user_id],
    )
    kept = sql.execute("select raw_user_meta_data from auth.users where id = %s", [student.user_id]).fetchone()
    assert kept == ({"username": student.username, "a": 1},)
