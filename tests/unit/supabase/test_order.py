"""The order of the baseline: each subject uses earlier subjects and none of the later ones."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from local.migrations import PRELUDE, Migration
from tools import baseline

SUBJECTS = [
    "base",
    "users",
    "xp",
    "spaces",
    "sessions",
    "sync",
    "leaderboards",
    "changes",
    "audit",
    "operations",
    "live",
]
NAME = r"(?:internal|public|auth)\.[a-z_]+"
CREATED = re.compile(rf"^create (?:table|type|function|statistics) ({NAME})", re.MULTILINE)
MIGRATIONS = [Migration(baseline.FOLDER / name) for name in baseline.read()]  # later migrations replace and alter


def without_comments(sql: str) -> str:
    """SQL with its comments blanked out, so that positions stay; strings are kept, as they may name a table."""
    return re.sub(r"('(?:[^']|'')*')|--[^\n]*", lambda found: found[1] or " " * len(found[0]), sql)


def used_too_early(sql: str) -> list[str]:
    """Tables, types and functions that a text uses before they are created, or that are never created."""
    text = without_comments(sql)
    created = {found[1]: found.start() for found in CREATED.finditer(text)}
    uses = re.finditer(rf"(?<![\w.]){NAME}(?![\w.])", text)
    return [found[0] for found in uses if created.get(found[0], len(text)) > found.start()]


def subject(migration: Migration) -> str:
    return migration.name.partition("_")[0]


def read(paths: list[Path]) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


def test_nothing_uses_what_is_defined_after_it() -> None:
    """Everything that a policy, foreign key, trigger or function body names is created before it.

    So no two functions or files use each other. Names are written with their schema everywhere, see the next tests.
    """
    assert used_too_early(read([PRELUDE, *(migration.path for migration in MIGRATIONS)])) == []


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("create function internal.f() as $$ select internal.g() $$;\ncreate function internal.g()", ["internal.g"]),
        ("create function internal.f() as $$ select 1 -- as internal.g()\n$$;", []),
        ("create function internal.f() as $$ select '-- ' || internal.g() $$;", ["internal.g"]),
        ("create function internal.f() as $$ select purge('public.t') $$;\ncreate table public.t", ["public.t"]),
        ("create table public.t (u int references public.u);\ncreate table public.u ()", ["public.u"]),
        ("create policy p on public.t using (internal.f());", ["public.t", "internal.f"]),
        ("create function internal.f() as $$ select internal.f() $$;", []),
    ],
)
def test_what_is_used_too_early_is_found(sql: str, found: list[str]) -> None:
    """A use is found in a body, a string or a declaration; not in a comment, and a function may call itself."""
    assert used_too_early(sql) == found


def test_files_are_in_the_order_of_their_subjects() -> None:
    """Each file has one subject, each subject one run of files, and each file a timestamp of 14 digits."""
    subjects = [subject(migration) for migration in MIGRATIONS]
    assert [first for first, second in pairwise([*subjects, ""]) if first != second] == SUBJECTS
    versions = [migration.version for migration in MIGRATIONS]
    assert all(re.fullmatch(r"\d{14}", version) for version in versions)
    assert len(set(versions)) == len(versions)


@pytest.mark.parametrize("migration", MIGRATIONS, ids=lambda migration: migration.name)
def test_everything_is_defined_once(migration: Migration) -> None:
    """No file replaces, drops or alters what another created, and none is longer than 400 lines."""
    text = without_comments(migration.path.read_text(encoding="utf-8"))
    assert re.findall(r"^(?:create or replace|drop|alter).*", text, re.MULTILINE) == []
    assert text.count("\n") <= 400
