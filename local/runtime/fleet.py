"""All functions of a template, with a pool each, replaced when code or template change."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from importlib.util import cache_from_source
from pathlib import Path

from local.home import Home
from local.runtime.invocation import Failure, Invocation, Outcome, failed
from local.runtime.logs import FunctionLog, KindFiles
from local.runtime.pool import Limits, Pool
from local.template import FunctionSpec, Template

_HOUSEKEEPING = 5.0  # seconds


class Fleet:
    """Runs functions.

    Args:
        backends: environment variables that point at the local backends.
        show: called with lines that should appear on the terminal at once.
    """

    def __init__(
        self,
        template: Template,
        home: Home,
        *,
        backends: Mapping[str, str],
        limits: Limits,
        show: Callable[[str], None],
    ) -> None:
        self._home, self._backends, self._limits, self._show = home, backends, limits, show
        self._pools: dict[str, Pool] = {}
        self._logs: dict[str, FunctionLog] = {}
        self._kinds = KindFiles(home.logs)
        for spec in template.functions().values():
            self._add(spec)
        self._keeper = asyncio.get_running_loop().create_task(self._run_housekeeping())

    async def invoke(self, function: str, payload: bytes, *, trace_id: str) -> Outcome:
        """Run a function once."""
        pool = self._pools.get(function)
        if pool is None:
            return failed(Failure.FUNCTION, "ResourceNotFoundException", f"Function not found: {function}")
        return await pool.invoke(Invocation(payload, trace_id))

    def __contains__(self, function: str) -> bool:
        return function in self._pools

    @property
    def pids(self) -> dict[str, list[int]]:
        """The pids of every function's sandboxes."""
        return {name: pool.pids for name, pool in self._pools.items()}

    def warm_up(self) -> None:
        """Start one sandbox per function in the background."""
        for pool in self._pools.values():
            pool.warm_up()

    def changed(self, paths: Iterable[Path]) -> list[str]:
        """Replace the sandboxes of every function that uses one of these files; returns the functions' names."""
        files = list(paths)
        for path in files:
            _forget_compiled(path)
        specs = [pool.spec for pool in self._pools.values()]
        names = [spec.name for spec in specs if any(is_affected(spec, path, specs) for path in files)]
        for name in names:
            self._pools[name].replace(self._pools[name].spec)
        return names

    async def reload(self, template: Template) -> None:
        """Apply a template's functions: new ones start, removed ones stop, changed ones are replaced."""
        specs = template.functions()
        for name in set(self._pools) - set(specs):
            await self._pools.pop(name).close()
        for name, spec in specs.items():
            if name not in self._pools:
                self._add(spec)
                self._pools[name].warm_up()
            elif self._pools[name].spec != spec:
                self._pools[name].replace(spec)

    async def close(self) -> None:
        """End every sandbox."""
        self._keeper.cancel()
        await asyncio.gather(*(pool.close() for pool in self._pools.values()))
        for log in self._logs.values():
            log.close()
        self._kinds.close()

    def _add(self, spec: FunctionSpec) -> None:
        name = spec.name
        if name not in self._logs:
            path = self._home.logs / f"{name}.log"
            self._logs[name] = FunctionLog(path, lambda line: self._show(f"{name}  {line}"), self._kinds)
        self._pools[name] = Pool(
            spec,
            run=self._home.run,
            log=self._logs[name],
            limits=self._limits,
            backends=self._backends,
            show=self._show,
        )

    async def _run_housekeeping(self) -> None:
        while True:
            await asyncio.sleep(_HOUSEKEEPING)
            for pool in self._pools.values():
                pool.rest()


def is_affected(spec: FunctionSpec, path: Path, specs: Iterable[FunctionSpec]) -> bool:
    """Return whether a changed file belongs to a function: to its layers, or to its code but not another's package.

    Functions share one code folder, in which each has its own package, the first part of its handler.
    """
    if any(path.is_relative_to(layer) for layer in spec.layers):
        return True
    if not path.is_relative_to(spec.code):
        return False
    package = path.relative_to(spec.code).parts[0].removesuffix(".py")
    own = _package(spec)
    return package == own or package not in {_package(other) for other in specs if other.code == spec.code}


def _forget_compiled(path: Path) -> None:
    """Delete a source's compiled form, which would look current after two edits within one second."""
    if path.suffix == ".py":
        Path(cache_from_source(str(path))).unlink(missing_ok=True)


def _package(spec: FunctionSpec) -> str:
    return spec.handler.replace("/", ".").split(".")[0]
