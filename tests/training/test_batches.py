"""Batches: what the split reads, jittered by the visit's own numbers, the same from any number of processes."""

import dataclasses
import itertools
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import hqdata
from hqdata.analysis.splits.reference import Data
from hqdata.errors import UsageError
from hqdata.masks.rescale import rescale
from hqdata.pipelines.own_data import build_own
from hqdata.pipelines.recipe import Options
from hqdata.store.reader import Collection
from hqdata.store.view import SplitView
from hqdata.training.batches import Batch, batches
from hqdata.training.jitter import TRIES, jitter
from hqdata.training.losses import candidates
from hqdata.training.recipe import Recipe, load_recipe
from hqdata.training.visits import visits_of
from tests import splits
from tests.export.many import drawn_masks, many_masks
from tests.store.saved import save
from tests.training.oracles import TINY

# torch warns where there are more workers than cores.
pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")
TENSORS = [item.name for item in dataclasses.fields(Batch) if item.name != "visits"]
RECIPE = load_recipe("fixed", ["batch=4", "loss_points=16"])
RELEASED = load_recipe("released", ["batch=8", "loss_points=16"])
PLAIN = load_recipe("fixed", ["batch=4", "loss_points=16", "flip=0", "smallest_scale=1", "largest_scale=1"])
"""Nothing but the whole image on the canvas."""


@pytest.fixture(scope="module")
def fruit(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """24 images of 48 x 32 pixels."""
    return splits.fruit(tmp_path_factory.mktemp("fruit"))


def made(samples: Data, recipe: Recipe, first: int, last: int, seed: int = 0, **choices: Any) -> list[Batch]:
    return list(batches(samples, visits_of(samples, seed), recipe, TINY, first=first, last=last, **choices))


def same(one: Batch, other: Batch) -> bool:
    return one.visits == other.visits and all(
        getattr(one, name).dtype == getattr(other, name).dtype and torch.equal(getattr(one, name), getattr(other, name))
        for name in TENSORS
    )


def assert_same(ones: Sequence[Batch], others: Sequence[Batch]) -> None:
    assert len(ones) == len(others) > 0
    assert all(map(same, ones, others))


def test_shapes_and_types(fruit: Collection) -> None:
    (batch,) = made(fruit, RECIPE, 0, 1)
    assert {name: (str(getattr(batch, name).dtype)[6:], *getattr(batch, name).shape) for name in TENSORS} == {
        "images": ("uint8", 4, 3, 128, 128),
        "sizes": ("int64", 4, 2),
        "masks": ("uint8", 4, 1, 128, 128),
        "prompted": ("uint8", 4, 1, 128, 128),
        "scale": ("float64", 4),
        "tries": ("int64", 4),
        "choice": ("float32", 4),
        "order": ("float32", 4, 10),
        "noise": ("float32", 4, 1, 32, 32),
        "candidates": ("float32", 4, 3 * 16 + 4, 2),
    }
    assert len(batch.visits) == 4


def test_each_visit_is_made_of_its_sample_and_its_own_numbers(fruit: Collection) -> None:
    visits = visits_of(fruit, 3)
    for step, batch in enumerate(made(fruit, RELEASED, 0, 4, seed=3)):
        assert batch.visits == tuple(visits[8 * step + place] for place in range(8))
        for row, visit in enumerate(batch.visits):
            sample = fruit[visit.mask_id.removesuffix("#0")]
            canvas = jitter(sample.image, sample.mask, RELEASED, 128, visit.generator("jitter"))
            assert torch.equal(batch.images[row], canvas.image)
            assert torch.equal(batch.masks[row], canvas.mask)
            assert (*batch.sizes[row].tolist(), float(batch.scale[row]), int(batch.tries[row])) == (
                *canvas.size,
                canvas.scale,
                canvas.tries,
            )
            assert torch.equal(batch.candidates[row], candidates(1, visit.generator("loss"), 16)[0])


def test_random_numbers_are_what_they_should_be(fruit: Collection) -> None:
    joined = [torch.cat([getattr(batch, name).ravel() for batch in made(fruit, RECIPE, 0, 12)]) for name in NUMBERS]
    for (mean, deviation), numbers in zip(NUMBERS.values(), joined, strict=True):
        assert len(numbers.unique()) > 0.99 * len(numbers)
        error = deviation / np.sqrt(len(numbers))
        assert float(numbers.mean()) == pytest.approx(mean, abs=4 * error)
        assert float(numbers.std()) == pytest.approx(deviation, abs=4 * error)


UNIFORM = (0.5, 12**-0.5)
NUMBERS = {"choice": UNIFORM, "order": UNIFORM, "noise": (0.0, 1.0), "candidates": UNIFORM}


def test_the_same_for_any_number_of_workers(fruit: Collection) -> None:
    assert_same(made(fruit, RELEASED, 0, 5), made(fruit, RELEASED, 0, 5, workers=2))


def test_slices_of_all_processes_are_the_whole_batch(fruit: Collection) -> None:
    whole = made(fruit, RECIPE, 0, 3)
    for world in (2, 4):
        parts = [made(fruit, RECIPE, 0, 3, rank=rank, world=world) for rank in range(world)]
        for batch, slices in zip(whole, zip(*parts, strict=True), strict=True):
            share = 4 // world
            cut = [batch.part(rank * share, rank * share + share) for rank in range(world)]
            assert_same(cut, slices)


def test_training_goes_on_from_any_step(fruit: Collection) -> None:
    """24 masks, 4 a batch: an epoch ends after step 5."""
    whole = made(fruit, RECIPE, 0, 14)
    for first in (1, 5, 6, 13):
        assert_same(whole[first:], made(fruit, RECIPE, first, 14))
    assert made(fruit, RECIPE, 14, 14) == []
    assert {visit.use for visit in itertools.chain.from_iterable(batch.visits for batch in whole[:6])} == {0}


def test_batches_reach_into_the_next_epoch(fruit: Collection) -> None:
    recipe = load_recipe("fixed", ["batch=16", "loss_points=16"])
    uses = [[visit.use for visit in batch.visits] for batch in made(fruit, recipe, 0, 3)]
    assert uses == [[0] * 16, [0] * 8 + [1] * 8, [1] * 16]


def test_global_random_numbers_are_left_alone(fruit: Collection) -> None:
    before = torch.get_rng_state(), random.getstate(), repr(np.random.get_state())  # noqa: NPY002 - looked at only
    made(fruit, RELEASED, 0, 2, workers=1)
    made(fruit, RELEASED, 0, 2)
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1:] == (random.getstate(), repr(np.random.get_state()))  # noqa: NPY002


