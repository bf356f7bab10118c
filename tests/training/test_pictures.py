"""Pictures and their page: which masks, what is said of them, a folder whole or not there."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from hqdata.errors import UsageError
from hqdata.store.reader import Collection
from hqdata.store.view import open_view
from hqdata.training import pictures
from hqdata.training.evaluate import SCORES, evaluate, fit_of, summarise
from hqdata.training.panels import LEGEND, MADE
from hqdata.training.pictures import LISTING, Comparison, choose, write_pictures
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
    assert "without a box to prompt with: 1; without scores" in page
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
    with pytest.raises(UsageError, match=r"pictures of an earlier call(?s:.*)--replace"):
        write_pictures(compared(collection), out, count=1)
    assert snapshot(out) == before
    write_pictures(compared(collection), out, count=1, replace=True)
    assert len(snapshot(out)) == 3
    before = snapshot(out)
    with pytest.raises(UsageError, match="has no output"):
        write_pictures(compared(collection, heads={"own": OwnMask()}, output="sum"), out, replace=True)
    assert snapshot(out) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


FOREIGN: dict[str, Callable[[Path], object]] = {
    "a file beside": lambda out: (out / "notes.txt").write_text("mine"),
    "a hidden file beside": lambda out: (out / ".notes").write_text("mine"),
    "a folder beside": lambda out: (out / "more").mkdir(),
    "no listing": lambda out: (out / LISTING).unlink(),
    "another listing": lambda out: (out / LISTING).write_text('["mine"]'),
    "a listing that is none": lambda out: (out / LISTING).write_bytes(b"\xff"),
    "a link": lambda out: out.rename(out.with_name("there")).joinpath("../out").symlink_to("there"),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_what_holds_anything_but_pictures_is_left_alone(collection: Collection, tmp_path: Path, case: str) -> None:
    write_pictures(compared(collection), tmp_path / "out", count=1)
    FOREIGN[case](tmp_path / "out")
    before = snapshot(tmp_path), sorted(path.name for path in tmp_path.rglob("*"))
    with pytest.raises(UsageError, match="not an empty folder"):
        write_pictures(compared(collection), tmp_path / "out", count=1, replace=True)
    assert (snapshot(tmp_path), sorted(path.name for path in tmp_path.rglob("*"))) == before


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
