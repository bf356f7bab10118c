"""The transfer against a real socket: whatever the server does, the file is right or absent."""

import gzip
import hashlib
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy
import pytest

from hqdata.errors import ChecksumMismatch, DiskFull, DownloadError, Truncated
from hqdata.fetch import http, partial
from hqdata.limits import Limits
from tests.servers import FaultServer, Step, page_step, wait_until

KIB = 1024
CONTENT = numpy.random.default_rng(0).bytes(256 * KIB + 17)
OTHER = numpy.random.default_rng(1).bytes(len(CONTENT))
SHA = hashlib.sha256(CONTENT).hexdigest()
CUT = 100 * KIB
FAST = Limits(connect_seconds=5, stall_seconds=5)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


def fetch(url: str, folder: Path, **options: Any) -> http.Fetched:
    options = {"size": len(CONTENT), "sha256": SHA, "limits": FAST, "pause": lambda _: None} | options
    return http.download(url, folder / "a.zip", **options)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def parts(folder: Path) -> list[Path]:
    return list(folder.glob("*.part"))


CUT_FIRST = Step(drop_after=CUT)
ETAG = f'"{hashlib.sha256(CONTENT).hexdigest()[:16]}"'
BARE = Step(etag=None, last_modified=None)
RESTARTED = CUT + len(CONTENT)
# name: (what the server does, request by request; the most bytes it may have to send; the requests)
MATRIX = {
    "206 right": ([CUT_FIRST, Step()], len(CONTENT), 2),
    "200 ignores range": ([CUT_FIRST, Step(ignore_range=True)], RESTARTED, 2),
    "206 wrong offset": ([CUT_FIRST, Step(wrong_offset=5), Step()], 2 * len(CONTENT), 3),
    "206 wrong total": ([CUT_FIRST, Step(wrong_total=5), Step()], 2 * len(CONTENT), 3),
    "206 unasked": ([Step(status=206), Step()], 2 * len(CONTENT), 2),
    "206 of a new version": (
        [Step(drop_after=CUT, body=OTHER), Step(ignore_if_range=True), Step()],
        2 * len(CONTENT),
        3,
    ),
    "416": ([CUT_FIRST, Step(status=416), Step()], RESTARTED + len(CONTENT), 3),
    "etag changed": ([Step(drop_after=CUT, body=OTHER), Step()], RESTARTED, 2),
    "weak etag": ([Step(drop_after=CUT, body=OTHER, etag='W/"x"'), Step(etag='W/"x"')], RESTARTED, 2),
    "no etag, but a date": ([Step(drop_after=CUT, etag=None), Step(etag=None)], len(CONTENT), 2),
    "no etag, no date": ([replace(BARE, drop_after=CUT), BARE], RESTARTED, 2),
    "no length": ([Step(no_length=True)], len(CONTENT), 1),
    "no length, cut": ([Step(no_length=True, drop_after=CUT), Step()], len(CONTENT), 2),
    "drop every 64 KiB": ([Step(drop_after=64 * KIB)], len(CONTENT), 5),
    "503 and 429, then well": ([Step(status=503), Step(status=429), Step()], 3 * len(CONTENT), 3),
}
NOTHING_KNOWN: dict[str, Any] = {"size": None, "sha256": None}
# Without a published size, a cut cannot be told from an end that the server does not mark.
BLIND = {name: case for name, case in MATRIX.items() if name != "no length, cut"}
CASES = [pytest.param(*case, {}, id=name) for name, case in MATRIX.items()]
CASES += [pytest.param(*case, NOTHING_KNOWN, id=f"{name}, nothing known") for name, case in BLIND.items()]


