"""Archives made to do harm: each is refused before a byte of it is read, and nothing outside changes."""

import gzip
import io
import resource
import stat
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from hqdata.errors import DecodeError, Truncated, UnsafeArchive
from hqdata.fetch.archive import inflate, open_container
from hqdata.fetch.member import check_name
from hqdata.limits import DEFAULT, MIB, Limits
from tests.helpers import snapshot, write_files, write_tar, write_zip

Entry = tuple[str, bytes, str]
"""Name, type, link target."""
FILE, LINK, HARD = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
NAMES = [
    "../escaped.txt",
    "im/../../escaped.txt",
    "im/..",
    "../archives_evil/escaped.txt",
    "/outside/escaped.txt",
    "//outside/escaped.txt",
    "..\\escaped.txt",
    "im\\1.jpg",
    "C:/escaped.txt",
    "c:escaped.txt",
    "imé/1.jpg\0.txt",
    "x" * 1025,
    "",
]
PLAIN_NAMES = ["im/1.jpg", "im/..1.jpg", "im/1..jpg", "...", "im/a:b.jpg", "1#A#b.c d'é(1).jpg", "x" * 1024]


def deep_chain() -> list[Entry]:
    """The shape of CVE-2025-4517: links that grow past PATH_MAX when resolved, then a way out through them."""
    step, entries, inside = "d" * 247, [], ""
    for letter in "abcdefghijklmnop"[:15]:
        entries.append((f"{inside}{step}", tarfile.DIRTYPE, ""))
        entries.append((f"{inside}{letter}", LINK, step))
        inside += f"{step}/"
    long_link = "/".join("abcdefghijklmno") + "/" + "l" * 254
    return [
        *entries,
        (long_link, LINK, "../" * 15),
        ("escape", LINK, f"{long_link}/../../.."),
        ("escape/pwned.txt", FILE, ""),
    ]


TARS: dict[str, list[Entry]] = {
    "symlink out": [("out", LINK, "../outside")],
    "symlink inside": [("im/1.jpg", FILE, ""), ("im/2.jpg", LINK, "1.jpg")],
    "symlink, then a member through it": [("out", LINK, "../outside"), ("out/kept.txt", FILE, "")],
    "chained symlinks": [("a", LINK, "."), ("a/b", LINK, ".."), ("a/b/outside/kept.txt", FILE, "")],
    "nested symlinks past PATH_MAX": deep_chain(),
    "hard link out": [("1.jpg", HARD, "../outside/kept.txt")],
    "hard link inside": [("im/1.jpg", FILE, ""), ("im/2.jpg", HARD, "im/1.jpg")],
    "character device": [("1.jpg", tarfile.CHRTYPE, "")],
    "block device": [("1.jpg", tarfile.BLKTYPE, "")],
    "fifo": [("1.jpg", tarfile.FIFOTYPE, "")],
    "sparse file": [("1.jpg", tarfile.GNUTYPE_SPARSE, "")],
    "unknown type": [("1.jpg", b"Z", "")],
    "a name twice": [("im/1.jpg", FILE, ""), ("im/2.jpg", FILE, ""), ("im/1.jpg", FILE, "")],
    "a name twice, spelt otherwise": [("im/1.jpg", FILE, ""), ("./im//./1.jpg", FILE, "")],
    "a file that is the top folder": [(".", FILE, "")],
}


