"""What decorators accept: methods, partials, objects and functions that return coroutines; and what they refuse."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import pickle
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import resilience
from resilience import (
    BulkheadFullError,
    ConcurrencyLimitError,
    ConfigurationError,
    adaptive_limit,
    bulkhead,
    cached,
    chaos,
    circuit_breaker,
    hedge,
    monitor_performance,
    timeout,
    with_fallback,
    with_retry,
)
from resilience.store._connection import RefusedError

pytestmark = pytest.mark.slow

Decorator = Callable[[Any], Any]
DECORATORS: dict[str, Callable[[], Decorator]] = {
    "circuit_breaker": lambda: circuit_breaker(name="f"),
    "with_retry": with_retry,
    "with_fallback": lambda: with_fallback("f"),
    "cached": lambda: cached(60, key=lambda *args, **kwargs: [repr(args[-1:]), kwargs], key_prefix=str(next(_numbers))),
    "monitor_performance": lambda: monitor_performance("f"),
    "timeout": lambda: timeout(5.0),
    "timeout in a thread": lambda: timeout(5.0, thread=True),
    "bulkhead": lambda: bulkhead(3),
    "adaptive_limit": lambda: adaptive_limit(3),
    "hedge": lambda: hedge(1.0),
    "hedge that learns": hedge,
    "chaos": lambda: chaos(0.0),
}
_numbers = iter(range(10_000))


@pytest.fixture(params=DECORATORS)
def decorator(request: pytest.FixtureRequest) -> Decorator:
    return DECORATORS[request.param]()


def generator() -> Iterator[int]:
    yield 1


async def async_generator() -> AsyncIterator[int]:
    yield 1


class Generates:
    def __call__(self) -> Iterator[int]:
        yield 1


@pytest.mark.parametrize(
    "function",
    [
        generator,
        async_generator,
        functools.partial(generator),
        Generates(),
        contextlib.contextmanager(generator),
        contextlib.asynccontextmanager(async_generator),
        staticmethod(generator),
        staticmethod(lambda: 1),
        classmethod(lambda cls: 1),
        property(lambda self: 1),
        Generates,
        42,
    ],
    ids=[
        "generator", "async generator", "partial", "object that generates", "context manager", "async context manager",
        "static generator", "static method", "class method", "property", "class that generates", "number",
    ],
)  # fmt: skip
def test_what_has_no_outcome_is_refused_when_decorating(decorator: Decorator, function: Any) -> None:
    """Each decorator reports the error when it is applied."""
    with pytest.raises(ConfigurationError, match="function="):
        decorator(function)


class Adder:
    """Methods of every kind, and a callable object."""

    def method(self, number: int) -> int:
        return number + 1

    async def async_method(self, number: int) -> int:
        return number + 1

    def __call__(self, number: int) -> int:
        return number + 1


class AsyncAdder:
    async def __call__(self, number: int) -> int:
        return number + 1


async def add_async(one: int, number: int) -> int:
    return number + one


@pytest.mark.parametrize(
    "function",
    [
        Adder().method,
        Adder().async_method,
        Adder(),
        AsyncAdder(),
        functools.partial(lambda one, number: number + one, 1),
        functools.partial(add_async, 1),
        functools.partial(functools.partial(add_async), 1),
    ],
    ids=["method", "async method", "object", "async object", "partial", "async partial", "partial of a partial"],
)
def test_what_can_be_called_can_be_decorated(decorator: Decorator, function: Any) -> None:
    """Any callable can be decorated, sync or async."""
    result = decorator(function)(41)
    assert (asyncio.run(result) if asyncio.iscoroutine(result) else result) == 42


def test_inside_of_static_and_class_methods(decorator: Decorator) -> None:
    """The decorator is placed below @staticmethod and @classmethod."""

    class Home:
        static = staticmethod(decorator(lambda number: number + 1))

    assert Home.static(41) == Home().static(41) == 42


@pytest.mark.parametrize("name", [name for name in DECORATORS if name != "cached"])
def test_a_function_that_returns_a_coroutine_is_waited_for(name: str) -> None:
    """A function that is async under another decorator is judged by how its coroutine ends."""
    attempts: list[int] = []

    async def work() -> int:
        attempts.append(1)
        if name == "with_retry" and len(attempts) == 1:
            raise ConnectionError
        if name == "with_fallback":
            raise ConnectionError
        return 42

    resilience.fallback_handler.register_fallback("f", 42)

    def plain() -> Any:
        return work()

    decorated = (with_retry(base_delay=0.0) if name == "with_retry" else DECORATORS[name]())(plain)
    assert asyncio.run(decorated()) == 42
    assert len(attempts) == (2 if name == "with_retry" else 1)


def test_a_coroutine_cannot_be_kept() -> None:
    """A cached sync function that returns a coroutine raises, instead of returning one coroutine to all callers."""
    with pytest.raises(ConfigurationError, match="returns a coroutine"):
        cached(60, key_prefix="coroutine")(lambda: add_async(1, 2))()


@pytest.mark.parametrize(
    ("decorator", "refused"),
    [
        (timeout(0.05), TimeoutError),
        (timeout(0.05, thread=True), TimeoutError),
        (bulkhead(1, timeout=0.01), BulkheadFullError),
        (adaptive_limit(1, most=1), ConcurrencyLimitError),
    ],
)
def test_a_policy_lasts_until_the_coroutine_ends(decorator: Decorator, refused: type[Exception]) -> None:
    """Its time and its slot last until the returned coroutine has ended."""

    async def slow() -> int:
        await asyncio.sleep(0.2)
        return 42

    function = decorator(lambda *_: slow())

    async def twice() -> list[Any]:
        return await asyncio.gather(function(), function(), return_exceptions=True)

    for _ in range(2):  # the first call finds out that the function is async
        one, other = asyncio.run(twice())
        assert isinstance(other, refused)
        assert one == 42 or isinstance(one, refused)


def test_a_coroutine_is_hedged_and_its_result_replaced() -> None:
    """Of two requests the first answer counts, and chaos changes the awaited result."""
    waits = iter([0.0, 0.0, 5.0, 0.0])

    async def read() -> int:
        await asyncio.sleep(next(waits))
        return 42

    function = hedge(0.05)(lambda *_: read())

    async def reads() -> list[int]:
        return [await function() for _ in range(2)]

    assert asyncio.run(reads()) == [42, 42]
    assert asyncio.run(chaos(1.0, result=lambda real: real + 1)(lambda: add_async(1, 41))()) == 43


@pytest.mark.parametrize("name", DECORATORS)
def test_a_generator_that_is_returned_is_refused(name: str) -> None:
    """A generator has not started when the function returns, so a breaker does not count it."""

    def plain() -> Any:
        return generator()

    resilience.fallback_handler.register_fallback("f", 42)
    decorated = DECORATORS[name]()(plain)
    with pytest.raises(ConfigurationError, match="returns a generator"):
        decorated()
    if name == "circuit_breaker":
        assert decorated.circuit_breaker.snapshot().calls == 0


@pytest.mark.parametrize("name", [name for name in DECORATORS if name != "circuit_breaker"])
def test_a_future_is_refused(name: str) -> None:
    """A future's result is not known when the function returns."""
    with pytest.raises(ConfigurationError, match="returns a future"):
        DECORATORS[name]()([Future[int]()].pop)()


