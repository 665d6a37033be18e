"""The type of a cached function, for callers and type checkers."""

from __future__ import annotations

from typing import Any, Concatenate, ParamSpec, Protocol, Self, TypeVar, overload

from resilience.cache.manager import CacheManager

P = ParamSpec("P")
Q = ParamSpec("Q")
R_co = TypeVar("R_co", covariant=True)


class CachedFunction(Protocol[P, R_co]):
    """A function whose results are cached; all methods take the function's own arguments.

    Attributes:
        cache: The manager that holds the results.
    """

    cache: CacheManager

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Return the function's result, from the cache if it is there."""

    def cache_key(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """Return the cache key of this call."""

    def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Forget the result of this call; return False if the store did not answer. See `CacheManager.invalidate`."""

    async def invalidate_async(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Forget the result like `invalidate`, without blocking the event loop."""

    @overload
    def __get__(self, instance: None, owner: type | None = None, /) -> Self: ...
    @overload
    def __get__(
        self: CachedFunction[Concatenate[Any, Q], R_co], instance: object, owner: type | None = None, /
    ) -> CachedFunction[Q, R_co]: ...
