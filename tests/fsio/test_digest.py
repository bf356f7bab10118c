"""Equal values have equal digests, whatever order they were written in."""

import hashlib
from pathlib import Path

import pytest

from hqdata.fsio.digest import CHUNK, canonical_json, digest_of, sha256_file


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, 2 * CHUNK + 3])
def test_a_file_is_hashed_whole_in_steps(tmp_path: Path, size: int) -> None:
    content = (bytes(range(251)) * (size // 251 + 1))[:size]
    (tmp_path / "a").write_bytes(content)
    steps: list[int] = []
    assert sha256_file(tmp_path / "a", steps.append) == hashlib.sha256(content).hexdigest()
    assert sum(steps) == size
    assert max(steps, default=0) <= CHUNK
    assert sha256_file(tmp_path / "a") == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [1, 2]}, '{"a":[1,2],"b":1}'),
        ({"z": {"y": None, "x": True}}, '{"z":{"x":true,"y":null}}'),
        (("a", "b"), '["a","b"]'),
        ("é\n", '"é\\n"'),
        (0.1, "0.1"),
        (1.0, "1.0"),
        ({}, "{}"),
    ],
)
def test_one_value_has_one_text(value: object, text: str) -> None:
    assert canonical_json(value) == text
    assert digest_of(value) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": 2}, {"a": 2, "b": 1}),
        (["a", "b"], ["b", "a"]),
        (["ab"], ["a", "b"]),
        (1, "1"),
        (1, True),
        (None, "null"),
        ("é", "e\u0301"),
        ({"a": None}, {}),
    ],
)
def test_different_values_have_different_digests(one: object, other: object) -> None:
    assert digest_of(one) != digest_of(other)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_without_json_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        digest_of({"a": value})


def test_a_name_that_is_not_unicode_still_has_a_digest() -> None:
    assert digest_of("\udcff") != digest_of("\udcfe")
