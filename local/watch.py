"""Watches code and template for changes on disk."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from watchfiles import Change, DefaultFilter, awatch

from local.template import Template

_QUIET_MS = 50  # saving in an editor causes several events, a checkout many


async def watch_code(template: Template, changed: Callable[[set[Path]], None], stop: asyncio.Event) -> None:
    """Call `changed` with the changed files below code and layer folders, until `stop`."""
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

    # Watches the folder, not the file, because editors replace the file.
    async for _ in awatch(path.parent, stop_event=stop, step=_QUIET_MS, recursive=False, watch_filter=is_template):
        await changed()


async def watch_migrations(folder: Path, changed: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
    """Call `changed` when a migration was added or written, until `stop`."""

    def is_migration(_: Change, name: str) -> bool:
        return name.endswith(".sql")

    async for _ in awatch(folder, stop_event=stop, step=_QUIET_MS, recursive=False, watch_filter=is_migration):
        await changed()


class _SourceFilter(DefaultFilter):
    """Accepts sources and data, not files that Python or an editor leaves next to them."""

    ignore_entity_patterns = (*DefaultFilter.ignore_entity_patterns, r"\.tmp$", r"^\.#", r"^4913$")
