"""Members of an archive or a folder, read one by one; nothing is ever unpacked to the disk.

The one gate for archives: a name that would leave a folder, a link, a device, two members of one name, or more bytes
than the limits allow are :class:`~hqdata.errors.UnsafeArchive` before any member is read. Kinds are told by content,
not by name.
"""

import gzip
import hashlib
import os
import tarfile
import zlib
from functools import lru_cache
from pathlib import Path
from typing import Literal

from hqdata.errors import ArchiveError, Truncated, UnsafeArchive, explain
from hqdata.fetch.containers import Container, Folder, Tar, UnlistedTar, Zip
from hqdata.fetch.member import Member
from hqdata.fsio.atomic import atomic_file
from hqdata.limits import DEFAULT, Limits

ContainerKind = Literal["folder", "zip", "tar", "tar.gz"]
_CHUNK = 1 << 20


def container_kind(path: Path) -> ContainerKind:
    """Tell what a path is by its first bytes.

    Raises:
        ArchiveError: it is none of the four kinds.
    """
    if path.is_dir():
        return "folder"
    with path.open("rb") as stream:
        head = stream.read(512)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    if head.startswith(b"\x1f\x8b"):
        return "tar.gz"
    if head[257:262] == b"ustar" or (len(head) == 512 and _is_old_tar(head)):
        return "tar"
    raise ArchiveError(_not_an_archive(path, head))


def _is_old_tar(head: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _not_an_archive(path: Path, head: bytes) -> str:
    start = head.lstrip()[:15].lower()
    if start.startswith((b"<!doctype html", b"<html")):
        got, do = "an HTML page", "a download page or a quota notice was saved in its place: fetch the file again"
    elif head.startswith((b"7z\xbc\xaf", b"Rar!")):
        got, do = "a 7z or rar archive", "unpack it and give the folder"
    else:
        got, do = f"{path.stat().st_size:,} bytes that begin with {head[:8]!r}", "check the download"
    return explain(f"{path} is no archive", expected="zip, tar, tar.gz or a folder", got=got, do=do)


@lru_cache(maxsize=32)
def kept_container(path: Path, stamp: str, limits: Limits, listed: bool = True) -> Container:  # noqa: ARG001
    """Open a container once a process; another ``stamp`` (:func:`stamp_of`) opens it anew.

    A tar whose members are known by their offsets need not be ``listed`` once more.
    """
    return open_container(path, limits) if listed else UnlistedTar(path, limits)


def stamp_of(path: Path, members: tuple[Member, ...]) -> str:
    """Digest of what a container looked like when it was listed: a file that changed since has another stamp."""
    files = [str(path)] if path.is_file() else [f"{path}/{member.name}" for member in members]
    digest = hashlib.sha256()
    for file in files:
        state = os.stat(file)  # noqa: PTH116 - a Path costs more than the call
        digest.update(f"{file}\0{state.st_size}\0{state.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def open_container(path: Path, limits: Limits = DEFAULT) -> Container:
    """Open and list a zip, a tar or a folder.

    Raises:
        ArchiveError, Truncated, UnsafeArchive: see the module. A tar.gz is inflated first: :func:`inflate`.
    """
    kind = container_kind(path)
    if kind == "folder":
        return Folder(path, limits)
    if kind == "zip":
        return Zip(path, limits)
    if kind == "tar":
        return Tar(path, limits)
    raise ArchiveError(explain(f"{path}: a tar.gz cannot be read in any order", do="inflate it first"))


def inflate(path: Path, destination: Path, limits: Limits = DEFAULT) -> Path:
    """Inflate a tar.gz to a plain tar, once, so that its members can be read in any order.

    Raises:
        Truncated: the compressed stream ends early or fails its own checksum.
        UnsafeArchive: it inflates to more than the limits allow.
    """
    budget = max(limits.inflation_floor, path.stat().st_size * limits.inflation_ratio)
    try:
        with gzip.open(path, "rb") as source, atomic_file(destination) as sink:
            written = 0
            while chunk := source.read(_CHUNK):
                written += len(chunk)
                if written > budget:
                    raise UnsafeArchive(explain(f"{path} inflates too far", expected=f"<= {budget:,} bytes"))
                sink.write(chunk)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Truncated(explain(f"{path} is cut short or damaged", got=error, do="fetch it again")) from error
    return destination
