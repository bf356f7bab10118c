"""Members of an archive or a folder, read one by one; nothing is ever unpacked to the disk.

The one gate for archives: a name that would leave a folder, a link, a device, two members of one name, or more bytes
than the limits allow are :class:`~hqdata.errors.UnsafeArchive` before any member is read. Kinds are told by content,
not by name.
"""

import gzip
import hashlib
import itertools
import lzma
import os
import stat
import struct
import tarfile
import unicodedata
import weakref
import zipfile
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Literal, Protocol

from hqdata.errors import ArchiveError, DecodeError, Truncated, UnsafeArchive, explain
from hqdata.fsio.atomic import atomic_file
from hqdata.limits import DEFAULT, Limits

ContainerKind = Literal["folder", "zip", "tar", "tar.gz"]
_CHUNK = 1 << 20
_UTF8_FLAG = 0x800
_ENCRYPTED_FLAG = 0x1
_DAMAGE = (
    *(OSError, EOFError, ValueError, OverflowError, RuntimeError, struct.error),
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError),
)
"""What the standard library raises on damaged or hostile bytes, apart from what it means to raise."""


@dataclass(frozen=True, slots=True, order=True)
class Member:
    """One regular file of a container; ``size`` in bytes, uncompressed."""

    name: str
    """Path inside the container, with ``/``."""
    size: int
    key: int = 0
    """Where the container finds it again: byte offset in a tar, position in a zip's directory."""


class Container(Protocol):
    """A folder or an archive whose members can be listed and read in any order."""

    @property
    def members(self) -> tuple[Member, ...]:
        """Every regular file, sorted by name."""

    def read(self, member: Member) -> bytes:
        """Bytes of one member; :class:`DecodeError` where they cannot be had."""


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
def kept_container(path: Path, stamp: str, limits: Limits) -> Container:  # noqa: ARG001
    """Open a container once a process; another ``stamp`` (:func:`stamp_of`) opens it anew."""
    return open_container(path, limits)


