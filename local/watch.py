"""Tells when code or the template change on disk."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from watchfiles import Change, DefaultFilter, awatch

from local.template import Template

_QUIET_MS = 50  # an editor's save is several events; a checkout is many


async def watch_code(template: Template, changed: Callable[[set[Path]], None], stop: asyncio.Event) -> None:
    """Call `changed` with the files below code and layers folders that were changed, until `stop`."""
    specs = template.functions().values()
    folders = {folder for spec in specs for folder in (spec.code, *spec.layers) if folder.is_dir()}
    if not folders:
        return
    async for changes in awatch(*folders, stop_event=stop, step=_QUIET_MS, watch_filter=_SourceFilter()):
        changed({Path(path) for _, path in changes})


async def watch_template(path: Path, changed: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
    """Call `changed` when the template was written, until `stop`."""

    def is_template(_: Change, name: str) -> bool:
        return Path(name) == path

    # Its folder is watched and not the file, which editors replace by another one.
    async for _ in awatch(path.parent, stop_event=stop, step=_QUIET_MS, recursive=False, watch_filter=is_template):
        await changed()


async def watch_migrations(folder: Path, changed: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
    """Call `changed` when a migration was added or written, until `stop`."""

    def is_migration(_: Change, name: str) -> bool:
        return name.endswith(".sql")

    async for _ in awatch(folder, stop_event=stop, step=_QUIET_MS, recursive=False, watch_filter=is_migration):
        await changed()


class _SourceFilter(DefaultFilter):
    """Sources and data, not what Python or an editor leaves beside them."""

    ignore_entity_patterns = (*DefaultFilter.ignore_entity_patterns, r"\.tmp$", r"^\.#", r"^4913$")
