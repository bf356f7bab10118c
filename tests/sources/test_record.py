"""An image and its record: one mask as pixels, or many as codes; what does not fit is said."""

import hashlib
import json
from typing import Any

import numpy as np
import pytest

from hqdata.errors import DecodeError
from hqdata.limits import Limits
from hqdata.masks import rle
from hqdata.schema import MASK_KEYS
from hqdata.sources.decode import decode_mask_bytes
from hqdata.sources.mask_coding import pixels_digest
from hqdata.sources.record import RecordRules, normalize_record
from tests.tars import HEIGHT, WIDTH, annotation, members, record

RULES = RecordRules(masks="largest", per_image=1, seed=1, single=True)
IMAGE, RECORD = members(1000).values()


def rules(**changes: Any) -> RecordRules:
    return RecordRules(**{"masks": "all", "per_image": 1, "seed": 1, "single": False, **changes})


def test_a_single_mask_becomes_pixels():
    pair = normalize_record(IMAGE, RECORD, "sa_1000", RULES)
    chosen = record(1000)["annotations"][2]
    assert pair.mask is not None
    values = decode_mask_bytes(pair.mask)
    assert np.array_equal(values, rle.decode(chosen["segmentation"]) * 255)
    assert (pair.mask_suffix, pair.image) == (".png", IMAGE)
    assert pair.masks is not None
    (code,) = pair.masks
    assert np.array_equal(rle.decode(code) * 255, values)
    assert {name: code[name] for name in ("id", "predicted_iou", "stability_score", "area")} == {
        name: chosen[name] for name in ("id", "predicted_iou", "stability_score", "area")
    }
    assert pair.pixels_sha256 == pixels_digest(values)
    assert pair.mask_sha256 == hashlib.sha256(RECORD).hexdigest()
    assert pair.image_sha256 == hashlib.sha256(IMAGE).hexdigest()
    assert pair.flags == ("mask_reencoded",)


def test_a_mask_of_everything_is_flagged():
    image, text = members(1003).values()
    assert normalize_record(image, text, "sa_1003", RULES).flags == ("full_mask", "mask_reencoded")


def test_many_masks_stay_codes_with_their_attributes():
    pair = normalize_record(IMAGE, RECORD, "sa_1000", rules())
    assert (pair.mask, pair.flags) == (None, ())
    assert pair.masks is not None
    assert [mask["id"] for mask in pair.masks] == [10001, 10002, 10003, 10004]
    assert set(pair.masks[0]) == set(MASK_KEYS) - {"category_id", "iscrowd"}
    assert [rle.area(mask) for mask in pair.masks] == [4, 25, 192, 168]
    again = normalize_record(IMAGE, json.dumps(json.loads(RECORD), indent=2).encode(), "sa_1000", rules())
    assert again.pixels_sha256 == pair.pixels_sha256
    assert again.mask_sha256 != pair.mask_sha256


def test_some_masks_have_a_digest_of_their_own():
    all_of_them, some = (
        normalize_record(IMAGE, RECORD, "sa_1000", rules(masks=rule, per_image=3)) for rule in ("all", "uniform")
    )
    assert some.masks is not None
    assert len(some.masks) == 3
    assert some.pixels_sha256 != all_of_them.pixels_sha256


def changed(**segmentation: Any) -> bytes:
    whole = record(1000)
    whole["annotations"] = [annotation(1, 4, 4, 9, 9)]
    whole["annotations"][0]["segmentation"] |= segmentation
    return json.dumps(whole).encode()


def without_masks() -> bytes:
    return json.dumps({**record(1000), "annotations": []}).encode()


@pytest.mark.parametrize(
    ("image", "text", "stem", "limits", "reason", "detail"),
    [
        (IMAGE, b"{", "sa_1000", {}, "bad_record", "mask: "),
        (IMAGE, RECORD, "sa_1001", {}, "bad_record", "mask: of image sa_1000.jpg"),
        (IMAGE, without_masks(), "sa_1000", {}, "no_mask", "mask: 0 masks, rule largest"),
        (IMAGE, changed(counts="0"), "sa_1000", {}, "bad_record", "mask: annotation 1"),
        (IMAGE, changed(size=[HEIGHT, WIDTH + 1]), "sa_1000", {}, "bad_record", "mask: annotation 1"),
        (IMAGE[:40], RECORD, "sa_1000", {}, "truncated", "image: "),
        (b"<html>", RECORD, "sa_1000", {}, "not_an_image", "image: "),
        (IMAGE, RECORD, "sa_1000", {"image_pixels": 100}, "too_many_pixels", "image: "),
    ],
)
def test_what_does_not_fit_is_said(image, text, stem, limits, reason, detail):
    with pytest.raises(DecodeError) as caught:
        normalize_record(image, text, stem, RULES, Limits(**limits))
    assert caught.value.reason == reason
    assert caught.value.detail.startswith(detail)
