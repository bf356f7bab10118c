"""A supersampled layer that an object is drawn on: colour and coverage come out of the same strokes.

The pixels are premultiplied RGBA, so anti-aliased fills, overlaps and cuts keep colour and alpha in step, and the mask
of a drawing is the very alpha that its image was composed with.
"""

from collections.abc import Iterable
from typing import TypeAlias, cast

import cv2
import numpy as np
import numpy.typing as npt

from hqdata.demo.outline import Points, PointsLike, ellipse, limb, points
from hqdata.demo.palette import Colour, lit, mix

Image: TypeAlias = npt.NDArray[np.uint8]
Field: TypeAlias = npt.NDArray[np.float32]

LIGHT = (-0.55, -0.83)
"""Direction towards the light, on the screen: upper left."""
_SHIFT = 4
_SMALL = 48


def blur(field: Field, sigma: float) -> Field:
    """Blur float32[H, W] or [H, W, C] with a Gaussian; large sigmas run on a reduced copy."""
    height, width = field.shape[:2]
    step = int(min(sigma / 3, min(height, width) / 8))
    if step >= 2:
        small = cv2.resize(field, (width // step, height // step), interpolation=cv2.INTER_AREA)
        return resize(blur(cast(Field, small), sigma / step), width, height)
    return cast(Field, cv2.GaussianBlur(field, (0, 0), max(sigma, 0.1)))


def resize(field: Field, width: int, height: int) -> Field:
    """Resize float32[h, w(, C)] smoothly to [height, width(, C)]."""
    return cast(Field, cv2.resize(field, (width, height), interpolation=cv2.INTER_LINEAR))


class Layer:
    """A transparent layer with a view that maps an object's coordinates to its pixels.

    Attributes:
        rgba: uint8[factor * height, factor * width, 4], premultiplied.
        outlines: Polygons filled so far, in layer pixels; candidates for the parts of an object.
    """

    def __init__(self, height: int, width: int, *, factor: int = 2) -> None:
        self.rgba: Image = np.zeros((height * factor, width * factor, 4), np.uint8)
        self.outlines: list[Points] = []
        self.factor = factor
        self.matrix: Points = np.array([[factor, 0.0, 0.0], [0.0, factor, 0.0]])

    def at(
        self, x: float, y: float, size: float = 1.0, *, tilt: float = 0.0, flip: bool = False, squash: float = 1.0
    ) -> "Layer":
        """Give a view of the same pixels: its origin at (x, y), scaled by ``size``, y by ``squash``, then turned."""
        angle = np.radians(tilt)
        scale = np.diag([-size if flip else size, size * squash])
        local = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ scale
        view = object.__new__(Layer)
        view.rgba, view.outlines, view.factor = self.rgba, self.outlines, self.factor
        origin = self.matrix[:, :2] @ (x, y) + self.matrix[:, 2]
        view.matrix = np.concatenate([self.matrix[:, :2] @ local, origin[:, None]], axis=1)
        return view

    @property
    def unit(self) -> float:
        """Length of one object unit, in layer pixels."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix[:, :2]))))

    def project(self, shape: PointsLike) -> Points:
        """Map object coordinates to layer pixels."""
        return points(shape) @ self.matrix[:, :2].T + self.matrix[:, 2]

    def fill(self, shape: PointsLike, colour: Colour, *, to: Colour | None = None, puff: float = 0.45) -> None:
        """Fill an outline.

        Args:
            shape: The outline in object coordinates.
            colour: Colour at the top.
            to: Colour at the bottom; the same where not given.
            puff: How much the part bulges: shading towards its edges, 0 for a flat part.
        """
        outline = self.project(shape)
        self.outlines.append(outline)
        middle = colour if to is None else mix(colour, to, 0.5)
        cv2.fillPoly(self.rgba, [_fixed(outline)], (*middle, 255), cv2.LINE_AA, _SHIFT)
        if puff == 0 and to is None:
            return
        roi = self._roi(outline)
        if roi is None:
            return
        mask = self._cover(outline, roi)
        shades = _shades(mask, colour, colour if to is None else to, puff)
        region = self.rgba[roi]
        solid = (mask == 255).astype(np.uint8)
        cv2.copyTo(np.dstack([shades, np.full(mask.shape, 255, np.uint8)]), solid, region)

    def disc(
        self, x: float, y: float, rx: float, colour: Colour, *, ry: float | None = None, puff: float = 0.6
    ) -> None:
        """Fill an upright ellipse."""
        self.fill(ellipse(x, y, rx, ry), colour, puff=puff)

    def line(self, path: PointsLike, width: float, colour: Colour, *, closed: bool = False) -> None:
        """Stroke a path with a round pen, at least one final pixel wide."""
        thickness = max(self.factor, round(width * self.unit))
        track = [_fixed(self.project(path))]
        cv2.polylines(self.rgba, track, closed, (*colour, 255), thickness, cv2.LINE_AA, _SHIFT)

    def tube(self, path: PointsLike, width: float, colour: Colour, *, closed: bool = False) -> None:
        """Stroke a path as a rod: dark on the far side, bright towards the light."""
        track = self.project(path)
        thick = max(self.factor, width * self.unit)
        steps = ((0.0, 1.0, -0.35), (0.1, 0.68, 0.0), (0.2, 0.26, 0.42))
        for offset, share, tone in steps if thick >= 2.5 * self.factor else steps[:1]:
            moved = [_fixed(track + np.array(LIGHT) * offset * thick)]
            colours = (*lit(colour, tone if thick >= 2.5 * self.factor else 0.0), 255)
            cv2.polylines(self.rgba, moved, closed, colours, max(1, round(thick * share)), cv2.LINE_AA, _SHIFT)

    def cut(self, shape: PointsLike) -> None:
        """Make a hole."""
        cv2.fillPoly(self.rgba, [_fixed(self.project(shape))], (0, 0, 0, 0), cv2.LINE_AA, _SHIFT)

    def atop(self, shape: PointsLike, colour: Colour, *, opacity: float = 1.0, soft: float = 0.0) -> None:
        """Paint an outline only where something is drawn already; coverage stays.

        Args:
            shape: The outline in object coordinates.
            colour: Its colour.
            opacity: 0 to 1.
            soft: Blur of its edge, in object units.
        """
        self._atop([self.project(shape)], colour, opacity, soft * self.unit)

    def streak(self, path: PointsLike, width: float, colour: Colour, *, opacity: float = 1.0) -> None:
        """Paint a line only where something is drawn already."""
        self.streaks([path], width, colour, opacity=opacity)

    def streaks(self, paths: Iterable[PointsLike], width: float, colour: Colour, *, opacity: float = 1.0) -> None:
        """Paint several lines at once, only where something is drawn already."""
        self._atop([self.project(limb(path, width, width)) for path in paths], colour, opacity, 0.0)

    def _atop(self, outlines: list[Points], colour: Colour, opacity: float, sigma: float) -> None:
        """Tint what is drawn within outlines given in layer pixels."""
        roi = self._roi(np.concatenate(outlines), margin=2 * sigma)
        if roi is None:
            return
        cover = np.zeros((roi[0].stop - roi[0].start, roi[1].stop - roi[1].start), np.uint8)
        for outline in outlines:
            self._cover(outline, roi, cover)
        region = self.rgba[roi]
        if sigma > 0:
            cover = blur(cover.astype(np.float32), sigma).astype(np.uint8)
        share = cv2.multiply(cover, region[..., 3], scale=opacity / 255)
        weight = cv2.merge([share, share, share, np.zeros_like(share)])
        held = cv2.merge([cover, cover, cover, np.zeros_like(cover)])
        tinted = cv2.multiply(weight, np.array([*colour, 0.0]), scale=1 / 255)
        kept = cv2.subtract(region, cv2.multiply(region, held, scale=opacity / 255))
        cv2.add(kept, tinted, dst=region)

    def render(self) -> tuple[Field, Field]:
        """Reduce to final size.

        Returns:
            Premultiplied colour, float32[height, width, 3] in 0..255, and alpha, float32[height, width] in 0..1.
        """
        height, width = self.rgba.shape[0] // self.factor, self.rgba.shape[1] // self.factor
        small = np.asarray(cv2.resize(self.rgba, (width, height), interpolation=cv2.INTER_AREA), np.float32)
        return small[..., :3], small[..., 3] / np.float32(255)

    def _roi(self, outline: Points, *, margin: float = 0.0) -> tuple[slice, slice] | None:
        """Bound an outline, clipped to the layer; None where nothing is left."""
        height, width = self.rgba.shape[:2]
        low = np.maximum(np.floor(outline.min(axis=0) - margin).astype(int), 0)
        high = np.minimum(np.ceil(outline.max(axis=0) + margin).astype(int) + 1, (width, height))
        if (high - low).min() < 2:
            return None
        return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))

    def _cover(self, outline: Points, roi: tuple[slice, slice], mask: Image | None = None) -> Image:
        """Rasterise an outline within a region, uint8[h, w], onto ``mask`` where given."""
        rows, columns = roi
        if mask is None:
            mask = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.uint8)
        cv2.fillPoly(mask, [_fixed(outline - (columns.start, rows.start))], (255.0,), cv2.LINE_AA, _SHIFT)
        return mask


def _fixed(outline: Points) -> npt.NDArray[np.int32]:
    """Round pixels to the fixed-point form that OpenCV draws with."""
    return np.round(outline * (1 << _SHIFT)).astype(np.int32)


def _shades(mask: Image, top: Colour, bottom: Colour, puff: float) -> Image:
    """Shade a part as if it bulged, on a small copy that is then enlarged; uint8[h, w, 3]."""
    height, width = mask.shape
    scale = min(1.0, _SMALL / max(height, width))
    size = (max(2, round(width * scale)), max(2, round(height * scale)))
    small = np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_AREA), np.float32) / np.float32(255)
    share = np.linspace(0, 1, size[1], dtype=np.float32)[:, None, None]
    base = np.asarray(top, np.float32) * (1 - share) + np.asarray(bottom, np.float32) * share
    base = np.broadcast_to(base, (*small.shape, 3))
    if puff:
        sigma = 0.2 * float(min(size)) + 0.6
        pad = int(2 * sigma) + 1
        soft = cv2.GaussianBlur(np.pad(small, pad), (0, 0), sigma)
        slope = -(LIGHT[0] * cv2.Sobel(soft, -1, 1, 0) + LIGHT[1] * cv2.Sobel(soft, -1, 0, 1))
        slope = slope[pad:-pad, pad:-pad]
        tone = (slope / (np.abs(slope).max() + 1e-6) * puff)[..., None]
        light, dark = np.array([255, 250, 235], np.float32), np.array([22, 20, 34], np.float32)
        base = base + np.where(tone > 0, (light - base) * tone * 0.6, (base - dark) * tone * 0.75)
    large = cv2.resize(np.clip(base, 0, 255).astype(np.uint8), (width, height), interpolation=cv2.INTER_LINEAR)
    return cast(Image, large)
