"""Archives behind signed links that expire: the user's file of links, and a download that keeps them to itself.

A signed link is a key: it is sent to its host and stands nowhere else, in no file, message or log. A transfer goes on
with another link of the same archive, since its part is known by the archive's name.
"""

import contextlib
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from hqdata.errors import DownloadError, Refused, StaleLink, UsageError, explain
from hqdata.fetch.http import download
from hqdata.fetch.partial import Fetched
from hqdata.fetch.progress import SILENT, Progress
from hqdata.limits import DEFAULT, MIB, Limits

HEADER = ("file_name", "cdn_link")
_MOST_BYTES = 16 * MIB
_LINK = re.compile(r"https?://\S+")
_ADDRESS = re.compile(r"\w+://\S+")
_TALKATIVE = ("httpx", "hqdata.fetch.http")


def read_links(path: Path) -> dict[str, str]:
    """Read a file of links: a header, then name and link of each archive, separated by a tab.

    Raises:
        UsageError: it is no such file; the text quotes no link.
    """
    do = "give the file of links that the source's page offers after its licence is accepted, as it was downloaded"
    try:
        with path.open("rb") as stream:
            raw = stream.read(_MOST_BYTES + 1)
        lines = raw.decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise UsageError(explain(f"{path} cannot be read", got=reason, do=do)) from None
    rows = [tuple(line.split("\t")) for line in lines if line.strip()]
    if len(raw) > _MOST_BYTES or not rows or rows[0] != HEADER:
        raise UsageError(explain(f"{path} is no file of links", expected="a first line " + "<TAB>".join(HEADER), do=do))
    links: dict[str, str] = {}
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(HEADER) or not _LINK.fullmatch(row[1].strip()):
            raise UsageError(explain(f"{path}: row {number} is not a name, a tab and a link", do=do))
        links[row[0].strip()] = row[1].strip()
    return links


def fetch_linked(
    name: str, link: str, destination: Path, *, limits: Limits = DEFAULT, progress: Progress = SILENT
) -> Fetched:
    """Download an archive from its signed link; resumes what came by an earlier link.

    Raises:
        StaleLink: the host refuses the link, or sends an error page in the archive's place.
        DownloadError: as of :func:`hqdata.fetch.http.download`; without the link.
    """
    try:
        with _discreet():
            fetched = download(
                link, destination, limits=limits, progress=progress, on_page=lambda *_: _refuse(name), alias=name
            )
    except StaleLink:
        raise
    except Refused:
        _refuse(name)
    except DownloadError as error:
        # What was raised on the way may hold the link as well.
        raise type(error)(_ADDRESS.sub("(a link)", str(error))) from None
    with destination.open("rb") as stream:
        is_page = stream.read(512).lstrip().startswith(b"<")
    if is_page:
        destination.unlink()
        _refuse(name)
    return fetched


def _refuse(name: str) -> NoReturn:
    raise StaleLink(
        explain(
            f"{name}: the link has expired",
            did="what came before is kept",
            do="get a new links file from Meta's page and run the same command with it; it goes on from there",
        )
    ) from None


@contextlib.contextmanager
def _discreet() -> Iterator[None]:
    """Keep links, and whatever they redirect to, out of the logs of those who handle it."""

    def blot(record: logging.LogRecord) -> bool:
        record.msg, record.args = _ADDRESS.sub("(a link)", record.getMessage()), None
        return True

    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    for logger in loggers:
        logger.addFilter(blot)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(blot)
