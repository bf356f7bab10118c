"""The folder layout that the released HQ-SAM training code reads.

That code globs ``*.jpg`` and derives a mask's name by ``name.split('.jpg')[0] + '.png'``; names are made so that this
finds the right mask. File names, ids and folders are listed in ``names.csv``; ``datasets.json`` holds the dictionaries
that ``train.py`` takes.
"""

import csv
import io
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hqdata.catalog import Catalog
from hqdata.errors import UsageError, explain
from hqdata.fsio.atomic import disk_full_explained, write_bytes
from hqdata.store.reader import Collection, Sample

_BREAKS_THE_LOADER = re.compile(r"\.(jpe?g|png)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Folders:
    """Where one part of one source goes, relative to the export's top."""

    images: str
    masks: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What an export wrote."""

    samples: int
    linked: int
    """Files that are hard links to the given originals."""
    bytes_written: int


def folders_of(catalog: Catalog, source: str, part: str) -> Folders:
    """The bundle's own folders where the source is in it; else ``SOURCE/PART/im`` and ``gt``."""
    if source in catalog.sources:
        for form in catalog.sources[source].forms:
            for layout in form.parts:
                if layout.part == part and any(archive.bundle for archive in form.archives):
                    top = form.archives[0].name.removesuffix(".zip") + "/"
                    images = top + layout.images[0].rpartition("/")[0]
                    masks = top + layout.masks[0].rpartition("/")[0]
                    return Folders(images=images, masks=masks)
    return Folders(images=f"{source}/{part}/im", masks=f"{source}/{part}/gt")


def export_samhq(collection: Collection, catalog: Catalog, out: Path, *, link_from: Path | None = None) -> Exported:
    """Write a collection as files.

    Args:
        collection: a single-mask collection.
        catalog: manifests, which know the bundle's layout.
        out: a folder that does not exist yet.
        link_from: folder with the original files (on the same disk); files with the same bytes are hard-linked
            instead of written.

    Raises:
        UsageError: ``out`` exists, or the collection holds many masks an image.
    """
    if out.exists() and any(out.iterdir()):
        raise UsageError(explain(f"{out} is not empty", did="it was left alone", do="choose another --out"))
    partial = out.with_name(f".{out.name}.hqdata-partial")
    shutil.rmtree(partial, ignore_errors=True)
    originals = _index_originals(link_from)
    writer = _Writer(partial, originals)
    rows, parts = [], {}
    with disk_full_explained(partial):
        for sample, stem in _named(collection):
            if sample.row["mask"] is None:
                raise UsageError(
                    explain(f"{sample.sample_id} has many masks", do="this layout holds one mask an image")
                )
            folders = folders_of(catalog, sample.source, sample.part)
            parts[sample.source, sample.part] = folders
            writer.put(f"{folders.images}/{stem}.jpg", sample.row["image"]["bytes"])
            writer.put(f"{folders.masks}/{stem}.png", sample.row["mask"]["bytes"])
            rows.append((sample.sample_id, f"{folders.images}/{stem}.jpg", f"{folders.masks}/{stem}.png"))
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("sample_id", "image", "mask"), *rows])
    write_bytes(partial / "names.csv", text.getvalue().encode())
    listing = [
        {"name": f"{key[0]}-{key[1]}", "im_dir": f"./data/{f.images}", "gt_dir": f"./data/{f.masks}"}
        | {"im_ext": ".jpg", "gt_ext": ".png"}
        for key, f in sorted(parts.items())
    ]
    write_bytes(partial / "datasets.json", (json.dumps(listing, indent=2) + "\n").encode())
    if out.exists():
        out.rmdir()
    partial.rename(out)
    return Exported(samples=len(rows), linked=writer.linked, bytes_written=writer.bytes_written)


def _named(collection: Collection) -> Iterator[tuple[Sample, str]]:
    """Samples with a flat file stem that is unique in its part and that the released loader can cut."""
    taken: set[tuple[str, str, str]] = set()
    for sample in collection:
        plain = sample.sample_id.split("/", 2)[2].replace("/", "_")
        plain = _BREAKS_THE_LOADER.sub(r"_\1", plain)
        stem, number = plain, 1
        while (sample.source, sample.part, stem) in taken:
            number += 1
            stem = f"{plain}~{number}"
        taken.add((sample.source, sample.part, stem))
        yield sample, stem


def _index_originals(folder: Path | None) -> dict[int, list[Path]]:
    """Original files by size: only those of the right size are ever compared."""
    found: dict[int, list[Path]] = {}
    if folder is not None:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                found.setdefault(path.stat().st_size, []).append(path)
    return found


class _Writer:
    def __init__(self, root: Path, originals: dict[int, list[Path]]) -> None:
        self.root, self.originals = root, originals
        self.linked = self.bytes_written = 0

    def put(self, name: str, content: bytes) -> None:
        """Write a file, or link it to an original with the same bytes."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not self._link(path, content):
            path.write_bytes(content)
            self.bytes_written += len(content)

    def _link(self, path: Path, content: bytes) -> bool:
        for original in self.originals.get(len(content), ()):
            if original.read_bytes() == content:
                try:
                    os.link(original, path)
                except OSError:
                    return False
                self.linked += 1
                return True
        return False