def stamp_of(path: Path, members: tuple[Member, ...]) -> str:
    """Digest of what a container looked like when it was listed: a file that changed since has another stamp."""
    files = [path] if path.is_file() else [path / member.name for member in members]
    digest = hashlib.sha256()
    for file in files:
        state = file.stat()
        digest.update(f"{file}\0{state.st_size}\0{state.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def open_container(path: Path, limits: Limits = DEFAULT) -> Container:
    """Open and list a zip, a tar or a folder.

    Raises:
        ArchiveError, Truncated, UnsafeArchive: see the module. A tar.gz is inflated first: :func:`inflate`.
    """
    kind = container_kind(path)
    if kind == "folder":
        return _Folder(path, limits)
    if kind == "zip":
        return _Zip(path, limits)
    if kind == "tar":
        return _Tar(path, limits)
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


def check_name(name: str, where: str, limits: Limits) -> None:
    """Refuse names that mean another place than a file below the archive's top, on any system.

    Raises:
        UnsafeArchive: see above.
    """
    parts = PurePosixPath(name).parts
    why = None
    if not name or "\x00" in name:
        why = "an empty name or a NUL"
    elif name.startswith("/") or (len(name) > 1 and name[1] == ":"):
        why = "an absolute name"
    elif "\\" in name:
        why = "a backslash in a name"
    elif ".." in parts:
        why = "a name that climbs out"
    elif len(name.encode("utf-8", "surrogateescape")) > limits.name_bytes:
        why = f"a name of more than {limits.name_bytes} bytes"
    if why:
        raise UnsafeArchive(
            explain(
                f"{where} holds {why}", got=repr(name[:200]), did="nothing was read", do="get the archive elsewhere"
            )
        )


def _plain(name: str) -> str:
    """Drop what says nothing (``./``, ``//``), so that no two spellings of one path pass as two members."""
    return "/".join(part for part in name.split("/") if part not in {"", "."})


def _checked(members: list[Member], path: Path, limits: Limits) -> tuple[Member, ...]:
    """Sort members and hold them against the limits."""
    members.sort()
    if len(members) > limits.archive_members:
        raise UnsafeArchive(explain(f"{path}: too many members", expected=f"<= {limits.archive_members:,}"))
    if members and not members[0].name:
        raise UnsafeArchive(explain(f"{path} holds a file without a name"))
    for first, second in itertools.pairwise(members):
        if first.name == second.name:
            raise UnsafeArchive(explain(f"{path} holds two members of one name", got=repr(first.name)))
    if path.is_file():
        total = sum(member.size for member in members)
        budget = max(path.stat().st_size * limits.inflation_ratio, limits.inflation_floor)
        if total > budget:
            raise UnsafeArchive(
                explain(f"{path} would inflate too far", expected=f"<= {budget:,} bytes", got=f"{total:,} bytes")
            )
    return tuple(members)


def _check_size(member: Member, limits: Limits) -> None:
    if member.size > limits.member_bytes:
        raise DecodeError("too_large", f"{member.size:,} bytes, limit {limits.member_bytes:,}")


class _Folder:
    """A plain folder; links inside it are the user's own and are followed."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._path, self._limits = path, limits
        members = []
        try:
            for folder, below, names in os.walk(path, onerror=_refuse, followlinks=True):
                below.sort()
                for name in below:
                    _refuse_loop(Path(folder, name))
                for name in names:
                    full = Path(folder, name)
                    state = full.stat()
                    if stat.S_ISREG(state.st_mode):
                        members.append(Member(full.relative_to(path).as_posix(), state.st_size))
        except OSError as error:
            problem = explain(f"{path} cannot be listed", got=error, do="mend or remove what is named here")
            raise ArchiveError(problem) from error
        self.members = _checked(members, path, limits)

    def read(self, member: Member) -> bytes:
        _check_size(member, self._limits)
        try:
            with open(f"{self._path}/{member.name}", "rb") as stream:  # noqa: PTH123 - a Path costs more than the read
                data = stream.read(self._limits.member_bytes + 1)
        except OSError as error:
            raise DecodeError("corrupt_member", str(error)) from error
        if len(data) != member.size:
            raise DecodeError("corrupt_member", f"{len(data):,} bytes, listed with {member.size:,}")
        return data


def _refuse(error: OSError) -> None:
    raise error


def _refuse_loop(folder: Path) -> None:
    if folder.is_symlink() and folder.resolve() in {folder.parent.resolve(), *folder.parent.resolve().parents}:
        raise OSError(f"{folder} is a link to a folder that it lies in")


class _Zip:
    def __init__(self, path: Path, limits: Limits) -> None:
        self._path, self._limits = path, limits
        try:
            self._zip = zipfile.ZipFile(path)
        except _DAMAGE as error:
            raise Truncated(explain(f"{path} is cut short or damaged", got=error, do="fetch it again")) from error
        self._infos = self._zip.infolist()
        members = []
        for position, info in enumerate(self._infos):
            mode = info.external_attr >> 16
            if stat.S_ISLNK(mode) or (stat.S_IFMT(mode) and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))):
                raise UnsafeArchive(explain(f"{path} holds a link or a device", got=repr(info.filename)))
            name = _zip_name(info)
            check_name(name, str(path), limits)
            if not name.endswith("/"):
                members.append(Member(_plain(name), info.file_size, position))
        self.members = _checked(members, path, limits)

    def read(self, member: Member) -> bytes:
        _check_size(member, self._limits)
        info = self._infos[member.key]
        if info.flag_bits & _ENCRYPTED_FLAG:
            raise DecodeError("corrupt_member", "encrypted")
        try:
            with self._zip.open(info) as stream:
                data = stream.read(member.size + 1)
        except _DAMAGE as error:
            raise DecodeError("corrupt_member", str(error)) from error
        if len(data) != member.size:
            raise DecodeError("corrupt_member", f"{len(data):,} bytes, listed with {member.size:,}")
        return data


def _zip_name(info: zipfile.ZipInfo) -> str:
    """Read a name without the UTF-8 flag as UTF-8 all the same where it is: many zip tools forget the flag."""
    if info.flag_bits & _UTF8_FLAG:
        return info.orig_filename
    try:
        return info.orig_filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.orig_filename


class _Tar:
    def __init__(self, path: Path, limits: Limits) -> None:
        self._path, self._limits = path, limits
        members = []
        try:
            with tarfile.open(path, "r:", errors="surrogateescape") as archive:
                for info in archive:
                    if info.size < 0:  # sends the standard library in circles (CVE-2025-8194)
                        raise UnsafeArchive(explain(f"{path} holds a member of negative size", got=repr(info.name)))
                    check_name(info.name, str(path), limits)
                    if info.isdir():
                        continue
                    if not info.isreg() or info.issparse():
                        raise UnsafeArchive(explain(f"{path} holds a link or a device", got=repr(info.name)))
                    members.append(Member(_plain(info.name), info.size, info.offset_data))
                end = archive.offset
        except _DAMAGE as error:
            raise Truncated(explain(f"{path} is cut short or damaged", got=error, do="fetch it again")) from error
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._file)
        self._check_end(end)
        self.members = _checked(members, path, limits)

    def _check_end(self, end: int) -> None:
        """A tar cut between two members, or with a hole of zeros, reads short without an error: its end tells."""
        if os.pread(self._file, 512, end) != bytes(512):
            raise Truncated(explain(f"{self._path} has no end mark: it is cut short", do="fetch it again"))
        while rest := os.pread(self._file, _CHUNK, end):
            if rest.strip(b"\x00"):
                raise Truncated(
                    explain(
                        f"{self._path} goes on after its end mark",
                        do="fetch it again, or unpack it and give the folder",
                    )
                )
            end += len(rest)

    def read(self, member: Member) -> bytes:
        _check_size(member, self._limits)
        data = os.pread(self._file, member.size, member.key)
        if len(data) != member.size:
            raise DecodeError("corrupt_member", f"{len(data):,} of {member.size:,} bytes")
        return data


def valid_name(name: str) -> bool:
    """Whether a member's name is Unicode: names that are not cannot become sample ids."""
    try:
        unicodedata.normalize("NFC", name).encode()
    except UnicodeError:
        return False
    return True
