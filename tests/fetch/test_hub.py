"""The Hugging Face library against an emulated hub on 127.0.0.1."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from hqdata.errors import ChecksumMismatch, DiskFull, DownloadError
from hqdata.fetch import hub
from hqdata.fetch.hub import HubFile, download_hub, parse_hub_url
from tests.servers import FaultServer

CONTENT = bytes(range(256)) * 2000
SHA = hashlib.sha256(CONTENT).hexdigest()
FILE = HubFile(repo_id="someone/masks", path="data/a.zip", revision="v1", repo_type="dataset")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FaultServer]:
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "no-token"))
    from huggingface_hub import close_session

    with FaultServer() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url())
        yield running
        close_session()


@pytest.mark.parametrize("repo_type", ["model", "dataset"])
@pytest.mark.parametrize("known", [True, False])
def test_end_to_end(
    server: FaultServer, tmp_path: Path, capfd: pytest.CaptureFixture[str], repo_type: str, known: bool
) -> None:
    server.hub("someone/masks", "data/a.zip", CONTENT, revision="v1", repo_type=repo_type)
    file = HubFile(repo_id="someone/masks", path="data/a.zip", revision="v1", repo_type=repo_type)
    options = {"size": len(CONTENT), "sha256": SHA} if known else {}
    got = download_hub(file, tmp_path / "in" / "b.zip", **options)  # type: ignore[arg-type]
    assert (got.path.read_bytes(), got.sha256, got.size) == (CONTENT, SHA, len(CONTENT))
    assert got.url == str(file)
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["b.zip"]
    assert not got.path.is_symlink()
    assert capfd.readouterr() == ("", "")
    asked = len(server.requests)
    download_hub(file, tmp_path / "in" / "b.zip", **options)  # type: ignore[arg-type]
    assert len(server.requests) == asked
    assert {seen.path.partition("/resolve/")[2] for seen in server.requests} == {"v1/data/a.zip"}


@pytest.mark.parametrize("served", [CONTENT[::-1], CONTENT[:-1]], ids=["other bytes", "other size"])
def test_wrong_bytes_are_never_published(server: FaultServer, tmp_path: Path, served: bytes) -> None:
    server.hub("someone/masks", "data/a.zip", served, revision="v1", repo_type="dataset")
    with pytest.raises(ChecksumMismatch, match=re.escape(str(FILE))):
        download_hub(FILE, tmp_path / "b.zip", size=len(CONTENT), sha256=SHA)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_a_download_error(server: FaultServer, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=f"did not give {re.escape(str(FILE))}\n.*404"):
        download_hub(FILE, tmp_path / "b.zip")
    assert list(tmp_path.iterdir()) == []


def test_full_disk(server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", full)
    with pytest.raises(DiskFull):
        download_hub(FILE, tmp_path / "b.zip", size=10)


def test_progress_is_passed_on(server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []

    class Tally:
        def start(self, *_: object) -> None:
            counts.append(0)

        def advance(self, n: int) -> None:
            counts[-1] += n

        def finish(self) -> None:
            pass

    server.hub("someone/masks", "data/a.zip", CONTENT, revision="v1", repo_type="dataset")
    download_hub(FILE, tmp_path / "b.zip", progress=Tally())
    assert counts == [len(CONTENT)] * 2


@pytest.mark.parametrize(
    ("url", "fields"),
    [
        ("hf://a/b/c.zip", ("a/b", "c.zip", "main", "model")),
        ("hf://a/b@v1/c/d.zip", ("a/b", "c/d.zip", "v1", "model")),
        ("hf://datasets/a/b@refs%2Fpr%2F1/c.zip", ("a/b", "c.zip", "refs/pr/1", "dataset")),
        ("hf://datasets/a/b/x@y/c.zip", ("a/b", "x@y/c.zip", "main", "dataset")),
    ],
)
def test_parse(url: str, fields: tuple[str, str, str, str]) -> None:
    file = parse_hub_url(url)
    assert (file.repo_id, file.path, file.revision, file.repo_type) == fields
    assert parse_hub_url(str(file)) == file


@pytest.mark.parametrize(
    "url", ["hf://a/b", "hf://a", "hf:a/b/c", "hf://a/b/../../c", "hf://../b/c", "hf://a/b//c", ""]
)
def test_parse_refuses(url: str) -> None:
    with pytest.raises(DownloadError, match="not a hub file"):
        hub.parse_hub_url(url)
