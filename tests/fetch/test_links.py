"""Signed links: read from the user's file, resumed by another link, reported when they expire, and never told on."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from hqdata.errors import DownloadError, StaleLink, Truncated, UsageError
from hqdata.fetch.links import fetch_linked, read_links
from hqdata.limits import Limits
from tests.servers import FaultServer, Step, page_step
from tests.tars import tar_bytes

TAR = tar_bytes({"sa_1.jpg": bytes(range(256)) * 300, "sa_1.json": b"{}"})
SIGNATURE = "Signature-abc123"
XML = b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'
ONCE = Limits(attempts=1)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


def signed(server: FaultServer, *steps: Step, signature: str = SIGNATURE) -> str:
    return f"{server.serve('/a.tar', TAR, *steps)}?Policy=x&Signature={signature}"


def told(folder: Path) -> str:
    """Names and contents of all files."""
    return "\n".join(f"{path}\n{path.read_bytes()!r}" for path in sorted(folder.rglob("*")) if path.is_file())


def test_a_file_of_links(tmp_path):
    path = tmp_path / "links.tsv"
    path.write_bytes(
        b"\xef\xbb\xbffile_name\tcdn_link\r\nsa_000020.tar\thttps://x.y/a?s=1&t=2\r\n\r\na.txt\thttp://x/b\r\n"
    )
    assert read_links(path) == {"sa_000020.tar": "https://x.y/a?s=1&t=2", "a.txt": "http://x/b"}


@pytest.mark.parametrize(
    "content",
    [
        "file_name\tcdn_link\na.tar\thttps://x/1\n",
        "file_name\tcdn_link\na.tar\thttps://x/1",
        "file_name \t cdn_link\n a.tar \t https://x/1 \n\t\n",
        "file_name\tcdn_link\tbytes\na.tar\thttps://x/1\t11\n",
        "bytes\tcdn_link\tfile_name\n\thttps://x/1\ta.tar\n",
        "file_name\tcdn_link\na.tar\thttps://x/1\na.tar\thttps://x/1\n",
    ],
)
def test_a_file_of_links_in_other_words(tmp_path, content):
    path = tmp_path / "links.tsv"
    path.write_text(content)
    assert read_links(path) == {"a.tar": "https://x/1"}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "is no file of links"),
        (b"sa_1.tar\thttps://x/Signature-abc123\n", "is no file of links"),
        (b"file_name,cdn_link\nsa_1.tar,https://x/Signature-abc123\n", "is no file of links"),
        (b"file_name\nsa_1.tar\n", "is no file of links"),
        (b"<!DOCTYPE html>\n<html>Signature-abc123</html>", "is no file of links"),
        (b"file_name\tcdn_link\nsa_1.tar https://x/Signature-abc123\n", "line 2 is not"),
        (b"file_name\tcdn_link\n\n\nsa_1.tar\n", "line 4 is not"),
        (b"file_name\tcdn_link\n\thttps://x/Signature-abc123\n", "line 2 is not"),
        (b"file_name\tcdn_link\nsa_1.tar\thttps://x/ Signature-abc123\n", "line 2 is not"),
        (b"file_name\tcdn_link\nsa_1.tar\tftp://x/Signature-abc123\n", "line 2 is not"),
        (b"file_name\tcdn_link\na\thttps://x/1\nb\thttps://x/2\na\thttps://x/Signature-abc123\n", "line 4 has another"),
        (b"\xff\xfe\x00", "cannot be read"),
        ("file_name\tcdn_link\n".encode("utf-16"), "cannot be read"),
    ],
)
def test_other_files(tmp_path, content, text):
    path = tmp_path / "links.tsv"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=text) as caught:
        read_links(path)
    assert SIGNATURE not in str(caught.value)


def test_no_file(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        read_links(tmp_path / "none.tsv")


def test_a_transfer_goes_on_with_another_link(server, tmp_path):
    with pytest.raises(Truncated):
        fetch_linked("a.tar", signed(server, Step(drop_after=50_000)), tmp_path / "a.tar", limits=ONCE)
    with pytest.raises(StaleLink):
        fetch_linked("a.tar", signed(server, Step(status=403, body=b"")), tmp_path / "a.tar", limits=ONCE)
    fetch_linked("a.tar", signed(server, Step(), signature="new"), tmp_path / "a.tar", limits=ONCE)
    assert (tmp_path / "a.tar").read_bytes() == TAR
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar"]
    assert server.requests[-1].query["Signature"] == "new"
    assert server.requests[-1].range is not None
    assert server.sent() < len(TAR) + 17 * 1024


@pytest.mark.parametrize(
    "step",
    [
        Step(status=400),
        Step(status=401),
        Step(status=403),
        Step(status=403, body=XML, headers={"Content-Type": "application/xml"}),
        Step(status=410),
        page_step(403),
        page_step(200),
        Step(body=XML, headers={"Content-Type": "application/xml"}),
        Step(body=XML),
        Step(body=b"<!DOCTYPE html><html><title>URL signature expired</title></html>"),
        Step(body=b"URL signature expired"),
        Step(body=b'{"error": {"message": "expired"}}', headers={"Content-Type": "application/json"}),
        Step(body=bytes(20_000)),
        Step(body=b"\x1f\x8b" + bytes(20_000)),
    ],
)
def test_an_expired_link_is_called_one(server, tmp_path, step):
    with pytest.raises(StaleLink, match=r"the link has expired(.|\n)*get a new links file from Meta's page") as caught:
        fetch_linked("a.tar", signed(server, step), tmp_path / "a.tar", limits=ONCE)
    assert SIGNATURE not in str(caught.value)
    assert not (tmp_path / "a.tar").exists()
    assert len(server.requests) == 1


@pytest.mark.parametrize("content", [b"", b"<html>", b"\x1f\x8b\x08 inflate me", bytes(10240)])
def test_a_file_of_the_users_own_is_never_removed(server, tmp_path, content):
    (tmp_path / "a.tar").write_bytes(content)
    with pytest.raises(UsageError, match="is in the way"):
        fetch_linked("a.tar", signed(server), tmp_path / "a.tar", limits=ONCE)
    assert (tmp_path / "a.tar").read_bytes() == content
    assert server.requests == []


def test_a_tar_that_is_there_is_not_fetched(server, tmp_path):
    (tmp_path / "a.tar").write_bytes(TAR)
    assert fetch_linked("a.tar", signed(server), tmp_path / "a.tar", limits=ONCE).size == len(TAR)
    assert server.requests == []


FAULTS = {
    "not found": [Step(status=404)],
    "busy": [Step(status=503)],
    "cut": [Step(drop_after=1000)],
    "encoded": [Step(content_encoding="gzip")],
    "redirect to nowhere": [Step(status=302, headers={"Location": f"ftp://x/{SIGNATURE}"})],
    "redirect to a place without host": [Step(status=302, headers={"Location": f"/b.tar?Signature={SIGNATURE}"})],
    "redirect without end": [Step(status=302, headers={"Location": f"/a.tar?Signature={SIGNATURE}"})],
    "good": [Step()],
    "second time": [Step(drop_after=1000), Step()],
}


@pytest.mark.parametrize("case", FAULTS)
def test_no_link_in_any_file_log_or_error(server, tmp_path, caplog, monkeypatch, case):
    monkeypatch.setattr("hqdata.fetch.http.time.sleep", lambda _: None)
    server.serve("/b.tar", TAR)
    for name in ("httpx", "httpcore", "httpcore.http11", "httpcore.connection"):
        caplog.set_level(logging.DEBUG, name)
    caplog.set_level(logging.DEBUG, "hqdata")
    seen: list[str] = []
    try:
        fetch_linked("a.tar", signed(server, *FAULTS[case]), tmp_path / "a.tar", limits=Limits(attempts=2))
    except DownloadError as error:
        seen.append(str(error))
    assert bool(seen) == (case not in {"good", "second time", "redirect to a place without host"})
    assert server.requests[0].query["Signature"] == SIGNATURE
    text = "\n".join([*seen, caplog.text, told(tmp_path)])
    assert SIGNATURE not in text
    assert "Signature" not in text