def tar_of(entries: Iterable[Entry]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, kind, target in entries:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            archive.addfile(info)
    return stream.getvalue()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder for archives, with neighbours that an escape would change."""
    write_files(tmp_path, {"outside/kept.txt": b"kept", "archives_evil/kept.txt": b"kept"})
    (tmp_path / "archives").mkdir()
    return tmp_path / "archives"


def refused(path: Path, content: bytes, match: str | None = None) -> None:
    """The archive is refused; files around it stay as they were."""
    path.write_bytes(content)
    before = snapshot(path.parents[1])
    with pytest.raises(UnsafeArchive, match=match):
        open_container(path)
    assert snapshot(path.parents[1]) == before


@pytest.mark.parametrize("entries", TARS.values(), ids=TARS)
def test_a_hostile_tar_is_refused(place: Path, entries: list[Entry]) -> None:
    refused(place / "a.tar", tar_of(entries))


@pytest.mark.parametrize("name", [name for name in NAMES if name])
def test_a_tar_with_a_hostile_name_is_refused(place: Path, name: str) -> None:
    refused(place / "a.tar", tar_of([("im/0.jpg", FILE, ""), (name, FILE, "")]), r"a\.tar holds")


@pytest.mark.parametrize("name", [name for name in NAMES if name])
def test_a_zip_with_a_hostile_name_is_refused(place: Path, name: str) -> None:
    stand_in = "é" + "n" * (len(name.encode()) - 2)
    raw = write_zip(place / "a.zip", {"im/0.jpg": b"0", stand_in: b"1"}).read_bytes()
    refused(place / "a.zip", raw.replace(stand_in.encode(), name.encode()), r"a\.zip holds")


@pytest.mark.parametrize("name", NAMES)
def test_the_gate_refuses_a_name(name: str) -> None:
    with pytest.raises(UnsafeArchive):
        check_name(name, "a.zip", DEFAULT)


@pytest.mark.parametrize("name", PLAIN_NAMES)
def test_the_gate_lets_a_plain_name_pass(name: str) -> None:
    check_name(name, "a.zip", DEFAULT)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK])
def test_a_zip_member_with_the_mode_of_a_link_or_device_is_refused(place: Path, kind: int) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        info = zipfile.ZipInfo("im/1.jpg")
        info.external_attr = (kind | 0o777) << 16
        archive.writestr(info, b"../outside/kept.txt")
    refused(place / "a.zip", stream.getvalue(), "a link or a device")


@pytest.mark.parametrize("kind", [stat.S_IFREG, 0])
def test_a_zip_member_with_the_mode_of_a_file_is_read(place: Path, kind: int) -> None:
    with zipfile.ZipFile(place / "a.zip", "w") as archive:
        info = zipfile.ZipInfo("im/1.jpg")
        info.external_attr = (kind | 0o644) << 16
        archive.writestr(info, b"1")
    assert [member.name for member in open_container(place / "a.zip").members] == ["im/1.jpg"]


def test_a_zip_with_one_name_twice_is_refused(place: Path) -> None:
    raw = write_zip(place / "a.zip", {"im/1.jpg": b"1", "im/2.jpg": b"2"}).read_bytes()
    refused(place / "a.zip", raw.replace(b"im/2.jpg", b"im/1.jpg"), "two members of one name")


@pytest.mark.parametrize("before", [0, 2], ids=["first", "third"])
@pytest.mark.parametrize("size", [-512, -1024, -(2**40)])
def test_a_negative_size_is_refused_and_no_endless_loop(place: Path, size: int, before: int) -> None:
    info = tarfile.TarInfo("im/9.jpg")
    info.size = size
    blocks = [tarfile.TarInfo(f"im/{n}.jpg").tobuf() for n in range(before)]
    refused(place / "a.tar", b"".join([*blocks, info.tobuf(tarfile.GNU_FORMAT), bytes(1024)]), "negative size")


@pytest.mark.parametrize("size", [2**62, 2**80])
def test_a_size_beyond_the_file_is_an_error(place: Path, size: int) -> None:
    info = tarfile.TarInfo("im/1.jpg")
    info.size = size
    (place / "a.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    with pytest.raises(Truncated):
        open_container(place / "a.tar")


def test_a_chain_of_long_names_is_an_error_and_no_stack_overflow(place: Path) -> None:
    link = tarfile.TarInfo("././@LongLink")
    link.type, link.size = tarfile.GNUTYPE_LONGNAME, 2
    (place / "a.tar").write_bytes((link.tobuf() + b"a\0" + bytes(510)) * 3000 + bytes(1024))
    with pytest.raises(Truncated):
        open_container(place / "a.tar")


def test_a_zip_name_that_lies_about_being_utf8_is_an_error(place: Path) -> None:
    raw = write_zip(place / "a.zip", {"éé.jpg": b"1"}).read_bytes()
    (place / "a.zip").write_bytes(raw.replace("éé".encode(), b"\xff\xfe\xff\xfe"))
    with pytest.raises(Truncated):
        open_container(place / "a.zip")


def zip_bomb(path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("im/1.png", bytes(100 * MIB))
    return path


def tar_gz_bomb(path: Path) -> Path:
    info = tarfile.TarInfo("im/1.png")
    info.size = 100 * MIB
    path.write_bytes(gzip.compress(info.tobuf() + bytes(info.size + 1024), mtime=0))
    return path


BOMBS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "zip": (zip_bomb, "open_container(path)"),
    "tar.gz": (tar_gz_bomb, "inflate(path, path.with_name('b.tar'))"),
}
CHILD = """
import resource, sys
from pathlib import Path
from hqdata.errors import UnsafeArchive
from hqdata.fetch.archive import inflate, open_container
path = Path(sys.argv[1])
try:
    {call}
except UnsafeArchive as error:
    print("refused:", str(error).splitlines()[0])
"""


@pytest.mark.parametrize(("make", "call"), BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_refused_in_little_memory_and_room(place: Path, make: Callable[[Path], Path], call: str) -> None:
    path = make(place / "bomb")
    assert path.stat().st_size < 110_000
    child = subprocess.run(
        [sys.executable, "-c", CHILD.format(call=call), str(path)],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (512 * MIB, 512 * MIB)),
    )
    assert child.stdout.startswith("refused:"), child.stdout
    assert [item.name for item in place.iterdir()] == ["bomb"]


def test_the_budget_of_a_tar_gz_is_exact(place: Path) -> None:
    size = write_tar(place / "plain.tar", {"1.jpg": b"1"}).stat().st_size
    path = write_tar(place / "a.tar.gz", {"1.jpg": b"1"})
    assert inflate(path, place / "b.tar", Limits(inflation_floor=size, inflation_ratio=1)).stat().st_size == size
    with pytest.raises(UnsafeArchive, match=f"<= {size - 1:,} bytes"):
        inflate(path, place / "c.tar", Limits(inflation_floor=size - 1, inflation_ratio=1))
    assert not (place / "c.tar").exists()


def test_too_many_members_are_refused(place: Path) -> None:
    count = 100_001
    header = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", *[0] * 9, 6, *[0] * 6)
    rows = b"".join(header + b"%06d" % n for n in range(count))
    local = struct.pack("<4s5H3L2H", b"PK\x03\x04", *[0] * 8, 6, 0) + b"000000"
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, len(rows), len(local))
    where64 = struct.pack("<4sLQL", b"PK\x06\x07", 0, len(local) + len(rows), 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    (place / "a.zip").write_bytes(local + rows + end64 + where64 + end)
    assert len(open_container(place / "a.zip", Limits(archive_members=count)).members) == count
    with pytest.raises(UnsafeArchive, match="too many members"):
        open_container(place / "a.zip", Limits(archive_members=count - 1))


@pytest.mark.parametrize(
    ("stated", "reason"),
    [(1, "corrupt_member"), (99, "corrupt_member"), (101, "corrupt_member"), (300 * MIB, "too_large")],
)
def test_a_header_that_lies_about_the_size_is_a_reject(place: Path, stated: int, reason: str) -> None:
    content = bytes(range(100))
    packed = zlib.compress(content)[2:-4]
    with zipfile.ZipFile(place / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("1.jpg", content)
    raw = bytearray((place / "a.zip").read_bytes())
    assert packed in raw
    at = raw.index(b"PK\x01\x02") + 24
    assert raw[at : at + 4] == struct.pack("<L", 100)
    raw[at : at + 4] = struct.pack("<L", stated)
    (place / "a.zip").write_bytes(raw)
    container = open_container(place / "a.zip", Limits(inflation_floor=400 * MIB))
    with pytest.raises(DecodeError) as caught:
        container.read(container.members[0])
    assert caught.value.reason == reason
