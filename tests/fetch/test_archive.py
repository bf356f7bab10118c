"""Zip, tar, tar.gz and folder: one list of members, one way to read them, and no damage that goes unnoticed."""

import os
import re
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from hqdata.errors import ArchiveError, DecodeError, HQDataError, Truncated
from hqdata.fetch.archive import container_kind, inflate, open_container, stamp_of
from hqdata.fetch.containers import Container
from hqdata.fetch.member import valid_name
from hqdata.limits import Limits
from tests.helpers import write_files, write_tar, write_zip

FILES = {
    "a/1.jpg": b"one",
    "a/b.c#d e.png": bytes(range(256)),
    "a/empty": b"",
    "long/" + "x" * 200 + ".jpg": b"long",
    "à/日本.png": b"names",
}
PACKED = {"zip": "x.zip", "tar": "x.tar", "tar.gz": "x.tar.gz", "folder": "x"}


def pack(folder: Path, kind: str, files: dict[str, bytes] | None = None) -> Path:
    write = {"zip": write_zip, "folder": write_files}.get(kind, write_tar)
    return write(folder / PACKED[kind], FILES if files is None else files)


def opened(path: Path) -> Container:
    if container_kind(path) == "tar.gz":
        path = inflate(path, path.with_name("inflated.tar"))
    return open_container(path)


def contents(container: Container) -> dict[str, bytes]:
    return {member.name: container.read(member) for member in container.members}


@pytest.mark.parametrize("kind", PACKED)
def test_every_kind_reads_the_same_members(tmp_path: Path, kind: str) -> None:
    container = opened(pack(tmp_path, kind))
    assert contents(container) == FILES
    assert [member.name for member in container.members] == sorted(FILES)
    assert [member.size for member in container.members] == [len(FILES[name]) for name in sorted(FILES)]


