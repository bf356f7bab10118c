"""What an archive looked like at first is what it has to look like ever after."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hqdata.errors import ChecksumMismatch, HQDataError
from hqdata.fetch.lockfile import Lock, LockFile

ONE, OTHER = Lock(size=3, sha256="a" * 64), Lock(size=3, sha256="b" * 64)
PUT = """
import sys
from pathlib import Path
from hqdata.fetch.lockfile import Lock, LockFile
for number in range(10):
    LockFile(Path(sys.argv[1])).put(sys.argv[2], f"{number}.zip", Lock(size=number, sha256="a" * 64))
"""


@pytest.fixture
def locks(tmp_path: Path) -> LockFile:
    return LockFile(tmp_path / "home" / "archives.lock.json")


def test_an_archive_never_seen_has_no_lock(locks: LockFile) -> None:
    assert locks.get("ecssd", "images.zip") is None
    assert not locks.path.exists()


def test_a_lock_is_kept_by_owner_and_archive(locks: LockFile) -> None:
    locks.put("ecssd", "images.zip", ONE)
    locks.put("other", "images.zip", OTHER)
    locks.put("ecssd", "images.zip", ONE)
    assert (locks.get("ecssd", "images.zip"), locks.get("other", "images.zip")) == (ONE, OTHER)
    assert locks.get("ecssd", "ground_truth_mask.zip") is None


def test_the_file_is_sorted_json_that_a_person_can_edit(locks: LockFile) -> None:
    locks.put("b", "2.zip", OTHER)
    locks.put("a", "1.zip", ONE)
    stored = json.loads(locks.path.read_text())
    assert list(stored.items()) == [
        ("a/1.zip", {"sha256": "a" * 64, "size": 3}),
        ("b/2.zip", {"sha256": "b" * 64, "size": 3}),
    ]
    assert [path.name for path in locks.path.parent.iterdir()] == ["archives.lock.json"]


@pytest.mark.parametrize("changed", [OTHER, Lock(size=4, sha256=ONE.sha256)])
def test_another_archive_of_that_name_is_refused_until_the_entry_is_gone(locks: LockFile, changed: Lock) -> None:
    locks.put("ecssd", "images.zip", ONE)
    before = locks.path.read_bytes()
    with pytest.raises(ChecksumMismatch) as caught:
        locks.put("ecssd", "images.zip", changed)
    text = str(caught.value)
    assert text.startswith("ecssd/images.zip differs")
    assert f"expected: 3 bytes, sha256 {ONE.sha256}" in text
    assert f"got:      {changed.size} bytes, sha256 {changed.sha256}" in text
    assert str(locks.path) in text
    assert locks.path.read_bytes() == before
    locks.path.write_text("{}")
    locks.put("ecssd", "images.zip", changed)
    assert locks.get("ecssd", "images.zip") == changed


@pytest.mark.parametrize(
    "text",
    ["", "{", "[1, 2]", "null", '{"a/b": 3}', '{"a/b": {"size": 3}}', '{"a/b": {"size": "x", "sha256": ""}}', "é"],
)
def test_a_broken_file_is_an_error_that_names_it_and_stays(locks: LockFile, text: str) -> None:
    locks.path.parent.mkdir()
    locks.path.write_bytes(text.encode("latin-1"))
    for use in (lambda: locks.get("a", "b"), lambda: locks.put("a", "c", ONE)):
        with pytest.raises(HQDataError, match=r"archives\.lock\.json is no lock file"):
            use()
    assert locks.path.read_bytes() == text.encode("latin-1")


def test_many_processes_lose_no_entry(locks: LockFile) -> None:
    owners = ["a", "b", "c"]
    children = [subprocess.Popen([sys.executable, "-c", PUT, str(locks.path), owner]) for owner in owners]
    assert [child.wait() for child in children] == [0, 0, 0]
    assert list(json.loads(locks.path.read_text())) == sorted(f"{o}/{n}.zip" for o in owners for n in range(10))