@pytest.mark.parametrize(("steps", "most", "requests", "options"), CASES)
def test_resume_matrix(
    server: FaultServer, tmp_path: Path, *, steps: list[Step], most: int, requests: int, options: dict[str, Any]
) -> None:
    url = server.serve("/f", CONTENT, *steps)
    got = fetch(url, tmp_path, **options)
    assert got == http.Fetched(path=tmp_path / "a.zip", size=len(CONTENT), sha256=SHA, url=url)
    assert got.path.read_bytes() == CONTENT
    assert names(tmp_path) == ["a.zip"]
    assert len(server.requests) == requests
    # A client that hangs up early leaves some bytes in the socket's buffers.
    assert server.sent() <= most + 64 * KIB * (requests - 1)
    assert all(seen.headers["accept-encoding"] == "identity" for seen in server.requests)


def test_resume_asks_for_the_rest_only(server: FaultServer, tmp_path: Path) -> None:
    """Across runs: the first one gives up, the second one goes on where it stopped."""
    url = server.serve("/f", CONTENT, CUT_FIRST, Step())
    with pytest.raises(Truncated):
        fetch(url, tmp_path, limits=Limits(attempts=1))
    kept = parts(tmp_path)[0].stat().st_size
    assert kept == CUT
    fetch(url, tmp_path)
    second = server.requests[1]
    assert (second.range, second.headers["if-range"], second.status) == (f"bytes={CUT}-", ETAG, 206)
    assert server.sent() == len(CONTENT)


@pytest.mark.parametrize("damage", ["sidecar gone", "sidecar torn", "other url", "part too long"])
def test_a_doubtful_part_is_not_continued(server: FaultServer, tmp_path: Path, damage: str) -> None:
    url = server.serve("/f", CONTENT, CUT_FIRST, Step())
    with pytest.raises(Truncated):
        fetch(url, tmp_path, limits=Limits(attempts=1))
    part = partial.Part(url, tmp_path / "a.zip")
    if damage == "sidecar gone":
        part.sidecar.unlink()
    elif damage == "sidecar torn":
        part.sidecar.write_bytes(part.sidecar.read_bytes()[:20])
    elif damage == "other url":
        part.sidecar.write_text(part.sidecar.read_text().replace(url, url + "x"))
    else:
        part.path.write_bytes(CONTENT + b"more")
    assert fetch(url, tmp_path).path.read_bytes() == CONTENT
    assert server.requests[1].range is None


