"""The part file of a transfer, the sidecar that says where its bytes come from, and the check before publication.

A part holds a prefix of one version of one file: starting over makes a new file instead of truncating the old one, and
resuming writes the same bytes at the same places. So two processes that share a part where ``flock`` is a no-op waste
bandwidth, but cannot spoil what the other one publishes.
"""

import contextlib
import dataclasses
import errno
import glob
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from hqdata.errors import ChecksumMismatch, explain
from hqdata.fetch.progress import Progress
from hqdata.fsio.atomic import disk_full_explained, free_bytes, sync_folder, write_json
from hqdata.fsio.digest import sha256_file
from hqdata.fsio.lock import locked


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A file that is on disk, whole and checked."""

    path: Path
    size: int
    sha256: str
    url: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Which version of which file a part is a prefix of."""

    url: str
    etag: str | None = None
    last_modified: str | None = None
    size: int | None = None

    @property
    def validator(self) -> str | None:
        """The ``If-Range`` value under which a server may send the rest; None if there is none to rely on.

        A weak ETag only promises an equivalent file, not equal bytes, and so cannot join two halves.
        """
        if self.etag is None:
            return self.last_modified
        return None if self.etag.startswith("W/") else self.etag


class Part:
    """The part file of one URL, beside its destination."""

    def __init__(self, url: str, destination: Path) -> None:
        key = hashlib.sha256(url.encode()).hexdigest()[:8]
        self.url = url
        self.destination = destination
        self.path = destination.with_name(f"{destination.name}.{key}.part")
        self.sidecar = self.path.with_name(self.path.name + ".json")
        self.lock = self.path.with_name(f".{self.path.name}.lock")

    @contextlib.contextmanager
    def alone(self) -> Iterator[bool]:
        """Keep other processes off this part; yields True if another one had it first."""
        with locked(self.lock) as waited:
            yield waited

    def size(self) -> int:
        """Bytes at hand."""
        return self.path.stat().st_size if self.path.exists() else 0

    def origin(self) -> Origin | None:
        """What the sidecar says; None if it is absent, malformed, or of another URL."""
        names = {field.name for field in dataclasses.fields(Origin)}
        try:
            stored = json.loads(self.sidecar.read_bytes())
            origin = Origin(**{name: stored[name] for name in names})
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return origin if origin.url == self.url else None

    def usable(self) -> tuple[int, Origin | None]:
        """Bytes to go on from and their origin, or (0, None) where the part proves nothing."""
        origin, size = self.origin(), self.size()
        if origin is None or not size or (origin.size is not None and size > origin.size):
            return 0, None
        if origin.validator is None and size != origin.size:
            return 0, None
        return size, origin

    def restart(self, origin: Origin) -> None:
        """Forget the bytes at hand and begin a part of ``origin``.

        The old bytes go before the new sidecar comes: a kill in between leaves a sidecar without a part, never a part
        under the wrong sidecar.
        """
        self.path.unlink(missing_ok=True)
        write_json(self.sidecar, dataclasses.asdict(origin))

    def open(self, offset: int) -> IO[bytes]:
        """Open for writing at ``offset``, which is 0 or what :meth:`usable` said."""
        if not offset:
            return self.path.open("xb")
        stream = self.path.open("r+b")
        stream.seek(offset)
        return stream

    def require_room(self, total: int) -> None:
        """Check the free space before the first byte rather than after the last gigabyte.

        Raises:
            DiskFull: what is missing of ``total`` bytes does not fit.
        """
        missing = total - self.size()
        with disk_full_explained(self.path, missing):
            if free_bytes(self.path) < missing:
                raise OSError(errno.ENOSPC, "the rest of the file does not fit")

    def discard(self) -> None:
        """Remove the part and its sidecar."""
        self.path.unlink(missing_ok=True)
        self.sidecar.unlink(missing_ok=True)

    def publish(self) -> None:
        """Rename the part to its destination, durably."""
        publish_file(self.path, self.destination)
        self.sidecar.unlink(missing_ok=True)


def discard_parts(destination: Path) -> None:
    """Remove what transfers from any URL to this destination left; for use once the destination is whole."""
    pattern = f"{glob.escape(destination.name)}.{'[0-9a-f]' * 8}.part"
    for part in sorted(destination.parent.glob(pattern)):
        for path in (part, part.with_name(f"{part.name}.json"), part.with_name(f".{part.name}.lock")):
            path.unlink(missing_ok=True)


def publish_file(source: Path, destination: Path) -> None:
    """Sync a finished file, rename it to its final name on the same file system, and sync the folder."""
    with disk_full_explained(source):
        with source.open("rb") as stream:
            os.fsync(stream.fileno())
        source.replace(destination)
        sync_folder(destination.parent)


def check_file(path: Path, *, url: str, size: int | None, sha256: str | None, progress: Progress) -> Fetched:
    """Hash a whole file and hold it against what is published; None means that nothing is.

    Raises:
        ChecksumMismatch: size or sha256 differ; names the URL, the expected and the actual value.
    """
    actual = path.stat().st_size
    if size is not None and actual != size:
        raise mismatch(url, "size", f"{size:,} bytes", f"{actual:,} bytes")
    progress.start(f"check {path.name}", actual)
    try:
        digest = sha256_file(path, progress.advance)
    finally:
        progress.finish()
    if sha256 is not None and digest != sha256.lower():
        raise mismatch(url, "sha256", sha256.lower(), digest)
    return Fetched(path=path, size=actual, sha256=digest, url=url)


def already_there(
    destination: Path, *, url: str, size: int | None, sha256: str | None, progress: Progress
) -> Fetched | None:
    """The destination itself if it holds what is wanted; None if it is absent or differs."""
    if not destination.is_file():
        return None
    try:
        return check_file(destination, url=url, size=size, sha256=sha256, progress=progress)
    except ChecksumMismatch:
        return None


def mismatch(url: str, what: str, expected: str, got: str) -> ChecksumMismatch:
    """The error for bytes that are not the published ones; whoever raises it deletes them."""
    return ChecksumMismatch(
        explain(
            f"{what} of {url} differs from the published one",
            expected=expected,
            got=got,
            did="the transfer was deleted, nothing was published under the final name",
            do="try again, or another mirror; if all agree, the publisher changed the file",
        )
    )