@pytest.mark.parametrize("kind", PACKED)
def test_the_kind_is_told_by_content(tmp_path: Path, kind: str) -> None:
    path = pack(tmp_path, kind).rename(tmp_path / "misleading.rar.zip.tar")
    assert container_kind(path) == kind


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<!DOCTYPE html><title>Quota exceeded", "an HTML page"),
        (b"\n\n  <html><body>Sign in", "an HTML page"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(600), "a 7z or rar archive"),
        (b"Rar!\x1a\x07\x01\x00", "a 7z or rar archive"),
        (b"", "0 bytes"),
        (b"PK", "2 bytes"),
        (bytes(10240), "10,240 bytes that begin with"),
        (b"\xff\xd8\xff\xe0" + bytes(600), "604 bytes that begin with"),
    ],
)
def test_what_is_no_archive_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(ArchiveError, match=message):
        open_container(tmp_path / "a.zip")


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_folders_and_dots_in_names_say_nothing(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.mkdir("im")
            archive.writestr("./im/1.jpg", b"1")
            archive.writestr(".//im/./2.jpg", b"2")
    else:
        with tarfile.open(path, "w") as archive:
            for name in (".", "./im"):
                folder = tarfile.TarInfo(name)
                folder.type = tarfile.DIRTYPE
                archive.addfile(folder)
            for name in ("./im/1.jpg", ".//im/./2.jpg"):
                archive.addfile(tarfile.TarInfo(name))
    assert [member.name for member in open_container(path).members] == ["im/1.jpg", "im/2.jpg"]


def test_an_old_tar_without_ustar_mark_is_a_tar(tmp_path: Path) -> None:
    raw = bytearray(pack(tmp_path, "tar", {"a": b"1"}).read_bytes())
    raw[257:265] = bytes(8)
    raw[148:156] = b" " * 8
    raw[148:156] = b"%06o\0 " % sum(raw[:512])
    (tmp_path / "old").write_bytes(raw)
    assert contents(opened(tmp_path / "old")) == {"a": b"1"}


def test_a_zip_without_the_utf8_flag_is_read_as_utf8_where_it_is(tmp_path: Path) -> None:
    raw = write_zip(tmp_path / "a.zip", {"été/日本.png": b"1"}).read_bytes()
    for at in (raw.index(b"PK\x03\x04") + 6, raw.index(b"PK\x01\x02") + 8):
        assert raw[at : at + 2] == b"\x00\x08"
        raw = raw[:at] + b"\0\0" + raw[at + 2 :]
    (tmp_path / "a.zip").write_bytes(raw)
    assert contents(opened(tmp_path / "a.zip")) == {"été/日本.png": b"1"}


def test_a_zip_name_in_the_dos_code_page_is_kept(tmp_path: Path) -> None:
    raw = write_zip(tmp_path / "a.zip", {"xxx.png": b"1"}).read_bytes()
    (tmp_path / "a.zip").write_bytes(raw.replace(b"xxx", "éÇü".encode("cp437")))
    assert contents(opened(tmp_path / "a.zip")) == {"éÇü.png": b"1"}


def test_a_tar_name_that_is_not_unicode_is_listed_and_known_to_be_bad(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.GNU_FORMAT, errors="surrogateescape") as archive:
        archive.addfile(tarfile.TarInfo("im/\udcff.jpg"))
    (member,) = open_container(tmp_path / "a.tar").members
    assert not valid_name(member.name)
    assert valid_name("im/é.jpg")


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
@pytest.mark.parametrize("tenth", range(10))
def test_an_archive_cut_at_every_tenth_is_an_error(tmp_path: Path, kind: str, tenth: int) -> None:
    files = {f"{n}.jpg": np.random.default_rng(n).bytes(3000) for n in range(11)}
    raw = pack(tmp_path, kind, files).read_bytes()
    cut = tmp_path / "cut"
    cut.write_bytes(raw[: len(raw) * tenth // 10])
    with pytest.raises(ArchiveError if tenth == 0 else Truncated, match=re.escape(str(cut))):
        opened(cut)


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize("extra", [-1, 0, 1, 511, 512])
def test_an_archive_cut_at_a_member_is_an_error(tmp_path: Path, kind: str, extra: int) -> None:
    path = pack(tmp_path, kind, {f"{n}.jpg": bytes([n + 1]) * 1024 for n in range(6)})
    raw = path.read_bytes()
    if kind == "zip":
        with zipfile.ZipFile(path) as archive:
            starts = [info.header_offset for info in archive.infolist()]
    else:
        with tarfile.open(path) as archive:
            starts = [info.offset for info in archive]
            starts.append(archive.offset)
    cut = tmp_path / "cut"
    last_whole = starts[-1] + 512 if kind == "tar" else len(raw)
    ends = [end for start in starts[1:] if (end := start + extra) < last_whole]
    assert len(ends) >= 5
    for end in ends:
        cut.write_bytes(raw[:end])
        with pytest.raises(Truncated):
            opened(cut)


def test_a_hole_in_a_tar_does_not_pass_as_its_end(tmp_path: Path) -> None:
    raw = bytearray(pack(tmp_path, "tar", {f"{n}.jpg": b"x" * 512 for n in range(4)}).read_bytes())
    raw[2048:3072] = bytes(1024)
    (tmp_path / "a").write_bytes(raw)
    with pytest.raises(Truncated, match="goes on after its end mark"):
        open_container(tmp_path / "a")


def test_a_cut_tar_gz_leaves_no_tar(tmp_path: Path) -> None:
    raw = pack(tmp_path, "tar.gz").read_bytes()
    (tmp_path / "cut").write_bytes(raw[:-4])
    with pytest.raises(Truncated):
        inflate(tmp_path / "cut", tmp_path / "spool" / "a.tar")
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_member_that_fails_its_check_is_a_reject(tmp_path: Path) -> None:
    raw = write_zip(tmp_path / "a.zip", {"1.jpg": b"right", "2.jpg": b"other"}).read_bytes()
    (tmp_path / "a.zip").write_bytes(raw.replace(b"right", b"wrong"))
    container = open_container(tmp_path / "a.zip")
    with pytest.raises(DecodeError, match="CRC") as caught:
        container.read(container.members[0])
    assert caught.value.reason == "corrupt_member"
    assert container.read(container.members[1]) == b"other"


def test_an_encrypted_member_is_a_reject(tmp_path: Path) -> None:
    raw = bytearray(write_zip(tmp_path / "a.zip", {"1.jpg": b"secret"}).read_bytes())
    for at in (raw.index(b"PK\x03\x04") + 6, raw.index(b"PK\x01\x02") + 8):
        raw[at] |= 1
    (tmp_path / "a.zip").write_bytes(raw)
    container = open_container(tmp_path / "a.zip")
    with pytest.raises(DecodeError, match="corrupt_member: encrypted"):
        container.read(container.members[0])


@pytest.mark.parametrize("kind", ["zip", "tar", "folder"])
def test_a_member_over_the_limit_is_a_reject(tmp_path: Path, kind: str) -> None:
    container = open_container(pack(tmp_path, kind, {"a": b"12345", "b": b"1234"}), Limits(member_bytes=4))
    with pytest.raises(DecodeError, match="too_large: 5 bytes, limit 4"):
        container.read(container.members[0])
    assert container.read(container.members[1]) == b"1234"


@pytest.mark.parametrize("change", ["longer", "gone"])
def test_a_file_that_changed_since_it_was_listed_is_a_reject(tmp_path: Path, change: str) -> None:
    container = open_container(write_files(tmp_path, {"1.jpg": b"1"}))
    (tmp_path / "1.jpg").write_bytes(b"12") if change == "longer" else (tmp_path / "1.jpg").unlink()
    with pytest.raises(DecodeError, match="corrupt_member"):
        container.read(container.members[0])


def test_the_links_of_a_folder_are_followed(tmp_path: Path) -> None:
    write_files(tmp_path, {"disk/im/1.jpg": b"1", "data/2.jpg": b"2"})
    (tmp_path / "data" / "im").symlink_to(tmp_path / "disk" / "im")
    (tmp_path / "data" / "3.jpg").symlink_to(tmp_path / "disk" / "im" / "1.jpg")
    assert contents(opened(tmp_path / "data")) == {"2.jpg": b"2", "3.jpg": b"1", "im/1.jpg": b"1"}


@pytest.mark.parametrize("target", ["nowhere", ".", "..", "loop"])
def test_a_link_that_leads_nowhere_or_back_is_an_error(tmp_path: Path, target: str) -> None:
    write_files(tmp_path, {"data/im/1.jpg": b"1"})
    (tmp_path / "data" / "im" / "loop").symlink_to(target)
    with pytest.raises(ArchiveError, match=r"cannot be listed\n.*loop"):
        opened(tmp_path / "data")


def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(ArchiveError, match="Permission denied"):
        open_container(tmp_path)


@pytest.mark.parametrize("content", [b"one!", b"two"], ids=["another size", "the same size"])
@pytest.mark.parametrize("kind", ["zip", "folder"])
def test_the_stamp_changes_with_any_file(tmp_path: Path, kind: str, content: bytes) -> None:
    path = pack(tmp_path, kind)
    members = open_container(path).members
    before = stamp_of(path, members)
    assert stamp_of(path, members) == before
    changed = path if kind == "zip" else path / "a" / "1.jpg"
    changed.write_bytes(changed.read_bytes().replace(b"one", content))
    os.utime(changed, ns=(0, changed.stat().st_mtime_ns + 1_000_000))
    assert stamp_of(path, members) != before


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_random_damage_is_an_error_or_harmless_but_never_a_crash(tmp_path: Path, kind: str) -> None:
    whole = pack(tmp_path, kind, {f"im/{n}.jpg": b"x" * 40 * n for n in range(5)}).read_bytes()
    rng, damaged = np.random.default_rng(len(kind)), tmp_path / "damaged"
    for _ in range(300):
        raw = bytearray(whole)
        for at in rng.integers(len(raw), size=rng.integers(1, 5)):
            raw[at] = rng.integers(256)
        damaged.write_bytes(raw)
        try:
            contents(opened(damaged))
        except HQDataError:
            continue
