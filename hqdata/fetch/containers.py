"""Folders, zips and tars as one thing: members that can be listed, and read in any order."""

import itertools
import lzma
import os
import stat
import struct
import tarfile
import weakref
import zipfile
import zlib
from pathlib import Path
from typing import Protocol

from hqdata.errors import ArchiveError, DecodeError, Truncated, UnsafeArchive, explain
from hqdata.fetch.member import Member, check_name, check_size, checked_members, plain_name
from hqdata.limits import Limits

_CHUNK = 1 << 20
_UTF8_FLAG = 0x800
_ENCRYPTED_FLAG = 0x1
_DAMAGE = (
    *(OSError, EOFError, ValueError, OverflowError, RuntimeError, struct.error),
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError),
)
"""What the standard library raises on damaged or hostile bytes, apart from what it means to raise."""
_TAIL = 1 << 20
"""Most zeros at the end of a tar; two blocks are its end mark, and most tools fill up to 10 KiB."""
_HEADER_BYTES = 1 << 20
"""Most bytes of a header that tells more of the next member, such as its long name: they are read into memory whole."""
_EXTENDED = {
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
}


class Container(Protocol):
    """A folder or an archive whose members can be listed and read in any order."""

    @property
    def members(self) -> tuple[Member, ...]:
        """Every regular file, sorted by name."""

    def read(self, member: Member) -> bytes:
        """Bytes of one member; :class:`DecodeError` where they cannot be had."""


class Folder:
    """A plain folder; links inside it are the user's own and are followed."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._path, self._limits = path, limits
        members = []
        try:
            for folder, below, names in os.walk(path, onerror=_refuse, followlinks=True):
                below.sort()
                for name in below:
                    _refuse_loop(Path(folder, name))
                inside = Path(folder).relative_to(path)
                top = "" if inside == Path() else f"{inside.as_posix()}/"
                for name in names:
                    state = os.stat(f"{folder}/{name}")  # noqa: PTH116 - a Path costs more than the call
                    if stat.S_ISREG(state.st_mode):
                        members.append(Member(top + name, state.st_size))
        except OSError as error:
            problem = explain(f"{path} cannot be listed", got=error, do="mend or remove what is named here")
            raise ArchiveError(problem) from error
        self.members = checked_members(members, path, limits)

    def read(self, member: Member) -> bytes:
        """Bytes of one member; see :class:`Container`."""
        check_size(member, self._limits)
        try:
            with open(f"{self._path}/{member.name}", "rb") as stream:  # noqa: PTH123 - a Path costs more than the read
                data = stream.read(member.size + 1)
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


class Zip:
    """A zip; names without the UTF-8 flag are read as UTF-8 all the same where they are."""

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
                members.append(Member(plain_name(name), info.file_size, position))
        self.members = checked_members(members, path, limits)

    def read(self, member: Member) -> bytes:
        """Bytes of one member; see :class:`Container`."""
        check_size(member, self._limits)
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


class _Header(tarfile.TarInfo):
    """One header of a tar, refused before the standard library reads as much as the header says that there is."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_Header":
        header = super().frombuf(buf, encoding, errors)
        if header.type in _EXTENDED and not 0 <= header.size <= _HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {header.size:,} bytes")
        if header.type == tarfile.GNUTYPE_SPARSE:
            raise UnsafeArchive(explain("a tar holds a sparse file", got=repr(header.name)))
        return header


def _open_tar(path: Path) -> tarfile.TarFile:
    return tarfile.open(path, "r:", errors="surrogateescape", tarinfo=_Header)


def first_names(path: Path, count: int) -> list[str]:
    """Names of the first members of a plain tar, without reading on; fewer where it ends or is damaged."""
    names: list[str] = []
    try:
        with _open_tar(path) as archive:
            names += (plain_name(info.name) for info in itertools.islice(archive, count))
    except (*_DAMAGE, UnsafeArchive):
        pass
    return names


def _zip_name(info: zipfile.ZipInfo) -> str:
    """Read a name without the UTF-8 flag as UTF-8 all the same where it is: many zip tools forget the flag."""
    if info.flag_bits & _UTF8_FLAG:
        return info.orig_filename
    try:
        return info.orig_filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.orig_filename


class UnlistedTar:
    """A plain tar whose members are known from an earlier listing; they are read by their offset."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._path, self._limits = path, limits
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._file)
        self.members: tuple[Member, ...] = ()

    def read(self, member: Member) -> bytes:
        """Bytes of one member; see :class:`Container`."""
        check_size(member, self._limits)
        data = os.pread(self._file, member.size, member.key)
        if len(data) != member.size:
            raise DecodeError("corrupt_member", f"{len(data):,} of {member.size:,} bytes")
        return data


class Tar(UnlistedTar):
    """A plain tar.

    Unless it has to be ``whole``, one that is cut short holds what lies before the cut, and ``cut`` says why.
    """

    def __init__(self, path: Path, limits: Limits, *, whole: bool = True) -> None:
        super().__init__(path, limits)
        self.cut = ""
        members: list[Member] = []
        try:
            self._list(members)
        except Truncated as error:
            size = path.stat().st_size
            members = [member for member in members if member.key + member.size <= size]
            if whole or not members:
                raise
            self.cut = str(error)
        self.members = checked_members(members, path, limits)

    def _list(self, members: list[Member]) -> None:
        """Add members one by one, so that those before a cut are known, and check how the tar ends."""
        path, limits = self._path, self._limits
        try:
            with _open_tar(path) as archive:
                for number, info in enumerate(archive):
                    if number > limits.archive_members:  # the standard library keeps them all in memory
                        raise UnsafeArchive(
                            explain(f"{path}: too many members", expected=f"<= {limits.archive_members:,}")
                        )
                    if info.size < 0:  # sends the standard library in circles (CVE-2025-8194)
                        raise UnsafeArchive(explain(f"{path} holds a member of negative size", got=repr(info.name)))
                    check_name(info.name, str(path), limits)
                    if info.isdir():
                        continue
                    if not info.isreg() or info.issparse():
                        raise UnsafeArchive(explain(f"{path} holds a link or a device", got=repr(info.name)))
                    members.append(Member(plain_name(info.name), info.size, info.offset_data))
                end = archive.offset
        except _DAMAGE as error:
            raise Truncated(explain(f"{path} is cut short or damaged", got=error, do="fetch it again")) from error
        self._check_end(end)

    def _check_end(self, end: int) -> None:
        """A tar cut between two members, or with a hole of zeros, reads short without an error: its end tells."""
        if os.pread(self._file, 512, end) != bytes(512):
            raise Truncated(explain(f"{self._path} has no end mark: it is cut short", do="fetch it again"))
        place = end
        while rest := os.pread(self._file, _CHUNK, place):
            if rest.strip(b"\x00"):
                raise Truncated(
                    explain(
                        f"{self._path} goes on after its end mark",
                        do="fetch it again, or unpack it and give the folder",
                    )
                )
            place += len(rest)
        if place - end > _TAIL:
            # Some download tools make a file as long as it will be before they fill it.
            got = f"{place - end:,} zeros at its end"
            raise Truncated(explain(f"{self._path} is not filled to its end", got=got, do="fetch it again"))
