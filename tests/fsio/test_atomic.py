"""A file is absent or whole, and on disk; a full disk says so and leaves nothing behind."""

import errno
import json
import os
import resource
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from hqdata.errors import DiskFull
from hqdata.fsio.atomic import (
    atomic_file,
    disk_full_explained,
    free_bytes,
    publish_folder,
    sync_folder,
    write_bytes,
    write_json,
)
from tests.helpers import snapshot, write_files

MIB = 1024 * 1024
WRITE_TOO_MUCH = """
import signal, sys
from pathlib import Path
from hqdata.errors import DiskFull
from hqdata.fsio.atomic import write_bytes
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
folder = Path(sys.argv[1])
write_bytes(folder / "small", b"kept")
try:
    write_bytes(folder / "in" / "big", bytes(4 << 20))
except DiskFull as error:
    print(error)
print(sorted(path.name for path in folder.rglob("*")))
write_bytes(folder / "in" / "big", b"fits now")
print((folder / "in" / "big").read_bytes())
"""


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "in" / "a.bin"
    with atomic_file(path) as stream:
        stream.write(b"half")
        stream.flush()
        assert not path.exists()
        stream.write(b" and half")
    assert snapshot(tmp_path).keys() == {"in/a.bin"}
    assert path.read_bytes() == b"half and half"


@pytest.mark.parametrize("error", [ValueError("bad"), KeyboardInterrupt(), OSError(errno.EIO, "broken")])
@pytest.mark.parametrize("before", [None, b"old"])
def test_an_error_leaves_what_was_there(tmp_path: Path, error: BaseException, before: bytes | None) -> None:
    path = tmp_path / "a.bin"
    if before:
        path.write_bytes(before)

    def write() -> None:
        with atomic_file(path) as stream:
            stream.write(b"half")
            raise error

    with pytest.raises(type(error)) as caught:
        write()
    assert caught.value is error
    assert [item.read_bytes() for item in tmp_path.iterdir()] == ([before] if before else [])


def test_a_crashed_write_does_not_hinder_the_next(tmp_path: Path) -> None:
    (tmp_path / f".a.bin.{os.getpid()}.tmp").write_bytes(b"left behind by a process of this number, and longer")
    write_bytes(tmp_path / "a.bin", b"new")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.bin": b"new"}


def test_data_is_synced_before_the_rename_and_the_folder_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = []
    fsync, replace = os.fsync, Path.replace

    def recorded_fsync(descriptor: int) -> None:
        steps.append(("fsync", Path(f"/proc/self/fd/{descriptor}").readlink().name, (tmp_path / "a").exists()))
        fsync(descriptor)

    def recorded_replace(self: Path, target: Path) -> Path:
        steps.append(("rename", self.read_bytes(), target.name))
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(Path, "replace", recorded_replace)
    write_bytes(tmp_path / "a", b"data")
    assert steps == [
        ("fsync", f".a.{os.getpid()}.tmp", False),
        ("rename", b"data", "a"),
        ("fsync", tmp_path.name, True),
    ]


def small_disk(folder: Path) -> list[str]:
    """Command that runs what follows with 1 MiB of room in a folder; skips where that needs more rights."""
    mount = f'mount -t tmpfs -o size=1m tmpfs "{folder}" && exec "$@"'
    command = ["unshare", "-rm", "sh", "-c", mount, "sh"]
    if not shutil.which("unshare") or subprocess.run([*command, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no right to mount a small disk here")
    return command


def small_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, MIB))


@pytest.mark.parametrize("how", ["disk", "file size limit"])
def test_a_full_disk_is_explained_and_leaves_nothing(tmp_path: Path, how: str) -> None:
    before: Callable[[], None] | None = small_files if how == "file size limit" else None
    wrapper = small_disk(tmp_path) if how == "disk" else []
    command = [*wrapper, sys.executable, "-c", WRITE_TOO_MUCH, str(tmp_path)]
    child = subprocess.run(command, capture_output=True, text=True, check=True, preexec_fn=before)
    *message, names, content = child.stdout.splitlines()
    assert message[0] == f"no room to write {tmp_path}/in/big"
    assert [line.split(":")[0].strip() for line in message[1:]] == ["expected", "got", "done", "to do"]
    assert (names, content) == ("['in', 'small']", "b'fits now'")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_names_path_needed_and_free_bytes(tmp_path: Path, number: int) -> None:
    with pytest.raises(DiskFull) as caught, disk_full_explained(tmp_path / "not" / "there", needed=1234567):
        raise OSError(number, "said the system")
    text = str(caught.value)
    assert f"no room to write {tmp_path}/not/there" in text
    assert "1,234,567 bytes free" in text
    assert "said the system" in text


def test_another_error_is_not_called_a_full_disk(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), disk_full_explained(tmp_path):
        raise PermissionError(errno.EACCES, "no")


def test_free_bytes_are_those_of_the_nearest_folder_that_exists(tmp_path: Path) -> None:
    assert abs(free_bytes(tmp_path / "a" / "b") - shutil.disk_usage(tmp_path).free) < 4096 * MIB
    assert free_bytes(Path("not") / "there") > 0


def test_json_is_sorted_indented_and_keeps_its_letters(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": [1], "a": "é"})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n  "a": "é",\n  "b": [\n    1\n  ]\n}\n'


def test_a_folder_is_published_once(tmp_path: Path) -> None:
    write_files(tmp_path, {"first/a": b"first", "second/a": b"second"})
    assert publish_folder(tmp_path / "first", tmp_path / "final") is True
    assert publish_folder(tmp_path / "second", tmp_path / "final") is False
    assert (tmp_path / "final" / "a").read_bytes() == b"first"
    assert (tmp_path / "second" / "a").read_bytes() == b"second"


def test_a_folder_replaces_an_empty_one(tmp_path: Path) -> None:
    write_files(tmp_path, {"partial/a": b"1"})
    (tmp_path / "final").mkdir()
    assert publish_folder(tmp_path / "partial", tmp_path / "final") is True
    assert snapshot(tmp_path).keys() == {"final/a"}


def test_publishing_syncs_the_folder_then_renames_then_syncs_the_parent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(tmp_path, {"partial/a": b"1"})
    steps = []

    def recorded(folder: Path) -> None:
        steps.append((folder.name, (tmp_path / "final").exists()))
        sync_folder(folder)

    monkeypatch.setattr("hqdata.fsio.atomic.sync_folder", recorded)
    publish_folder(tmp_path / "partial", tmp_path / "final")
    assert steps == [("partial", False), (tmp_path.name, True)]


def test_a_reader_sees_the_old_or_the_new_file_only(tmp_path: Path) -> None:
    path, done = tmp_path / "a.json", threading.Event()
    write_json(path, [0] * 5_000)
    seen: list[list[int]] = []

    def poll() -> None:
        while not done.is_set():
            seen.append(json.loads(path.read_bytes()))

    reader = threading.Thread(target=poll)
    reader.start()
    for number in range(1, 20):
        write_json(path, [number] * 5_000)
    done.set()
    reader.join()
    assert all(len(value) == 5_000 and len(set(value)) == 1 for value in seen)
    versions = [value[0] for value in seen]
    assert versions == sorted(versions)
    assert len(set(versions)) > 1
