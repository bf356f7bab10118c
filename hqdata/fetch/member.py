"""One file inside an archive or a folder: its name, its size, and what makes them acceptable."""

import itertools
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from hqdata.errors import DecodeError, UnsafeArchive, explain
from hqdata.limits import Limits


@dataclass(frozen=True, slots=True, order=True)
class Member:
    """One regular file of a container; ``size`` in bytes, uncompressed."""

    name: str
    """Path inside the container, with ``/``."""
    size: int
    key: int = 0
    """Where the container finds it again: byte offset in a tar, position in a zip's directory."""


def check_name(name: str, where: str, limits: Limits) -> None:
    """Refuse names that mean another place than a file below the archive's top, on any system.

    Raises:
        UnsafeArchive: see above.
    """
    parts = name.split("/")
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


def plain_name(name: str) -> str:
    """Drop what says nothing (``./``, ``//``), so that no two spellings of one path pass as two members."""
    return "/".join(part for part in name.split("/") if part not in {"", "."})


def checked_members(members: list[Member], path: Path, limits: Limits) -> tuple[Member, ...]:
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


def check_size(member: Member, limits: Limits) -> None:
    """Refuse a member that is larger than the limit, as a :class:`DecodeError`."""
    if member.size > limits.member_bytes:
        raise DecodeError("too_large", f"{member.size:,} bytes, limit {limits.member_bytes:,}")


def valid_name(name: str) -> bool:
    """Whether a member's name is Unicode: names that are not cannot become sample ids."""
    try:
        unicodedata.normalize("NFC", name).encode()
    except UnicodeError:
        return False
    return True
