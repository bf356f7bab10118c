"""What the demo plants for an audit to find: copies within the training collection, leaks from the evaluation, faults.

Every plant is an item of its own and is there at every scale; its original is one of the first three items of a
source. Relations that follow (two copies of one image are copies of each other) are worked out by
:mod:`hqdata.demo.truth`.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

from hqdata.demo.draw import Kind
from hqdata.demo.spec import Coding, Plant, Spec, Step

Pick: TypeAlias = Callable[[str, int], Spec]
"""The n-th plain item of ``source/part``."""

_LOOKS: dict[str, tuple[Kind, str | None, Coding]] = {
    "dis5k": ("intricate", None, "grey"),
    "duts": ("salient", "duts", "noisy"),
    "ecssd": ("salient", "ecssd", "binary"),
    "fss1000": ("icon", None, "rgb01"),
    "msra10k": ("salient", "msra", "binary"),
    "thinobject5k": ("thin", None, "grey"),
}


def planted(drawn: Sequence[Spec]) -> list[Spec]:
    """Everything that is planted, given the plain items in the order in which they are numbered."""
    groups: dict[str, list[Spec]] = defaultdict(list)
    for spec in drawn:
        if spec.erratum is None:
            groups[f"{spec.source}/{spec.part}"].append(spec)

    def pick(place: str, index: int) -> Spec:
        return groups[place][index]

    return [*_copies(pick), *_other_masks(pick), *_composites(pick), *_leaks(pick), *_faults(), *_swapped()]


def _copies(pick: Pick) -> Iterator[Spec]:
    yield _copy("duts/te/planted_identical", pick("duts/tr", 0), "identical", quality=None, note="the same file")
    yield _copy(
        "msra10k/all/planted_re-encoded", pick("ecssd/all", 0), "re-encoded", quality=50, note="JPEG, quality 50"
    )
    small: Step = ("rescaled", 0.6)
    yield _copy("duts/tr/planted_rescaled", pick("msra10k/all", 0), "rescaled", steps=(small,), note="to 60 %")
    yield _copy("msra10k/all/planted_mirrored", pick("duts/te", 0), "mirrored", steps=(("mirrored",),))
    most, half = ("cropped", 0.7), ("cropped", 0.5)
    yield _copy(
        "duts/tr/planted_cropped_70", pick("msra10k/all", 1), "cropped", steps=(most,), note="70 % of each side"
    )
    yield _copy("ecssd/all/0901", pick("duts/tr", 1), "cropped", steps=(half,), note="50 % of each side")
    tones: Step = ("recoloured", 0.75, 1.2, 10)
    yield _copy("msra10k/all/planted_recoloured", pick("duts/te", 1), "recoloured", steps=(tones,), note="other tones")
    yield _copy("duts/tr/planted_grey", pick("ecssd/all", 2), "recoloured", steps=(("greyed",),), note="without colour")
    both: tuple[Step, ...] = (("mirrored",), ("rescaled", 0.7))
    changes = ("rescaled", "mirrored")
    yield _copy("msra10k/all/planted_combined", pick("duts/te", 2), *changes, steps=both, quality=60, note="quality 60")
    square: Step = ("squared", 224)
    yield _copy("fss1000/all/apple/11", pick("duts/te", 0), "rescaled", "cropped", steps=(square,), note="224 x 224")
    basket = pick("dis5k/tr", 0)
    yield _copy("dis5k/tr/planted_rescaled", basket, "rescaled", steps=(("rescaled", 0.5),), note="to 50 %")
    steps: tuple[Step, ...] = (("mirrored",), ("limited", 400))
    yield _copy("duts/tr/planted_third", basket, *changes, steps=steps, note="to 400 pixels; third of its kind")


def _other_masks(pick: Pick) -> Iterator[Spec]:
    coarse: tuple[Step, ...] = (("polygonal", 0.03),)
    yield _copy(
        "msra10k/all/planted_other_mask",
        pick("duts/tr", 2),
        "re-encoded",
        level="image",
        mask=coarse,
        fault="coarse",
        note="its mask as a polygon",
    )
    yield _copy(
        "ecssd/all/0902",
        pick("msra10k/all", 2),
        "re-encoded",
        level="image",
        mask=(("halved",),),
        fault="unlabelled",
        note="half of its mask",
    )
    own = _plain("msra10k/all/planted_same_mask", "pear")
    plant = Plant(of=own, mask_of=pick("ecssd/all", 1), level="mask", fault="other_image", note="with that one's mask")
    yield replace(own, plant=plant)


def _composites(pick: Pick) -> Iterator[Spec]:
    own = _plain("thinobject5k/train/planted_object", "weather_vane")
    yield replace(own, plant=Plant(of=pick("thinobject5k/train", 0), behind=own, bare=True, quality=92, level="object"))
    own = _plain("msra10k/all/planted_object", "cat")
    chair = Plant(
        of=pick("dis5k/tr", 2),
        behind=own,
        bare=True,
        at=(0.86, 0.45, 0.52),
        quality=92,
        level="object",
        changes=("rescaled",),
    )
    yield replace(own, plant=chair)
    own = _plain("thinobject5k/train/planted_background", "bicycle")
    meadow = pick("thinobject5k/train", 2)
    yield replace(
        own, plant=Plant(of=own, behind=meadow, bare=True, at=(0.8, 0.5, 0.72), quality=92, level="background")
    )
    own = _plain("duts/te/planted_background", "boat")
    sea: Step = ("limited", 400)
    plant = Plant(
        of=own,
        behind=pick("dis5k/tr", 1),
        bare=True,
        at=(0.72, 0.5, 0.52),
        image=(sea,),
        quality=92,
        level="background",
        changes=("rescaled",),
    )
    yield replace(own, plant=plant)


def _leaks(pick: Pick) -> Iterator[Spec]:
    """Evaluation images among the training images; four of ThinObject-5K's composites on photos of HRSOD."""
    yield _on_photo("whole", "umbrella_frame", pick("hrsod/all", 0), (0.8, 0.5, 0.5), ("rescaled", 0.7))
    yield _on_photo("crop", "bicycle", pick("hrsod/all", 1), (0.7, 0.5, 0.6), ("cropped", 0.6), ("rescaled", 0.9))
    yield _on_photo("mirrored", "fern", pick("hrsod/all", 2), (0.9, 0.35, 0.5), ("mirrored",), ("rescaled", 0.8))
    yield _on_photo("covered", "handbag", pick("hrsod/all", 0), (1.2, 0.5, 0.6), ("rescaled", 0.8), kind="intricate")
    yield _copy("duts/tr/planted_coift", pick("coift/all", 0), "re-encoded", quality=50, note="JPEG, quality 50")
    yield _copy(
        "thinobject5k/train/planted_coift", pick("coift/all", 1), "identical", quality=None, note="the same file"
    )
    yield _copy("dis5k/tr/planted_vd", pick("dis5k/vd", 0), "rescaled", steps=(("rescaled", 0.7),), note="to 70 %")
    yield _copy(
        "msra10k/all/planted_test",
        pick("thinobject5k/test", 0),
        "rescaled",
        steps=(("rescaled", 0.6),),
        level="image",
        mask=(("stepped", 16),),
        fault="coarse",
        note="its mask at a 16th of the resolution",
    )
    own = _plain("thinobject5k/train/planted_test", "dragonfly")
    yield replace(own, plant=Plant(of=pick("thinobject5k/test", 2), behind=own, bare=True, quality=92, level="object"))


