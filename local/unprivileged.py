"""PostgreSQL refuses to run as root: which user it runs as instead, and where its files are.

Permissions of folders that are not ours are never changed. If that user cannot reach the home or the virtual
environment (a clone below /root, a temporary folder of mode 0700), data and programs are stored in our own folder below
/var/tmp and linked from the home.
"""

import fcntl
import hashlib
import os
import pwd
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from local.errors import StackError
from local.home import Home

_USER = "nobody"
_UNUSED = shutil.ignore_patterns("*.a", "doc", "__pycache__")


def server_user() -> str | None:
    """Return the user that PostgreSQL runs as; None for the current one."""
    return _USER if os.geteuid() == 0 else None


def can_reach(path: Path, user: str) -> bool:
    """Return whether `user` can traverse every folder down to `path`, by owner, group and mode."""
    account = pwd.getpwnam(user)
    return all(_may_enter(folder.stat(), account) for folder in [*path.resolve().parents])


def _may_enter(status: os.stat_result, account: pwd.struct_passwd) -> bool:
    if status.st_uid == account.pw_uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account.pw_gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def shared_folder() -> Path:
    """Return our folder below /var/tmp, which anyone may traverse and only we may write."""
    folder = Path("/var/tmp") / f"studysync-{os.geteuid()}"  # noqa: S108 - its owner is checked below
    folder.mkdir(mode=0o711, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise StackError(f"{folder} belongs to another user; remove it and start again.")
    folder.chmod(0o711)
    return folder


def place_data(home: Home, user: str | None) -> Path:
    """Return the folder for the database cluster, owned by `user`: in the home, or linked from it."""
    wanted = home.data / "postgres"
    if user is None:
        wanted.mkdir(mode=0o700, exist_ok=True)
        return wanted
    _let_pass(home)
    if not wanted.is_symlink() and (wanted.exists() or can_reach(wanted, user)):
        wanted.mkdir(mode=0o700, exist_ok=True)
        give(wanted, user)
        return wanted
    return _place_outside(wanted, user)


def _let_pass(home: Home) -> None:
    """Let others traverse, but not read, our own folders on the way."""
    home.data.chmod(0o711)


def _place_outside(link: Path, user: str) -> Path:
    root = shared_folder()
    with _alone_in(root):
        _prune(root)
        place = root / hashlib.sha256(str(link).encode()).hexdigest()[:16]
        if not link.is_symlink():
            # The home is new (or was cleaned): data of an earlier home with the same name is abandoned.
            shutil.rmtree(place, ignore_errors=True)
            link.symlink_to(place / "data")
        (place / "data").mkdir(mode=0o700, parents=True, exist_ok=True)
        place.chmod(0o711)
        (place / "home").write_text(str(link))
        give(place / "data", user)
    return place / "data"


@contextmanager
def _alone_in(root: Path) -> Iterator[None]:
    """Wait for other stacks that are starting: cleanup must not take an unfinished folder for an abandoned one."""
    descriptor = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _prune(root: Path) -> None:
    """Delete clusters whose home no longer exists."""
    for note in root.glob("*/home"):
        with suppress(OSError):
            link = Path(note.read_text())
            if not link.is_symlink() or link.readlink() != note.parent / "data":
                shutil.rmtree(note.parent, ignore_errors=True)


def remove_data(home: Home) -> None:
    """Delete the cluster, wherever it is."""
    place = home.data / "postgres"
    if place.is_symlink():
        shutil.rmtree(place.readlink().parent, ignore_errors=True)
        place.unlink()
    else:
        shutil.rmtree(place, ignore_errors=True)


def give(what: Path | int, user: str) -> None:
    """Make `user` the owner of a folder or an open file."""
    account = pwd.getpwnam(user)
    os.chown(what, account.pw_uid, account.pw_gid)


def place_programs(package: Path, version: str, user: str | None) -> Path:
    """Return `package` (in site-packages, with its sibling `.libs`), or a copy of it that `user` can reach."""
    libraries = package.with_name(f"{package.name}.libs")
    sources = [source for source in (package, libraries) if source.exists()]
    if user is None or (can_reach(package, user) and all(_is_open(path) for path in _contents(sources))):
        return package
    root = shared_folder()
    place = root / f"{package.name}-{version}"
    with _alone_in(root):
        if not _is_whole_copy(place, sources):
            shutil.rmtree(place, ignore_errors=True)
            _copy(sources, place)
    return place / package.name


def _copy(sources: list[Path], place: Path) -> None:
    """Copy folders with read permission for everyone, whatever the umask is or was when they were installed."""
    for source in sources:
        shutil.copytree(source, place / source.name, symlinks=True, ignore=_UNUSED)
    for path in (place, *_contents([place])):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() or _runs(path) else 0o444))


def _is_whole_copy(place: Path, sources: list[Path]) -> bool:
    """Return whether all files exist and are readable: copying may have been interrupted, and /var/tmp gets cleaned."""
    if not place.is_dir() or not _is_open(place):
        return False
    for source in sources:
        for path in _contents([source]):
            copy = place / path.relative_to(source.parent)
            if not path.is_symlink() and not (copy.exists() and _is_open(copy) and _size(copy) == _size(path)):
                return False
    return True


def _contents(folders: list[Path]) -> Iterator[Path]:
    """Yield everything below folders that is worth copying, and the folders themselves."""
    for top in folders:
        yield top
        for folder, names, files in os.walk(top):
            unused = _UNUSED(folder, [*names, *files])
            names[:] = [name for name in names if name not in unused]
            yield from (Path(folder, name) for name in [*names, *files] if name not in unused)


def _is_open(path: Path) -> bool:
    """Return whether everyone may read it, and traverse or execute it where its owner may."""
    status = path.lstat()
    needed = stat.S_IROTH | (stat.S_IXOTH if status.st_mode & stat.S_IXUSR else 0)
    return stat.S_ISLNK(status.st_mode) or status.st_mode & needed == needed


def _runs(path: Path) -> bool:
    return bool(path.stat().st_mode & stat.S_IXUSR)


def _size(path: Path) -> int:
    return 0 if path.is_dir() else path.stat().st_size