def test_good_attempts_do_not_count(server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = server.serve("/f", CONTENT, Step(drop_after=16 * KIB))
    with pytest.raises(Truncated):
        fetch(url, tmp_path)
    monkeypatch.setattr(http, "RENEWING_BYTES", 8 * KIB)
    assert fetch(url, tmp_path).sha256 == SHA


def test_pauses_grow_to_a_cap(server: FaultServer, tmp_path: Path) -> None:
    url = server.serve("/f", CONTENT, Step(status=500))
    pauses: list[float] = []
    with pytest.raises(DownloadError, match="500"):
        fetch(url, tmp_path, limits=Limits(attempts=8), pause=pauses.append)
    assert pauses == [1, 2, 4, 8, 16, 30, 30]
    assert len(server.requests) == 8


def test_short_body_is_truncated_and_kept(server: FaultServer, tmp_path: Path) -> None:
    url = server.serve("/f", CONTENT[:1000], Step(drop_after=900, ignore_range=True))
    with pytest.raises(Truncated, match="1,000 bytes") as caught:
        fetch(url, tmp_path, **NOTHING_KNOWN)
    assert len(server.requests) == FAST.attempts
    assert [part.stat().st_size for part in parts(tmp_path)] == [900]
    assert str(parts(tmp_path)[0]) in str(caught.value)
    assert not (tmp_path / "a.zip").exists()


@pytest.mark.parametrize(
    ("step", "word"),
    [
        (Step(body=OTHER), "sha256"),
        (Step(body=OTHER[:-1], delay=0.01), "size"),
        (Step(body=OTHER + b"x", no_length=True), "size"),
    ],
    ids=["same size", "other size", "longer, no length"],
)
def test_wrong_bytes_are_never_published(server: FaultServer, tmp_path: Path, step: Step, word: str) -> None:
    url = server.serve("/f", CONTENT, step)
    with pytest.raises(ChecksumMismatch) as caught:
        fetch(url, tmp_path)
    text = str(caught.value)
    assert url in text
    assert word in text
    assert "expected:" in text
    assert (SHA if word == "sha256" else f"{len(CONTENT):,} bytes") in text
    assert names(tmp_path) == []
    assert len(server.requests) == 1
    assert word == "sha256" or step.no_length or server.sent() < len(OTHER) / 2, "a wrong stated size is refused first"


PAGE = b"<html><head><title>Log in, please</title></head></html>"
REFUSED = {
    "encoded": (Step(body=gzip.compress(CONTENT), content_encoding="gzip"), {}, "gzip"),
    "encoded, nothing known": (Step(content_encoding="gzip"), NOTHING_KNOWN, "gzip"),
    "page": (page_step(), NOTHING_KNOWN, "Log in, please"),
    "page of another size": (page_step(), {}, "Log in, please"),
    "page of the same size": (page_step(), {"size": len(PAGE)}, "web page"),
    "404": (Step(status=404), {}, "404"),
    "403": (Step(status=403), {}, "403"),
    "no content": (Step(status=204, body=b"", no_length=True), {}, "204"),
}


@pytest.mark.parametrize(("step", "options", "word"), REFUSED.values(), ids=REFUSED.keys())
def test_refusals_are_told_at_once(
    server: FaultServer, tmp_path: Path, step: Step, options: dict[str, Any], word: str
) -> None:
    url = server.serve("/f", PAGE, step)
    with pytest.raises(DownloadError, match=word) as caught:
        fetch(url, tmp_path, **options)
    assert not isinstance(caught.value, ChecksumMismatch)
    assert len(server.requests) == 1
    assert names(tmp_path) == []


def test_a_page_does_not_cost_the_part(server: FaultServer, tmp_path: Path) -> None:
    """A login page in between, as on a hotel's network, leaves the gigabytes that came before."""
    url = server.serve("/f", CONTENT, CUT_FIRST, Step(body=PAGE, headers={"Content-Type": "text/html"}), Step())
    with pytest.raises(DownloadError, match="web page"):
        fetch(url, tmp_path)
    assert fetch(url, tmp_path).sha256 == SHA
    assert server.sent() <= len(CONTENT) + len(PAGE)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "/etc/passwd", "http://[", "https:"])
def test_other_schemes_are_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(DownloadError, match="refused"):
        fetch(url, tmp_path)
    assert names(tmp_path) == []


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_redirects_out_of_http_are_refused(server: FaultServer, tmp_path: Path, target: str) -> None:
    with pytest.raises(DownloadError, match="refused"):
        fetch(server.redirect("/r", target), tmp_path)
    assert not (tmp_path / "a.zip").exists()


def test_redirect_from_https_to_http_is_refused(server: FaultServer, tmp_path: Path) -> None:
    target = server.serve("/f", CONTENT)
    answer = httpx.MockTransport(lambda _: httpx.Response(302, headers={"Location": target}))
    with httpx.Client(transport=answer) as client, pytest.raises(DownloadError, match="refused the redirect"):
        fetch("https://example.org/f", tmp_path, client=client)
    assert server.requests == []


def test_redirects_are_followed_up_to_the_cap(server: FaultServer, tmp_path: Path) -> None:
    server.serve("/f", CONTENT, Step(headers={"Content-Disposition": 'attachment; filename="../../evil"'}))
    server.redirect("/2", "f")
    url = server.redirect("/1", server.url("/2"))
    with pytest.raises(DownloadError, match="too many redirects"):
        fetch(url, tmp_path, limits=Limits(redirects=1))
    assert fetch(url, tmp_path, limits=Limits(redirects=2)).url == url
    assert names(tmp_path) == ["a.zip"]
    with pytest.raises(DownloadError, match="too many redirects"):
        http.download(server.redirect("/loop", "/loop"), tmp_path / "b.zip")


