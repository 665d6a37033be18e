"""The effects of retries, hedging, the adaptive limit and the cache, and the cost of a pipeline."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from benchmarks.harness import Figure, Row, Stage
from benchmarks.resilience import overload, stack
from benchmarks.rows._api import Caller, in_process
from benchmarks.rows._database import random_users
from local.demo import Term, load_term

CALLS, ROUNDS, REQUESTS = 5_000, 7, 1_500
SHARED = ("/api/gamification/badges", "/api/gamification/leaderboard/")
# What the app reads when opened, with weights in %. Some of it is the same for all users, some is the caller's own.
MIX = {
    "/api/gamification/badges": 25,
    "/api/gamification/leaderboard/weekly": 25,
    "/api/gamification/leaderboard/all-time": 15,
    "/api/gamification/leaderboard/monthly?limit=10": 10,
    "/api/gamification/xp/me": 10,
    "/api/users/me": 10,
    "/api/gamification/streaks/me": 5,
}


def run(stage: Stage) -> list[Row]:
    """Measure retries at 10 % failures, a closed pipeline, hedging, overload, and the cache over a mix of requests."""
    return [_retries(stage), *_pipeline(stage), _hedge(stage), _adaptive(stage), *_cache(stage)]


def _retries(stage: Stage) -> Row:
    from resilience import with_retry
    from resilience.testing import no_wait

    with_it: list[float] = []
    without: list[float] = []
    with stage.bar("Retries", ROUNDS) as advance, no_wait(), asyncio.Runner() as runner:
        for seed in range(ROUNDS):
            dice = random.Random(seed)

            async def unreliable(dice: random.Random = dice) -> None:
                if dice.random() < 0.1:
                    raise ConnectionError

            retried = with_retry(max_retries=3, retry_on=(ConnectionError,))(unreliable)
            without.append(sum(runner.run(_fails(unreliable)) for _ in range(CALLS)) / CALLS)
            with_it.append(sum(runner.run(_fails(retried)) for _ in range(CALLS)) / CALLS)
            advance()
    figures = [Figure.of("with retries", with_it), Figure.of("without", without)]
    return Row(
        "failures remaining after retries, at 10 % injected",
        "at most 0.3 of those without retries",
        figures[0].median / figures[1].median,
        0.3,
        "",
        figures,
        value_label="ratio of the medians",
        value_unit="",
        note="With a retry budget: at most 10 % of the traffic may be retries, however many calls fail.",
    )


def _pipeline(stage: Stage) -> list[Row]:
    plain: dict[str, list[float]] = {}
    asynchronous: dict[str, list[float]] = {}
    calls = [(build.__name__, *build()) for build in stack.BUILDERS]
    with stage.bar("Pipelines", 4 * ROUNDS) as advance, asyncio.Runner() as runner:
        for _ in range(4 * ROUNDS):
            for name, call, call_async in calls:
                plain.setdefault(name, []).append(stack.time_plain(call))
                if call_async is not None:
                    asynchronous.setdefault(name, []).append(runner.run(stack.time_async(call_async)))
            advance()
    return [_pipeline_row("plain", plain), _pipeline_row("async", asynchronous)]


def _pipeline_row(kind: str, samples: dict[str, list[float]]) -> Row:
    figures = {name: Figure.of(name, found) for name, found in samples.items()}
    peers = [figure.median for name, figure in figures.items() if name != "ours"]
    return Row(
        f"closed pipeline of breaker, retry and timeout, {kind} function",
        "faster than the fastest stack of peers",
        figures["ours"].median / min(peers),
        1.0,
        "us",
        list(figures.values()),
        value_label="relative to the fastest stack",
        value_unit="",
        note="Peers: a breaker in tenacity, for async functions with asyncio.timeout inside.",
    )


def _hedge(stage: Stage) -> Row:
    from resilience import hedge

    hedged: list[float] = []
    bare: list[float] = []
    with stage.bar("Hedging", ROUNDS) as advance, asyncio.Runner() as runner:
        for seed in range(ROUNDS):
            bare.append(runner.run(overload.tail(lambda read: read, seed)) * 1e3)
            hedged.append(runner.run(overload.tail(hedge(0.01), seed)) * 1e3)
            advance()
    figures = [Figure.of("hedged", hedged), Figure.of("without", bare)]
    return Row(
        "99th percentile of reads, 3 % of which hang briefly",
        "at most 0.5 of that without hedging",
        figures[0].median / figures[1].median,
        0.5,
        "ms",
        figures,
        value_label="ratio of the medians",
        value_unit="",
        note="A second request is sent after 10 ms, for at most a tenth of the reads.",
    )


def _adaptive(stage: Stage) -> Row:
    from resilience import adaptive_limit

    limited: list[float] = []
    bare: list[float] = []
    with stage.bar("Overload", ROUNDS) as advance, asyncio.Runner() as runner:
        for _ in range(ROUNDS):
            bare.append(runner.run(overload.goodput(lambda call: call)))
            limited.append(runner.run(overload.goodput(adaptive_limit())))
            advance()
    figures = [Figure.of("with the limit", limited), Figure.of("without", bare)]
    return Row(
        "goodput under overload, with an adaptive limit",
        "at least 1.5 x of that without",
        figures[0].median / max(figures[1].median, 1.0),
        1.5,
        "timely responses per second",
        figures,
        at_least=True,
        value_label="ratio of the medians",
        value_unit="",
        note="120 clients with a timeout of 50 ms call a service with 8 workers and 5 ms per call, which also "
        "works on requests that have timed out.",
    )


async def _fails(call: object) -> bool:
    try:
        await call()  # type: ignore[operator]
    except ConnectionError:
        return True
    return False


def _cache(stage: Stage) -> list[Row]:
    backends = stage.backends
    with psycopg.connect(str(backends.dsn), autocommit=True) as connection:
        load_term(connection, Term(users=500, weeks=4), stage.say("Loading students"))
        users = random_users(connection, 100)
        with _counted(connection) as pages, in_process(backends) as api, stage.bar("Cache", REQUESTS) as advance:
            from resilience import cache_manager, performance_monitor

            api.run(cache_manager.clear_async())  # an earlier row's students have the same names
            before, calls = cache_manager.get_stats(), Counter(_database_calls(performance_monitor))
            dice = random.Random(1)
            callers = [Caller(api, user) for user in users]
            asked = dice.choices(list(MIX), list(MIX.values()), k=REQUESTS)
            for path in asked:
                dice.choice(callers).get(path)
                advance()
            after = cache_manager.get_stats()
            calls = Counter(_database_calls(performance_monitor)) - calls
    hits = after.local_hits + after.shared_hits - before.local_hits - before.shared_hits
    misses = after.misses - before.misses
    repeated = sum(path.startswith(SHARED) for path in asked)
    computed = sum(pages) + calls["database get_badges"]
    note = f"{REQUESTS:,} requests of {len(users)} students: " + ", ".join(
        f"{path} {share} %" for path, share in MIX.items()
    )
    return [
        Row(
            "hit rate of the cache",
            "at least 0.7 in the mix",
            hits / (hits + misses),
            0.7,
            "",
            [Figure.exact("hits", hits), Figure.exact("misses", misses)],
            at_least=True,
            note=note,
        ),
        Row(
            "repeated queries saved by the cache",
            "at least 0.5",
            1 - computed / repeated,
            0.5,
            "",
            [
                Figure.exact("requests for a leaderboard page or the catalogue", repeated),
                Figure.exact("computed by the database", computed),
                Figure.exact("all requests of the mix", REQUESTS),
                Figure.exact("database calls for them", sum(calls.values())),
            ],
            at_least=True,
            note="Counted by PostgreSQL and by the calls made. The cache saves what is the same for everyone. "
            "The caller's own place on a leaderboard is never cached: reading it takes one call, which could also "
            "return the page.",
        ),
    ]


def _database_calls(monitor: Any) -> dict[str, int]:
    return {name: found.count for name, found in monitor.get_metrics().items() if name.startswith("database ")}


@contextmanager
def _counted(connection: psycopg.Connection[Any]) -> Iterator[list[int]]:
    """Count the leaderboard pages the database computes in the block; the yielded list gets the count afterwards."""
    counted: list[int] = []
    connection.execute("alter system set track_functions = 'all'")
    connection.execute("select pg_reload_conf()")
    yield counted
    # A backend flushes its statistics when it exits, at the latest.
    ended = "select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = 'authenticator'"
    connection.execute(ended)
    calls = "select coalesce(sum(calls), 0)::int from pg_stat_user_functions where funcname = 'leaderboard_page'"
    counted += connection.execute(calls).fetchone() or ()
    connection.execute("alter system reset track_functions")
    connection.execute("select pg_reload_conf()")
