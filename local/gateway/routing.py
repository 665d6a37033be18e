"""Matches requests to routes by API Gateway's rules: the most specific path wins, then a method wins over ANY."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import unquote

from local.template import Route

_STATIC, _PARAMETER, _GREEDY = range(3)
_DEFAULT = "$default"


@dataclass(frozen=True)
class Match:
    """A route, and the pattern of its path."""

    route: Route
    parameters: dict[str, str]
    stage: str = _DEFAULT


@dataclass(frozen=True)
class _Pattern:
    route: Route
    segments: tuple[tuple[int, str], ...] = field(init=False)

    def __post_init__(self) -> None:
        parts = self.route.path.strip("/").split("/")
        object.__setattr__(self, "segments", tuple(_segment(part) for part in parts))

    @property
    def rank(self) -> tuple[object, ...]:
        """Orders patterns: literal segments before variables before greedy ones, a method before ANY."""
        if self.route.path == _DEFAULT:
            return (True,)
        kinds = tuple(kind for kind, _ in self.segments)
        return (False, kinds, -len(kinds), self.route.method == "ANY")

    def match(self, method: str, parts: list[str]) -> dict[str, str] | None:
        """Return the path variables if this route matches the request, else None."""
        if self.route.path == _DEFAULT:
            return {}
        if self.route.method not in {method, "ANY"}:
            return None
        return self._bind(parts)

    def _bind(self, parts: list[str]) -> dict[str, str] | None:
        bound: dict[str, str] = {}
        for index, (kind, name) in enumerate(self.segments):
            if kind == _GREEDY:
                # The rest may be empty, but not absent: `/users/{proxy+}` matches `/users/` but not `/users`.
                rest = "/".join(parts[index:])
                return {**bound, name: unquote(rest)} if rest or 0 < index < len(parts) else None
            if index >= len(parts) or (kind == _STATIC and parts[index] != name) or not parts[index]:
                return None
            if kind == _PARAMETER:
                bound[name] = unquote(parts[index])
        return bound if len(parts) == len(self.segments) else None


def _segment(part: str) -> tuple[int, str]:
    if part.startswith("{") and part.endswith("+}"):
        return _GREEDY, part[1:-2]
    if part.startswith("{") and part.endswith("}"):
        return _PARAMETER, part[1:-1]
    return _STATIC, part


class Router:
    """All routes of an API, the most specific first.

    Args:
        routes: of the API.
        stage: if named, the first part of every path.
        base_path: of a custom domain; locally, without the domain, a path may start with it.
    """

    def __init__(self, routes: Iterable[Route], *, stage: str = _DEFAULT, base_path: str = "") -> None:
        self._stage, self._base_path = stage, base_path
        self._patterns = sorted((_Pattern(route) for route in routes), key=lambda pattern: pattern.rank)

    def match(self, method: str, path: str) -> Match | None:
        """Return the route for a request; `path` as sent, still percent-encoded."""
        parts = path[1:].split("/")
        if self._base_path and parts[0] == self._base_path:
            parts = parts[1:]
        elif self._stage != _DEFAULT:
            if parts[0] != self._stage:
                return None
            parts = parts[1:]
        for pattern in self._patterns:
            parameters = pattern.match(method, parts)
            if parameters is not None:
                return Match(pattern.route, parameters, self._stage)
        return None
