"""Differences between collections, each kind made on purpose."""

import io

import numpy as np
import pytest
from PIL import Image

import hqdata
from hqdata.analysis.diff import Difference, diff
from hqdata.pipelines.own_data import build_own
from hqdata.pipelines.recipe import Options
from tests.helpers import encoded, pair, write_files


def build(folder, files):
    """A collection of ``{stem: (image, mask)}``."""
    for stem, (image, mask) in files.items():
        write_files(folder, {f"im/{stem}.jpg": image, f"gt/{stem}.png": mask})
    build_own(folder / "im", folder / "gt", "own", folder / "out", Options())
    return hqdata.open(folder / "out")


def recoded(mask: bytes) -> bytes:
    """The same pixels in other bytes."""
    stream = io.BytesIO()
    Image.fromarray(np.asarray(Image.open(io.BytesIO(mask)))).save(stream, "BMP")
    return stream.getvalue()


P = [pair(seed) for seed in range(5)]
CASES = {
    "equal": ({"a": P[0], "b": P[1]}, {"a": P[0], "b": P[1]}, []),
    "only in A": ({"a": P[0], "b": P[1]}, {"a": P[0]}, [("b", "only in A", "")]),
    "only in B": ({"a": P[0]}, {"a": P[0], "b": P[1]}, [("b", "only in B", "")]),
    "image": ({"a": P[0]}, {"a": (P[1][0], P[0][1])}, [("a", "image", "")]),
    "mask": ({"a": P[0]}, {"a": (P[0][0], P[1][1])}, [("a", "mask", "")]),
    "mask file": ({"a": P[0]}, {"a": (P[0][0], recoded(P[0][1]))}, [("a", "mask file", "")]),
    "renamed": ({"a": P[0], "b": P[1]}, {"a": P[0], "c": P[1]}, [("b", "renamed", "c")]),
    "renamed and other mask": (
        {"b": P[1], "x": P[2]},
        {"c": (P[1][0], P[3][1]), "x": P[2]},
        [("b", "only in A", ""), ("c", "only in B", "")],
    ),
    "renamed to one of two copies": (
        {"a": P[0]},
        {"b": P[0], "c": P[0]},
        [("a", "only in A", ""), ("b", "only in B", ""), ("c", "only in B", "")],
    ),
    "all at once": (
        {"a": P[0], "b": P[1], "c": P[2], "d": P[3]},
        {"a": (P[4][0], P[0][1]), "b": (P[1][0], P[4][1]), "e": P[2], "d": P[3]},
        [("a", "image", ""), ("b", "mask", ""), ("c", "renamed", "e")],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_diff(tmp_path, case):
    one, two, expected = CASES[case]
    found = diff(build(tmp_path / "a", one), build(tmp_path / "b", two))
    wanted = [
        Difference(sample_id=f"own/all/{stem}", kind=kind, other_id=other and f"own/all/{other}")
        for stem, kind, other in expected
    ]
    assert found == wanted


def test_diff_is_symmetric_in_what_it_finds(tmp_path):
    one, two, _ = CASES["only in A"]
    a, b = build(tmp_path / "a", one), build(tmp_path / "b", two)
    assert [item.kind for item in diff(b, a)] == ["only in B"]


def test_sizes_do_not_hide_a_difference(tmp_path):
    image, mask = P[0]
    other = encoded(255 - np.zeros((32, 48), np.uint8))
    found = diff(build(tmp_path / "a", {"a": (image, mask)}), build(tmp_path / "b", {"a": (image, other)}))
    assert [item.kind for item in found] == ["mask"]
