"""Files and folders that are either absent, or whole and on disk.

Everything is written beside its destination, synced, renamed, and the parent folder synced. Full disks become
:class:`~hqdata.errors.DiskFull` and leave no half-written file under the final name.
"""

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from hqdata.errors import DiskFull, explain

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def sync_folder(folder: Path) -> None:
    """Make renames inside a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def free_bytes(path: Path) -> int:
    """Free bytes of the file system that holds ``path`` or its nearest existing parent."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


@contextlib.contextmanager
def disk_full_explained(path: Path, needed: int | None = None) -> Iterator[None]:
    """Turn "no space left" into a :class:`DiskFull` that names the path, what was needed and what is free."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise DiskFull(
            explain(
                f"no room to write {path}",
                expected=f"{needed:,} bytes free" if needed is not None else "more free space",
                got=f"{free_bytes(path):,} bytes free ({error.strerror})",
                did="what was finished before is kept",
                do="free some space and run the same command again (train: with --resume); it goes on from there",
            )
        ) from error


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """Open ``path`` for writing; it appears under its name only once the block ended without error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with disk_full_explained(path):
            with temporary.open("wb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(path)
            sync_folder(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file atomically."""
    with atomic_file(path) as stream:
        stream.write(content)


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON with sorted keys, atomically."""
    write_bytes(path, (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode())


def publish_folder(partial: Path, final: Path) -> bool:
    """Rename a finished folder to its final name. False when another process published there first."""
    sync_folder(partial)
    try:
        partial.rename(final)
    except OSError as error:
        if error.errno in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}:
            return False
        raise
    sync_folder(final.parent)
    return True
