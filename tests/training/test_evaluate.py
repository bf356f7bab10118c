"""Scores against code that we did not write: the boundary metric's own, and pandas for means."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pytest

from hqdata.pipelines.recipe import build_recipe
from hqdata.store.reader import Collection
from hqdata.store.view import open_view
from hqdata.training.evaluate import SCORES, evaluate, fit_of, source_of, summarise
from hqdata.training.predict import BASE, OUTPUTS, Predictor
from tests.export.many import many_masks
from tests.helpers import encoded, pairs, tiny_source
from tests.splits import fruit, make
from tests.training.oracles import random_sam
from tests.training.test_predict import HEADS, OwnMask

SAM = random_sam()


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    return fruit(tmp_path_factory.mktemp("fruit"))


@pytest.fixture(scope="module")
def scores(collection: Collection) -> pa.Table:
    return evaluate(collection, SAM, HEADS)


def boundary(mask: np.ndarray[Any, Any], ratio: float = 0.02) -> np.ndarray[Any, Any]:
    """``mask_to_boundary`` of the Boundary IoU code."""
    height, width = mask.shape
    dilation = max(1, round(ratio * np.sqrt(height**2 + width**2)))
    padded = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    eroded = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=dilation)
    return np.asarray(mask - eroded[1:-1, 1:-1])


def share(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> float:
    return float(((one * other) > 0).sum() / ((one + other) > 0).sum())


def test_every_mask_has_its_rows(collection: Collection, scores: pa.Table) -> None:
    assert scores.schema == SCORES
    heads = [(run, output) for run in HEADS for output in OUTPUTS[1:]]
    wanted = [
        (mask_id, *row) for sample in collection for mask_id in sample.mask_ids for row in [(BASE, OUTPUTS[0]), *heads]
    ]
    assert [(row["mask_id"], row["run"], row["output"]) for row in scores.to_pylist()] == wanted
    assert {(row["protocol"], row["prompt"]) for row in scores.to_pylist()} == {("native", "box")}


def test_scores_are_those_of_the_metric(collection: Collection, scores: pa.Table) -> None:
    rows = iter(scores.to_pylist())
    for sample in collection:
        truth = (sample.mask > 127).astype(np.uint8)
        fit = fit_of(sample, SAM, "native")
        box = fit.box(sample.mask)
        assert box is not None
        for made in Predictor(SAM, HEADS, fit, sample.image).masks(box):
            row, mask = next(rows), made.mask.astype(np.uint8)
            assert (row["run"], row["output"]) == (made.run, made.output)
            assert row["iou"] == share(truth, mask)
            assert row["boundary_iou"] == share(boundary(truth), boundary(mask))
    assert len(set(scores["boundary_iou"].to_pylist())) > 24


def test_masks_that_a_split_makes_worse_are_not_the_truth(
    collection: Collection, scores: pa.Table, tmp_path: Path
) -> None:
    view = open_view(make(collection, tmp_path, degrade="dilation:0.05").path, collection)
    assert evaluate(view, SAM, HEADS).equals(scores)


def test_a_split_has_the_rows_of_its_masks(collection: Collection, scores: pa.Table, tmp_path: Path) -> None:
    make(collection, tmp_path, "half", size=10)
    view = open_view(tmp_path / "half.split.json", collection)
    wanted = [row for row in scores.to_pylist() if row["mask_id"] in view.mask_ids]
    assert sorted(evaluate(view, SAM, HEADS).to_pylist(), key=repr) == sorted(wanted, key=repr)


def test_protocols_outputs_and_progress(collection: Collection, scores: pa.Table) -> None:
    seen: list[int] = []
    paper = evaluate(collection, SAM, HEADS, protocol="paper", outputs=("sum", "sam_plain"), on_samples=seen.append)
    assert sum(seen) == len(collection)
    assert set(paper["protocol"].to_pylist()) == {"paper"}
    assert set(zip(paper["run"].to_pylist(), paper["output"].to_pylist(), strict=True)) == {
        (BASE, "sam_plain"),
        ("one", "sum"),
        ("two", "sum"),
    }
    # 48 x 32 pixels: squashed to a square, they are another image.
    native = [row["iou"] for row in scores.to_pylist() if row["output"] in {"sum", "sam_plain"}]
    assert paper["iou"].to_pylist() != native


@pytest.fixture(scope="module")
def holed(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """Three samples: one has no foreground, one has so little that the squash loses it."""
    root, files = tmp_path_factory.mktemp("holed"), pairs(1)
    for number, pixels in ((1, 0), (2, 1)):
        mask = np.zeros((700, 700), np.uint8)
        mask[101, 101 : 101 + pixels] = 255
        image = np.random.default_rng(number).integers(0, 256, (700, 700, 3), np.uint8)
        files |= {f"images/{number:04d}.jpg": encoded(image, "JPEG"), f"masks/{number:04d}.png": encoded(mask)}
    tiny = tiny_source(root, 3, files=files)
    build_recipe("tiny", root / "out", tiny.options())
    return Collection(root / "out")


@pytest.mark.parametrize(("protocol", "lost"), [("native", ["0001"]), ("paper", ["0001", "0002"])])
def test_masks_without_a_box_are_kept_and_counted(holed: Collection, protocol: Any, lost: list[str]) -> None:
    table = evaluate(holed, SAM, HEADS, protocol=protocol)
    assert table.num_rows == 3 * (1 + 2 * 3)
    empty = [row for row in table.to_pylist() if row["iou"] is None]
    assert {row["mask_id"] for row in empty} == {f"tiny/all/{stem}#0" for stem in lost}
    assert all(row["boundary_iou"] is None for row in empty)
    for summary in summarise(table):
        assert (summary.unscored, summary.overall.masks, summary.plain.masks) == (
            len(lost),
            3 - len(lost),
            3 - len(lost),
        )
        assert summary.overall.iou is not None


def test_an_output_that_a_head_lacks_has_no_rows(holed: Collection) -> None:
    table = evaluate(holed, SAM, {"own": OwnMask()})
    assert set(table["output"].to_pylist()) == {"sam_plain", "head"}
    assert table.num_rows == 3 * 2


def row(source: str, number: int, run: str, iou: float | None, boundary_iou: float | None) -> dict[str, Any]:
    known = {"output": "head", "protocol": "native", "prompt": "box"}
    return {**known, "mask_id": f"{source}/p/{number}#0", "run": run, "iou": iou, "boundary_iou": boundary_iou}


def test_means_are_means_of_sources() -> None:
    rows = [
        row("b", 0, "r", 1.0, 0.5),
        row("b", 1, "r", 0.5, 0.25),
        row("b", 2, "r", 0.0, 0.0),
        row("a", 0, "r", 0.1, 0.2),
    ]
    (found,) = summarise(pa.Table.from_pylist([*rows, row("c", 0, "r", None, None)], SCORES))
    assert (found.run, found.output, found.unscored) == ("r", "head", 1)
    assert list(found.sources) == ["a", "b", "c"]
    assert (found.sources["b"].masks, found.sources["b"].iou, found.sources["b"].boundary_iou) == (3, 0.5, 0.25)
    assert (found.sources["c"].masks, found.sources["c"].iou) == (0, None)
    assert (found.overall.masks, found.overall.iou) == (4, pytest.approx(0.3))
    assert found.overall.boundary_iou == pytest.approx(0.225)
    assert (found.plain.masks, found.plain.iou) == (4, pytest.approx(0.4))


def test_means_are_those_of_pandas() -> None:
    rng = np.random.default_rng(0)
    rows = [
        row(source, number, run, *rng.random(2))
        for run in ("base", "x")
        for source, count in (("a", 7), ("b", 40), ("c", 3))
        for number in range(count)
    ]
    table = pa.Table.from_pylist(rows, SCORES)
    frame = table.to_pandas()
    frame["source"] = frame["mask_id"].map(source_of)
    for summary in summarise(table):
        own = frame[frame["run"] == summary.run]
        by_source = own.groupby("source")[["iou", "boundary_iou"]].mean()
        assert summary.overall.boundary_iou == pytest.approx(by_source["boundary_iou"].mean(), abs=1e-15)
        assert summary.plain.iou == pytest.approx(own["iou"].mean(), abs=1e-15)
        assert {k: v.iou for k, v in summary.sources.items()} == pytest.approx(by_source["iou"].to_dict(), abs=1e-15)


def test_nothing_has_no_means() -> None:
    assert summarise(SCORES.empty_table()) == []


def test_many_masks_of_an_image(tmp_path: Path) -> None:
    """One of them is empty, and one image has none; scores do not depend on which others of an image are scored."""
    samples = many_masks(tmp_path / "many")
    rows = evaluate(samples, SAM, HEADS).to_pylist()
    assert list(dict.fromkeys(row["mask_id"] for row in rows)) == [f"sa/all/0#{k}" for k in range(4)]
    assert {row["mask_id"] for row in rows if row["iou"] is None} == {"sa/all/0#3"}
    make(samples, tmp_path, "some", size=2)
    view = open_view(tmp_path / "some.split.json", samples)
    assert evaluate(view, SAM, HEADS).to_pylist() == [row for row in rows if row["mask_id"] in view.mask_ids]
