"""SA-1B's records, and which of their masks a rule takes."""

import json
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco
from scipy.stats import chisquare

from hqdata.errors import DecodeError
from hqdata.limits import Limits
from hqdata.masks import rle
from hqdata.schema import MASK_KEYS, REASONS
from hqdata.sources.sa1b import MASK_RULES, choose, complete, pixels_of, read_record

HEIGHT, WIDTH = 20, 30


def box(number: int, left: int, top: int, width: int, height: int) -> dict[str, Any]:
    """An annotation: a filled box."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[top : top + height, left : left + width] = 1
    return {
        "segmentation": rle.encode(mask),
        "id": number,
        "area": int(mask.sum()),
        "bbox": [left, top, width - 1, height - 1],
        "predicted_iou": 0.9,
        "stability_score": 0.97,
        "crop_box": [0, 0, WIDTH, HEIGHT],
        "point_coords": [[left + 0.5, top + 0.5]],
    }


SMALL = box(7, 0, 0, 2, 2)  # 4 of 600 pixels: below 2 %
PART = box(3, 5, 5, 5, 5)  # inside OBJECT
OBJECT = box(9, 4, 4, 10, 8)
OTHER = box(5, 20, 2, 8, 8)
GROUND = box(1, 0, 14, 30, 6)  # 30 %
WALL = box(2, 0, 0, 30, 19)  # 95 %: more than an object covers


def record(*items: dict[str, Any], width: int = WIDTH, height: int = HEIGHT) -> dict[str, Any]:
    image = {"image_id": 1, "width": width, "height": height, "file_name": "sa_1.jpg"}
    return {"image": image, "annotations": list(items)}


def outlines(*items: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    return read_record(json.dumps(record(*items)).encode(), WIDTH, HEIGHT, "sa_1")


def read(*items: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    return tuple(map(complete, outlines(*items)))


def test_a_record_becomes_masks_sorted_by_id() -> None:
    masks = read(OBJECT, PART)
    assert [mask["id"] for mask in masks] == [3, 9]
    assert set(masks[0]) == set(MASK_KEYS) - {"category_id", "iscrowd"}
    assert masks[1]["bbox"] == [4.0, 4.0, 9.0, 7.0]
    assert rle.area(masks[1]) == 80


def test_whole_numbers_may_be_written_as_fractions() -> None:
    (mask,) = read({**OBJECT, "area": 80, "segmentation": {**OBJECT["segmentation"], "size": [20.0, 30.0]}})
    assert mask["size"] == [20, 30]
    assert {type(number) for number in mask["size"]} == {int}
    assert (mask["area"], type(mask["area"])) == (80.0, float)


def code(counts: Any) -> dict[str, Any]:
    return {**OBJECT, "segmentation": {"size": [HEIGHT, WIDTH], "counts": counts}}


def image(**values: Any) -> dict[str, Any]:
    whole = record(OBJECT)
    return {**whole, "image": {**whole["image"], **values}}


def without(key: str) -> dict[str, Any]:
    return record({name: value for name, value in OBJECT.items() if name != key})


BROKEN: dict[str, Any] = {
    "nothing": b"",
    "no JSON": b"{",
    "no text": b"\xff\xfe\x00",
    "another encoding": json.dumps(record(OBJECT)).encode("utf-16-be")[1:],
    "deep": b"[" * 100_000,
    "deep and whole": b'{"image":' * 5000 + b"1" + b"}" * 5000,
    "a number of too many digits": b'{"image": ' + b"9" * 5000 + b"}",
    "no annotations": {"image": {"width": WIDTH, "height": HEIGHT}},
    "annotations of another kind": {**record(), "annotations": {"1": OBJECT}},
    "an annotation of another kind": {**record(), "annotations": ["sa_1"]},
    "no annotation": {**record(), "annotations": [None]},
    "a list": [1],
    "another image's size": record(OBJECT, width=WIDTH + 1),
    "an endless size": image(width=float("inf")),
    "another mask's size": record({**OBJECT, "segmentation": {"size": [HEIGHT, WIDTH + 1], "counts": "0"}}),
    "another image's name": image(file_name="sa_2.jpg"),
    "no name": {**record(OBJECT), "image": {"width": WIDTH, "height": HEIGHT}},
    "a name that is no text": image(file_name=["sa_1.jpg"]),
    "a name that is no Unicode": image(file_name="\ud800.jpg"),
    "an endless number": record({**OBJECT, "predicted_iou": float("nan")}),
    "an endless area": record({**OBJECT, "area": float("inf")}),
    "a huge number": record({**OBJECT, "area": 10**400}),
    "a huge id": record({**OBJECT, "id": 2**63}),
    "a negative id": record({**OBJECT, "id": -1}),
    "an id twice": record(OBJECT, {**PART, "id": 9}),
    "a text for an id": record({**OBJECT, "id": "9"}),
    "a fraction for an id": record({**OBJECT, "id": 9.0}),
    "yes for an id": record({**OBJECT, "id": True}),
    "a word for a number": record({**OBJECT, "area": "many"}),
    "a text for a number": record({**OBJECT, "area": "80"}),
    "yes for a number": record({**OBJECT, "stability_score": True}),
    "no score": without("predicted_iou"),
    "no box": without("bbox"),
    "no area": without("area"),
    "a short box": record({**OBJECT, "bbox": [1, 2, 3]}),
    "a text for a box": record({**OBJECT, "crop_box": "1234"}),
    "a long box": record({**OBJECT, "crop_box": [1, 2, 3, 4, 5]}),
    "no point": record({**OBJECT, "point_coords": [None]}),
    "a point in space": record({**OBJECT, "point_coords": [[1, 2, 3]]}),
    "uncompressed codes": record(code([600])),
    "no code": record({**OBJECT, "segmentation": None}),
    "a code that does not fit": record(code("0")),
    "an empty code": record(code("")),
    "a code that ends within a number": record(code(OBJECT["segmentation"]["counts"][:-1] + "o")),
    "a code with a huge number": record(code("ooooooooooo0")),
    "a code with a zero in it": record(code(OBJECT["segmentation"]["counts"] + "\0")),
    "a code that is no ASCII": record(code("é")),
    "a code that is no Unicode": record(code("\ud800")),
}


def take(data: bytes, rule: Any) -> None:
    """All that a draw does with a record."""
    masks = read_record(data, WIDTH, HEIGHT, "sa_1")
    chosen = [masks[k] for k in choose(masks, rule, 1, "sa_1")]
    pixels_of(chosen)
    assert all(map(complete, chosen))


@pytest.mark.parametrize("rule", MASK_RULES)
@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_broken_record_says_so(broken: Any, rule: Any) -> None:
    data = broken if isinstance(broken, bytes) else json.dumps(broken).encode()
    with pytest.raises(DecodeError) as caught:
        take(data, rule)
    assert caught.value.reason == "bad_record"
    assert caught.value.reason in REASONS
    assert len(caught.value.detail) <= 200


def test_a_record_is_quoted_in_part_only() -> None:
    with pytest.raises(DecodeError) as caught:
        read_record(json.dumps(image(width="9" * 100_000)).encode(), WIDTH, HEIGHT, "sa_1")
    assert len(caught.value.detail) == 200


def test_a_record_has_a_limit() -> None:
    data = json.dumps(record(OBJECT)).encode()
    assert read_record(data, WIDTH, HEIGHT, "sa_1", Limits(record_bytes=len(data)))
    with pytest.raises(DecodeError, match="too_large"):
        read_record(data, WIDTH, HEIGHT, "sa_1", Limits(record_bytes=len(data) - 1))


@pytest.mark.parametrize(
    ("rule", "items", "taken"),
    [
        ("largest", [SMALL, OBJECT, OTHER], {9}),
        ("largest", [box(4, 0, 0, 4, 4), box(2, 9, 9, 4, 4)], {2}),
        ("largest", [{**SMALL, "area": 1e9}, OBJECT], {9}),
        ("whole", [SMALL, PART, OBJECT, WALL], set()),
        ("whole", [SMALL, PART, OBJECT], {9}),
        ("whole", [SMALL, WALL], set()),
        ("whole", [PART], {3}),
        ("whole", [PART, {**PART, "id": 4}], {3, 4}),
        ("all", [SMALL, OBJECT], {7, 9}),
        ("all", [], set()),
        ("uniform", [], set()),
        ("largest", [], set()),
        ("whole", [], set()),
    ],
)
def test_rules_take(rule: Any, items: list[dict[str, Any]], taken: set[int]) -> None:
    masks = outlines(*items)
    chosen = choose(masks, rule, 1, "sa_1", most=1 if rule == "largest" else 9)
    assert {masks[k]["id"] for k in chosen} == taken


def scene(seed: int) -> list[np.ndarray]:
    """Masks of random ellipses and boxes, some within others, some alike, some empty, some of nearly everything."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    found = []
    for _ in range(rng.integers(1, 12)):
        left, top = rng.integers(-4, WIDTH), rng.integers(-4, HEIGHT)
        width, height = rng.integers(1, WIDTH + 8), rng.integers(1, HEIGHT + 8)
        if rng.random() < 0.5:
            mask = (x >= left) & (x < left + width) & (y >= top) & (y < top + height)
        else:
            mask = ((x - left) / width) ** 2 + ((y - top) / height) ** 2 < 0.25
        found.append(mask & (rng.random(mask.shape) < rng.choice([1.0, 0.97, 0.9])))
        if rng.random() < 0.3:
            found.append(found[-1] & (x > left + width // 3))
        if rng.random() < 0.1:
            found.append(found[-1])
    return found


def decoded(mask: Mapping[str, Any]) -> np.ndarray:
    """Pixels, by pycocotools, which hands them over in a way of which NumPy 2 warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return coco.decode(rle.raw(mask["segmentation"])).astype(bool)


def is_whole(mask: np.ndarray, others: list[np.ndarray]) -> bool:
    """The rule `whole`, the plain way."""
    larger = [other for other in others if other.sum() > mask.sum()]
    if not 0.02 * mask.size <= mask.sum() <= 0.6 * mask.size:
        return False
    return all((mask & other).sum() / mask.sum() < 0.95 for other in larger)


@pytest.mark.parametrize("seed", range(100))
def test_rules_on_random_masks_as_pycocotools_sees_them(seed: int) -> None:
    """Decoded by pycocotools and judged in pixels."""
    ids = np.random.default_rng([seed, 1]).permutation(1000)
    items = [{**OBJECT, "id": int(ids[k]), "segmentation": rle.encode(mask)} for k, mask in enumerate(scene(seed))]
    masks = outlines(*items)
    pixels = [decoded(mask) for mask in masks]
    areas = [int(mask.sum()) for mask in pixels]
    assert pixels_of(masks).tolist() == areas == coco.area([rle.raw(mask["segmentation"]) for mask in masks]).tolist()
    assert choose(masks, "largest", 1, "sa_1") == [areas.index(max(areas))]
    whole = [k for k, mask in enumerate(pixels) if is_whole(mask, pixels)]
    assert choose(masks, "whole", 1, "sa_1", most=99) == whole
    assert set(choose(masks, "whole", 1, "sa_1")) <= set(whole)
    assert choose(masks, "all", 1, "sa_1") == list(range(len(masks)))


def test_the_random_masks_try_the_rules() -> None:
    verdicts = [is_whole(mask, found) for found in map(scene, range(100)) for mask in found]
    assert 0.2 < np.mean(verdicts) < 0.8


@pytest.mark.parametrize("rule", ["uniform", "whole"])
def test_a_draw_is_uniform_whatever_the_order(rule: Any) -> None:
    masks = outlines(OBJECT, OTHER, GROUND, SMALL)
    fitting = [OBJECT, OTHER, GROUND, *([SMALL] if rule == "uniform" else [])]
    drawn = [masks[choose(masks, rule, 44, f"sa_{number}")[0]]["id"] for number in range(2000)]
    turned = tuple(reversed(masks))
    assert drawn == [turned[choose(turned, rule, 44, f"sa_{number}")[0]]["id"] for number in range(2000)]
    assert set(drawn) == {item["id"] for item in fitting}
    assert chisquare([drawn.count(item["id"]) for item in fitting]).pvalue > 0.001


@pytest.mark.parametrize("most", [1, 2, 3, 9])
def test_at_most_so_many_masks_of_an_image(most: int) -> None:
    masks = outlines(OBJECT, OTHER, GROUND)
    taken = {rule: choose(masks, rule, 1, "sa_1", most) for rule in MASK_RULES}
    assert {rule: len(found) for rule, found in taken.items()} == {
        **dict.fromkeys(("uniform", "largest", "whole"), min(most, 3)),
        "all": 3,
    }
    for rule, found in taken.items():
        assert found == sorted(found)
        assert set(choose(masks, rule, 1, "sa_1")) <= set(found)


def random_mask(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.random(tuple(rng.integers(1, 60, 2))) < rng.choice([0.0, 0.03, 0.5, 1.0])).astype(np.uint8)


MASKS = [*map(random_mask, range(60)), np.ones((3000, 3000), np.uint8), np.zeros((3000, 3000), np.uint8)]


def coded(mask: np.ndarray) -> dict[str, Any]:
    made = coco.encode(np.asfortranarray(mask))
    return with_counts(made["counts"].decode(), made["size"])


def with_counts(counts: str, size: list[int]) -> dict[str, Any]:
    return {"id": 1, "segmentation": {"size": size, "counts": counts}}


def test_codes_that_pycocotools_made_are_counted_together_as_alone() -> None:
    expected = [int(mask.sum()) for mask in MASKS]
    assert pixels_of([coded(mask) for mask in MASKS]).tolist() == expected
    assert [int(pixels_of([coded(mask)])[0]) for mask in MASKS] == expected
    assert pixels_of([]).tolist() == []


def is_sound(code: dict[str, Any]) -> bool:
    try:
        pixels_of([code])
    except DecodeError:
        return False
    return True


def random_codes(count: int) -> Iterator[dict[str, Any]]:
    """Codes of 2 x 3 pixels from random letters; none ends within a number, beyond which pycocotools would read on."""
    rng = np.random.default_rng(0)
    while count:
        text = "".join(rng.choice([*map(chr, range(48, 64)), *"PQ_no"], int(rng.integers(1, 7))))
        if ord(text[-1]) < 80:
            count -= 1
            yield with_counts(text, [2, 3])


def test_codes_that_are_sound_are_what_pycocotools_decodes() -> None:
    sound = 0
    for made in random_codes(20_000):
        if is_sound(made):
            sound += 1
            assert decoded(made).sum() == pixels_of([made])[0]
    assert sound > 100


@pytest.mark.parametrize("seed", range(50))
def test_a_letter_more_or_less_or_another_one_is_found(seed: int) -> None:
    rng = np.random.default_rng(seed)
    made = coded((rng.random((20, 30)) < 0.5).astype(np.uint8))
    text = made["segmentation"]["counts"]
    place = int(rng.integers(len(text)))
    other = chr(int(rng.choice([k for k in range(48, 112) if chr(k) != text[place]])))
    for changed in (text[:place], text[:place] + text[place + 1 :], text[:place] + other + text[place + 1 :]):
        assert not is_sound(with_counts(changed, [20, 30]))


@pytest.mark.parametrize("counts", ["", "0", "o", "\x7f", "é", "0" * 5, "oooooooooooo0", "ooooooo0", "\ud800"])
def test_texts_that_are_no_codes(counts: str) -> None:
    assert not is_sound(with_counts(counts, [HEIGHT, WIDTH]))


def test_a_code_that_is_broken_is_named() -> None:
    good, bad = coded(MASKS[3]), {**coded(MASKS[4]), "id": 77}
    bad["segmentation"]["counts"] += "1"
    with pytest.raises(DecodeError, match="annotation 77: its run-length code does not fill the image"):
        pixels_of([good, bad, good])


def real_records(real: Path) -> list[Path]:
    paths = sorted((real / "SA-1B" / "json_single_annotation").glob("*.json"))
    assert len(paths) == 3
    return paths


def test_real_records_keep_their_own_box_convention(real: Path) -> None:
    for path in real_records(real):
        image = json.loads(path.read_bytes())["image"]
        (stated,) = read_record(path.read_bytes(), image["width"], image["height"], path.stem)
        mask = complete(stated)
        left, top, width, height = coco.toBbox(rle.raw(mask))
        assert mask["bbox"] == [left, top, width - 1, height - 1]
        rows, columns = np.nonzero(decoded(stated))
        assert mask["bbox"] == [columns.min(), rows.min(), np.ptp(columns), np.ptp(rows)]
        assert pixels_of([stated]) == [len(rows)] == [mask["area"]]


def test_rules_on_real_records(real: Path) -> None:
    for path in real_records(real):
        image = json.loads(path.read_bytes())["image"]
        masks = read_record(path.read_bytes(), image["width"], image["height"], path.stem)
        pixels = decoded(masks[0])
        assert {rule: choose(masks, rule, 1, path.stem) for rule in MASK_RULES} == {
            "uniform": [0],
            "largest": [0],
            "whole": [0] if is_whole(pixels, [pixels]) else [],
            "all": [0],
        }
        # As if the mask were of a smaller image: then it is large enough for an object.
        rows, columns = np.nonzero(pixels)
        part = pixels[rows.min() : rows.max() + 20, columns.min() : columns.max() + 20]
        smaller = [{"id": 1, "segmentation": rle.encode(part)}]
        assert choose(smaller, "whole", 1, path.stem) == [0] * is_whole(part, [part]) == [0]
