"""An advisory lock, freed by the kernel when its holder dies.

Only efficiency depends on it: where ``flock`` is a no-op (some network file systems), two builders do the same work and
the slower one adopts the folder of the faster.
"""

import contextlib
import fcntl
import logging
import multiprocessing
import os
from collections.abc import Iterator
from pathlib import Path

from hqdata.errors import HQDataError, explain

log = logging.getLogger(__name__)


@contextlib.contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """Hold an exclusive lock on ``path`` (made if absent, removed at the end; its content never matters).

    Yields True if another process held it first, so that the caller looks again at what is there.

    Args:
        path: the file.
        wait: for another process that holds it.

    Raises:
        HQDataError: it is held, and is not to be waited for, or this is a worker that is still importing its script.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    waited = False
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            waited = _lock(descriptor, path, wait=wait) or waited
            if not _is_current(descriptor, path):
                continue
            try:
                yield waited
            finally:
                path.unlink(missing_ok=True)
            return
        finally:
            os.close(descriptor)


def _lock(descriptor: int, path: Path, *, wait: bool) -> bool:
    """Lock an open file; True if that took waiting."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _refuse_in_a_script_imported_again(path)
        if not wait:
            what, do = f"another process works there, and holds {path}", "let it finish, or stop it"
            raise HQDataError(explain(what, did="nothing was changed", do=do)) from None
        log.info("waiting for another process that holds %s", path)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return True
    except OSError:
        log.debug("no flock on this file system, going on without: %s", path)
    return False


def _refuse_in_a_script_imported_again(path: Path) -> None:
    """Raise in a worker process that runs its script's lines once more.

    The lock's holder is most likely the process that started this one and waits for it: neither would ever go on.
    """
    # The flag is multiprocessing's own for this state, and what its own check of unguarded scripts reads.
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise HQDataError(
            explain(
                "a worker process imports the script that started it, and runs its calls again",
                got=f"{path.name} is held by another process, most likely the one that waits for this worker",
                did="this worker was ended",
                do='put the script\'s calls below `if __name__ == "__main__":`, or use workers=1',
            )
        )


def _is_current(descriptor: int, path: Path) -> bool:
    """Whether the file that was locked still bears the name: its last holder has removed it otherwise."""
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    held = os.fstat(descriptor)
    return (there.st_dev, there.st_ino) == (held.st_dev, held.st_ino)
