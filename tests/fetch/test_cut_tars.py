"""Tars that are not whole: what lies before a cut can be used wherever it is, and no header costs what it says."""

import bz2
import contextlib
import gzip
import io
import lzma
import tarfile
from pathlib import Path

import pytest

from hqdata.errors import Truncated, UnsafeArchive
from hqdata.fetch.archive import open_container
from hqdata.fetch.containers import Tar, first_names
from hqdata.limits import DEFAULT, MIB, Limits
from tests.tars import tar_bytes

FILES = {"sa_1.jpg": b"1" * 700, "sa_1.json": b"", "sa_2.jpg": b"2" * 512, "sa_2.json": b"{}"}
"""In the order of their names; one fills its blocks, one has none."""
WHOLE = tar_bytes(FILES)
LONG = "x" * 150 + ".jpg"


def long_named() -> bytes:
    """The same, the first name in a header of its own."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in {LONG: b"0" * 600, **FILES}.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def complete_before(raw: bytes, place: int) -> list[str]:
    """Names of the members whose last byte lies before a place."""
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        return sorted(info.name for info in archive if info.offset_data + info.size <= place)


@pytest.mark.parametrize("raw", [WHOLE, long_named()], ids=["plain", "long name"])
def test_a_tar_cut_at_every_eighth_byte_holds_what_lies_before(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "a.tar"
    end = len(raw.rstrip(b"\0"))
    end += -end % 512
    places = {*range(0, end + 1024, 8), *(place + d for place in range(0, end + 1024, 512) for d in (-1, 1))}
    for place in sorted(places - {-1}):
        path.write_bytes(raw[:place])
        expected = complete_before(raw, place)
        with pytest.raises(Truncated) if place < end + 512 else contextlib.nullcontext():
            Tar(path, DEFAULT)
        if not expected or place < 512:
            with pytest.raises(Truncated):
                Tar(path, DEFAULT, whole=False)
            continue
        tar = Tar(path, DEFAULT, whole=False)
        assert [member.name for member in tar.members] == expected, place
        assert bool(tar.cut) == (place < end + 512)
        for member in tar.members:
            assert tar.read(member) == {LONG: b"0" * 600, **FILES}[member.name]


@pytest.mark.parametrize(("zeros", "whole"), [(0, True), (10_240, True), (2**20 - 20_480, True), (2**20, False)])
def test_a_tar_that_was_never_filled(tmp_path: Path, zeros: int, whole: bool) -> None:
    (tmp_path / "a.tar").write_bytes(WHOLE + bytes(zeros))
    tar = Tar(tmp_path / "a.tar", DEFAULT, whole=False)
    assert len(tar.members) == len(FILES)
    assert (not tar.cut) == whole


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_compressed_tar_begins_like_no_tar(tmp_path: Path, pack) -> None:
    (tmp_path / "a.tar").write_bytes(pack(WHOLE))
    assert first_names(tmp_path / "a.tar", 8) == []


def header(kind: bytes, size: int) -> bytes:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


EXTENDED = [
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
]


@pytest.mark.parametrize("kind", EXTENDED)
@pytest.mark.parametrize("size", [MIB + 1, 2**40, 2**62, -1, -512, -(2**40)])
def test_a_header_of_any_size_costs_nothing(tmp_path: Path, kind: bytes, size: int) -> None:
    """The standard library reads as much into memory; a sparse file makes it look as if it were there."""
    path = tmp_path / "a.tar"
    body = WHOLE.rstrip(b"\0")
    with path.open("wb") as stream:
        stream.write(body + bytes(-len(body) % 512) + header(kind, size))
        stream.truncate(2**34)
    assert first_names(path, 99) == list(FILES)
    tar = Tar(path, DEFAULT, whole=False)
    assert [member.name for member in tar.members] == list(FILES)
    assert "damaged" in tar.cut
    with pytest.raises(Truncated):
        open_container(path)


def test_a_header_of_an_honest_size_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(long_named())
    assert first_names(tmp_path / "a.tar", 1) == [LONG]


def test_members_are_counted_as_they_come(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for number in range(20):
            info = tarfile.TarInfo(f"d{number}")
            info.type = tarfile.DIRTYPE
            archive.addfile(info)
    (tmp_path / "a.tar").write_bytes(stream.getvalue())
    assert open_container(tmp_path / "a.tar", Limits(archive_members=20)).members == ()
    with pytest.raises(UnsafeArchive, match="too many members"):
        open_container(tmp_path / "a.tar", Limits(archive_members=10))
