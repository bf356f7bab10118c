"""An advisory lock, freed by the kernel when its holder dies.

Only efficiency depends on it: where ``flock`` is a no-op (some network file systems), two builders do the same work and
the slower one adopts the folder of the faster.
"""

import contextlib
import fcntl
import logging
import os
from collections.abc import Iterator
from pathlib import Path

log = logging.getLogger(__name__)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Hold an exclusive lock on ``path`` (made if absent; its content never matters).

    Yields True if another process held it first, so that the caller looks again at what is there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        waited = False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("waiting for another process that holds %s", path)
            waited = True
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError:
            log.debug("no flock on this file system, going on without: %s", path)
        yield waited
    finally:
        os.close(descriptor)
