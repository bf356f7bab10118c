"""Masks as SAM leaves them in SA-1B: smooth, holes filled, thin members lost, a pixel or two off; and their records."""

from typing import Any, TypeAlias, cast

import cv2
import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco

from hqdata.demo.canvas import Image

Annotation: TypeAlias = dict[str, Any]
_GRID = 32


def coarsen(mask: Image, rng: np.random.Generator) -> Image:
    """Coarsen a binary mask.

    Args:
        mask: uint8[H, W], 0 or 1.
        rng: Source of the amount of smoothing and the shift.

    Returns:
        uint8[H, W], 0 or 1; empty where the object is too thin for any of it to stay.
    """
    size = float(np.sqrt(mask.sum()))
    loose = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, _disc(size * rng.uniform(0.05, 0.1) + 1))
    solid = _filled(cv2.morphologyEx(_filled(loose), cv2.MORPH_OPEN, _disc(size * rng.uniform(0.04, 0.08) + 1)))
    soft = cv2.GaussianBlur(solid.astype(np.float32), (0, 0), size * 0.025 + 0.8)
    contours, _ = cv2.findContours((soft > 0.5).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    out: Image = np.zeros_like(mask)
    if not contours:
        return out
    largest = max(cv2.contourArea(contour) for contour in contours)
    shift = np.round(rng.uniform(-1.4, 1.4, 2)).astype(np.int32)
    for contour in contours:
        if cv2.contourArea(contour) >= 0.2 * largest:
            corners = cv2.approxPolyDP(contour, float(rng.uniform(0.7, 1.8)), closed=True)
            cv2.fillPoly(out, [corners + shift], (1.0,))
    return out


def annotate(mask: Image, truth: Image, number: int, rng: np.random.Generator) -> Annotation:
    """Describe a coarse mask as SA-1B does.

    Args:
        mask: The coarse mask, uint8[H, W], 0 or 1, not empty.
        truth: The exact mask it came from; its overlap is the predicted IoU.
        number: The annotation's id.
        rng: Source of the scores' noise and of the prompt point.
    """
    height, width = mask.shape
    rle = coco.encode(np.asfortranarray(mask))
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    overlap = float((mask & truth).sum() / max(int((mask | truth).sum()), 1))
    rim = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, _disc(1)).sum() / max(int(mask.sum()), 1)
    # inclusive maxima: SA-1B states w = xmax - xmin, one less than pycocotools' toBbox
    bbox = [columns[0], rows[0], columns[-1] - columns[0], rows[-1] - rows[0]]
    return {
        "id": number,
        "segmentation": {"size": [height, width], "counts": rle["counts"].decode("ascii")},
        "bbox": [float(value) for value in bbox],
        "area": int(mask.sum()),
        "predicted_iou": round(float(np.clip(0.86 + 0.14 * overlap + rng.normal(0, 0.012), 0.88, 1.0)), 6),
        "stability_score": round(float(np.clip(0.995 - 0.06 * rim + rng.normal(0, 0.004), 0.92, 1.0)), 6),
        "crop_box": [0, 0, width, height],
        "point_coords": [_prompt(mask, rng)],
    }


def _prompt(mask: Image, rng: np.random.Generator) -> list[float]:
    """Pick a point of SAM's 32 by 32 grid within the mask, or the innermost pixel where none falls in."""
    height, width = mask.shape
    ys, xs = ((np.arange(_GRID) + 0.5) * side / _GRID for side in (height, width))
    inside = np.argwhere(mask[np.ix_(ys.astype(int), xs.astype(int))])
    if len(inside):
        row, column = inside[int(rng.integers(len(inside)))]
        return [float(xs[column]), float(ys[row])]
    row, column = np.unravel_index(int(cv2.distanceTransform(mask, cv2.DIST_L2, 3).argmax()), mask.shape)
    return [float(column), float(row)]


def _disc(radius: float) -> npt.NDArray[np.uint8]:
    """Make a round kernel."""
    side = 2 * max(1, round(radius)) + 1
    return cast(npt.NDArray[np.uint8], cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))


def _filled(mask: npt.NDArray[Any]) -> Image:
    """Fill every hole."""
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    out: Image = np.zeros(mask.shape, np.uint8)
    cv2.drawContours(out, contours, -1, (1.0,), -1)
    return out