def _faults() -> Iterator[Spec]:
    yield _fault("duts/tr/planted_empty", "cat", "empty", ("empty",))
    yield _fault("ecssd/all/0903", "mug", "full", ("full",))
    yield _fault("msra10k/all/planted_inverted", "car", "inverted", ("inverted",))
    yield _fault("duts/te/planted_inverted", "lighthouse", "inverted", ("inverted",))
    yield _fault("duts/tr/planted_shifted_4", "apple", "shifted", ("shifted", 0.04, 30), note="4 % of the diagonal")
    yield _fault(
        "msra10k/all/planted_shifted_4", "house", "shifted", ("shifted", 0.04, 250), note="4 % of the diagonal"
    )
    yield _fault("ecssd/all/0904", "teapot", "shifted", ("shifted", 0.08, 160), note="8 % of the diagonal")
    yield _fault("duts/te/planted_shifted_8", "boat", "shifted", ("shifted", 0.08, 300), note="8 % of the diagonal")
    yield _fault("duts/tr/planted_polygon", "bird", "coarse", ("polygonal", 0.03), note="a polygon")
    yield _fault("ecssd/all/0905", "butterfly", "coarse", ("polygonal", 0.03), note="a polygon")
    yield _fault(
        "msra10k/all/planted_stepped", "mushroom", "coarse", ("stepped", 16), note="at a 16th of the resolution"
    )
    yield _fault("duts/te/planted_half", "cat", "unlabelled", ("halved",), note="half of the object")
    yield _fault("msra10k/all/planted_half", "flower", "unlabelled", ("halved",), note="half of the object")
    own = _plain("duts/tr/planted_other_image", "flower")
    stranger = _plain("duts/tr/planted_stranger", "fish")
    plant = Plant(of=own, mask_of=stranger, fault="other_image", note="the mask of an image that is not there")
    yield replace(own, plant=plant)


