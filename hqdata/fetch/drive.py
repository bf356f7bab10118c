"""Google Drive: large files come behind a page that asks to confirm, popular ones behind a page that says no."""

import os
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

import httpx

from hqdata.errors import DownloadError, QuotaExceeded, explain
from hqdata.fetch import http
from hqdata.fetch.answers import page_error
from hqdata.fetch.partial import Fetched
from hqdata.fetch.progress import SILENT, Progress
from hqdata.limits import DEFAULT, Limits

ENDPOINT = "https://drive.usercontent.google.com"
ENDPOINT_VARIABLE = "HQDATA_DRIVE_ENDPOINT"
_QUOTA_WORDS = ("quota exceeded", "too many users have viewed or downloaded this file", "download quota")
_SIGN_IN_HOST = "accounts.google.com"
_TRUSTED = (".google.com", ".googleusercontent.com")


def download_drive(
    file_id: str,
    destination: Path,
    *,
    size: int | None = None,
    sha256: str | None = None,
    limits: Limits = DEFAULT,
    progress: Progress = SILENT,
    client: httpx.Client | None = None,
) -> Fetched:
    """Fetch a file that is shared with everyone, past the page that warns of large files.

    Args:
        file_id: the id in the share link.
        destination: see :func:`hqdata.fetch.http.download`, as for all that follow.
        size: published bytes, or None.
        sha256: published digest (hex), or None.
        limits: attempts, redirects, timeouts.
        progress: told of the bytes as they come.
        client: used instead of an own one, and left open.

    Raises:
        QuotaExceeded: too many people fetched the file lately.
        DownloadError: a sign-in page, a missing file, or what :func:`hqdata.fetch.http.download` raises.
        DiskFull: the file does not fit.
    """
    endpoint = os.environ.get(ENDPOINT_VARIABLE, ENDPOINT).rstrip("/")
    query = urlencode({"id": file_id, "export": "download"})
    return http.download(
        f"{endpoint}/download?{query}",
        destination,
        size=size,
        sha256=sha256,
        limits=limits,
        progress=progress,
        client=client,
        on_page=_page_reader(file_id, destination),
    )


def _page_reader(file_id: str, destination: Path) -> Callable[[str, str], str]:
    def read(page: str, address: str) -> str:
        if any(word in page.lower() for word in _QUOTA_WORDS):
            raise QuotaExceeded(_quota_text(file_id, destination))
        if urlsplit(address).hostname == _SIGN_IN_HOST:
            raise DownloadError(
                explain(
                    f"Google Drive asks to sign in for the file {file_id}",
                    expected="a file shared with everyone",
                    do=f"fetch {_share_link(file_id)} in a browser and put it at {destination}",
                )
            )
        return confirmed_url(page, address) or _refuse(page, address)

    return read


def _refuse(page: str, address: str) -> str:
    raise page_error(address, page)


def confirmed_url(page: str, address: str) -> str | None:
    """The address that the form of a confirm page leads to; None where the page has no such form.

    >>> page = '<form id="download-form" action="/download"><input type="hidden" name="confirm" value="t"></form>'
    >>> confirmed_url(page, "https://drive.usercontent.google.com/download?id=1")
    'https://drive.usercontent.google.com/download?confirm=t'

    Raises:
        DownloadError: the form leads away from Google, or from the endpoint that stands for it.
    """
    form = _ConfirmForm()
    form.feed(page)
    form.close()
    if form.action is None or "confirm" not in form.fields:
        return None
    target = urlsplit(urljoin(address, form.action))
    host = target.hostname or ""
    if host != urlsplit(address).hostname and not host.endswith(_TRUSTED):
        raise DownloadError(
            explain(f"the confirm page of {address} leads elsewhere", expected="a Google host", got=target.geturl())
        )
    query = urlencode(dict(parse_qsl(target.query)) | form.fields)
    return urlunsplit((target.scheme, target.netloc, target.path, query, ""))


class _ConfirmForm(HTMLParser):
    """Action and hidden fields of the download form, which is the one with that id or else the first one."""

    def __init__(self) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: dict[str, str] = {}
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Enter a form, or note a field of it."""
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            named = values.get("id") == "download-form"
            self._inside = named or self.action is None
            if self._inside:
                self.action, self.fields = values.get("action", ""), {}
        elif tag == "input" and self._inside and values.get("type") == "hidden" and values.get("name"):
            self.fields[values["name"]] = values.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        """Leave a form."""
        if tag == "form":
            self._inside = False


def _share_link(file_id: str) -> str:
    return f"https://drive.google.com/file/d/{file_id}/view"


def _quota_text(file_id: str, destination: Path) -> str:
    return explain(
        f"Google Drive refuses the file {file_id} for now: too many people fetched it lately",
        expected="the file",
        got="the page on the exceeded quota",
        did="nothing was written; what an earlier run fetched is kept",
        do=f"wait (up to 24 hours), use another mirror, or get {_share_link(file_id)} in a browser, signed in, "
        f"and put it at {destination}",
    )
