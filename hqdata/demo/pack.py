"""Lays drawn items out in the exact layouts of the real manifests: official archives, the bundle's zips, plain folders.

Paths come from the manifests' own patterns, so that what is packed is what the layout says. Archives are
reproducible: sorted members, one fixed date.
"""

import re
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from hqdata.catalog import Catalog
from hqdata.demo.items import Item
from hqdata.fsio.atomic import atomic_file, write_bytes
from hqdata.manifest import Form, Source

Files = dict[str, bytes]

_CAPTURE = re.compile(r"\{(\w+)(?::(?:[^{}]|\{[^{}]*\})+)?\}")
_EPOCH = (1980, 1, 1, 0, 0, 0)
TOPS: dict[str, str] = {
    "DIS5K-drive.zip": "DIS5K/",
    "DIS5K.zip": "DIS5K/",
    "ThinObject5K.zip": "ThinObject5K/",
    "fewshot_data.zip": "fewshot_data/fewshot_data/",
    "MSRA10K_Imgs_GT.zip": "MSRA10K_Imgs_GT/",
    "DUTS-TR.zip": "DUTS-TR/",
    "DUTS-TE.zip": "DUTS-TE/",
    "COIFT.zip": "COIFT/",
    "HRSOD.zip": "HRSOD/",
    "cascade_psp.zip": "cascade_psp/",
    "thin_object_detection.zip": "thin_object_detection/",
}
"""Top folder inside each archive."""

STRAY_FSS: Files = {
    "fss_all/.DS_Store": b"\x00\x00\x00\x01Bud1",
    "fss_all/Thumbs.db": b"\xd0\xcf\x11\xe0",
    "fss_all/class_list.txt": b"drawn by hqdata\n",
    "fss_all/abacus_3_old.gif": b"GIF89a",
    "fss_all/untitled": b"",
    "fss_all/readme.html": b"<html></html>",
}
"""Six files beyond the pairs, as the real ``fss_all`` has six that nobody has described."""


def fill(pattern: str, item: Item, names: Sequence[str] = ()) -> str:
    """Put an item's captures into a layout pattern; a flat ``{stem}`` is made by the first naming rule.

    >>> _CAPTURE.sub(lambda match: "<" + match[1] + ">", "{class}/{n:[0-9]+}.jpg")
    '<class>/<n>.jpg'
    """
    captures = dict(item.spec.captures)
    if "stem" not in captures and "{stem}" in pattern:
        captures["stem"] = fill(names[0], item)
    return _CAPTURE.sub(lambda match: captures[match[1]], pattern)


def form_files(source: Source, form: Form, items: Iterable[Item]) -> dict[str, Files]:
    """Members of each archive of a form, by archive name and then path (without top folder)."""
    archives: dict[str, Files] = defaultdict(dict)
    layouts = {layout.part: layout for layout in form.parts}
    first = form.archives[0].name
    lists: dict[str, list[str]] = defaultdict(list)
    for item in items:
        layout = layouts.get(item.spec.part)
        if layout is None:
            continue
        image = fill(layout.images[0], item, layout.names)
        mask = fill(layout.masks[0], item, layout.names)
        archives[layout.image_archive or first][image] = item.image
        masks = archives[layout.mask_archive or first]
        coded = item.instances if form.mask_coding == "instances" else item.mask
        if coded is not None:
            masks[mask] = coded
        beside = re.sub(r"\.png$", ".jpg", mask)
        if item.mask_jpg and beside != image:
            masks[beside] = item.mask_jpg
        if layout.list:
            lists[layout.list].append(mask.rpartition("/")[2])
    for name, stems in lists.items():
        archives[first][name] = "".join(f"{stem}\n" for stem in sorted(stems)).encode()
    _add_oddities(source, form, archives, first)
    return dict(archives)


def _add_oddities(source: Source, form: Form, archives: dict[str, Files], first: str) -> None:
    """Add the stray and missing files that the real archives are known or reported to have."""
    files = archives[first]
    if source.name == "fss1000" and form.name == "bundle":
        files.update(STRAY_FSS)
    if source.name == "thinobject5k" and form.name == "official":
        files["list/train.txt"] = files.get("list/train.txt", b"") + b"listed_but_absent.png\n"
    if source.name == "ecssd" and form.name == "official":
        files["images/Thumbs.db"] = b"\xd0\xcf\x11\xe0"


def write_zip(path: Path, files: Files) -> None:
    """Write a reproducible zip, members stored as they are: images are compressed already."""
    with atomic_file(path) as stream, zipfile.ZipFile(stream, "w") as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), files[name])


def pack_official(catalog: Catalog, items: Sequence[Item], folder: Path) -> list[Path]:
    """Write every source's official archives to ``folder/SOURCE/``."""
    paths = []
    for source, own in _by_source(catalog, items):
        form = source.form("official")
        for name, files in sorted(form_files(source, form, own).items()):
            paths.append(folder / source.name / name)
            write_zip(paths[-1], _under(TOPS.get(name, ""), files))
    return paths


def pack_bundle(catalog: Catalog, items: Sequence[Item], folder: Path) -> list[Path]:
    """Write the authors' three zips to ``folder/samhq/``."""
    archives: dict[str, Files] = defaultdict(dict)
    for source, own in _by_source(catalog, items):
        if any(form.name == "bundle" for form in source.forms):
            for name, files in form_files(source, source.form("bundle"), own).items():
                archives[name].update(files)
    for name, files in sorted(archives.items()):
        write_zip(folder / "samhq" / name, _under(TOPS[name], files))
    return [folder / "samhq" / name for name in sorted(archives)]


def pack_folders(catalog: Catalog, items: Sequence[Item], folder: Path) -> list[Path]:
    """Write every source's official layout, unpacked, to ``folder/SOURCE/``."""
    for source, own in _by_source(catalog, items):
        for name, files in form_files(source, source.form("official"), own).items():
            for path, content in _under(TOPS.get(name, ""), files).items():
                write_bytes(folder / source.name / path, content)
    return [folder / source.name for source, _ in _by_source(catalog, items)]


def _under(top: str, files: Files) -> Files:
    return {top + name: content for name, content in files.items()}


def _by_source(catalog: Catalog, items: Sequence[Item]) -> list[tuple[Source, list[Item]]]:
    groups: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        groups[item.spec.source].append(item)
    return [(catalog.source(name), groups[name]) for name in sorted(groups)]
