"""A folder of an export: absent, or whole."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from hqdata.errors import DiskFull, UsageError, explain
from hqdata.fsio.atomic import disk_full_explained, free_bytes, publish_folder
from hqdata.fsio.fault import fault_point


@contextlib.contextmanager
def new_folder(out: Path, needed: int | None = None) -> Iterator[Path]:
    """A folder to write into, which gets the name ``out`` once the block ended without error.

    Args:
        out: must not exist, or be an empty folder.
        needed: bytes that are going to be written, if that is known; what cannot fit is not begun.

    Raises:
        UsageError: ``out`` holds files, or something else was put there meanwhile.
        DiskFull: no room; what was begun is removed.
    """
    if not out.name:
        raise UsageError(explain(f"{out} is no folder that can be written as a whole", do="name a folder below it"))
    if out.is_symlink() or (out.exists() and (not out.is_dir() or any(out.iterdir()))):
        raise UsageError(explain(f"{out} is not an empty folder", did="it was left alone", do="choose another --out"))
    if needed is not None and needed > free_bytes(out.absolute().parent):
        raise DiskFull(
            explain(
                f"not enough room to write {out}",
                expected=f"{needed:,} bytes",
                got=f"{free_bytes(out.absolute().parent):,} bytes free",
                did="nothing was written",
            )
        )
    partial = out.with_name(f".{out.name}.hqdata-partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with disk_full_explained(out, needed):
            partial.mkdir(parents=True)
            yield partial
        fault_point("export-files")
        if not publish_folder(partial, out):
            raise UsageError(explain(f"{out} was written by another process meanwhile", did="it was left alone"))
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
