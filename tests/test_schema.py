"""The columns of a collection: what Arrow holds is what ``datasets`` reads, and only known words get in."""

import json
from dataclasses import replace
from typing import Any

import pytest
from datasets import Features

from hqdata.errors import HQDataError
from hqdata.schema import FEATURES, FLAGS, MASK_KEYS, REASONS, SAMPLE_SCHEMA, STAGES, Record, Reject, batch_of

RECORD = Record(
    sample_id="tiny/all/1",
    source="tiny",
    part="all",
    image=b"jpeg",
    image_suffix=".jpg",
    mask=b"png",
    mask_suffix=".png",
    masks=None,
    width=4,
    height=3,
    image_sha256="i",
    mask_sha256="m",
    pixels_sha256="p",
    flags=("mask_soft",),
    errata=("mislabelled",),
)
REJECT: dict[str, Any] = {
    "source": "tiny",
    "archive": "a.zip",
    "member": "1.jpg",
    "stage": "pair",
    "reason": "stray",
    "detail": "",
}


def test_the_features_are_what_datasets_makes_of_the_schema() -> None:
    features = Features.from_dict(FEATURES)
    assert features.to_dict() == FEATURES
    assert features == Features.from_arrow_schema(SAMPLE_SCHEMA)
    assert features.arrow_schema.remove_metadata() == SAMPLE_SCHEMA.remove_metadata()


def test_the_features_travel_inside_the_schema() -> None:
    assert SAMPLE_SCHEMA.metadata is not None
    assert json.loads(SAMPLE_SCHEMA.metadata[b"huggingface"]) == {"info": {"features": FEATURES}}


def test_records_become_rows_of_the_schema() -> None:
    code = {"size": [3, 4], "counts": "0c", "area": 12.0, "point_coords": [[1.0, 2.0]]}
    many = replace(RECORD, sample_id="tiny/all/2", mask=None, mask_sha256=None, masks=(code,), flags=(), errata=())
    batch = batch_of([RECORD, many])
    assert batch.schema.equals(SAMPLE_SCHEMA, check_metadata=True)
    batch.validate(full=True)
    plain = {
        "source": "tiny",
        "part": "all",
        "width": 4,
        "height": 3,
        "image_sha256": "i",
        "pixels_sha256": "p",
    }
    assert batch.to_pylist() == [
        {
            **plain,
            "sample_id": "tiny/all/1",
            "image": {"bytes": b"jpeg", "path": "tiny/all/1.jpg"},
            "mask": {"bytes": b"png", "path": "tiny/all/1.png"},
            "masks": None,
            "mask_sha256": "m",
            "flags": ["mask_soft"],
            "errata": ["mislabelled"],
        },
        {
            **plain,
            "sample_id": "tiny/all/2",
            "image": {"bytes": b"jpeg", "path": "tiny/all/2.jpg"},
            "mask": None,
            "masks": [dict.fromkeys(MASK_KEYS) | code],
            "mask_sha256": None,
            "flags": [],
            "errata": [],
        },
    ]


@pytest.mark.parametrize("flags", [("mask_sofd",), ("mask_soft", ""), ("stray",)])
def test_an_unknown_flag_is_refused(flags: tuple[str, ...]) -> None:
    with pytest.raises(HQDataError, match=r"not in hqdata\.schema\.FLAGS"):
        replace(RECORD, flags=flags)


@pytest.mark.parametrize("change", [{"reason": "stay"}, {"stage": "paint"}, {"reason": "pair", "stage": "stray"}])
def test_an_unknown_reason_or_stage_is_refused(change: dict[str, str]) -> None:
    assert Reject(**REJECT).reason == "stray"
    with pytest.raises(HQDataError, match=r"not in hqdata\.schema\.STAGES/REASONS"):
        Reject(**{**REJECT, **change})


@pytest.mark.parametrize("words", [FLAGS, STAGES, REASONS], ids=["flags", "stages", "reasons"])
def test_every_word_is_explained(words: dict[str, str]) -> None:
    assert all(word.isascii() and word.islower() and meaning for word, meaning in words.items())
    assert len(set(words.values())) == len(words)
