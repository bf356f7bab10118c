"""A collection in COCO's layout: ``annotations.json`` and ``images/SOURCE/PART/STEM.jpg``.

Masks become compressed run-length codes of what is above 127, all of one category: soft edges are lost. A mask without
foreground has no box, on which COCO's own tools fail; its image is kept, and the mask is listed in ``info``.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from hqdata.catalog import Catalog
from hqdata.export.folder import new_folder
from hqdata.fsio.atomic import atomic_file
from hqdata.fsio.fault import fault_point
from hqdata.masks import rle
from hqdata.store.reader import Collection, Sample
from hqdata.store.terms import SourceTerms, source_terms

ANNOTATIONS = "annotations.json"
CATEGORY = {"id": 1, "name": "object", "supercategory": "object"}
_UNSAFE = re.compile(r"[^\w.+=@()-]+")
_LONGEST = 100
"""Characters of a file's stem; four bytes each at most, and file systems take 255."""
_ATTRIBUTES = ("predicted_iou", "stability_score", "crop_box", "point_coords")


@dataclass(frozen=True, slots=True, kw_only=True)
class CocoExported:
    """What an export wrote."""

    images: int
    """Images that are listed, written or not."""
    annotations: int
    empty_masks: int
    """Masks without foreground, which have no annotation."""
    bytes_written: int
    """Of the images."""


def export_coco(
    collection: Collection,
    catalog: Catalog,
    out: Path,
    *,
    images: bool = True,
    on_samples: Callable[[int], None] = lambda _: None,
) -> CocoExported:
    """Write a collection as COCO files.

    Args:
        collection: of a single mask or of many masks an image.
        catalog: manifests, for the licence of each source.
        out: a folder that does not exist yet, or is empty.
        images: False to write the annotations only.
        on_samples: is told how many samples are done.

    Raises:
        UsageError: ``out`` holds files.
        DecodeError: a mask cannot be decoded.
    """
    terms = source_terms(collection.index, catalog)
    licences = {item.name: number for number, item in enumerate(terms, 1)}
    listed: list[dict[str, Any]] = []
    empty: list[str] = []
    annotations = bytes_written = 0
    with new_folder(out) as folder, atomic_file(folder / ANNOTATIONS) as sink:
        # Annotations come first and one by one: those of a large source would not fit into memory as objects.
        sink.write(b'{"annotations": [')
        for number, (sample, name) in enumerate(_named(collection), 1):
            listed.append(_image(sample, name, number, licences[sample.source]))
            for mask_id, code, more in _codes(sample):
                if rle.area(code) == 0:
                    empty.append(mask_id)
                    continue
                sink.write(b",\n" if annotations else b"\n")
                annotations += 1
                sink.write(_json({"id": annotations, "image_id": number, **_annotation(mask_id, code), **more}))
            if images:
                bytes_written += _write(folder / "images" / name, sample.row["image"]["bytes"])
            fault_point("export-sample")
            on_samples(1)
        sink.write(b'],\n"images": [\n' + b",\n".join(map(_json, listed)) + b"],\n")
        rest = {"categories": [CATEGORY], "licenses": _licences(terms), "info": _info(collection, empty)}
        sink.write(b",\n".join(_json(key) + b": " + _json(value) for key, value in rest.items()) + b"}\n")
    return CocoExported(
        images=len(listed), annotations=annotations, empty_masks=len(empty), bytes_written=bytes_written
    )


def _named(collection: Collection) -> Iterator[tuple[Sample, str]]:
    """Samples with a path below ``images/`` that any file system takes and that differs in more than case."""
    taken: set[str] = set()
    for sample in collection:
        stem = sample.sample_id.split("/", 2)[2]
        plain = _UNSAFE.sub("_", stem)[:_LONGEST].strip(".") or "_"
        suffix = PurePosixPath(sample.row["image"]["path"]).suffix
        name, number = f"{sample.source}/{sample.part}/{plain}{suffix}", 1
        while name.casefold() in taken:
            number += 1
            name = f"{sample.source}/{sample.part}/{plain}~{number}{suffix}"
        taken.add(name.casefold())
        yield sample, name


def _image(sample: Sample, name: str, number: int, licence: int) -> dict[str, Any]:
    width, height = sample.size
    return {
        "id": number,
        "file_name": name,
        "width": width,
        "height": height,
        "license": licence,
        "sample_id": sample.sample_id,
        "flags": list(sample.flags),
        "errata": list(sample.errata),
    }


def _codes(sample: Sample) -> Iterator[tuple[str, Mapping[str, Any], dict[str, Any]]]:
    """Id, run-length code and further attributes of each mask."""
    if sample.row["mask"] is not None:
        yield f"{sample.sample_id}#0", rle.encode(sample.mask > 127), _stated(sample.stated(0) or {})
        return
    for k, item in enumerate(sample.masks):
        yield f"{sample.sample_id}#{k}", {"size": item["size"], "counts": item["counts"]}, _stated(item)


def _stated(item: Mapping[str, Any]) -> dict[str, Any]:
    """What the source states of a mask."""
    more = {key: item[key] for key in _ATTRIBUTES if item.get(key) is not None}
    more |= {f"source_{key}": item[key] for key in ("id", "category_id") if item.get(key) is not None}
    return {"iscrowd": int(item.get("iscrowd") or 0), **more}


def _annotation(mask_id: str, code: Mapping[str, Any]) -> dict[str, Any]:
    """What COCO asks for; area and box are measured on the code, so that they agree with it."""
    return {
        "category_id": CATEGORY["id"],
        "segmentation": code,
        "area": rle.area(code),
        "bbox": list(rle.box(code)),
        "mask_id": mask_id,
    }


def _write(path: Path, content: bytes) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return len(content)


def _licences(terms: tuple[SourceTerms, ...]) -> list[dict[str, Any]]:
    return [
        {
            "id": number,
            "name": f"{item.title}: {item.licence or 'unknown'}",
            "url": item.url or "",
            "source": item.name,
            "redistribution": item.redistribution or "unknown",
        }
        for number, item in enumerate(terms, 1)
    ]


def _info(collection: Collection, empty: list[str]) -> dict[str, Any]:
    recipe = collection.index["recipe"]
    drawn = "Drawn by hqdata; not the real datasets. " if recipe["synthetic"] else ""
    return {
        "description": f"{drawn}{recipe['title']}, exported by hqdata",
        "recipe": recipe["name"],
        "content_digest": collection.digest,
        "synthetic": recipe["synthetic"],
        "foreground": "above 127; soft edges are lost",
        "empty_masks": empty,
    }


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
