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
from hqdata.fetch.containers import first_names
from hqdata.fetch.http import download
from hqdata.fetch.partial import Fetched
from hqdata.fetch.progress import SILENT, Progress
from hqdata.limits import DEFAULT, MIB, Limits

HEADER = ("file_name", "cdn_link")
_MOST_BYTES = 16 * MIB
_LINK = re.compile(r"https?://\S+")
_ADDRESS = re.compile(r"\w+://\S+")
_TALKATIVE = ("httpx", "hqdata.fetch.http", "httpcore.http11")


def read_links(path: Path) -> dict[str, str]:
    """Read a file of links: a header, then name and link of each archive, separated by tabs; other columns are ignored.

    Raises:
        UsageError: it is no such file, or has two links for one name; the text quotes no link.
    """
    do = "give the file of links that the source's page offers after its licence is accepted, as it was downloaded"
    try:
        with path.open("rb") as stream:
            raw = stream.read(_MOST_BYTES + 1)
        lines = raw.decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise UsageError(explain(f"{path} cannot be read", got=reason, do=do)) from None
    header = [word.strip() for word in lines[0].split("\t")] if lines else []
    if len(raw) > _MOST_BYTES or not set(HEADER) <= set(header):
        raise UsageError(explain(f"{path} is no file of links", expected="a first line " + "<TAB>".join(HEADER), do=do))
    places = [header.index(word) for word in HEADER]
    links: dict[str, str] = {}
    for number, line in enumerate(lines[1:], start=2):
        cells = [cell.strip() for cell in line.split("\t")]
        if not any(cells):
            continue
        if len(cells) <= max(places) or not cells[places[0]] or not _LINK.fullmatch(cells[places[1]]):
            raise UsageError(explain(f"{path}: line {number} is not a name, a tab and a link", do=do))
        name, link = (cells[place] for place in places)
        if links.setdefault(name, link) != link:
            raise UsageError(explain(f"{path}: line {number} has another link for {name}", do="remove one of the two"))
    return links


def fetch_linked(
    name: str, link: str, destination: Path, *, limits: Limits = DEFAULT, progress: Progress = SILENT
) -> Fetched:
    """Download a tar from its signed link; resumes what came by an earlier link.

    Raises:
        StaleLink: the host refuses the link, or sends something else in the tar's place.
        DownloadError: as of :func:`hqdata.fetch.http.download`; without the link.
        UsageError: a file that is no tar has the destination's name.
    """
    if destination.exists() and not first_names(destination, 1):
        do = "move it away; if it is a tar that somebody compressed, inflate it"
        raise UsageError(explain(f"{destination} is in the way: it does not begin like a tar", do=do))
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
    if not first_names(destination, 1):
        destination.unlink()
        _refuse(name)
    return fetched


def _refuse(name: str) -> NoReturn:
    raise StaleLink(
        explain(
            f"{name}: the link has expired, or leads to something else",
            did="what came before is kept",
            do="get a new links file from Meta's page and run the same command with it; it goes on from there",
        )
    ) from None


@contextlib.contextmanager
def _discreet() -> Iterator[None]:
    """Keep links, and whatever they redirect to, out of the logs of those who handle it."""

    def blot(record: logging.LogRecord) -> bool:
        record.msg, record.args = _ADDRESS.sub("(a link)", record.getMessage()), None
        # httpcore tells all headers: a redirect may name no host.
        return not record.name.startswith("httpcore")

    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    for logger in loggers:
        logger.addFilter(blot)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(blot)
