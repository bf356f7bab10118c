"""The one gate for HTTP(S): a resumed, verified, atomically published transfer.

A file appears under its final name only once all its bytes are on disk and agree with the published size and sha256.
Whatever a broken or hostile server sends ends in such a file or in an error that says what came instead.
"""

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import httpx

from hqdata.errors import ChecksumMismatch, DownloadError, Truncated, explain
from hqdata.fetch import answers
from hqdata.fetch.answers import Again, Stalled, StartOver
from hqdata.fetch.partial import Fetched, Origin, Part, already_there, check_file, mismatch
from hqdata.fetch.progress import SILENT, Progress
from hqdata.fsio.atomic import disk_full_explained
from hqdata.limits import DEFAULT, MIB, Limits

log = logging.getLogger(__name__)

PageReader = Callable[[str, str], str]
"""Given a web page and its address, the address to go on with; raises DownloadError where the page is a refusal."""

RENEWING_BYTES = 16 * MIB
"""An attempt that brought this much was a good one: the count towards ``limits.attempts`` begins anew."""
LONGEST_PAUSE = 30.0
_PAGES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    url: str
    name: str
    """What messages, logs and files call the URL."""
    part: Part
    size: int | None
    sha256: str | None
    limits: Limits
    progress: Progress
    client: httpx.Client
    on_page: PageReader | None


