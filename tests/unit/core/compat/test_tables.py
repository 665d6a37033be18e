"""Rows of tables as the former system's code accesses them: which requests are retried, and which never."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from studysync.compat.tables import Tables
from studysync.db.client import Database
from tests.unit.core.answers import SETTINGS, Answers, refused

pytestmark = pytest.mark.usefixtures("unharmed")


@pytest.mark.parametrize("answer", [httpx.ReadError("cut off"), httpx.Response(503, html="<p>busy</p>")])
def test_rows_are_never_inserted_twice(answer: httpx.Response | Exception) -> None:
    """A lost answer may belong to a successful insert, and rows have no id to recognise it by."""
    server = Answers(answer)
    assert refused(tables(server).insert_async("notes", {"text": "x"})).kind.code == "SERVICE_UNAVAILABLE"
    assert len(server.asked) == 1
    assert server.asked[0].extensions["once"] is True


def test_rows_are_read_again() -> None:
    """A read is retried; a connection that PostgREST lost and an answer without rows are a 503."""
    lost = httpx.Response(500, json={"code": None, "message": "server closed", "details": None, "hint": None})
    server = Answers(lost, httpx.Response(200, json=[{"id": 1}]))
    assert asyncio.run(tables(server).fetch_async("notes")) == [{"id": 1}]
    assert len(server.asked) == 2
    server = Answers(httpx.Response(200, text=json.dumps("<p>Maintenance</p>")))
    assert refused(tables(server).fetch_async("notes")).kind.code == "SERVICE_UNAVAILABLE"


def tables(server: Answers) -> Tables:
    transport = httpx.MockTransport(server)
    return Tables(Database(SETTINGS, transport), transport, SETTINGS)
