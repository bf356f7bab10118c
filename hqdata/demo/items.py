"""What the demo draws for each source: how many, in which spirit, coded as that source codes its masks, with errata.

Items know nothing of archives: :mod:`hqdata.demo.pack` lays the same items out in every form of the real manifests.
"""

import io
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from hqdata.arrays import UInt8Array
from hqdata.demo.compose import Render
from hqdata.demo.draw import ICON_CLASSES, draw, render
from hqdata.demo.planted import planted
from hqdata.demo.plants import Picture, before, changed, spoilt
from hqdata.demo.spec import SEED, Coding, Plant, Spec, generator

__all__ = ["SEED", "Item", "Spec", "encode_mask", "jpeg", "make_item", "png", "spec_number", "specs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A drawing, encoded."""

    spec: Spec
    image: bytes
    mask: bytes | None
    instances: bytes | None = None
    """The same mask with instance ids, for forms that code it so."""
    mask_jpg: bytes | None = None
    """A second mask, as JPEG, that an erratum puts beside the first."""


def make_item(spec: Spec) -> Item:
    """Draw and encode one item."""
    rng = generator(spec)
    image, right = _planted(spec.plant) if spec.plant else _drawn(spec, rng)[:2]
    if spec.erratum == "unlabelled":
        return Item(spec=spec, image=image, mask=None)
    given = right
    if spec.erratum == "wrong_mask":
        given = _fit(draw(spec.kind, rng, style=spec.style).mask, right.shape)
    if spec.erratum == "mismatch":
        given = np.ascontiguousarray(right[: len(right) * 3 // 4])
    return Item(
        spec=spec,
        image=image,
        mask=encode_mask(given, spec.coding, rng),
        instances=png(((given > 127) * np.uint8(1 + spec_number(spec) % 3)).astype(np.uint8)),
        mask_jpg=jpeg(right, grey=True) if spec.source == "duts" and spec.erratum else None,
    )


def _drawn(spec: Spec, rng: np.random.Generator) -> tuple[bytes, UInt8Array, Render]:
    """Draw a plain item: its image file, its mask, and what they were made of."""
    drawing, found = render(spec.kind, rng, style=spec.style, subject=spec.subject)
    return jpeg(drawing.image, grey=spec.grey_image), drawing.mask, found


def _planted(plant: Plant) -> tuple[bytes, UInt8Array]:
    """Make a plant's image file and mask from its originals, whose images are read from their files."""
    image, mask, cut = _drawn(plant.of, generator(plant.of))
    if plant.behind:
        photo, around, found = _drawn(plant.behind, generator(plant.behind))
        ground = changed(Picture(found.backdrop if plant.bare else _pixels(photo), around), plant.image)
        picture = before(cut, ground.image, plant.at)
    else:
        picture = changed(Picture(_pixels(image), mask), plant.image)
    if plant.quality:
        image = jpeg(picture.image, quality=plant.quality)
    given = picture.mask
    if plant.mask_of:
        given = _fit(_drawn(plant.mask_of, generator(plant.mask_of))[1], given.shape)
    return image, spoilt(given, plant.mask)


def spec_number(spec: Spec) -> int:
    """A small number that depends on the id alone."""
    return zlib.crc32(spec.sample_id.encode()) >> 8


def _fit(mask: UInt8Array, shape: tuple[int, ...]) -> UInt8Array:
    """Bring another drawing's mask to this one's size."""
    resized = Image.fromarray(mask).resize((shape[1], shape[0]), Image.Resampling.BILINEAR)
    return np.asarray(resized)


def jpeg(image: UInt8Array, *, grey: bool = False, quality: int = 92) -> bytes:
    """Encode ``uint8[H, W, 3]`` or ``uint8[H, W]`` as JPEG."""
    stream = io.BytesIO()
    picture = Image.fromarray(image)
    (picture.convert("L") if grey else picture).save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def _pixels(image: bytes) -> UInt8Array:
    """Decode an image file: ``uint8[H, W, 3]``."""
    return np.asarray(Image.open(io.BytesIO(image)).convert("RGB"))


def png(pixels: UInt8Array | Image.Image) -> bytes:
    """Encode an array or picture as PNG."""
    stream = io.BytesIO()
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    picture.save(stream, "PNG")
    return stream.getvalue()


def encode_mask(mask: UInt8Array, coding: Coding, rng: np.random.Generator) -> bytes:
    """Encode ``uint8[H, W]`` in the way that a source codes its masks; ``rng`` makes the noise of ``noisy``."""
    if coding == "noisy":
        return png(_noisy(mask, rng))
    return png(_CODINGS[coding](mask))


def _noisy(mask: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    """Noise near both ends, as most DUTS masks have from an old JPEG step."""
    noise = rng.integers(-6, 7, mask.shape)
    noisy = np.clip(mask.astype(int) + np.where(rng.random(mask.shape) < 0.2, noise, 0), 0, 255)
    return np.asarray(noisy, np.uint8)


def _rgb_uneven(mask: UInt8Array) -> UInt8Array:
    uneven = mask[..., None].astype(int) + np.array([0, 1, -1])
    return np.asarray(np.clip(uneven, 0, 255), np.uint8)


_CODINGS: dict[Coding, Callable[[UInt8Array], UInt8Array | Image.Image]] = {
    "grey": lambda mask: mask,
    "binary": lambda mask: np.where(mask > 127, 255, 0).astype(np.uint8),
    "rgb01": lambda mask: np.repeat((mask > 127).astype(np.uint8)[..., None], 3, axis=2),
    "onebit": lambda mask: Image.fromarray(mask > 127),
    "rgb_uneven": _rgb_uneven,
    "dim": lambda mask: np.maximum(mask, 5),
}


def specs(scale: float = 1.0) -> list[Spec]:
    """Every item of the demo; ``scale`` shrinks the counts, never the errata and the plants."""
    items = [*_dis(scale), *_thin(scale), *_fss(scale), *_duts(scale), *_ecssd(scale), *_msra(scale)]
    items += [*_evaluation(scale), *_omron(scale)]
    return sorted([*items, *planted(items)], key=lambda spec: spec.sample_id)


def _count(number: int, scale: float, least: int = 3) -> int:
    return max(least, round(number * scale))


def _stem(text: str) -> tuple[tuple[str, str], ...]:
    return (("stem", text),)


_DIS_GROUPS: dict[str, str] = {
    "basket": "1#Accessories#2#Basket",
    "bridge": "4#Architecture#2#Bridge",
    "chair": "9#Furniture#3#Chair",
    "ship": "22#Ship#2#Sailboat",
    "birdcage": "9#Furniture#1#Cage",
    "windmill": "4#Architecture#12#Windmill",
    "gate": "4#Architecture#5#Gate",
    "clockwork": "14#Machine#7#Gear",
    "pavilion": "4#Architecture#10#Pavilion",
    "handbag": "1#Accessories#1#Bag",
    "tower": "4#Architecture#14#Tower",
    "chandelier": "9#Furniture#8#Lamp, été v1.2",
}
"""Names in the manner of DIS5K, by what is drawn; one with a comma, a dot, a space and accents."""


def _dis(scale: float) -> Iterator[Spec]:
    subjects = list(_DIS_GROUPS)
    for part, number, first in (("tr", 40, 0), ("vd", 10, 7)):
        for index in range(_count(number, scale)):
            subject = subjects[(first + index) % len(subjects)]
            stem = f"{_DIS_GROUPS[subject]}#{2_000_000_000 + 7919 * index + 31 * first}_{index:010x}_o"
            yield Spec(source="dis5k", part=part, captures=_stem(stem), kind="intricate", subject=subject)


def _thin(scale: float) -> Iterator[Spec]:
    for part, number in (("train", 44), ("val", 4), ("test", 10)):
        for index in range(_count(number, scale)):
            yield Spec(source="thinobject5k", part=part, captures=_stem(f"{part}_object_{index:04d}"), kind="thin")


def _fss(scale: float) -> Iterator[Spec]:
    classes = sorted(ICON_CLASSES)[: _count(24, scale, 4)]
    for name in [*classes, "bamboo_slip"]:
        for index in range(1, 11 if name == "bamboo_slip" else _count(8, scale, 3) + 1):
            unlabelled = name == "bamboo_slip" and index == 7
            yield Spec(
                source="fss1000",
                part="all",
                captures=(("class", name), ("n", str(index))),
                kind="icon",
                subject="pencil" if name == "bamboo_slip" else name,
                coding="rgb01",
                erratum="unlabelled" if unlabelled else None,
            )


DUTS_WRONG = ("ILSVRC2014_train_00023530", "n01532829_13482", "n04442312_17818")
DUTS_EXTRA = ("ILSVRC2012_test_00036002", "sun_bcogaqperiljqupq")


def _duts(scale: float) -> Iterator[Spec]:
    for index in range(_count(60, scale)):
        codings: tuple[Coding, ...] = ("noisy", "grey", "binary")
        stem = f"n{1530000 + 13 * index:08d}_{index * 7}"
        yield Spec(
            source="duts",
            part="tr",
            captures=_stem(stem),
            kind="salient",
            coding="dim" if index == 2 else codings[index % 3],
        )
    for stem in DUTS_WRONG:
        yield Spec(
            source="duts",
            part="tr",
            captures=_stem(stem),
            kind="salient",
            coding="rgb_uneven",
            erratum="wrong_mask",
        )
    for index in range(_count(28, scale)):
        stem = f"sun_{index:04d}demo"
        yield Spec(source="duts", part="te", captures=_stem(stem), kind="salient", coding="noisy")
    for stem in DUTS_EXTRA:
        yield Spec(source="duts", part="te", captures=_stem(stem), kind="salient", erratum="extra_file")


def _ecssd(scale: float) -> Iterator[Spec]:
    for index in range(_count(24, scale)):
        yield Spec(
            source="ecssd",
            part="all",
            captures=_stem(f"{index + 1:04d}"),
            kind="salient",
            style="ecssd",
            coding="binary",
            grey_image=index == 1,
        )


def _msra(scale: float) -> Iterator[Spec]:
    for index in range(_count(36, scale)):
        coding: Coding = "onebit" if index % 9 == 4 else "binary"
        yield Spec(
            source="msra10k",
            part="all",
            captures=_stem(str(75 + 197 * index)),
            kind="salient",
            style="msra",
            coding=coding,
        )
    yield Spec(
        source="msra10k", part="all", captures=_stem("97915"), kind="salient", style="msra", erratum="wrong_mask"
    )
    yield Spec(source="msra10k", part="all", captures=_stem("11987"), kind="salient", style="msra", erratum="mismatch")


def _evaluation(scale: float) -> Iterator[Spec]:
    for index in range(_count(10, scale)):
        yield Spec(
            source="coift",
            part="all",
            captures=_stem(f"coift_{index:03d}"),
            kind="thin",
            style="coift",
            coding="binary",
        )
    for index in range(_count(10, scale)):
        yield Spec(
            source="hrsod",
            part="all",
            captures=_stem(f"{6_000 + index * 17}_hr"),
            kind="salient",
            style="hrsod",
            coding="binary",
        )


OMRON_REMOVED = ("img_561715398", "sun_bqfgwnmzhjwuphdi", "sun_bswlalhygmnrhvuw", "sun_buaqzytduodbufcb")


def _omron(scale: float) -> Iterator[Spec]:
    for index in range(_count(8, scale)):
        stem = f"img_{561_000_000 + index * 911}"
        yield Spec(source="dut-omron", part="all", captures=_stem(stem), kind="salient", coding="binary")
    for stem in OMRON_REMOVED:
        yield Spec(source="dut-omron", part="all", captures=_stem(stem), kind="salient", erratum="unlabelled")
