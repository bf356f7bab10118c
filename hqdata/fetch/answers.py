"""What a server answers, judged before a byte of it is written: redirects, status, ranges, pages, stalls.

Only :mod:`hqdata.fetch.http` calls this. Answers that a new attempt may better raise :class:`Again`, all others raise
:class:`~hqdata.errors.DownloadError`.
"""

import contextlib
import dataclasses
import re
import time
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

import httpx

from hqdata.errors import DownloadError, Refused, explain
from hqdata.fetch.partial import Origin
from hqdata.limits import MIB, Limits

PAGE_BYTES = MIB
_PAGE_TYPES = {"text/html", "application/xhtml+xml", "application/xml", "text/xml"}
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


class Again(Exception):
    """This attempt failed, the next one may not; ``error`` is what to raise if there is no next one."""

    def __init__(self, error: DownloadError) -> None:
        super().__init__(str(error))
        self.error = error


class StartOver(Again):
    """As :class:`Again`, and the bytes at hand are of no use."""


class Stalled(Exception):
    """The server sends, but too slowly to ever end."""


def check_hop(here: str | None, url: str) -> None:
    """Refuse anything but http(s), and the step from an encrypted to an open connection.

    Raises:
        DownloadError: ``url`` may not be asked, at all or coming from ``here``.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError as error:
        raise DownloadError(explain(f"refused {url}", expected="a valid URL", got=error)) from error
    if parts.scheme not in {"http", "https"} or not host:
        raise DownloadError(explain(f"refused {url}", expected="an http or https URL", got=parts.scheme or "no scheme"))
    if here is not None and urlsplit(here).scheme == "https" and parts.scheme != "https":
        raise DownloadError(explain(f"refused the redirect from {here}", expected="an https URL", got=url))


@contextlib.contextmanager
def hops(client: httpx.Client, url: str, headers: dict[str, str], limits: Limits) -> Iterator[httpx.Response]:
    """GET, following redirects one by one so that each target is checked before it is asked.

    Raises:
        DownloadError: a refused target, or too many redirects.
    """
    first = url
    for _ in range(limits.redirects + 1):
        request = client.build_request("GET", url, headers=headers, timeout=limits.connect_seconds)
        response = client.send(request, stream=True, follow_redirects=False)
        try:
            if not response.has_redirect_location:
                yield response
                return
        finally:
            response.close()
        here, url = url, urljoin(url, response.headers["location"])
        check_hop(here, url)
    raise DownloadError(
        explain(f"too many redirects from {first}", expected=f"at most {limits.redirects}", got=f"on to {url}")
    )


def check_status(response: httpx.Response, url: str, *, resuming: bool) -> None:
    """Let through what carries a body of the file.

    Raises:
        Again: too busy or broken for now (408, 429, 5xx), or no such range (416, then starts over).
        DownloadError: any other refusal.
    """
    status = response.status_code
    if status in {200, 206}:
        return
    kind = Refused if status in {400, 401, 403, 410} else DownloadError
    error = kind(explain(f"{url} was refused", expected="status 200 or 206", got=f"{status} {response.reason_phrase}"))
    if status == 416 and resuming:
        raise StartOver(error)
    raise Again(error) if status in {408, 429} or status >= 500 else error


def check_coding(response: httpx.Response, url: str) -> None:
    """Refuse compressed transfers: their length and ranges are not those of the file.

    Raises:
        DownloadError: the answer has a Content-Encoding though none was asked for.
    """
    coding = response.headers.get("content-encoding", "").strip().lower()
    if coding not in {"", "identity"}:
        raise DownloadError(explain(f"{url} comes encoded", expected="the plain bytes (identity)", got=coding))


def beginning(response: httpx.Response, url: str) -> Origin:
    """The origin of a body that holds the whole file."""
    length = response.headers.get("content-length", "")
    return Origin(
        url=url,
        etag=response.headers.get("etag") or None,
        last_modified=response.headers.get("last-modified") or None,
        size=int(length) if length.isdecimal() else None,
    )


def continuation(response: httpx.Response, url: str, offset: int, origin: Origin | None) -> Origin:
    """The origin of a 206, which is that of the part it continues, with the size it states.

    Raises:
        StartOver: it does not start where the part ends, or is of another version of the file.
    """
    stated = response.headers.get("content-range", "")
    match = _CONTENT_RANGE.fullmatch(stated.strip())
    etag = response.headers.get("etag")
    why = None
    if origin is None:
        why = "a part, though the whole was asked for"
    elif match is None or int(match[1]) != offset:
        why = f"Content-Range {stated!r} where {offset} was asked for"
    elif origin.size is not None and int(match[3]) != origin.size:
        why = f"Content-Range {stated!r} of a file that had {origin.size} bytes"
    elif origin.etag is not None and etag is not None and etag != origin.etag:
        why = f"ETag {etag}, which was {origin.etag}"
    if origin is None or match is None or why:
        raise StartOver(DownloadError(explain(f"{url} cannot be resumed", got=why, did="started over")))
    return dataclasses.replace(origin, size=int(match[3]))


def chunks(response: httpx.Response, limits: Limits) -> Iterator[bytes]:
    """The raw body as it arrives.

    Raises:
        Stalled: less than ``stall_bytes`` came in ``stall_seconds``; a silent server runs into the read timeout.
    """
    since, got = time.monotonic(), 0
    for chunk in response.iter_raw():
        yield chunk
        got += len(chunk)
        now = time.monotonic()
        if now - since >= limits.stall_seconds:
            if got < limits.stall_bytes:
                raise Stalled
            since, got = now, 0


def is_page(response: httpx.Response) -> bool:
    """Whether the answer calls itself a web page, or the XML in which storage hosts put their errors."""
    kind: str = response.headers.get("content-type", "")
    return kind.partition(";")[0].strip().lower() in _PAGE_TYPES


def page_text(response: httpx.Response, limits: Limits) -> str:
    """The text of a page, cut at 1 MiB."""
    content = b""
    for chunk in chunks(response, limits):
        content += chunk
        if len(content) >= PAGE_BYTES:
            break
    return content[:PAGE_BYTES].decode("utf-8", "replace")


def page_error(url: str, page: str) -> DownloadError:
    """The error for a page where a file was expected; quotes its title."""
    title = re.search(r"<title[^>]*>(.*?)</title>", page, re.DOTALL | re.IGNORECASE)
    return DownloadError(
        explain(
            f"{url} brought a web page instead of the file",
            got=" ".join(title[1].split())[:200] if title else None,
            do="open it in a browser: it may ask for a login or for consent, or the file may have moved",
        )
    )
