"""Google Drive's pages: the one to confirm is followed, the others are named for what they are."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from hqdata.errors import ChecksumMismatch, DownloadError, QuotaExceeded
from hqdata.fetch.drive import ENDPOINT_VARIABLE, confirmed_url, download_drive
from hqdata.limits import Limits
from tests.servers import FaultServer, Step, confirm_page

CONTENT = b"PK" + bytes(range(256)) * 800
SHA = hashlib.sha256(CONTENT).hexdigest()
REAL = "https://drive.usercontent.google.com/download?id=1&export=download"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultServer]:
    with FaultServer() as running:
        monkeypatch.setenv(ENDPOINT_VARIABLE, running.url("/"))
        yield running


@pytest.mark.parametrize("absolute", [True, False])
def test_confirm_page_is_followed(server: FaultServer, tmp_path: Path, absolute: bool) -> None:
    server.drive({"F1": CONTENT}, action=server.url("/download") if absolute else "download")
    got = download_drive("F1", tmp_path / "a.zip", size=len(CONTENT), sha256=SHA)
    assert got.path.read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]
    assert [seen.query.get("confirm") for seen in server.requests] == [None, "t"]
    assert server.requests[1].query == {"id": "F1", "export": "download", "confirm": "t", "uuid": "u-1"}


def test_small_files_come_at_once(server: FaultServer, tmp_path: Path) -> None:
    server.serve("/download", CONTENT)
    assert download_drive("F1", tmp_path / "a.zip").sha256 == SHA


def test_resume_goes_through_the_page_again(server: FaultServer, tmp_path: Path) -> None:
    server.drive({"F1": CONTENT})
    whole = server.answer
    cuts = [50_000]

    def cut_once(seen):  # type: ignore[no-untyped-def]
        content, step = whole(seen)
        return content, Step(drop_after=cuts.pop()) if content == CONTENT and cuts else step

    server.answer = cut_once  # type: ignore[method-assign]
    with pytest.raises(DownloadError, match="ended early"):
        download_drive("F1", tmp_path / "a.zip", size=len(CONTENT), sha256=SHA, limits=Limits(attempts=1))
    assert download_drive("F1", tmp_path / "a.zip", size=len(CONTENT), sha256=SHA).sha256 == SHA
    assert server.requests[-1].range == "bytes=50000-"
    assert server.requests[-1].sent == len(CONTENT) - 50_000


@pytest.mark.parametrize("size", [None, len(CONTENT)])
def test_quota_page_is_recognised(server: FaultServer, tmp_path: Path, size: int | None) -> None:
    server.drive({"F1": CONTENT}, quota=True)
    with pytest.raises(QuotaExceeded) as caught:
        download_drive("F1", tmp_path / "a.zip", size=size, sha256=SHA if size else None)
    text = str(caught.value)
    assert "24 hours" in text
    assert "https://drive.google.com/file/d/F1/view" in text
    assert str(tmp_path / "a.zip") in text
    assert len(server.requests) == 1
    assert list(tmp_path.iterdir()) == []


PAGES = {
    "missing": ("<title>Error 404 (Not Found)!!1</title>", 404, "Not Found"),
    "sign-in": ("<title>Google Drive: Sign-in</title>", 200, "Sign-in"),
    "private": ("<title>Forbidden</title>", 403, "Forbidden"),
    "a search form": (
        '<title>x</title><form action="/search"><input type="hidden" name="q" value=""></form>',
        200,
        "x",
    ),
    "for ever": (confirm_page("F1", "/download"), 200, "page to page"),
}


@pytest.mark.parametrize(("page", "status", "word"), PAGES.values(), ids=PAGES.keys())
def test_other_pages_are_refusals(server: FaultServer, tmp_path: Path, page: str, status: int, word: str) -> None:
    server.page("/download", page, status)
    with pytest.raises(DownloadError, match=word) as caught:
        download_drive("F1", tmp_path / "a.zip", size=len(CONTENT), sha256=SHA)
    assert not isinstance(caught.value, ChecksumMismatch | QuotaExceeded)
    assert list(tmp_path.iterdir()) == []


def test_a_sign_in_redirect_is_named(tmp_path: Path) -> None:
    from hqdata.fetch.drive import _page_reader

    with pytest.raises(DownloadError, match="sign in"):
        _page_reader("F1", tmp_path / "a.zip")("<html></html>", "https://accounts.google.com/ServiceLogin")


def test_wrong_bytes_behind_the_page(server: FaultServer, tmp_path: Path) -> None:
    server.drive({"F1": CONTENT[::-1]})
    with pytest.raises(ChecksumMismatch):
        download_drive("F1", tmp_path / "a.zip", size=len(CONTENT), sha256=SHA)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("action", "host"),
    [
        ("https://drive.usercontent.google.com/download", "drive.usercontent.google.com"),
        ("https://doc-0k-docs.googleusercontent.com/x", "doc-0k-docs.googleusercontent.com"),
        ("/download", "drive.usercontent.google.com"),
        ("https://evil.example/download", None),
        ("https://evilgoogle.com/download", None),
        ("https://drive.google.com.evil.example/", None),
        ("https://drive.google.com@evil.example/", None),
        ("javascript:alert(1)", None),
    ],
)
def test_the_form_stays_at_google(action: str, host: str | None) -> None:
    if host is None:
        with pytest.raises(DownloadError, match="leads elsewhere"):
            confirmed_url(confirm_page("1", action), REAL)
    else:
        target = confirmed_url(confirm_page("1", action), REAL)
        assert target is not None
        assert target.startswith(f"https://{host}/")
        assert target.endswith("?id=1&export=download&confirm=t&uuid=u-1")
