"""The loop against a training written out by hand, what it logs, and what stops it."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from hqdata.errors import HQDataError, UsageError
from hqdata.store.view import open_view
from hqdata.training.batches import batches
from hqdata.training.job import prepare
from hqdata.training.loop import NonFinite, train
from hqdata.training.losses import mask_loss, unsure_points
from hqdata.training.parallel import Team
from hqdata.training.prompting import draw_prompts
from hqdata.training.variants.hq_sam import HQHead
from hqdata.training.variants.registry import VARIANTS
from tests.helpers import snapshot
from tests.splits import make
from tests.training.runs import STEPS, Place, StopAfter, finished, make_place

ALONE = Team(device=torch.device("cpu"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return make_place(tmp_path_factory.mktemp("place"))


@pytest.fixture(scope="module")
def trained(place: Place) -> Path:
    place.train("trained")
    return place.root / "trained"


def by_hand(place: Place, **options: Any) -> tuple[list[float], dict[str, Tensor]]:
    """The plain way: whole batches, torch's Adam and its schedule as they are."""
    job = prepare(place.asked("by-hand", **options), ALONE)
    sam, head, recipe = job.sam, job.head, job.recipe
    optimizer = torch.optim.Adam(head.parameters(), lr=recipe.learning_rate)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [-(-STEPS * 10 // 12)], gamma=0.1)
    losses = []
    for batch in batches(job.samples, job.visits, recipe, sam.size, first=0, last=STEPS):
        drawn = draw_prompts(batch.masks, batch.choice, batch.order, batch.noise, recipe)
        logits = head(sam, sam.encode(batch.images, sizes=batch.sizes), sam.prompt(drawn.prompts))
        points = unsure_points(logits, batch.candidates, recipe.loss_points)
        loss = mask_loss(logits, batch.masks / 255, points).total
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(float(loss.detach()))
    return losses, head.state_dict()


@pytest.mark.parametrize(
    ("micro", "options"),
    [(4, {}), (2, {}), (1, {}), (2, {"recipe": "released", "changes": ("batch=8", "group=4")})],
    ids=("at once", "by two", "by one", "released, by two"),
)
def test_equals_a_training_by_hand(place: Place, micro: int, options: dict[str, Any]) -> None:
    name = f"micro-{micro}-{len(options)}"
    observer = StopAfter()
    train(place.asked(name, micro=micro, **options), observer)
    losses, weights = by_hand(place, **options)
    assert observer.losses == pytest.approx(losses, abs=1e-5)
    held = load_file(place.root / name / "head.safetensors")
    assert held.keys() == weights.keys()
    for key, value in weights.items():
        torch.testing.assert_close(held[key], value, rtol=0, atol=1e-4, msg=key)


def test_it_learns(place: Place) -> None:
    outcome = place.train("learns", changes=("iterations=60", "loss_points=200"))
    assert outcome.summary is not None
    assert outcome.summary["last_loss"] < 0.8 * outcome.summary["first_loss"]


def test_what_is_logged(place: Place, trained: Path) -> None:
    visits, metrics = (pd.read_parquet(trained / f"{name}.parquet") for name in ("visits", "metrics"))
    job = prepare(place.asked("never"), ALONE)
    assert [*visits["mask_id"]] == [job.visits[position].mask_id for position in range(STEPS * 4)]
    assert [*visits["use"]] == [job.visits[position].use for position in range(STEPS * 4)]
    assert [*visits["position"]] == [*range(STEPS * 4)]
    assert [*visits["step"]] == [step for step in range(STEPS) for _ in range(4)]
    assert [*metrics["epoch"]] == [step * 4 // 24 for step in range(STEPS)]
    assert [*metrics["learning_rate"]] == [1e-3] * 7 + [1e-4]
    of_steps = visits.groupby("step")["loss"].mean()
    np.testing.assert_allclose(metrics["loss"], of_steps, rtol=1e-12)
    np.testing.assert_allclose(metrics["loss"], metrics["bce"] + metrics["dice"], rtol=1e-12)
    assert (metrics["gradient_norm"] > 0).all()
    masks = torch.cat([batch.masks for batch in job.batches(ALONE, 0, STEPS)])
    assert [*visits["pixels"]] == (masks > 127).flatten(1).sum(dim=1).tolist()
    assert set(visits["prompt"]) == {"box", "points", "mask"}


def test_the_summary_is_that_of_the_tables(place: Place) -> None:
    outcome = place.train("summary", recipe="released", changes=("batch=8", "smallest_scale=1.9"))
    visits = pd.read_parquet(outcome.out / "visits.parquet")
    losses = pd.read_parquet(outcome.out / "metrics.parquet")["loss"]
    assert visits["empty"].any()
    assert visits["dropped"].any()
    assert outcome.summary == {
        "steps": STEPS,
        "visits": STEPS * 8,
        "masks": visits["mask_id"].nunique(),
        "prompts": visits["prompt"].value_counts().to_dict(),
        "empty_crops": visits["empty"].sum(),
        "dropped_point_prompts": visits["dropped"].sum(),
        "median_mask_pixels": visits["pixels"].median(),
        "first_loss": losses.iloc[0],
        "last_loss": losses.iloc[-1],
    }
    assert not visits[visits["dropped"]]["prompt"].eq("points").any()


_FATES = (("prompt", "points"), ("dropped", True))


def test_a_group_shares_its_fate_whatever_is_in_flight(place: Place) -> None:
    """Under the trap all four of a group lose their points, also where they are not in flight together."""
    options: dict[str, Any] = {"recipe": "released", "changes": ("batch=8", "smallest_scale=1.9")}
    for micro in (1, 8):
        place.train(f"groups-{micro}", micro=micro, **options)
    tables = [pd.read_parquet(place.root / f"groups-{micro}" / "visits.parquet") for micro in (1, 8)]
    pd.testing.assert_frame_equal(*(table.drop(columns="loss") for table in tables))
    few = (tables[0]["pixels"].to_numpy().reshape(-1, 4) < 10).any(axis=1)
    points, dropped = ((tables[0][name] == value).to_numpy().reshape(-1, 4) for name, value in _FATES)
    assert few.any()
    assert not points[few].any()
    assert not dropped[~few].any()


def test_a_split_is_trained_on(place: Place) -> None:
    from hqdata.store.reader import Collection

    split = make(Collection(place.data), place.root, name="few", only=["apple"], weights={"apple": 1.0})
    place.train("few", data=split.path)
    visits = pq.read_table(place.root / "few" / "visits.parquet")
    assert set(visits["mask_id"].to_pylist()) == set(open_view(split.path).mask_ids)


def test_nothing_is_taken_from_global_generators(place: Place) -> None:
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002 - the global one is what is asked
    place.train("global")
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002


def test_the_seed_is_all_that_differs(place: Place, trained: Path) -> None:
    place.train("again")
    place.train("other", seed=1)
    assert finished(place.root / "again") == finished(trained)
    assert (place.root / "other" / "visits.parquet").read_bytes() != (trained / "visits.parquet").read_bytes()


def test_workers_change_nothing(place: Place, trained: Path) -> None:
    place.train("workers", workers=2)
    assert finished(place.root / "workers") == finished(trained)


def test_the_encoder_may_compute_in_bf16(place: Place, trained: Path) -> None:
    place.train("bf16", precision="bf16")
    ours, exact = (pd.read_parquet(run / "metrics.parquet")["loss"] for run in (place.root / "bf16", trained))
    assert 0 < (ours - exact).abs().max() < 0.05


class Faulty(HQHead):
    """Becomes not finite at its n-th pass."""

    at = 7
    where = "loss"
    passes = 0

    def forward(self, *given: Any) -> Tensor:
        logits = super().forward(*given)
        wrong = type(self).passes == self.at
        type(self).passes += 1
        if wrong and self.where == "loss":
            logits = logits * torch.tensor([1, float("nan"), 1, 1]).view(-1, 1, 1, 1)
        if wrong and self.where == "gradient":
            logits.register_hook(lambda gradient: gradient * float("inf"))
        return logits


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Faulty]]:
    monkeypatch.setattr(Faulty, "passes", 0)
    monkeypatch.setitem(VARIANTS, "hq-sam", dataclasses.replace(VARIANTS["hq-sam"], make=Faulty))
    return Faulty


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_it_stops_before_an_update_that_is_not_finite(
    place: Place, faulty: type[Faulty], monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setattr(faulty, "where", where)
    name = f"nan-{where}"
    observer = StopAfter()
    with pytest.raises(NonFinite) as caught:
        train(place.asked(name), observer)
    job = prepare(place.asked("never"), ALONE)
    masks = [job.visits[7 * 4 + row].mask_id for row in range(4)]
    named = masks[1:2] if where == "loss" else masks
    assert f"step 7: the {where} is not finite" in str(caught.value)
    assert [mask in str(caught.value) for mask in masks] == [mask in named for mask in masks]
    assert len(observer.losses) == 7
    assert not (place.root / name / "result.json").exists()
    place.train(f"seven-{where}", stop_after=7)
    ours, theirs = (snapshot(place.root / run / "steps" / "step-0000007") for run in (name, f"seven-{where}"))
    for file in ("head.safetensors", "adam.safetensors"):
        assert ours[file] == theirs[file]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no data": ({"data": None}, "--data SPLIT"),
    "no SAM": ({"sam": None}, "--sam CHECKPOINT"),
    "no such SAM": ({"sam": "nowhere.pth"}, "nowhere.pth"),
    "no such data": ({"data": Path("nowhere")}, "nowhere"),
    "no such variant": ({"variant": "hq-san"}, "hq-sam"),
    "no such recipe": ({"recipe": "relesed"}, "released"),
    "no such key": ({"changes": ("bach=4",)}, "batch"),
    "micro": ({"micro": 3}, "a divisor of the 4 images"),
    "cuda": ({"device": "cuda"}, "no GPU"),
}


@pytest.mark.parametrize(("options", "message"), WRONG.values(), ids=WRONG)
def test_wrong_options_change_nothing(place: Place, options: dict[str, Any], message: str) -> None:
    if options.get("device") == "cuda" and torch.cuda.is_available():
        pytest.skip("torch sees a GPU here")
    before = snapshot(place.root)
    with pytest.raises(HQDataError, match=message):
        place.train("wrong", **options)
    assert snapshot(place.root) == before
    assert not (place.root / "wrong").exists()


OTHER: dict[str, tuple[dict[str, Any], str]] = {
    "not to go on": ({"resume": False}, "add --resume"),
    "seed": ({"seed": 1}, "seed is 0, asked for is 1"),
    "recipe": ({"changes": ("batch=8",)}, "recipe.batch is 4, asked for is 8"),
    "one number": ({"recipe": None, "changes": ("batch=8",)}, r"got: +recipe.batch is 4, asked for is 8\n"),
    "precision": ({"precision": "bf16"}, "begun with --precision fp32"),
}


@pytest.mark.parametrize(("options", "message"), OTHER.values(), ids=OTHER)
def test_another_run_is_refused(place: Place, trained: Path, options: dict[str, Any], message: str) -> None:
    before = snapshot(trained)
    with pytest.raises(UsageError, match=message):
        place.train("trained", **{"resume": True, **options})
    assert snapshot(trained) == before


def test_another_sam_is_refused(place: Place, trained: Path) -> None:
    from hqdata.training.sam import save_sam
    from tests.training.oracles import random_sam

    save_sam(random_sam(seed=1), place.root / "other.safetensors")
    with pytest.raises(UsageError, match=r"sam\.sha256 is"):
        place.train("trained", resume=True, sam=str(place.root / "other.safetensors"))


def test_a_folder_that_is_no_run_is_left_alone(place: Place) -> None:
    with pytest.raises(UsageError, match="it is no run"):
        train(dataclasses.replace(place.asked(), out=place.data, resume=True))
