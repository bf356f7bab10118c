"""The table of statistics: name, type, unit, formula, source, and whether it may be compared across resolutions.

The Parquet schema is made from it, and ``docs/statistics.md`` shows it. Figures come in up to three scales, told by
their names' ends:

- ``_px``: measured on the mask as it is stored;
- ``_rel``: the same, over the image's diagonal (areas: over the image's area);
- ``_1024``: measured on the mask after scaling to 1024 pixels on the long side, as SAM sees it.

A number without unit, such as a count, has no ``_rel``: dividing it by a length would mean nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

VERSION = 2
"""Counts up whenever a formula changes; statistics of another version are computed again."""

Safe = Literal["yes", "roughly", "no", "-"]
_TYPES = {
    "string": pa.string(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "uint64": pa.uint64(),
    "float64": pa.float64(),
}
DIS = "DIS5K paper (Qin et al., ECCV 2022), dataset complexity"
BIOU = "Boundary IoU (Cheng et al., CVPR 2021)"
THIN = "after Deep Interactive Thin Object Selection (Liew et al., WACV 2021)"
OWN = "hqdata"
_SAME = "the same at 1024 on the long side"
CROFTON = "Crofton's formula, as skimage.measure.perimeter_crofton(directions=4)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat:
    """One column of the statistics."""

    name: str
    dtype: str
    """A key of the Arrow types in use."""
    unit: str
    formula: str
    source: str
    safe: Safe
    """Whether values of images of different resolution may be compared: ``roughly`` measures the same thing, but fine
    parts that a small image cannot hold are lost; ``-`` where the question has no meaning."""

    @property
    def arrow(self) -> pa.DataType:
        """Type of the column."""
        return _TYPES[self.dtype]


def _key(name: str, dtype: str, formula: str, unit: str = "") -> Stat:
    return Stat(name=name, dtype=dtype, unit=unit, formula=formula, source=OWN, safe="-")


def _length(
    name: str, formula: str, source: str, dtype: str = "float64", *, unit: str = "px", safe: Safe = "yes"
) -> Iterator[Stat]:
    """Three columns of a length (or of an area, where ``unit`` is ``px^2``)."""
    area = unit == "px^2"
    whole = "the image's area" if area else "the image's diagonal"
    share = f"{name}_px over {whole}"
    yield Stat(name=f"{name}_px", dtype=dtype, unit=unit, formula=formula, source=source, safe="no")
    yield Stat(name=f"{name}_rel", dtype="float64", unit="1", formula=share, source=source, safe=safe)
    yield Stat(name=f"{name}_1024", dtype=dtype, unit=unit, formula=_SAME, source=source, safe=safe)


def _number(
    name: str, formula: str, source: str, dtype: str = "float64", *, safe: Safe = "roughly", native: Safe = "no"
) -> Iterator[Stat]:
    """Two columns of a number without unit."""
    yield Stat(name=f"{name}_px", dtype=dtype, unit="1", formula=formula, source=source, safe=native)
    yield Stat(name=f"{name}_1024", dtype=dtype, unit="1", formula=_SAME, source=source, safe=safe)


def _plain(name: str, dtype: str, unit: str, formula: str, source: str = OWN, safe: Safe = "no") -> Stat:
    return Stat(name=name, dtype=dtype, unit=unit, formula=formula, source=source, safe=safe)


def _keys() -> Iterator[Stat]:
    yield _key("mask_id", "string", "sample_id#k")
    yield _key("sample_id", "string", "source/part/stem")
    yield _key("k", "int32", "position of the mask in its image, from 0; 0 where there is one mask")
    yield _key("source", "string", "name of the source")
    yield _key("part", "string", "part of the source")
    yield _key("width", "int32", "width of image and mask", "px")
    yield _key("height", "int32", "height of image and mask", "px")


def _sizes() -> Iterator[Stat]:
    yield from _length("area", "pixels above 127", OWN, "int64", unit="px^2")
    box = "of the smallest box around the foreground, as pycocotools.mask.toBbox"
    yield from _length("box_x", f"left edge {box}", OWN, "int32")
    yield from _length("box_y", f"upper edge {box}", OWN, "int32")
    yield from _length("box_w", f"width {box}", OWN, "int32")
    yield from _length("box_h", f"height {box}", OWN, "int32")
    cracks = "foreground pixels with background to the left, above (n), to the upper left and upper right (m)"
    yield from _length("boundary", f"L = pi/4 (sum n + sum m / sqrt 2); n, m: {cracks}", CROFTON, safe="roughly")
    widest = "2 D - 1, D the largest Euclidean distance of a pixel to the background (outside the image included)"
    yield from _length("width_max", widest, "scipy.ndimage.distance_transform_edt")
    yield from _length("width_mean", "2 area / boundary", OWN, safe="roughly")
    rim = "foreground pixels in the image's outermost rows and columns (corners twice)"
    yield from _length("border", rim, OWN, "int32", safe="roughly")


def _shapes() -> Iterator[Stat]:
    yield from _number("components", "C: parts that hang together over 8 neighbours", "skimage.measure.label", "int32")
    yield from _number("holes", "H: background parts (4 neighbours) that do not reach the rim", OWN, "int32")
    yield from _number("euler", "C - H", "skimage.measure.euler_number(connectivity=2)", "int32")
    yield from _number("contours", "C_num = C + H: outer contours and contours of holes", DIS, "int32")
    corners = "P_num: corners left on all contours by Ramer-Douglas-Peucker at 2 px (the paper gives no tolerance)"
    yield from _number("dominant_points", corners, DIS, "int32", safe="no")
    yield from _number(
        "ipq", "IPQ = L^2 / (4 pi area), L = boundary: 1 for a disk (within the error of L), more for all else", DIS
    )
    yield from _number("largest_share", "area of the largest component over the area", OWN, safe="yes", native="yes")
    yield from _number(
        "solidity", "area over the area of the convex hull of the pixels' squares", OWN, safe="yes", native="yes"
    )
    opened = "share of the area that an opening by a disk of radius max(1, 0.01 diagonal) px removes"
    yield from _number("thin_share", opened, THIN, native="roughly")
    band = "share of the area within d = max(1, round(0.02 diagonal)) erosions (3 x 3) of the background or the rim"
    yield from _number("band_share", band, BIOU, native="roughly")
    yield from _number(
        "border_sides", "sides of the image that the mask touches, 0 to 4", OWN, "int32", safe="yes", native="yes"
    )


def _traces() -> Iterator[Stat]:
    yield _plain("soft_px", "int64", "px^2", "pixels that are neither 0 nor 255")
    ramp = "6 sum a (1 - a) / (boundary - border), a = grey / 255 between 16 and 239: the width of a linear ramp"
    yield _plain("soft_width_px", "float64", "px", ramp)
    yield _plain("soft_width_rel", "float64", "1", "soft_width_px over the image's diagonal", safe="roughly")
    yield _plain("soft_width_1024", "float64", "px", "soft_width_px times 1024 over the long side", safe="roughly")
    soft = "share of pixels at the edge (a 4-neighbour on the other side of 127) whose grey is in 16 to 239"
    yield _plain("soft_edge_share", "float64", "1", soft)
    noise = "share of greys 1 to 15 and 240 to 254 among pixels more than 3 px from the edge and from greys 16 to 239"
    yield _plain("jpeg_trace", "float64", "1", noise)
    polygon = "corners at 4 px over corners at 1 px (Ramer-Douglas-Peucker): polygons near 1, smooth curves 0.5"
    yield _plain("polygon_px", "float64", "1", f"{polygon}, rough ones less; null below 40 contour points")
    steps = "median over the contour's corners of the shorter adjoining straight run: 1 natural, f enlarged f times"
    yield _plain("upscaling_px", "float64", "px", f"{steps}; null below 20 corners")
    yield _plain("rle_bytes", "int64", "bytes", "length of the compressed COCO run-length code", "pycocotools")
    yield _plain("mask_phash", "uint64", "bits", "phash of the mask above 127", "imagehash.phash", "yes")
    turn = "sum |g . n| / sum |g| over edge pixels, g: Sobel gradient of the grey image (Gaussian 1 px), n: edge normal"
    yield from _number("edge_alignment", f"{turn}; 0.64 by chance", OWN)
    yield from _number("edge_strength", "mean |g| on the edge over mean |g| of the image", OWN)


def _pictures() -> Iterator[Stat]:
    laplace = "variance of the Laplacian (4 neighbours) of the grey image"
    yield _plain("sharpness_px", "float64", "grey^2", laplace)
    yield _plain("sharpness_1024", "float64", "grey^2", _SAME, safe="roughly")
    quality = "quality at which libjpeg writes the luminance table nearest to the image's; null if no JPEG"
    yield _plain("jpeg_quality", "int32", "1 to 100", quality, "ITU-T T.81 annex K, libjpeg", "yes")
    yield _plain("image_bytes", "int64", "bytes", "size of the stored image file")
    yield _plain("image_dhash", "uint64", "bits", "difference hash of the grey image", "imagehash.dhash", "yes")
    yield _plain("image_phash", "uint64", "bits", "perceptual hash of the grey image", "imagehash.phash", "yes")
    yield _plain("image_phash_mirror", "uint64", "bits", "the same of the image mirrored left to right", OWN, "yes")


def _stated() -> Iterator[Stat]:
    of = "as the source states it; null where it states nothing"
    sam = "Segment Anything (Kirillov et al., ICCV 2023)"
    yield _key("annotation_id", "int64", f"id of the mask in its image's record, {of}")
    yield _plain("predicted_iou", "float64", "1", f"SAM's prediction of the mask's IoU, {of}", sam, "yes")
    yield _plain(
        "stability_score", "float64", "1", f"IoU of the mask at a higher and a lower threshold, {of}", sam, "yes"
    )


STATS: tuple[Stat, ...] = (*_keys(), *_sizes(), *_shapes(), *_traces(), *_pictures(), *_stated())
STATS_SCHEMA = pa.schema(
    [pa.field(stat.name, stat.arrow, metadata={"unit": stat.unit, "formula": stat.formula}) for stat in STATS]
)
"""Schema of ``stats.parquet``; each field carries its unit and formula."""