def test_a_breaker_waits_for_a_future() -> None:
    """The future is returned immediately, and counted when it is done."""
    breaker = resilience.CircuitBreaker("futures", failure_threshold=1)

    def fail() -> None:
        raise ConnectionError

    with ThreadPoolExecutor(1) as threads:
        future = breaker(lambda: threads.submit(fail))()
        assert isinstance(future.exception(5), ConnectionError)
    assert breaker.get_state() == "open"


def test_unnamed_functions_of_one_factory_share_no_circuit_unawares() -> None:
    """The second function is refused and must be named; the first continues."""

    def make(city: str) -> Callable[[], str]:
        @circuit_breaker()
        def weather() -> str:
            return city

        return weather

    assert make("Rome")() == "Rome"
    with pytest.raises(ConfigurationError, match="name their circuits"):
        make("Oslo")


def test_errors_survive_pickling() -> None:
    """Errors pass between processes of a pool with all their attributes."""
    limiter = resilience.RateLimiter(per_minute=1, per_hour=None, store=resilience.MemoryStore())
    refused = next(decision for _ in range(3) if not (decision := limiter.check("user")).allowed)
    for error in (
        resilience.CircuitOpenError("database", 3.0, forced=True),
        resilience.ConfigurationError("limit", -1, "must be positive"),
        resilience.RateLimitedError(refused),
        resilience.BulkheadFullError(20, 1.5),
        resilience.ConcurrencyLimitError(20),
        RefusedError("ConditionalCheckFailedException", {"pk": {"S": "x"}}),
        resilience.DeadlineExceededError("late"),
        resilience.StoreError("down"),
    ):
        copy = pickle.loads(pickle.dumps(error))
        assert type(copy) is type(error)
        assert (str(copy), copy.args, vars(copy)) == (str(error), error.args, vars(error))


def test_errors_survive_pickling_with_what_pickle_refuses() -> None:
    """A function in a refused value arrives as its representation."""
    error = resilience.ConfigurationError("function", lambda: 1, "is refused")
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.field, copy.value) == (str(error), "function", repr(error.value))


TYPED = """
from resilience import cached, circuit_breaker, with_retry

@circuit_breaker(name="f")
def f(x: int) -> str: return ""

class A:
    @circuit_breaker(name="m")
    def m(self, x: int) -> str: return ""
    @cached(60, key=lambda self, x: x)
    async def c(self, x: int) -> str: return ""
    @staticmethod
    @circuit_breaker(name="s")
    def s(x: int) -> str: return ""
    @with_retry()
    def r(self, x: int) -> str: return ""

async def use() -> None:
    reveal_type(f(1))
    reveal_type(f.circuit_breaker.get_state())
    reveal_type(A().m(1))
    reveal_type(await A().c(1))
    reveal_type(A.s(1))
    reveal_type(A().r(1))
    await A().c.invalidate_async(1)
    f("wrong")
    A().m("wrong")
"""


def test_types_are_what_the_documentation_says(tmp_path: Path) -> None:
    """Mypy knows the attributes of decorated functions, and the arguments of decorated methods."""
    (tmp_path / "typed.py").write_text(TYPED)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "typed.py"]
    environment = {"MYPYPATH": str(Path(resilience.__file__).parents[1])}
    told = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False).stdout
    assert told.count('note: Revealed type is "str"') == 5, told
    assert 'note: Revealed type is "resilience.breaker.states.CircuitState"' in told
    assert told.count("[arg-type]") == 2, told
    assert "Found 2 errors in 1 file" in told, told
