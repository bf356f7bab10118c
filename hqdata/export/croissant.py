"""Croissant 1.1 metadata of an export for the Hub (https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html).

Every Parquet file is a ``FileObject`` with its sha256; the shards of the samples are one ``FileSet``, from whose file
names the split is read; every column is a ``Field`` with type, description and unit. ``datePublished`` and ``url``,
which the specification demands, are there only if the user gave them: nothing else knows them.
"""

from typing import Any

import pyarrow as pa

from hqdata.export.card import SYNTHETIC, TAGS
from hqdata.export.release import Config, File, Release
from hqdata.store.terms import SourceTerms

CONFORMS_TO = "http://mlcommons.org/croissant/1.1"
PARQUET = "application/x-parquet"
_SHARDS = "default-files"
_SPLITS = "default_splits"
_TERMS = (
    "annotation arrayShape citeAs column containedIn equivalentProperty excludes extract field fileObject fileProperty "
    "fileSet format includes isArray isLiveDataset jsonPath key md5 parentField path readLines recordSet references "
    "regex repeated replace samplingRate sdVersion separator source subField transform unArchive"
)
CONTEXT: dict[str, Any] = {
    **{term: f"cr:{term}" for term in _TERMS.split()},
    "@language": "en",
    "@vocab": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    "prov": "http://www.w3.org/ns/prov#",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
}
"""Appendix 1 of the specification, with schema.org's ``https`` name, which the validator knows."""

MEANINGS: dict[str, str] = {
    "default/sample_id": "source/part/stem, the same from every form of the source",
    "default/source": "name of the public dataset",
    "default/part": "part of the source, such as a training split",
    "default/image": "the image as the source has it, its orientation tag neutralised",
    "default/mask": "8-bit grey mask of the image's size and order; foreground is above 127, soft edges are kept; "
    "null where `masks` holds the masks",
    "default/masks": "run-length masks with their attributes, where an image has several; else null",
    "default/masks/size": "height and width (px)",
    "default/masks/counts": "compressed COCO run-length code",
    "default/masks/id": "id of the annotation in its source",
    "default/masks/area": "area by the source (px^2)",
    "default/masks/bbox": "left, top, width and height by the source (px)",
    "default/masks/category_id": "category in the source",
    "default/masks/iscrowd": "whether the mask covers a crowd, by the source",
    "default/masks/predicted_iou": "quality that the source's model predicted for the mask, 0 to 1",
    "default/masks/stability_score": "agreement of the mask with itself at other thresholds, by the source, 0 to 1",
    "default/masks/crop_box": "left, top, width and height of the crop that the mask was made on (px)",
    "default/masks/point_coords": "x and y of the points that the mask was prompted with (px)",
    "default/width": "width of image and mask (px)",
    "default/height": "height of image and mask (px)",
    "default/image_sha256": "sha256 (hexadecimal) of the original image bytes",
    "default/mask_sha256": "sha256 (hexadecimal) of the original mask or annotation bytes; null where there was none",
    "default/pixels_sha256": "sha256 (hexadecimal) of the mask's pixels, the same for every encoding of them",
    "default/flags": "properties worth knowing; README.md explains each word",
    "default/errata": "known faults of the sample in its source; empty for nearly all",
    "rejects/source": "name of the public dataset",
    "rejects/archive": "archive or folder that the member lies in",
    "rejects/member": "path of the file inside the archive",
    "rejects/stage": "where it was lost: list, pair, read, decode or normalize",
    "rejects/reason": "why, in one word; README.md explains it",
    "rejects/detail": "why, in full",
}
"""What each column holds, with its unit; columns of the statistics carry theirs in their own schema."""
_SHAPES = {"size": "2", "bbox": "4", "crop_box": "4", "point_coords": "-1,2"}


def croissant(release: Release) -> dict[str, Any]:
    """The content of ``croissant.json``."""
    files = [file for config in release.configs for file in config.files]
    known = {
        "url": f"https://huggingface.co/datasets/{release.repo}" if release.repo else None,
        "datePublished": release.published,
        "citeAs": "\n\n".join(item.citation for item in release.selection.kept if item.citation) or None,
    }
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": release.name,
        "description": _description(release),
        "version": f"1.0.0+{release.content_digest[:16]}",
        "isLiveDataset": False,
        "keywords": [*TAGS, *(["synthetic"] if release.synthetic else [])],
        "license": [_licence(item) for item in release.selection.kept],
        "creator": [_creator(item) for item in release.selection.kept],
        "prov:wasDerivedFrom": [{"@id": f"urn:hqdata:source:{item.name}"} for item in release.selection.kept],
        "distribution": [*map(_file, files), _shards(release.samples)],
        "recordSet": [_split_names(release.samples), *map(_records, release.configs)],
        **{key: value for key, value in known.items() if value},
    }


