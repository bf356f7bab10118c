"""Files of the Hugging Face Hub, through its own library: it knows the tokens of gated files and the Xet storage.

The library keeps no partial file over a kill; a public file's ``https://huggingface.co/.../resolve/...`` address, read
by :mod:`hqdata.fetch.http`, does resume.
"""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from hqdata.errors import DownloadError, HQDataError, explain
from hqdata.fetch.partial import Fetched, Part, already_there, check_file, publish_file
from hqdata.fetch.progress import SILENT, Progress
from hqdata.fsio.atomic import disk_full_explained

_TYPES = {"": "model", "datasets/": "dataset", "spaces/": "space"}
_NAME = r"[A-Za-z0-9][\w.-]*"
_URL = re.compile(rf"hf://(datasets/|spaces/|)({_NAME}/{_NAME})(?:@([^/@]+))?/([^?#]+)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class HubFile:
    """One file of one revision of one repository; ``repo_type`` is model, dataset or space."""

    repo_id: str
    path: str
    revision: str = "main"
    repo_type: str = "model"

    def __str__(self) -> str:
        prefix = next(prefix for prefix, name in _TYPES.items() if name == self.repo_type)
        return f"hf://{prefix}{self.repo_id}@{self.revision.replace('/', '%2F')}/{self.path}"


def parse_hub_url(url: str) -> HubFile:
    """Read ``hf://[datasets/]OWNER/NAME[@REV]/PATH``; a slash in REV is written ``%2F``.

    >>> parse_hub_url("hf://datasets/someone/masks@v1/data/a.zip")
    HubFile(repo_id='someone/masks', path='data/a.zip', revision='v1', repo_type='dataset')

    Raises:
        DownloadError: the URL has another form.
    """
    match = _URL.fullmatch(url)
    if match is None or any(part in {"", ".", ".."} for part in match[4].split("/")):
        raise DownloadError(explain(f"not a hub file: {url}", expected="hf://[datasets/]OWNER/NAME[@REVISION]/PATH"))
    revision = (match[3] or "main").replace("%2F", "/")
    return HubFile(repo_id=match[2], path=match[4], revision=revision, repo_type=_TYPES[match[1]])


def download_hub(
    file: HubFile,
    destination: Path,
    *,
    size: int | None = None,
    sha256: str | None = None,
    progress: Progress = SILENT,
) -> Fetched:
    """Fetch a hub file to ``destination``, unless it is there already. ``HF_ENDPOINT`` names another hub.

    Args:
        file: what to fetch.
        destination: the file to make; the library works in a hidden folder beside it.
        size: published bytes, or None.
        sha256: published digest (hex), or None; either is enforced where given.
        progress: told of the bytes as they come.

    Raises:
        ChecksumMismatch: the bytes are not the published ones; they were deleted.
        DownloadError: whatever else the library ran into.
        DiskFull: the file does not fit.
    """
    url = str(file)
    destination.parent.mkdir(parents=True, exist_ok=True)
    if found := already_there(destination, url=url, size=size, sha256=sha256, progress=progress):
        return found
    part = Part(url, destination)
    folder = part.path.with_name(f".{part.path.name}.hub")
    with part.alone() as waited:
        if waited and (found := already_there(destination, url=url, size=size, sha256=sha256, progress=progress)):
            return found
        # What a killed run left there has a random name, which the library never looks at again.
        shutil.rmtree(folder, ignore_errors=True)
        try:
            got = _library_download(file, folder, size, progress)
            checked = check_file(got, url=url, size=size, sha256=sha256, progress=progress)
            publish_file(got, destination)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return Fetched(path=destination, size=checked.size, sha256=checked.sha256, url=url)


def _library_download(file: HubFile, folder: Path, size: int | None, progress: Progress) -> Path:
    from huggingface_hub import hf_hub_download  # noqa: PLC0415 - half a second that most commands need not spend

    options: dict[str, Any] = {"tqdm_class": _bar_class(progress)}
    try:
        with disk_full_explained(folder, size):
            path = hf_hub_download(
                file.repo_id,
                file.path,
                repo_type=file.repo_type,
                revision=file.revision,
                local_dir=folder,
                library_name="hqdata",
                endpoint=os.environ.get("HF_ENDPOINT") or None,
                **options,
            )
    except HQDataError:
        raise
    except Exception as error:
        # Its errors have no common base: those of its HTTP library, which changed between versions, pass through.
        causes = dict.fromkeys(_first_line(each) for each in (error, error.__cause__) if each is not None)
        raise DownloadError(
            explain(
                f"the Hugging Face Hub did not give {file}",
                got=f"{type(error).__name__}: {'; '.join(causes)}",
                do="check the name and the network; for a gated file accept its terms there and run `hf auth login`",
            )
        ) from error
    finally:
        progress.finish()
    return Path(path)


def _first_line(error: BaseException) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), "")


def _bar_class(progress: Progress) -> type:
    """What the library takes for a tqdm class: it draws nothing and passes the bytes on."""

    class Bar:
        def __init__(
            self, *_: object, desc: str = "", total: int | None = None, initial: int = 0, **__: object
        ) -> None:
            self.total, self.n = total, initial
            progress.start(desc, total)
            progress.advance(initial)

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            self.close()

        def update(self, n: float | None = 1) -> None:
            self.n += int(n or 0)
            progress.advance(int(n or 0))

        def update_transfer(self, n: float | None = 1) -> None:
            """Bytes on the wire; having this method makes the library use one bar, which counts bytes on disk."""

        def set_transfer_postfix_str(self, *_: object, **__: object) -> None:
            """The bar shows its own rate."""

        def set_postfix_str(self, *_: object, **__: object) -> None:
            """The bar shows its own rate."""

        def refresh(self, *_: object, **__: object) -> None:
            """Nothing is drawn here."""

        def close(self) -> None:
            """The transfer ends the bar."""

    return Bar
