"""The records that flow through a build, their Arrow schemas, and the vocabulary of flags and reject reasons.

A sample is one row of a collection; a reject is one member that did not become a sample. A word that is not in
:data:`FLAGS` or :data:`REASONS` cannot be written, so the two tables below are the whole vocabulary.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from hqdata.errors import HQDataError

FLAGS: dict[str, str] = {
    "image_grey": "the image has one channel",
    "image_cmyk": "the image is CMYK",
    "image_16bit": "the image has 16 bits a channel",
    "image_alpha": "the image has an alpha channel",
    "image_palette": "the image has a palette",
    "orientation_2": "the image's tag said: mirror left to right (now neutralised)",
    "orientation_3": "the image's tag said: turn by 180 degrees (now neutralised)",
    "orientation_4": "the image's tag said: mirror top to bottom (now neutralised)",
    "orientation_5": "the image's tag said: mirror left to right, then turn by 270 degrees clockwise (now neutralised)",
    "orientation_6": "the image's tag said: turn by 90 degrees clockwise (now neutralised)",
    "orientation_7": "the image's tag said: mirror left to right, then turn by 90 degrees clockwise (now neutralised)",
    "orientation_8": "the image's tag said: turn by 270 degrees clockwise (now neutralised)",
    "orientation_ambiguous": "the image was tagged, nothing tells which frame the mask was drawn in; stored order kept",
    "mask_turned": "the mask was turned back into the image's stored order",
    "mask_reencoded": "the mask's bytes are not the original's: re-encoded as 8-bit grey PNG",
    "mask_01": "the mask was coded 0 and 1; multiplied by 255",
    "mask_1bit": "the mask had one bit a pixel",
    "mask_palette": "the mask had a palette; its luminance was taken",
    "mask_16bit": "the mask had 16 bits; divided by 257",
    "mask_16bit_low": "the mask had 16 bits but no value above 255: probably 8-bit values saved as 16-bit",
    "mask_rgb": "the mask had several channels; channel 0 was taken",
    "mask_channels_differ": "the mask's channels differ by more than 8",
    "mask_alpha": "the mask's alpha channel was taken, as the manifest says",
    "mask_instances": "the mask held instance ids; their union was taken",
    "mask_jpeg": "the mask was a JPEG; its greys were kept",
    "mask_soft": "the mask holds values other than 0 and 255",
    "mask_absent": "there was no mask file; an empty mask stands in, as an erratum says",
    "empty_mask": "no pixel is above 127",
    "full_mask": "every pixel is above 127",
    "name_unmapped": "the form's file name could not be mapped back to the source's own; it was kept",
}

STAGES: dict[str, str] = {
    "list": "listing the archive",
    "pair": "finding each image its mask",
    "read": "reading the member's bytes",
    "decode": "decoding image or mask",
    "normalize": "bringing image and mask together",
}

REASONS: dict[str, str] = {
    "stray": "lies among the source's files but fits no pattern of the layout",
    "system_file": "written by an operating system or a viewer, not part of the source",
    "bad_name": "the name is not valid Unicode",
    "unlisted": "not in the list file that says which files belong to the part",
    "listed_absent": "in the list file, but not in the archive",
    "missing_image": "a mask without image",
    "missing_mask": "an image without mask",
    "duplicate_id": "another file claims the same sample id",
    "second_mask": "another mask of this sample fits the layout better",
    "empty_file": "zero bytes",
    "too_large": "more bytes than the limit",
    "corrupt_member": "the archive's own check of this member failed",
    "not_an_image": "not JPEG, PNG or BMP, whatever the name says",
    "animated": "more than one frame",
    "too_many_pixels": "more pixels than the limit",
    "truncated": "the pixels end early; of an archive: it does, and what lies before is used",
    "corrupt": "the pixels cannot be decoded",
    "unsupported_mode": "a pixel format that no rule covers",
    "size_mismatch": "image and mask differ in size",
    "bad_record": "the annotation record cannot be read, or does not belong to its image",
    "no_mask": "no mask of the image satisfies the draw's rule",
    "bad_archive": "the archive has the right name, but cannot be listed or holds something else",
    "orientation_stuck": "the orientation tag sits where it cannot be neutralised",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One finished sample, as it is stored."""

    sample_id: str
    """``source/part/stem``."""
    source: str
    part: str
    image: bytes
    """Encoded image: the source's bytes, orientation tag neutralised."""
    image_suffix: str
    """``.jpg``, ``.png`` or ``.bmp``, by content."""
    mask: bytes | None
    """Encoded 8-bit grey mask, same height and width as the image; None in many-mask collections."""
    mask_suffix: str
    masks: tuple[dict[str, Any], ...] | None
    """Run-length masks with what the source states of each (SA-1B, COCO, LVIS), else None. Beside a single ``mask`` it
    is the one code that the mask was drawn from."""
    width: int
    height: int
    image_sha256: str
    """Of the original image bytes."""
    mask_sha256: str | None
    """Of the original mask or annotation bytes; None where there was none."""
    pixels_sha256: str
    """Of the canonical mask: height and width as little-endian uint32, then uint8 rows; of the canonical JSON of
    ``masks`` in a many-mask source."""
    flags: tuple[str, ...]
    errata: tuple[str, ...]

    def __post_init__(self) -> None:
        """Hold the flags against the vocabulary."""
        unknown = [flag for flag in self.flags if flag not in FLAGS]
        if unknown:
            raise HQDataError(f"flags {unknown} are not in hqdata.schema.FLAGS")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Reject:
    """One member that did not become a sample, or a part of one."""

    source: str
    archive: str
    member: str
    stage: str
    reason: str
    detail: str

    def __post_init__(self) -> None:
        """Hold stage and reason against the vocabulary."""
        if self.stage not in STAGES or self.reason not in REASONS:
            raise HQDataError(f"reject {self.stage}/{self.reason} is not in hqdata.schema.STAGES/REASONS")