def _swapped() -> Iterator[Spec]:
    """Images of one size that exchanged masks."""
    for pair in (
        (_plain("msra10k/all/planted_swapped_1", "car"), _plain("msra10k/all/planted_swapped_2", "butterfly")),
        (_plain("ecssd/all/0906", "teapot"), _plain("ecssd/all/0907", "fish")),
    ):
        for own, other in (pair, pair[::-1]):
            yield replace(own, plant=Plant(of=own, mask_of=other, fault="swapped", note="exchanged with the other's"))


def _plain(sample_id: str, subject: str | None = None, kind: Kind | None = None) -> Spec:
    """An item in the manner of its source, without a plant."""
    source, part, stem = sample_id.split("/", 2)
    usual, style, coding = _LOOKS[source]
    names = ("class", "n") if source == "fss1000" else ("stem",)
    return Spec(
        source=source,
        part=part,
        captures=tuple(zip(names, stem.split("/"), strict=True)),
        kind=kind or usual,
        style=style if kind is None else None,
        subject=subject,
        coding=coding,
    )


def _copy(
    sample_id: str,
    of: Spec,
    *changes: str,
    steps: tuple[Step, ...] = (),
    level: str = "pair",
    mask: tuple[Step, ...] = (),
    quality: int | None = 85,
    fault: str | None = None,
    note: str = "",
) -> Spec:
    plant = Plant(of=of, image=steps, mask=mask, quality=quality, level=level, changes=changes, fault=fault, note=note)
    return replace(_plain(sample_id), plant=plant)


def _on_photo(
    name: str, subject: str, photo: Spec, at: tuple[float, float, float], *steps: Step, kind: Kind | None = None
) -> Spec:
    """A composite of ThinObject-5K whose background is a photo of an evaluation set."""
    own = _plain(f"thinobject5k/train/planted_{name}", subject, kind)
    words = [word for word in ("rescaled", "mirrored", "cropped") if word in {step[0] for step in steps}]
    plant = Plant(of=own, behind=photo, at=at, image=steps, quality=92, level="background", changes=tuple(words))
    return replace(own, plant=plant)


def _fault(sample_id: str, subject: str, kind: str, *steps: Step, note: str = "") -> Spec:
    own = _plain(sample_id, subject)
    return replace(own, plant=Plant(of=own, mask=steps, fault=kind, note=note))
