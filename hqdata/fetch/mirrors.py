"""A file from the first of its mirrors that gives it, whole and right.

Mirrors are ordered and written ``https://...``, ``http://...``, ``drive:FILE_ID`` or ``hf://...``. Two more kinds are
for people: ``page:URL`` and ``baidu:TEXT`` name places where no program can fetch the file.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hqdata.errors import DownloadError, explain
from hqdata.fetch.drive import download_drive
from hqdata.fetch.http import download
from hqdata.fetch.hub import download_hub, parse_hub_url
from hqdata.fetch.partial import Fetched, already_there, discard_parts
from hqdata.fetch.progress import SILENT, Progress
from hqdata.fsio.lock import locked
from hqdata.limits import DEFAULT, Limits

log = logging.getLogger(__name__)

MANUAL = ("page:", "baidu:")


def fetch_file(
    name: str,
    mirrors: Sequence[str],
    destination: Path,
    *,
    size: int | None = None,
    sha256: str | None = None,
    limits: Limits = DEFAULT,
    progress: Progress = SILENT,
) -> Fetched:
    """Fetch a file to ``destination`` from its mirrors in order, unless it is there already.

    ``url`` of the result is the mirror as it was given, or the path of a file that was there before.

    Args:
        name: what the messages call the file.
        mirrors: where to get it, best first.
        destination: the file to make.
        size: published bytes, or None.
        sha256: published digest (hex), or None; either is enforced where given.
        limits: attempts of each mirror, redirects, timeouts.
        progress: told of the bytes as they come.

    Raises:
        DownloadError: no mirror gave the file. Where there is just one, its own error; else one that lists them all.
        DiskFull: the file does not fit; other mirrors are not tried.
    """
    here = destination.as_posix()
    if found := already_there(destination, url=here, size=size, sha256=sha256, progress=progress):
        log.info("%s is there already: %s", name, destination)
        return found
    destination.parent.mkdir(parents=True, exist_ok=True)
    with locked(destination.with_name(f".{destination.name}.lock")) as waited:
        if waited and (found := already_there(destination, url=here, size=size, sha256=sha256, progress=progress)):
            return found
        fetched = _first_good(name, mirrors, destination, size=size, sha256=sha256, limits=limits, progress=progress)
        discard_parts(destination)
    return fetched


def _first_good(
    name: str,
    mirrors: Sequence[str],
    destination: Path,
    *,
    size: int | None,
    sha256: str | None,
    limits: Limits,
    progress: Progress,
) -> Fetched:
    failures: dict[str, DownloadError] = {}
    for mirror in mirrors:
        if mirror.startswith(MANUAL):
            continue
        try:
            fetched = _from_mirror(mirror, destination, size=size, sha256=sha256, limits=limits, progress=progress)
        except DownloadError as error:
            log.warning("mirror failed for %s: %s", name, error)
            failures[mirror] = error
        else:
            log.info("fetched %s from %s", name, mirror)
            return replace(fetched, url=mirror)
    if len(mirrors) == 1 and failures:
        raise failures[mirrors[0]]
    raise DownloadError(_all_failed(name, mirrors, destination, failures)) from next(iter(failures.values()), None)


def _from_mirror(
    mirror: str, destination: Path, *, size: int | None, sha256: str | None, limits: Limits, progress: Progress
) -> Fetched:
    if mirror.startswith("drive:"):
        file_id = mirror.removeprefix("drive:")
        return download_drive(file_id, destination, size=size, sha256=sha256, limits=limits, progress=progress)
    if mirror.startswith("hf:"):
        return download_hub(parse_hub_url(mirror), destination, size=size, sha256=sha256, progress=progress)
    return download(mirror, destination, size=size, sha256=sha256, limits=limits, progress=progress)


def _all_failed(name: str, mirrors: Sequence[str], destination: Path, failures: dict[str, DownloadError]) -> str:
    manual = [mirror.removeprefix("page:") for mirror in mirrors if mirror.startswith(MANUAL)]
    got = f"{len(failures)} mirrors failed" if failures else "no mirror that a program can fetch from"
    by_hand = f"get it by hand from {' or '.join(manual)}; " if manual else "try again later, or get it elsewhere; "
    head = explain(
        f"could not fetch {name}",
        got=got,
        did="left the file that is there, which is not the published one" if destination.exists() else "",
        do=f"{by_hand}put it into {destination.parent} as {destination.name}",
    )
    listed = [f"mirror {mirror}\n  {str(error).replace(chr(10), chr(10) + '  ')}" for mirror, error in failures.items()]
    return "\n".join([head, *listed])