@pytest.mark.parametrize(
    ("delay", "limits"),
    [(0.05, Limits(stall_seconds=0.3, stall_bytes=1000)), (1.0, Limits(connect_seconds=0.2))],
    ids=["a byte now and then", "silence"],
)
def test_slow_servers_hit_a_deadline(server: FaultServer, tmp_path: Path, delay: float, limits: Limits) -> None:
    url = server.serve("/f", CONTENT, Step(delay=delay, piece=1), Step(delay=delay, piece=1), Step())
    assert fetch(url, tmp_path, limits=limits).sha256 == SHA
    url = server.serve("/g", CONTENT, Step(delay=delay, piece=1))
    with pytest.raises(DownloadError):
        fetch(url, tmp_path / "g", limits=Limits(connect_seconds=0.2, stall_seconds=0.2, attempts=1))


def test_no_server_is_told(tmp_path: Path) -> None:
    with FaultServer() as gone:
        url = gone.url("/f")
    with pytest.raises(DownloadError, match="no answer"):
        fetch(url, tmp_path)


def test_what_is_there_is_not_fetched_again(server: FaultServer, tmp_path: Path) -> None:
    url = server.serve("/f", CONTENT)
    (tmp_path / "a.zip").write_bytes(CONTENT)
    assert fetch(url, tmp_path).sha256 == SHA
    assert server.requests == []
    (tmp_path / "a.zip").write_bytes(OTHER)
    fetch(url, tmp_path)
    assert (tmp_path / "a.zip").read_bytes() == CONTENT


def test_full_disk(server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = server.serve("/f", CONTENT)
    with monkeypatch.context() as patch:
        patch.setattr(partial, "free_bytes", lambda _: 10)
        with pytest.raises(DiskFull, match=f"{len(CONTENT):,} bytes free"):
            fetch(url, tmp_path)
    assert names(tmp_path) == []
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (CUT, before[1]))
    try:
        with pytest.raises(DiskFull):
            fetch(url, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not (tmp_path / "a.zip").exists()
    assert fetch(url, tmp_path).sha256 == SHA


def test_progress_adds_up(server: FaultServer, tmp_path: Path) -> None:
    class Tally:
        def __init__(self) -> None:
            self.runs: list[list[Any]] = []

        def start(self, name: str, total: int | None) -> None:
            self.runs.append([name, total, 0])

        def advance(self, n: int) -> None:
            self.runs[-1][2] += n

        def finish(self) -> None:
            pass

    tally = Tally()
    fetch(server.serve("/f", CONTENT, CUT_FIRST, Step()), tmp_path, progress=tally)
    whole = len(CONTENT)
    assert [run[1:] for run in tally.runs] == [[whole, CUT], [whole, whole], [whole, whole]]
    assert tally.runs[0][0] == "a.zip"
    assert tally.runs[2][0].startswith("check ")


def test_two_at_once_fetch_once(server: FaultServer, tmp_path: Path) -> None:
    url = server.serve("/f", CONTENT, Step(delay=0.01))
    threads = [threading.Thread(target=fetch, args=(url, tmp_path)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names(tmp_path) == ["a.zip"]
    assert len(server.requests) == 1


CHILD = "import sys, pathlib; from hqdata.fetch.http import download; download(sys.argv[1], pathlib.Path(sys.argv[2]))"


def test_kill_9_and_resume(server: FaultServer, tmp_path: Path) -> None:
    url = server.serve("/f", CONTENT, Step(delay=0.05, piece=8 * KIB), Step())
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen([sys.executable, "-c", CHILD, url, str(tmp_path / "a.zip")], env=environment) as child:
        wait_until(lambda: any(part.stat().st_size > 16 * KIB for part in parts(tmp_path)))
        child.send_signal(signal.SIGKILL)
    kept = parts(tmp_path)[0].stat().st_size
    assert fetch(url, tmp_path).path.read_bytes() == CONTENT
    assert (server.requests[1].range, server.requests[1].sent) == (f"bytes={kept}-", len(CONTENT) - kept)
    assert names(tmp_path) == ["a.zip"]