def test_a_mask_is_seen_alike_whatever_else_is_in_the_split(fruit: Collection, tmp_path: Path) -> None:
    some = fruit.split(splits.make(fruit, tmp_path, only=("cherry",)).path)
    seen = {visit.mask_id: batch.part(row, row + 1) for batch in made(fruit, RECIPE, 0, 6) for row, visit in
            enumerate(batch.visits)}  # fmt: skip
    for batch in made(some, RECIPE, 0, 2):
        assert all(same(seen[visit.mask_id], batch.part(row, row + 1)) for row, visit in enumerate(batch.visits))


def degraded(fruit: Collection, folder: Path) -> SplitView:
    return fruit.split(splits.make(fruit, folder, degrade="dilation:0.05").path)


def scaled(fruit: Collection, folder: Path) -> SplitView:
    """Each at half its size, without soft edges."""
    ids = [f"{name}#0" for name in sorted(fruit.sample_ids)]
    worse = {"kind": "binary", "seed": 0, "name": None, "sources": {name: {"strength": 0.0} for name in splits.NUMBERS}}
    return fruit.split(save(fruit, folder, ids, scales=[0.5] * len(ids), degrade=worse).path)


@pytest.mark.parametrize("split", [degraded, scaled])
@pytest.mark.parametrize("workers", [0, 1])
def test_a_split_is_trained_on_as_it_is_read(split: Any, workers: int, fruit: Collection, tmp_path: Path) -> None:
    view = split(fruit, tmp_path)
    for read, stored in zip(made(view, PLAIN, 0, 3, workers=workers), made(fruit, PLAIN, 0, 3), strict=True):
        assert read.visits == stored.visits
        assert (read.masks != stored.masks).flatten(1).any(dim=1).all()
        assert torch.equal(read.images, stored.images) == (split is degraded)
        for row, visit in enumerate(read.visits):
            image, mask = view[visit.mask_id.removesuffix("#0")].image, view.read_mask(visit.mask_id)
            canvas = jitter(image, mask, PLAIN, 128, visit.generator("jitter"))
            assert torch.equal(read.images[row], canvas.image)
            assert torch.equal(read.masks[row], canvas.mask)


