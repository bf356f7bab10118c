"""Pictures and their page: which masks, what every panel shows pixel for pixel, a folder whole or not there."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from skimage.color import deltaE_ciede2000, rgb2lab

from hqdata.errors import UsageError
from hqdata.store.reader import Collection
from hqdata.store.view import open_view
from hqdata.training import pictures
from hqdata.training.evaluate import SCORES, evaluate, fit_of, summarise
from hqdata.training.panels import AGREE, EXTRA, LEGEND, MADE, MISSED, ZOOM, Made, draw_picture, zoom_window
from hqdata.training.pictures import Comparison, choose, write_pictures
from hqdata.training.predict import BASE, Predictor
from tests.export.many import many_masks
from tests.helpers import snapshot
from tests.splits import fruit, make, mask
from tests.training.oracles import random_sam
from tests.training.test_evaluate import row
from tests.training.test_predict import HEADS, OwnMask

SAM = random_sam()


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    return fruit(tmp_path_factory.mktemp("fruit"))


def compared(samples: Collection, **more: Any) -> Comparison:
    return Comparison(samples=samples, sam=SAM, **({"heads": HEADS} | more))


def gains(*values: float) -> pa.Table:
    """Scores of one run that gains so much on the masks 0, 1, ... ; one mask more has none."""
    rows = [row("a", len(values), run, None, None) for run in (BASE, "r")]
    for number, value in enumerate(values):
        rows += [row("a", number, BASE, 0.5, 0.5), row("a", number, "r", 0.0, 0.5 + value)]
    return pa.Table.from_pylist(rows, SCORES)


UP, DOWN, MIDDLE = "Largest gains", "Largest losses", "Around the middle"
CHOICES = {
    "a third each": ((0.1, -0.1, 0.3, 0.0, -0.3, 0.2), 3, [(2, UP), (4, DOWN), (0, MIDDLE)]),
    "in order of size": (
        (0.1, -0.1, 0.3, 0.0, -0.3, 0.2),
        6,
        [(2, UP), (5, UP), (4, DOWN), (1, DOWN), (0, MIDDLE), (3, MIDDLE)],
    ),
    "gains first": ((0.1, 0.2, -0.1), 1, [(1, UP)]),
    "then losses": ((0.1, 0.2, -0.1), 2, [(1, UP), (2, DOWN)]),
    "more than there are": ((0.1, -0.1), 24, [(0, UP), (1, DOWN)]),
    "of equals the lower id": ((0.1, 0.1, 0.1, -0.1, -0.1), 2, [(0, UP), (4, DOWN)]),
    "no gain, no loss": ((0.0, 0.0), 2, [(0, f"{UP}, or smallest losses"), (1, f"{DOWN}, or smallest gains")]),
    "nothing": ((), 24, []),
}


@pytest.mark.parametrize("case", CHOICES)
def test_choice(case: str) -> None:
    values, count, wanted = CHOICES[case]
    assert choose(gains(*values), "r", count) == [(f"a/p/{number}#0", group) for number, group in wanted]


def square(top: int, left: int, side: int = 6, size: tuple[int, int] = (40, 60)) -> Any:
    found = np.zeros(size, np.bool_)
    found[top : top + side, left : left + side] = True
    return found


WINDOWS = {
    "where one differs from the base": [square(5, 5), square(5, 5), square(30, 50)],
    "as much here as there": [square(5, 5), square(5, 25)],
    "where all are alike: from the truth": [square(30, 50), square(30, 50)],
    "where all are true: at its edge": [square(0, 0)],
    "without predictions": [],
}


@pytest.mark.parametrize("case", WINDOWS)
def test_window(case: str) -> None:
    masks, truth = WINDOWS[case], square(0, 0)
    left, top, width, height = zoom_window(truth, masks)
    assert (width, height) == (15, 10)
    base = masks[0] if masks else truth
    differs = np.any([one != base for one in masks], axis=0) if masks else np.zeros_like(truth)
    differs = differs if differs.any() else (base != truth) if (base != truth).any() else truth
    inside = differs[top : top + height, left : left + width].sum()
    most = max(differs[y : y + 10, x : x + 15].sum() for y in range(31) for x in range(46))
    assert inside == most > 0


def test_a_window_of_a_small_image() -> None:
    assert zoom_window(np.ones((3, 1), np.bool_), [np.zeros((3, 1), np.bool_)])[2:] == (1, 1)


def drawn() -> tuple[Any, Any, list[Made], Any]:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (120, 240, 3), np.uint8)
    truth, first, second = (square(*corner, size=(120, 240)) for corner in ((20, 30, 40), (30, 40, 40), (22, 30, 40)))
    made = [Made(name=f"m{n}", mask=one, iou=0.5, boundary_iou=0.25) for n, one in enumerate((first, second))]
    return image, truth, made, np.asarray(draw_picture(image, truth, made, "title", "note"))


def places(page: Any, panel: Any) -> list[tuple[int, int]]:
    """Corners at which a panel stands on a page, pixel for pixel."""
    first = (page[: -panel.shape[0] + 1, : -panel.shape[1] + 1] == panel[0, 0]).all(axis=2)
    return [
        (int(y), int(x))
        for y, x in zip(*np.nonzero(first), strict=True)
        if np.array_equal(page[y : y + panel.shape[0], x : x + panel.shape[1]], panel)
    ]


def test_panels_stand_side_by_side_at_native_resolution() -> None:
    image, truth, made, page = drawn()
    left, top, width, height = zoom_window(truth, [item.mask for item in made])
    window = image[top : top + height, left : left + width]
    ((y, _),) = places(page, image[:, 200:])
    ((below, x),) = places(page, np.kron(window, np.ones((ZOOM, ZOOM, 1), np.uint8)))
    assert below > y + image.shape[0]
    step = 240 + 8
    assert np.array_equal(page[y : y + 120, x : x + 240][top : top + height, left : left + width], window)
    for number, item in enumerate(made):
        panel = page[y : y + 120, x + (4 + number) * step :][:, :240].copy()
        framed = np.ones(truth.shape, np.bool_)
        framed[top : top + height, left : left + width] = False
        around = framed.copy()
        around[max(0, top - 3) : top + height + 3, max(0, left - 3) : left + width + 3] = False
        for where, colour in ((truth & item.mask, AGREE), (item.mask & ~truth, EXTRA), (truth & ~item.mask, MISSED)):
            shown = (panel == colour).all(axis=2)
            seen = ~framed | around
            assert np.array_equal(shown[seen], where[seen])


def test_a_picture_without_predictions_shows_image_and_truth() -> None:
    image, truth, _, full = drawn()
    page = np.asarray(draw_picture(image, truth, [], "title", "note"))
    assert page.shape[0] == full.shape[0]
    assert page.shape[1] == 8 + 2 * (240 + 8)
    assert len(places(page, image[:, 200:])) == 1


def test_wide_names_are_cut_and_any_letter_is_drawn() -> None:
    image, truth, made, page = drawn()
    other = draw_picture(image, truth, made, "\u9053/\u00e9t\u00e9/" + "x" * 500, "note\n")
    assert np.asarray(other).shape == page.shape


SEEN_AS = {
    "as most": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
"""Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB."""


@pytest.mark.parametrize("eyes", SEEN_AS)
def test_colours_of_differences_are_told_apart(eyes: str) -> None:
    colours = np.array([AGREE, EXTRA, MISSED]) / 255
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(SEEN_AS[eyes]).T, 0, 1)
    lab = rgb2lab(np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)[None])[0]
    apart = [deltaE_ciede2000(lab[one], lab[other]) for one in range(3) for other in range(one)]
    assert min(apart) > 20


def test_a_folder_is_what_the_scores_say(collection: Collection, tmp_path: Path) -> None:
    stages: list[tuple[str, int]] = []
    done: list[int] = []

    def stage(name: str, total: int) -> Any:
        stages.append((name, total))
        return done.append

    written = write_pictures(compared(collection), tmp_path / "out", count=5, facts={"run one": "abc"}, stage=stage)
    assert stages == [("scoring", 24), ("drawing", 5)]
    assert sum(done) == 29
    scores = evaluate(collection, SAM, HEADS, outputs=("sam_plain", "head"))
    assert written.summaries == summarise(scores)
    assert [(one.mask_id, one.group) for one in written.pictures] == choose(scores, "one", 5)
    known = {(r["mask_id"], r["run"]): (r["iou"], r["boundary_iou"]) for r in scores.to_pylist()}
    for one in written.pictures:
        assert one.scores == {run: known[one.mask_id, run] for run in (BASE, "one", "two")}
        with Image.open(tmp_path / "out" / one.file) as image:
            assert image.size == (one.width, one.height)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "index.html",
        "pictures.json",
        *(one.file for one in written.pictures),
    }
    listing = json.loads((tmp_path / "out" / "pictures.json").read_text())
    assert [one["file"] for one in listing["pictures"]] == [one.file for one in written.pictures]
    assert listing["computed"] == {"device": "cpu", "threads": 1}
    assert (listing["runs"], listing["digest"], listing["protocol"]) == (["one", "two"], collection.digest, "native")


def test_the_same_input_gives_the_same_bytes(collection: Collection, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_pictures(compared(collection), tmp_path / name, count=4)
    assert snapshot(tmp_path / "a") == snapshot(tmp_path / "b") != {}


def test_the_page_holds_means_pictures_and_legend_and_loads_nothing_else(
    collection: Collection, tmp_path: Path
) -> None:
    written = write_pictures(compared(collection), tmp_path / "out", count=5, facts={"run one": "abc"})
    page = (tmp_path / "out" / "index.html").read_text()
    assert re.findall(r'<a href="([^"#]+)"><img src="([^"]+)"', page) == [(one.file,) * 2 for one in written.pictures]
    assert not re.search(r"https?://|<script|<link|@import|url\(", page)
    assert str(tmp_path) not in page
    assert all(word in page for word, _ in LEGEND)
    assert "<dt>run one</dt><dd><code>abc</code></dd>" in page
    base, first, _ = written.summaries
    for means in (base.overall, first.overall, first.sources["cherry"]):
        assert f'<td class="n">{100 * means.iou:.1f}</td><td class="n">{100 * means.boundary_iou:.1f}</td>' in page
    assert f'<td class="n">{100 * (first.overall.boundary_iou - base.overall.boundary_iou):+.1f}</td>' in page
    assert "Synthetic data" not in page


def test_drawn_data_say_so_and_masks_without_foreground_too(tmp_path: Path) -> None:
    samples = many_masks(tmp_path / "many")
    written = write_pictures(compared(samples), tmp_path / "out", ids=["sa/all/0"])
    assert [one.mask_id for one in written.pictures] == [f"sa/all/0#{k}" for k in range(4)]
    assert written.pictures[3].scores == {}
    page = (tmp_path / "out" / "index.html").read_text()
    assert "<strong>Synthetic data.</strong>" in page
    assert "1 mask has no foreground, and so no box" in page
    plain = np.asarray(Image.open(tmp_path / "out" / written.pictures[3].file))
    assert plain.shape[1] < np.asarray(Image.open(tmp_path / "out" / written.pictures[0].file)).shape[1]


def test_a_split_its_protocol_and_its_output(collection: Collection, tmp_path: Path) -> None:
    make(collection, tmp_path, "ten", size=10)
    view = open_view(tmp_path / "ten.split.json", collection)
    written = write_pictures(compared(view, protocol="paper", output="sum"), tmp_path / "out", count=1)
    scores = evaluate(view, SAM, HEADS, protocol="paper", outputs=("sam_plain", "sum"))
    assert written.summaries == summarise(scores)
    assert "<h1>Split ten of fruit</h1>" in (tmp_path / "out" / "index.html").read_text()
    assert json.loads((tmp_path / "out" / "pictures.json").read_text())["digest"] == view.digest


def test_masks_of_turned_images_are_shown_upright(collection: Collection, tmp_path: Path) -> None:
    sample = collection[mask("apple", 1).partition("#")[0]]
    fit = fit_of(sample, SAM, "native")
    box = fit.box(sample.mask)
    assert box is not None
    stored = Predictor(SAM, HEADS, fit, sample.image).masks(box)[0].mask
    written = write_pictures(compared(Turned(collection)), tmp_path / "out", ids=[sample.sample_id])
    page = np.asarray(Image.open(tmp_path / "out" / written.pictures[0].file))
    # Columns have a least width, for their labels.
    image, _, sam = (page[88 : 88 + 48, 8 + number * 218 :][:, :32] for number in range(3))
    frame = 18 * 14
    assert (image == np.rot90(sample.image, -1)).all(axis=2).sum() >= 48 * 32 - frame
    tinted = (sam == MADE).all(axis=2)
    assert tinted.any()
    assert not (tinted & ~np.rot90(stored, -1)).any()


class Turned(Collection):
    """A collection all of whose images bore the tag that asks for a quarter turn."""

    def __init__(self, held: Collection) -> None:
        super().__init__(held.folder)

    def __getitem__(self, key: int | str) -> Any:
        sample = super().__getitem__(key)
        sample.row["flags"] = ["orientation_6"]
        return sample


def test_hostile_names_are_text(tmp_path: Path) -> None:
    samples = many_masks(tmp_path / "many")
    heads = {"<script>alert(1)</script>": HEADS["one"]}
    write_pictures(compared(samples, heads=heads), tmp_path / "out", ids=["sa/all/0#0"])
    page = (tmp_path / "out" / "index.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_wide_pictures_have_a_smaller_one_for_the_page(
    collection: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "PREVIEW", 500)
    (one,) = write_pictures(compared(collection), tmp_path / "out", count=1).pictures
    assert one.preview == one.file.replace(".png", ".small.png")
    with Image.open(tmp_path / "out" / one.preview) as small:
        assert small.size == (500, round(one.height * 500 / one.width))
    page = (tmp_path / "out" / "index.html").read_text()
    assert f'<a href="{one.file}"><img src="{one.preview}"' in page


def test_only_pictures_are_replaced(collection: Collection, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_pictures(compared(collection), out, count=3)
    before = snapshot(out)
    with pytest.raises(UsageError, match="not an empty folder"):
        write_pictures(compared(collection), out, count=1)
    assert snapshot(out) == before
    write_pictures(compared(collection), out, count=1, replace=True)
    assert len(snapshot(out)) == 3
    before = snapshot(out)
    with pytest.raises(UsageError, match="has no output"):
        write_pictures(compared(collection, heads={"own": OwnMask()}, output="sum"), out, replace=True)
    assert snapshot(out) == before
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="not an empty folder"):
        write_pictures(compared(collection), other, replace=True)
    assert [path.name for path in other.iterdir()] == ["thesis.tex"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "out"]


ERRORS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "an id that is none": ({}, {"ids": ["apple/all/0001#1"]}, "no mask or sample 'apple/all/0001#1'"),
    "a mistyped id": ({}, {"ids": ["aple/all/0001"]}, 'did you mean "apple/all/0001"'),
    "no pictures": ({}, {"count": 0}, "1 or more"),
    "an output without pictures": ({"output": "sam_inside"}, {}, "head or sum"),
    "an output that a head lacks": ({"heads": {"own": OwnMask()}, "output": "sum"}, {}, "own has no output 'sum'"),
    "no runs": ({"heads": {}}, {}, "at least one"),
    "a run that is called like the base": ({"heads": {BASE: OwnMask()}}, {}, "none of them called base"),
    "a protocol that is none": ({"protocol": "squash"}, {}, "native or paper"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_wrong_usage_writes_nothing(collection: Collection, tmp_path: Path, case: str) -> None:
    settings, options, text = ERRORS[case]
    with pytest.raises(UsageError, match=re.escape(text)):
        write_pictures(compared(collection, **settings), tmp_path / "out", **options)
    assert list(tmp_path.iterdir()) == []