def _description(release: Release) -> str:
    parts = [SYNTHETIC if release.synthetic else "", f"{release.title}.", release.summary]
    lacks = ", ".join(item.title for item in release.selection.left_out)
    parts.append(f"Left out of this export: {lacks}." if lacks else "")
    return " ".join(part for part in parts if part)


def _licence(item: SourceTerms) -> dict[str, str]:
    said = {"name": f"{item.title}: {item.licence or 'licence unknown'}", "description": item.summary, "url": item.url}
    return {"@type": "sc:CreativeWork", **{key: value for key, value in said.items() if value}}


def _creator(item: SourceTerms) -> dict[str, str]:
    if item.synthetic:
        return {"@type": "sc:Organization", "name": "hqdata (drawn)"}
    url = {"url": item.homepage} if item.homepage else {}
    return {"@type": "sc:Organization", "name": f"the authors of {item.title}", **url}


def _file(file: File) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": file.name,
        "name": file.name.rpartition("/")[2],
        "contentUrl": file.name,
        "contentSize": f"{file.bytes} B",
        "encodingFormat": PARQUET,
        "sha256": file.sha256,
    }


def _shards(samples: Config) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": _SHARDS,
        "name": _SHARDS,
        "description": "shards of the images and masks",
        "encodingFormat": PARQUET,
        "includes": f"{samples.folder}/*.parquet",
    }


def _split_names(samples: Config) -> dict[str, Any]:
    name = f"{_SPLITS}/split_name"
    return {
        "@type": "cr:RecordSet",
        "@id": _SPLITS,
        "name": _SPLITS,
        "description": "names of the splits",
        "dataType": "cr:Split",
        "key": {"@id": name},
        "field": [{"@type": "cr:Field", "@id": name, "name": "split_name", "dataType": "sc:Text"}],
        "data": [{name: split.name} for split in samples.splits],
    }


def _records(config: Config) -> dict[str, Any]:
    sampled = config.name == "default"
    origin = {"fileSet": {"@id": _SHARDS}} if sampled else {"fileObject": {"@id": config.files[0].name}}
    fields = [_field(config.name, column, origin) for column in config.schema]
    keys = {"default": "sample_id", "stats": "mask_id"}
    key = {"key": {"@id": f"{config.name}/{keys[config.name]}"}} if config.name in keys else {}
    return {
        "@type": "cr:RecordSet",
        "@id": config.name,
        "name": config.name,
        "description": config.description,
        **key,
        "field": [*([_split_field(config)] if sampled else []), *fields],
    }


def _split_field(config: Config) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"{config.name}/split",
        "name": "split",
        "description": "name of the split, from the name of the file",
        "dataType": "sc:Text",
        "source": {
            "fileSet": {"@id": _SHARDS},
            "extract": {"fileProperty": "fullpath"},
            "transform": {"regex": rf"(?:{config.folder}/)?(\w+?)(?:-.+\.parquet)?$"},
        },
        "references": {"field": {"@id": f"{_SPLITS}/split_name"}},
    }


def _field(parent: str, column: pa.Field, origin: dict[str, Any], inside: str | None = None) -> dict[str, Any]:
    """One column; ``inside`` names the column of structs that it is a field of."""
    kind, shape = column.type, {}
    if pa.types.is_list(kind):
        shape = {"isArray": True, "arrayShape": _SHAPES.get(column.name, "-1")}
        while pa.types.is_list(kind):
            kind = kind.value_type
    field = {"@type": "cr:Field", "@id": f"{parent}/{column.name}", "name": column.name, **shape}
    field["description"] = _meaning(field["@id"], column)
    if pa.types.is_struct(kind) and "path" not in kind.names:
        nested = [_field(field["@id"], item, origin, inside=column.name) for item in kind]
        return {**field, "subField": nested}
    source = {**origin, "extract": {"column": inside or column.name}}
    if inside or pa.types.is_struct(kind):
        source["transform"] = {"jsonPath": column.name if inside else "bytes"}
    return {**field, "dataType": _data_type(column.name, kind), "source": source}


def _meaning(name: str, column: pa.Field) -> str:
    carried = {key.decode(): value.decode() for key, value in (column.metadata or {}).items()}
    if "formula" not in carried:
        return MEANINGS[name]
    return f"{carried['formula']} ({carried['unit']})" if carried.get("unit") else carried["formula"]


def _data_type(name: str, kind: pa.DataType) -> str | list[str]:
    if pa.types.is_struct(kind):
        return ["sc:ImageObject", "cr:SegmentationMask"] if name == "mask" else "sc:ImageObject"
    if pa.types.is_boolean(kind):
        return "sc:Boolean"
    if pa.types.is_integer(kind):
        return "sc:Integer"
    return "sc:Float" if pa.types.is_floating(kind) else "sc:Text"