@pytest.mark.parametrize("split", [degraded, scaled])
def test_prompts_are_drawn_from_the_mask_as_read_or_as_it_was_before(
    split: Any, fruit: Collection, tmp_path: Path
) -> None:
    view, seed = split(fruit, tmp_path), 0
    whole = replace(PLAIN, prompt_from="original")
    for read, before in zip(made(view, PLAIN, 0, 3, seed), made(view, whole, 0, 3, seed), strict=True):
        assert torch.equal(read.prompted, read.masks)
        assert torch.equal(before.masks, read.masks)
        assert torch.equal(before.images, read.images)
        assert (before.prompted != before.masks).flatten(1).any(dim=1).all()
        for row, visit in enumerate(before.visits):
            image, stored = view[visit.mask_id.removesuffix("#0")].image, fruit[visit.mask_id.removesuffix("#0")].mask
            half = stored if split is degraded else rescale(stored, 0.5)
            assert torch.equal(before.prompted[row], jitter(image, half, PLAIN, 128, visit.generator("jitter")).mask)


def test_a_mask_among_many_is_found_by_its_number(tmp_path: Path) -> None:
    samples = many_masks(tmp_path / "many")
    truth = dict(zip(samples[0].mask_ids, drawn_masks(), strict=True))
    (batch,) = made(samples, PLAIN, 0, 1)
    assert {visit.mask_id for visit in batch.visits} == {*truth}
    for row, visit in enumerate(batch.visits):
        greys = truth[visit.mask_id] * np.uint8(255)
        canvas = jitter(samples[0].image, greys, PLAIN, 128, visit.generator("jitter"))
        assert torch.equal(batch.masks[row], canvas.mask)
        # Empty stays empty; one pixel in a corner becomes 2.7 x 2.7.
        assert int(batch.tries[row]) == (TRIES + 1 if visit.mask_id.endswith("#1") else 1)


def test_batches_move_and_come_apart(fruit: Collection) -> None:
    (batch,) = made(fruit, RECIPE, 0, 1)
    part = batch.part(1, 3)
    assert part.visits == batch.visits[1:3]
    assert torch.equal(part.masks, batch.masks[1:3])
    assert part.images.data_ptr() == batch.images[1].data_ptr()
    there = batch.to("meta")
    assert {getattr(there, name).device.type for name in TENSORS} == {"meta"}
    assert same(batch.pin(), batch)


# changes of `released`, rank, world: part of the error
REFUSED: dict[str, tuple[list[str], int, int, str]] = {
    "three processes": ([], 0, 3, "a multiple of 12\n.*32"),
    "half a group each": (["batch=8"], 0, 4, "whole groups of 4\n.*a multiple of 16\n.*8"),
    "no such rank": ([], 4, 4, "0 to 3\n.*4"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_shared_is_refused(case: str, fruit: Collection) -> None:
    changes, rank, world, message = REFUSED[case]
    with pytest.raises(UsageError, match=f"(?s){message}"):
        batches(
            fruit, visits_of(fruit, 0), load_recipe("released", changes), TINY, first=0, last=1, rank=rank, world=world
        )


def test_an_error_of_a_worker_is_told(fruit: Collection) -> None:
    """A mask that the samples do not have."""
    strange = visits_of(fruit, 0)
    strange.mask_ids = [f"x{mask_id}" for mask_id in strange.mask_ids]
    for workers in (0, 1):
        with pytest.raises(KeyError, match=r"x(apple|banana|cherry)/all"):
            next(batches(fruit, strange, RECIPE, TINY, first=0, last=1, workers=workers))


def test_real_images(real: Path, tmp_path: Path) -> None:
    """ECSSD as it is: JPEGs of several sizes, one of them grey."""
    for folder, pattern in (("images", "00[0-4]?.jpg"), ("ground_truth_mask", "00[0-4]?.png")):
        (tmp_path / folder).mkdir()
        for path in sorted((real / "ECSSD" / folder).glob(pattern)):
            (tmp_path / folder / path.name).symlink_to(path)
    build_own(tmp_path / "images", tmp_path / "ground_truth_mask", "ecssd", tmp_path / "out", Options())
    samples = hqdata.open(tmp_path / "out")
    alone = made(samples, RECIPE, 0, 3)
    assert_same(alone, made(samples, RECIPE, 0, 3, workers=1))
    assert min(int((mask > 127).sum()) for batch in alone for mask in batch.masks) >= 10
    visit = alone[0].visits[0]
    sample = samples[visit.mask_id.removesuffix("#0")]
    canvas = jitter(sample.image, sample.mask, RECIPE, 128, visit.generator("jitter"))
    assert torch.equal(alone[0].images[0], canvas.image)
