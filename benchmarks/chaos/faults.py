"""The faults, in the order they are injected."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.chaos.site import Site
from benchmarks.load.record import Asked

_CACHED = "GET /gamification/badges"
_AUTH = frozenset({"POST /auth/login", "POST /auth/register"})


@dataclass(frozen=True)
class Fault:
    """A fault to inject.

    Attributes:
        name: description in the report.
        seconds: how long it lasts after `begin` has returned.
        begin, end: inject the fault and remove it.
        touches: whether a request depends on the faulty part; the first success of one marks the recovery.
        opens: the circuit that should open; empty if none should.
    """

    name: str
    seconds: float
    begin: Callable[[Site], None]
    end: Callable[[Site], None]
    touches: Callable[[Asked], bool]
    opens: str = ""


def _database(asked: Asked) -> bool:
    return asked.name != _CACHED


def _auth(asked: Asked) -> bool:
    return asked.name in _AUTH


def _all(_asked: Asked) -> bool:
    return True


def _nothing(_site: Site) -> None:
    """Do nothing: the fault ends by itself."""


def _killed(name: str, part: str, touches: Callable[[Asked], bool], opens: str, seconds: float = 5.0) -> Fault:
    return Fault(
        f"{name} killed (`kill -9`)", seconds, lambda s: s.kill(part), lambda s: s.release(part), touches, opens
    )


def _frozen(name: str, part: str, touches: Callable[[Asked], bool], opens: str, seconds: float) -> Fault:
    name = f"{name} frozen (SIGSTOP)"
    return Fault(name, seconds, lambda s: s.freeze(part), lambda s: s.thaw(part), touches, opens)


def _slowed(name: str, proxy: str, delay: float) -> Fault:
    def begin(site: Site) -> None:
        getattr(site, proxy).delay = delay

    text = f"{name} slowed, {delay * 1e3:.0f} ms per answer"
    return Fault(text, 6.0, begin, lambda s: getattr(s, proxy).heal(), _all)


def _cut(name: str, proxy: str, share: float, opens: str = "") -> Fault:
    def begin(site: Site) -> None:
        getattr(site, proxy).cut = share

    text = f"{name}: {share:.0%} of the answers cut off halfway"
    return Fault(text, 6.0, begin, lambda s: getattr(s, proxy).heal(), _database, opens)


def _clock(text: str, minutes: float) -> Fault:
    def begin(site: Site) -> None:
        with site.clock() as clock:
            clock.advance(minutes=minutes)

    def end(site: Site) -> None:
        with site.clock() as clock:
            clock.reset()

    return Fault(f"The database's clock steps {text} forward, and back", 5.0, begin, end, _database)


FAULTS = (
    Fault(
        "Functions' processes killed (`kill -9`), one per second",
        0.0,
        lambda site: site.kill_functions(8.0, 1.0),
        _nothing,
        _all,
    ),
    Fault(
        "All processes of the sessions function frozen (SIGSTOP)",
        4.0,
        lambda site: site.signal_function("SessionsFunction", signal.SIGSTOP),
        lambda site: site.signal_function("SessionsFunction", signal.SIGCONT),
        lambda asked: "/sessions" in asked.name,
    ),
    _killed("PostgREST", "postgrest", _database, "database"),
    _frozen("PostgREST", "postgrest", _database, "database", 32.0),
    _slowed("PostgREST", "rest", 0.5),
    _cut("PostgREST", "rest", 0.2),
    _cut("PostgREST", "rest", 1.0, "database"),
    Fault(
        "PostgreSQL shut down (SIGTERM, then SIGINT)",
        6.0,
        lambda site: site.shut_down("postgres"),
        lambda site: site.release("postgres"),
        _database,
        "database",
    ),
    _killed("PostgreSQL", "postgres", _database, "database"),
    Fault("One of PostgreSQL's workers killed (`kill -9`)", 3.0, lambda s: s.crash_worker(), _nothing, _database),
    _frozen("PostgreSQL", "postgres", _database, "", 8.0),
    Fault(
        "PostgreSQL can write no more (a limit on its files, as on a full disk)",
        6.0,
        lambda site: site.fill_disk(),
        lambda site: site.clear_disk(),
        _database,
        "database",
    ),
    _killed("DynamoDB", "dynamodb", _all, ""),
    _frozen("DynamoDB", "dynamodb", _all, "", 6.0),
    _slowed("DynamoDB", "dynamodb", 1.0),
    _cut("DynamoDB", "dynamodb", 1.0),
    _killed("Auth", "auth", _auth, "auth", 6.0),
    _frozen("Auth", "auth", _auth, "", 10.0),
    _clock("20 minutes", 20),
    _clock("26 hours", 26 * 60),
)
