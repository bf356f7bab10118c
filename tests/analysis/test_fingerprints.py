"""Fingerprints: a row for each sample, read back as they were computed; damaged tables are not trusted."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hqdata.analysis.fingerprints import COUNT, MEASURE, SIDE, fingerprint_rows, read_fingerprints, reduced
from hqdata.analysis.measure import compute
from hqdata.demo.plants import Picture
from hqdata.errors import StoreCorrupt
from hqdata.masks.hashes import tile_hashes
from hqdata.masks.keypoints import codes, keypoints
from hqdata.store.reader import Collection, Sample
from tests.masks.texture import texture
from tests.pictures import collection, drawn, row_of, small


@pytest.fixture
def made(tmp_path: Path) -> Collection:
    """Four drawings; one is plain."""
    plain = Picture(np.full((60, 80, 3), 99, np.uint8), np.zeros((60, 80), np.uint8))
    return collection(tmp_path, {"a": small(1), "b": plain, "c": drawn(2), "d": small(3)})


@pytest.mark.parametrize(
    ("size", "want"),
    [((10, 20), (10, 20)), ((512, 300), (512, 300)), ((1024, 512), (512, 256)), ((600, 900), (341, 512))],
)
def test_large_images_are_reduced_and_small_ones_left(size: tuple[int, int], want: tuple[int, int]) -> None:
    grey = texture(*size)
    found = reduced(grey)
    assert found.shape == want
    assert (found is grey) is (max(size) <= SIDE)


def test_they_are_read_as_they_were_computed(made: Collection) -> None:
    prints = read_fingerprints(made)
    assert prints.sizes.tolist() == [list(sample.size) for sample in made]
    assert prints.tiles.shape == (4, 16)
    for position, sample in enumerate(made):
        grey = np.asarray(Image.fromarray(sample.image).convert("L"))
        found = keypoints(grey, COUNT, sample.mask)
        own = prints.image == position
        assert prints.codes[own].tolist() == codes(found.descriptors).tolist()
        np.testing.assert_allclose(prints.points[own], found.points, rtol=1e-3, atol=0.01)
        assert prints.tiles[position].tolist() == tile_hashes(grey).tolist()
    assert np.count_nonzero(prints.image == 1) == 0
    assert (np.diff(prints.image) >= 0).all()
    assert {prints.codes.dtype, prints.tiles.dtype} == {np.dtype(np.uint64)}


def test_an_object_has_its_share_of_keypoints() -> None:
    mask = np.zeros((300, 400), np.uint8)
    mask[100:150, 200:250] = 255
    picture = Picture(np.repeat(texture(300, 400)[..., None], 3, axis=2), mask)
    [row] = fingerprint_rows(Sample({"sample_id": "a", **row_of(picture)}))
    [bare] = fingerprint_rows(Sample({"sample_id": "a", **row_of(picture, masks=[])}))
    counts = []
    for item in (row, bare):
        x, y = np.frombuffer(item["points"], "<f2").reshape(-1, 4)[:, :2].astype(int).T
        counts.append(int((mask[y, x] > 127).sum()))
    assert len(row["codes"]) == len(bare["codes"]) == 16 * COUNT
    assert counts[0] > 2 * counts[1]


def test_progress_counts_every_sample_once(made: Collection) -> None:
    for _ in range(2):
        told: list[int] = []
        read_fingerprints(made, on_samples=told.append)
        assert sum(told) == 4


@pytest.mark.parametrize("damage", ["page", "footer"])
def test_a_damaged_table_is_an_error_that_says_what_to_do(made: Collection, damage: str) -> None:
    table = compute(made, MEASURE).folder / "fingerprints.parquet"
    content = bytearray(table.read_bytes())
    content[len(content) // 2 if damage == "page" else -5] ^= 255
    table.write_bytes(content)
    with pytest.raises(StoreCorrupt, match=r"fingerprints\.parquet cannot be read\n(.|\n)*remove its folder"):
        read_fingerprints(made)


def test_a_table_cut_short_is_computed_again(made: Collection) -> None:
    want = read_fingerprints(made).codes.tolist()
    table = compute(made, MEASURE).folder / "fingerprints.parquet"
    table.write_bytes(table.read_bytes()[:100])
    assert read_fingerprints(made).codes.tolist() == want
    assert not compute(made, MEASURE).fresh
