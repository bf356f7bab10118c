"""Verification finds any flipped bit, any missing or extra file, and with ``deep`` rows that lie."""

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from hqdata.errors import StoreCorrupt
from hqdata.schema import Record
from hqdata.store.index import INDEX, content_digest, index_bytes
from hqdata.store.reader import Collection
from hqdata.store.verify import verify
from hqdata.store.writer import file_row, write_shard


@pytest.fixture
def copy(hqseg: Collection, tmp_path: Path) -> Path:
    shutil.copytree(hqseg.folder, tmp_path / "copy")
    return tmp_path / "copy"


def flip(path: Path, offset: int, bit: int) -> None:
    with path.open("r+b") as stream:
        stream.seek(offset)
        byte = stream.read(1)[0]
        stream.seek(offset)
        stream.write(bytes([byte ^ 1 << bit]))


def flip_often(folder: Path, count: int, seed: int) -> None:
    """Flip one bit at a time, each file getting its share and the small ones more than that."""
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    files = sorted(folder.iterdir())
    for number in range(count):
        path = files[number % len(files)]
        offset, bit = int(rng.integers(path.stat().st_size)), int(rng.integers(8))
        flip(path, offset, bit)
        problems = verify(folder)
        flip(path, offset, bit)
        assert [problem.file for problem in problems] == [path.name], f"bit {bit} of byte {offset} of {path.name}"
    assert verify(folder) == []


def test_any_flipped_bit_is_found(copy):
    flip_often(copy, 50, seed=1)


@pytest.mark.slow
def test_any_of_many_flipped_bits_is_found(copy):
    flip_often(copy, 600, seed=2)


def test_every_bit_of_the_index_counts(copy):
    """Every 61st byte of ``collection.json``, bits in turn; the reader refuses it, too."""
    path = copy / INDEX
    for offset in range(0, path.stat().st_size, 61):
        flip(path, offset, offset % 8)
        assert [problem.file for problem in verify(copy)] == [INDEX], offset
        with pytest.raises(StoreCorrupt):
            Collection(copy)
        flip(path, offset, offset % 8)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_every_missing_file_is_named(copy):
    for name in names(copy):
        (copy / name).rename(copy.parent / "away")
        problems = verify(copy)
        assert [problem.file for problem in problems] == [name]
        (copy.parent / "away").rename(copy / name)
    assert verify(copy) == []


@pytest.mark.parametrize("name", ["extra.txt", "ecssd-00001.arrow", "below/extra.txt", ".hidden"])
def test_an_extra_file_is_named(copy, name):
    (copy / name).parent.mkdir(exist_ok=True)
    (copy / name).write_bytes(b"")
    assert [(problem.file, problem.what) for problem in verify(copy)] == [(name, "is not in the index")]


@pytest.mark.parametrize(("change", "what"), [(b"", "bytes, the index says"), (b"more", "bytes, the index says")])
def test_another_size_is_told(copy, change, what):
    path = copy / "ecssd-00000.arrow"
    path.write_bytes(path.read_bytes() + change if change else path.read_bytes()[:-1])
    (problem,) = verify(copy)
    assert problem.file == path.name
    assert what in problem.what
    with pytest.raises(StoreCorrupt, match=r"ecssd-00000\.arrow differs from the index"):
        Collection(copy)


def test_what_datasets_keeps_beside_the_data_is_no_damage(copy):
    Collection(copy).to_hf().shuffle(seed=1)
    assert list(copy.glob("cache-*.arrow"))
    assert verify(copy, deep=True) == []


def test_no_collection_at_all(tmp_path):
    (problem,) = verify(tmp_path / "nothing")
    assert problem.file == INDEX
    with pytest.raises(StoreCorrupt, match="is not a finished collection"):
        Collection(tmp_path)


def test_an_index_of_another_format_is_refused(copy):
    index = json.loads((copy / INDEX).read_text())
    (copy / INDEX).write_bytes(index_bytes({**index, "format": 99}))
    with pytest.raises(StoreCorrupt, match="another format"):
        Collection(copy)


def reseal(folder: Path, shard: str, **changes: object) -> None:
    """Rewrite the first row of a shard with other values, and an index that fits: a liar's collection."""
    records = []
    for position, sample in enumerate(s for s in Collection(folder) if s.source == shard.partition("-")[0]):
        row = sample.row
        record = Record(
            image=row["image"]["bytes"],
            image_suffix=row["image"]["path"].removeprefix(sample.sample_id),
            mask=row["mask"]["bytes"],
            mask_suffix=row["mask"]["path"].removeprefix(sample.sample_id),
            flags=sample.flags,
            errata=sample.errata,
            **{key: row[key] for key in row.keys() - {"image", "mask", "flags", "errata"}},
        )
        records.append(dataclasses.replace(record, **changes) if not position else record)  # type: ignore[arg-type]
    write_shard(folder / f"{shard}.arrow", records, 1 << 26)
    index = json.loads((folder / INDEX).read_text())
    kept = {item["name"]: item for item in index["files"]}
    name = f"{shard}.arrow"
    kept[name] |= file_row(folder, name)
    index["files"] = [kept[key] for key in sorted(kept)]
    (folder / INDEX).write_bytes(index_bytes(index))
    table = Collection(folder).table.select(["sample_id", "image_sha256", "pixels_sha256"]).to_pydict()
    index["content_digest"] = content_digest(zip(*table.values(), strict=True))
    (folder / INDEX).write_bytes(index_bytes(index))


def test_a_resealed_collection_is_intact(copy):
    reseal(copy, "ecssd-00000")
    assert verify(copy, deep=True) == []


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"width": 7}, "the row says"),
        ({"pixels_sha256": hashlib.sha256(b"").hexdigest()}, "mask has another digest"),
        ({"image": b"\xff\xd8\xff no image"}, "image"),
        ({"mask": b""}, "empty"),
    ],
    ids=["width", "pixels", "image", "mask"],
)
def test_only_deep_verification_finds_rows_that_lie(copy, change, what):
    reseal(copy, "ecssd-00000", **change)
    assert verify(copy) == []
    problems = verify(copy, deep=True)
    assert problems
    assert {problem.file for problem in problems} == {"ecssd/all/0001"}
    assert any(what in problem.what for problem in problems)


def test_rows_that_the_index_miscounts(copy):
    index = json.loads((copy / INDEX).read_text())
    (copy / INDEX).write_bytes(index_bytes({**index, "rows": 64}))
    assert [problem.what for problem in verify(copy)] == ["says 64 rows, the shards hold 109"]
    (copy / INDEX).write_bytes(index_bytes({**index, "content_digest": "0" * 64}))
    assert [problem.what for problem in verify(copy)] == ["content_digest is not that of the rows"]


def test_progress_is_told_every_byte(copy):
    told: list[int] = []
    assert verify(copy, on_bytes=told.append) == []
    assert sum(told) == sum(path.stat().st_size for path in copy.iterdir() if path.name != INDEX)


def test_the_content_digest_does_not_know_the_order():
    rows = [("b", "1", "2"), ("a", "3", "4"), ("a", "1", "9")]
    assert content_digest(rows) == content_digest(rows[::-1]) != content_digest(rows[1:])
    assert content_digest(rows) != content_digest([("b", "1", "2"), ("a", "3", "9"), ("a", "1", "4")])