def download(
    url: str,
    destination: Path,
    *,
    size: int | None = None,
    sha256: str | None = None,
    limits: Limits = DEFAULT,
    progress: Progress = SILENT,
    client: httpx.Client | None = None,
    on_page: PageReader | None = None,
    alias: str | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> Fetched:
    """Fetch a URL to ``destination``, unless it is there already; resumes what an earlier run left.

    Args:
        url: http or https.
        destination: the file to make; the server's opinion on its name is ignored.
        size: published bytes, or None.
        sha256: published digest (hex), or None; either is enforced where given.
        limits: attempts, redirects, timeouts.
        progress: told of the bytes as they come.
        client: used instead of an own one, and left open.
        on_page: reads a web page that comes instead of the file and says where to go on.
        alias: stands for the URL in the part's name and sidecar, so that another URL of the same file goes on with it.
        pause: waits between attempts.

    Raises:
        ChecksumMismatch: the bytes are not the published ones; they were deleted.
        Truncated: every attempt ended early; what came is kept for the next run.
        DownloadError: anything else that a server or a network may do.
        DiskFull: the file does not fit.
    """
    answers.check_hop(None, url)
    name = alias or url
    destination.parent.mkdir(parents=True, exist_ok=True)
    if found := already_there(destination, url=name, size=size, sha256=sha256, progress=progress):
        return found
    if destination.exists():
        log.warning("%s is not the published file; fetching it again", destination)
    part = Part(name, destination)
    with part.alone() as waited, _client_or_own(client, limits) as http:
        if waited and (found := already_there(destination, url=name, size=size, sha256=sha256, progress=progress)):
            return found
        job = _Job(
            url=url,
            name=name,
            part=part,
            size=size,
            sha256=sha256,
            limits=limits,
            progress=progress,
            client=http,
            on_page=on_page,
        )
        try:
            page = _attempts(job, pause)
        finally:
            progress.finish()
        return _publish(job, page)


@contextlib.contextmanager
def _client_or_own(client: httpx.Client | None, limits: Limits) -> Iterator[httpx.Client]:
    if client is not None:
        yield client
        return
    with httpx.Client(headers={"User-Agent": "hqdata"}, timeout=limits.connect_seconds) as own:
        yield own


def _publish(job: _Job, page: bool) -> Fetched:
    """Check the whole part and rename it; ``page`` says that the server called it a web page."""
    part = job.part
    try:
        fetched = check_file(part.path, url=job.name, size=job.size, sha256=job.sha256, progress=job.progress)
    except ChecksumMismatch as error:
        part.discard()
        if page:
            raise answers.page_error(job.name, "") from error
        raise
    part.publish()
    return Fetched(path=part.destination, size=fetched.size, sha256=fetched.sha256, url=job.name)


def _attempts(job: _Job, pause: Callable[[float], None]) -> bool:
    """Try until the part is whole. True if what came calls itself a web page."""
    tries, best = 0, job.part.usable()[0]
    while True:
        try:
            return _attempt(job)
        except Again as again:
            if isinstance(again, StartOver):
                job.part.discard()
            kept = job.part.usable()[0]
            tries = 1 if kept >= best + RENEWING_BYTES else tries + 1
            best = max(best, kept)
            if tries >= job.limits.attempts:
                raise again.error from again.__cause__
            wait = min(2.0 ** (tries - 1), LONGEST_PAUSE)
            log.info("attempt %d of %s failed, %d bytes kept, again in %.0f s: %s", tries, job.name, kept, wait, again)
        pause(wait)


def _attempt(job: _Job) -> bool:
    offset, origin = job.part.usable()
    if origin and offset == origin.size:
        return False
    headers = {"Accept-Encoding": "identity"}
    if origin and origin.validator:
        headers |= {"Range": f"bytes={offset}-", "If-Range": origin.validator}
    try:
        with _answer(job, headers) as response:
            start, arriving = _accept(job, response, offset, origin)
            _receive(job, response, start, arriving)
            return answers.is_page(response)
    except Stalled as error:
        raise Again(_slow(job)) from error
    except httpx.TransportError as error:
        text = explain(f"no answer from {job.name}", got=f"{type(error).__name__}: {error}", do="try again later")
        raise Again(DownloadError(text)) from error
    except httpx.InvalidURL as error:
        raise DownloadError(explain(f"not a valid URL on the way from {job.name}", got=error)) from error


@contextlib.contextmanager
def _answer(job: _Job, headers: dict[str, str]) -> Iterator[httpx.Response]:
    """The response to read the file from, past redirects and past pages that lead on."""
    url = job.url
    for _ in range(_PAGES):
        with answers.hops(job.client, url, headers, job.limits) as response:
            status = response.status_code
            # Hosts send their refusals as pages under many a status, but these have a meaning of their own.
            if job.on_page is None or not answers.is_page(response) or status in {408, 416} or status >= 500:
                yield response
                return
            here = str(response.url)
            url = job.on_page(answers.page_text(response, job.limits), here)
            answers.check_hop(here, url)
    raise DownloadError(explain(f"{job.name} leads from page to page, never to the file", got=url))


def _accept(job: _Job, response: httpx.Response, offset: int, origin: Origin | None) -> tuple[int, Origin]:
    """Decide where the bytes of a response go: at ``offset`` of the part, or into a new one."""
    answers.check_status(response, job.name, resuming=offset > 0)
    answers.check_coding(response, job.name)
    if response.status_code == 206:
        start, arriving = offset, answers.continuation(response, job.name, offset, origin)
    else:
        start, arriving = 0, answers.beginning(response, job.name)
        _refuse_page(job, response, arriving.size)
    if job.size is not None and arriving.size is not None and arriving.size != job.size:
        _give_up(job, job.size, arriving.size)
    return start, arriving


def _refuse_page(job: _Job, response: httpx.Response, arriving: int | None) -> None:
    """A page is let through only where its size lets one hope that it is the file under a wrong label."""
    wanted = job.part.destination.suffix.lower() in {".html", ".htm"}
    if answers.is_page(response) and not wanted and (job.size is None or arriving != job.size):
        raise answers.page_error(job.name, answers.page_text(response, job.limits))


def _give_up(job: _Job, expected: int, got: int) -> NoReturn:
    job.part.discard()
    raise mismatch(job.name, "size", f"{expected:,} bytes", f"{got:,} bytes")


def _receive(job: _Job, response: httpx.Response, start: int, origin: Origin) -> None:
    """Write the body to the part; on return the part is as long as the server said."""
    part, total = job.part, origin.size if origin.size is not None else job.size
    if total is not None:
        part.require_room(total)
    if not start:
        part.restart(origin)
    job.progress.start(part.destination.name, total)
    job.progress.advance(start)
    got = start
    try:
        with disk_full_explained(part.path, total), part.open(start) as stream:
            for chunk in answers.chunks(response, job.limits):
                stream.write(chunk)
                got += len(chunk)
                job.progress.advance(len(chunk))
                if total is not None and got > total:
                    break
    except httpx.TransportError as error:
        raise Again(_short(job, total, got, f" ({error})")) from error
    if total is not None and got > total:
        _give_up(job, total, got)
    if total is not None and got < total:
        raise Again(_short(job, total, got, ""))


def _slow(job: _Job) -> DownloadError:
    budget = f"{job.limits.stall_bytes:,} bytes in {job.limits.stall_seconds:g} s"
    return DownloadError(explain(f"{job.name} is too slow", expected=f"at least {budget}", do="try again later"))


def _short(job: _Job, total: int | None, got: int, why: str) -> Truncated:
    return Truncated(
        explain(
            f"the transfer of {job.name} ended early",
            expected=f"{total:,} bytes" if total is not None else "an end that the server marks",
            got=f"{got:,} bytes{why}",
            did=f"kept what came in {job.part.path}",
            do="run the same command again; it goes on from there if the server allows",
        )
    )