_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_MASK_ITEM = pa.struct(
    [
        ("size", pa.list_(pa.int32())),
        ("counts", pa.string()),
        ("id", pa.int64()),
        ("area", pa.float64()),
        ("bbox", pa.list_(pa.float64())),
        ("category_id", pa.int64()),
        ("iscrowd", pa.bool_()),
        ("predicted_iou", pa.float64()),
        ("stability_score", pa.float64()),
        ("crop_box", pa.list_(pa.float64())),
        ("point_coords", pa.list_(pa.list_(pa.float64()))),
    ]
)
MASK_KEYS: tuple[str, ...] = tuple(field.name for field in _MASK_ITEM)

_COLUMNS = [
    pa.field("sample_id", pa.string()),
    pa.field("source", pa.string()),
    pa.field("part", pa.string()),
    pa.field("image", _IMAGE),
    pa.field("mask", _IMAGE),
    pa.field("masks", pa.list_(_MASK_ITEM)),
    pa.field("width", pa.int32()),
    pa.field("height", pa.int32()),
    pa.field("image_sha256", pa.string()),
    pa.field("mask_sha256", pa.string()),
    pa.field("pixels_sha256", pa.string()),
    pa.field("flags", pa.list_(pa.string())),
    pa.field("errata", pa.list_(pa.string())),
]

REJECT_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("source", "archive", "member", "stage", "reason", "detail")]
)


def _feature(kind: pa.DataType) -> Any:
    """Describe an Arrow type as a Hugging Face feature, in its JSON form."""
    if kind.equals(_IMAGE):
        return {"_type": "Image"}
    if pa.types.is_list(kind):
        return {"feature": _feature(kind.value_type), "_type": "List"}
    if pa.types.is_struct(kind):
        return {field.name: _feature(field.type) for field in kind}
    name = {"double": "float64"}.get(str(kind), str(kind))
    return {"dtype": name, "_type": "Value"}


FEATURES: dict[str, Any] = {column.name: _feature(column.type) for column in _COLUMNS}
"""Hugging Face features of a collection, as ``dataset_info.json`` holds them."""

SAMPLE_SCHEMA = pa.schema(
    _COLUMNS, metadata={"huggingface": json.dumps({"info": {"features": FEATURES}}, sort_keys=True)}
)


def batch_of(records: Sequence[Record]) -> pa.RecordBatch:
    """Turn one or more records into a batch of :data:`SAMPLE_SCHEMA`."""
    columns = {
        name: pa.array([_stored(getattr(record, name)) for record in records], SAMPLE_SCHEMA.field(name).type)
        for name in SAMPLE_SCHEMA.names
        if name not in {"image", "mask", "masks"}
    }
    columns["image"] = _images([(r.image, r.sample_id + r.image_suffix) for r in records])
    columns["mask"] = _images([(r.mask, r.sample_id + r.mask_suffix) for r in records])
    masks = [None if r.masks is None else [{k: item.get(k) for k in MASK_KEYS} for item in r.masks] for r in records]
    columns["masks"] = pa.array(masks, SAMPLE_SCHEMA.field("masks").type)
    return pa.record_batch([columns[name] for name in SAMPLE_SCHEMA.names], schema=SAMPLE_SCHEMA)


def _stored(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _images(pairs: Sequence[tuple[bytes | None, str]]) -> pa.Array:
    """Image structs, null where there are no bytes; column-wise, which is several times faster than row by row."""
    absent = pa.array([data is None for data, _ in pairs])
    data = pa.array([data for data, _ in pairs], pa.binary())
    paths = pa.array([None if data is None else path for data, path in pairs], pa.string())
    return pa.StructArray.from_arrays([data, paths], fields=list(_IMAGE), mask=absent)
