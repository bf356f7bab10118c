"""The first mirror that is right wins; where none is, the error tells of each."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hqdata.errors import ChecksumMismatch, DiskFull, DownloadError, QuotaExceeded
from hqdata.fetch import partial
from hqdata.fetch.drive import ENDPOINT_VARIABLE
from hqdata.fetch.mirrors import fetch_file
from hqdata.limits import Limits
from tests.servers import FaultServer, Step

CONTENT = bytes(range(256)) * 500
KNOWN: dict[str, Any] = {
    "size": len(CONTENT),
    "sha256": hashlib.sha256(CONTENT).hexdigest(),
    "limits": Limits(attempts=1, connect_seconds=5),
}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultServer]:
    from huggingface_hub import close_session

    with FaultServer() as running:
        monkeypatch.setenv(ENDPOINT_VARIABLE, running.url())
        monkeypatch.setenv("HF_ENDPOINT", running.url())
        running.serve("/good", CONTENT)
        running.serve("/wrong", CONTENT[::-1])
        running.serve("/short", CONTENT, Step(drop_after=100))
        running.drive({"F1": CONTENT}, quota=True)
        running.hub("a/b", "c.zip", CONTENT)
        yield running
        close_session()


FIRST = ["/wrong", "/short", "/absent", "drive:F1", "hf://a/b/absent.zip", "hf://nonsense", "file:///etc/passwd", "x:y"]


@pytest.mark.parametrize("first", FIRST)
@pytest.mark.parametrize("second", ["/good", "hf://a/b/c.zip"])
def test_the_next_mirror_takes_over(server: FaultServer, tmp_path: Path, first: str, second: str) -> None:
    mirrors = [server.url(mirror) if mirror.startswith("/") else mirror for mirror in (first, second)]
    got = fetch_file("a", mirrors, tmp_path / "a.zip", **KNOWN)
    assert got.path.read_bytes() == CONTENT
    assert got.url == mirrors[1]
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_drive_is_asked(server: FaultServer, tmp_path: Path) -> None:
    server.drive({"F1": CONTENT})
    assert fetch_file("a", ["drive:F1"], tmp_path / "a.zip", **KNOWN).sha256 == KNOWN["sha256"]


def test_all_failures_are_listed(server: FaultServer, tmp_path: Path) -> None:
    mirrors = [
        server.url("/wrong"),
        "baidu:1y6 password rtgw",
        "drive:F1",
        server.url("/absent"),
        "page:https://x.org/d",
    ]
    with pytest.raises(DownloadError) as caught:
        fetch_file("DIS5K", mirrors, tmp_path / "a.zip", **KNOWN)
    text = str(caught.value)
    for words in ("DIS5K", "3 mirrors", "sha256 of", "too many people", "404", *(mirrors[i] for i in (0, 2, 3))):
        assert words in text
    assert f"by hand from baidu:1y6 password rtgw or https://x.org/d; put it into {tmp_path} as a.zip" in text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("mirror", "kind"), [("/wrong", ChecksumMismatch), ("drive:F1", QuotaExceeded)])
def test_one_mirror_raises_its_own_error(
    server: FaultServer, tmp_path: Path, mirror: str, kind: type[DownloadError]
) -> None:
    with pytest.raises(kind):
        fetch_file("a", [server.url(mirror) if mirror[0] == "/" else mirror], tmp_path / "a.zip", **KNOWN)


def test_a_part_outlives_the_failure_of_all(server: FaultServer, tmp_path: Path) -> None:
    server.serve("/cut", CONTENT, Step(drop_after=70_000), Step())
    mirrors = [server.url("/cut"), server.url("/absent")]
    with pytest.raises(DownloadError, match="2 mirrors"):
        fetch_file("a", mirrors, tmp_path / "a.zip", **KNOWN)
    fetch_file("a", mirrors, tmp_path / "a.zip", **KNOWN)
    assert server.sent("/cut") == len(CONTENT)
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


@pytest.mark.parametrize("mirrors", [["page:https://x.org/d"], []])
def test_files_put_there_by_hand_are_taken(tmp_path: Path, mirrors: list[str]) -> None:
    with pytest.raises(DownloadError, match=f"put it into {tmp_path} as a.zip"):
        fetch_file("a", mirrors, tmp_path / "a.zip", **KNOWN)
    (tmp_path / "a.zip").write_bytes(CONTENT[:-1])
    with pytest.raises(DownloadError, match="is not the published one"):
        fetch_file("a", mirrors, tmp_path / "a.zip", **KNOWN)
    (tmp_path / "a.zip").write_bytes(CONTENT)
    assert fetch_file("a", mirrors, tmp_path / "a.zip", **KNOWN).sha256 == KNOWN["sha256"]


def test_a_full_disk_stops_it_all(server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partial, "free_bytes", lambda _: 10)
    with pytest.raises(DiskFull):
        fetch_file("a", [server.url("/good"), "hf://a/b/c.zip"], tmp_path / "a.zip", **KNOWN)
    assert len(server.requests) == 1
