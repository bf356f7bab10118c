"""The report: everything escaped, nothing fetched, same bytes twice, bounded, and honest about what it leaves out."""

import base64
import hashlib
import html
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pytest
from pycocotools import mask as coco
from scipy import ndimage

from hqdata.analysis.findings import KINDS, LEVELS, SCHEMAS, Audit
from hqdata.analysis.report.cards import CARDS
from hqdata.analysis.report.page import write_report
from hqdata.analysis.report.pictures import Seen, crop, crop_box, overview, seen
from hqdata.analysis.report.plots import STATISTICS, Row, Statistic, distributions
from hqdata.analysis.report.relations import change_table, source_matrix
from hqdata.analysis.report.tables import MAX_ROWS
from hqdata.analysis.stats import compute_stats
from hqdata.analysis.stats_table import STATS
from hqdata.catalog import Catalog, load_catalog
from hqdata.errors import StoreCorrupt, UsageError
from hqdata.masks import rle
from hqdata.pipelines.recipe import build_recipe
from hqdata.schema import Record
from hqdata.sources.orientation import to_display
from hqdata.store.index import FORMAT, content_digest
from hqdata.store.reader import Collection
from hqdata.store.writer import file_row, publish, write_rejects, write_shard
from tests.helpers import Tiny, pair, pairs, tiny_source

SCRIPT = "<script>alert(1)</script>"
HOSTILE = ("<script>alert(1)<script>", '"><img src=x onerror=alert(2)>', "' onload='alert(3)", "\u202egpj.live")
VOID = {"meta", "img", "input", "br", "link", "use", "image"}


def hostile_source(root: Path) -> Tiny:
    """Nine pairs, the first and the last equal, four with names that would like to be code; a stray file that is."""
    files = pairs(4, seed=3)
    for number, name in enumerate(HOSTILE):
        image, mask = pair(50 + number)
        files |= {f"images/{name}.jpg": image, f"masks/{name}.png": mask}
    files |= {"images/9999.jpg": files["images/0000.jpg"], "masks/9999.png": files["masks/0000.png"]}
    files |= {f"images/{SCRIPT}.txt": b"stray"}
    tiny = tiny_source(root, 9, files=files)
    text = tiny.manifest.read_text()
    tiny.manifest.write_text(text.replace('homepage = "unknown"', 'homepage = "javascript:alert(4)"'))
    return tiny


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return load_catalog([hostile_source(tmp_path_factory.mktemp("manifests")).manifests])


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """Audited collection, measured; read only."""
    root = tmp_path_factory.mktemp("audited")
    build_recipe("tiny", root / "tiny", hostile_source(root / "source").options())
    compute_stats(Collection(root / "tiny"))
    return Collection(root / "tiny")


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """Evaluation collection, measured; read only. Its folder has a name that would like to be code."""
    root = tmp_path_factory.mktemp("evaluation")
    folder = root / '"><b>&judge'
    build_recipe("tiny", folder, tiny_source(root / "source", 4, seed=9).options())
    compute_stats(Collection(folder))
    return Collection(folder)


def relation(one: str, two: str, level: str, **more: Any) -> dict[str, Any]:
    row = dict.fromkeys(SCHEMAS["duplicates"].names)
    return {
        **row,
        "mask_id": f"{one}#0",
        "other_mask_id": f"{two}#0",
        "source": one.partition("/")[0],
        "other_source": two.partition("/")[0],
        "level": level,
        "changes": ["identical"],
        "similarity": 0.99,
        "overlap": 1.0,
        "other_overlap": 0.5,
        "mask_iou": 0.75,
        "remove": f"{one}#0",
        "reason": f"why {SCRIPT}",
        **more,
    }


def suspect(sample: str, kind: str, rank: int, other: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "mask_id": f"{sample}#0",
        "source": sample.partition("/")[0],
        "kind": kind,
        "rank": rank,
        "score": 1 / rank,
        "other_mask_id": other and f"{other}#0",
        "remove": f"{sample}#0" if kind == "empty" else None,
        "reason": f"measured {SCRIPT}",
        **more,
    }


def audit_of(
    collection: Collection,
    *,
    duplicates: Sequence[Mapping[str, Any]] = (),
    leaks: Sequence[Mapping[str, Any]] = (),
    suspects: Sequence[Mapping[str, Any]] = (),
    against: Sequence[Collection] = (),
) -> Audit:
    rows = {"duplicates": duplicates, "leaks": leaks, "suspects": suspects}
    tables = {kind: pa.Table.from_pylist([dict(row) for row in own], SCHEMAS[kind]) for kind, own in rows.items()}
    return Audit(collection=collection, against=tuple(against), **tables)


def full_audit(tiny: Collection, judge: Collection) -> Audit:
    """Something of everything."""
    ids, others = tiny.sample_ids, judge.sample_ids
    into = {"against": judge.folder.name, "against_digest": judge.digest}
    return audit_of(
        tiny,
        against=[judge],
        duplicates=[
            relation("tiny/all/0000", "tiny/all/9999", "pair", group=0),
            *(relation(ids[-1], ids[number], level, changes=[]) for number, level in enumerate(LEVELS)),
        ],
        leaks=[relation(ids[n], others[n % 4], level, **into) for n, level in enumerate(LEVELS)],
        suspects=[suspect(ids[n], kind, rank) for n, kind in enumerate(KINDS) for rank in (1, 2) if kind != "swapped"],
    )


class Elements(HTMLParser):
    """Every element with its attributes, and what is open at the end."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data if self.open and self.open[-1] not in {"script", "style"} else ""

    def of(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        """Attributes of the elements of a tag; ``cls`` is one class among others."""
        wanted = attributes.pop("cls", None)
        return [
            held
            for name, held in self.found
            if name == tag
            and (wanted is None or wanted in (held.get("class") or "").split())
            and all(held.get(key) == value for key, value in attributes.items())
        ]


@pytest.fixture(scope="module")
def page(tiny: Collection, judge: Collection, catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_report(full_audit(tiny, judge), path, catalog)
    return path.read_text("utf-8")


def test_names_are_text_whatever_they_look_like(page: str) -> None:
    elements = Elements(page)
    assert elements.open == []
    assert len(elements.of("script")) == 1
    assert [name for name, held in elements.found for key in held if key.startswith("on")] == []
    assert {"b", "script<script"} & {name for name, _ in elements.found} == set()
    shown = html.unescape(page)
    for name in (SCRIPT, *HOSTILE[:3]):
        assert name in shown
        assert name not in page
    assert "\u202e" not in page
    assert "\\u202egpj.live" in page


def test_nothing_is_fetched_and_only_the_pages_own_script_runs(page: str) -> None:
    elements = Elements(page)
    loads = [held[key] for _, held in elements.found for key in ("src", "srcset", "data", "poster") if key in held]
    loads += [held["href"] for name, held in elements.found if name in {"image", "use", "link", "base"}]
    assert loads
    assert all(str(address).startswith(("data:image/", "#picture-")) for address in loads)
    links = {str(held.get("href")) for held in elements.of("a")}
    assert {link for link in links if not link.startswith("#")} == set()
    style, script = (re.search(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL) for tag in ("style", "script"))
    assert style
    assert script
    (policy,) = [held["content"] for held in elements.of("meta") if "http-equiv" in held]
    hashes = [base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode() for found in (style, script)]
    rules = [
        "default-src 'none'",
        "img-src data:",
        f"style-src 'sha256-{hashes[0]}'",
        f"script-src 'sha256-{hashes[1]}'",
    ]
    assert str(policy).split("; ") == [*rules, "base-uri 'none'", "form-action 'none'"]
    assert "url(" not in style[1]
    assert "@import" not in style[1]


def test_links_lead_to_homepages_and_into_the_page(tmp_path: Path, tiny: Collection, catalog: Catalog) -> None:
    assert "javascript:alert(4)" in catalog.sources["tiny"].homepage or ""
    write_report(audit_of(tiny), tmp_path / "report.html", catalog)
    text = (tmp_path / "report.html").read_text("utf-8")
    assert "<dd>javascript:alert(4)</dd>" in text
    elements = Elements(text)
    targets = {held["id"] for _, held in elements.found if "id" in held}
    assert {str(held["href"])[1:] for held in elements.of("a")} <= targets


def test_the_same_audit_gives_the_same_bytes(
    tmp_path: Path, tiny: Collection, judge: Collection, catalog: Catalog
) -> None:
    drawn: list[int] = []
    one = write_report(full_audit(tiny, judge), tmp_path / "one.html", catalog, on_pictures=drawn.append)
    two = write_report(full_audit(Collection(tiny.folder), judge), tmp_path / "two.html", catalog)
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()
    assert (one.bytes, one.pictures, one.rows) == (two.bytes, two.pictures, two.rows)
    assert one.bytes == (tmp_path / "one.html").stat().st_size
    assert sum(drawn) >= one.pictures > 0
    assert str(tmp_path) not in (tmp_path / "one.html").read_text("utf-8")


def test_what_was_not_found_is_said(tmp_path: Path, tiny: Collection, judge: Collection, catalog: Catalog) -> None:
    written = write_report(audit_of(tiny, against=[judge]), tmp_path / "report.html", catalog)
    text = Elements((tmp_path / "report.html").read_text("utf-8")).text
    for what in ("Duplicates", "Suspect annotations", "Leaks into this set", "Errata"):
        assert f"{what}: none found." in text
    assert (written.pictures, written.rows, written.rows_left_out) == (0, 1, 0)
    write_report(audit_of(tiny), tmp_path / "report.html", catalog)
    assert "No evaluation set was given" in (tmp_path / "report.html").read_text("utf-8")


def test_many_findings_are_bounded_and_the_rest_is_named(tmp_path: Path, tiny: Collection, catalog: Catalog) -> None:
    ids = tiny.sample_ids
    rows = [suspect(ids[n % 9], "coarse", n + 1) for n in range(MAX_ROWS + 100)]
    rows += [suspect(ids[n % 9], "shifted", n + 1) for n in range(50)]
    written = write_report(audit_of(tiny, suspects=rows), tmp_path / "report.html", catalog)
    page = (tmp_path / "report.html").read_text("utf-8")
    elements = Elements(page)
    assert Counter(held["data-kind"] for held in elements.of("article", cls="card")) == {
        "coarse": CARDS,
        "shifted": CARDS,
    }
    assert Counter(held["data-kind"] for held in elements.of("tr") if "data-kind" in held) == {
        "coarse": MAX_ROWS - 50,
        "shifted": 50,
    }
    assert (written.rows, written.rows_left_out) == (MAX_ROWS + 1, 150)
    assert "2,000 of 2,150 rows are in this table" in page
    assert f"{CARDS} of 2,100 are pictured" in page
    command = "hqdata sql 'SELECT * FROM suspects WHERE kind = '\"'\"'coarse'\"'\"' ORDER BY rank' tiny"
    assert command in html.unescape(page)
    assert written.pictures <= 2 * len(ids)


def test_pictures_stop_where_the_page_is_full_and_every_group_gets_some(
    tmp_path: Path, tiny: Collection, judge: Collection, catalog: Catalog
) -> None:
    audit = full_audit(tiny, judge)
    full = write_report(audit, tmp_path / "full.html", catalog)
    few = write_report(audit, tmp_path / "few.html", catalog, picture_bytes=30_000)
    assert 0 < few.pictures < full.pictures
    assert few.bytes < full.bytes
    page = (tmp_path / "few.html").read_text("utf-8")
    assert "0 of 2 are pictured" in page
    none = write_report(audit, tmp_path / "none.html", catalog, picture_bytes=0)
    assert none.pictures == 0
    assert none.rows == full.rows


def test_a_picture_that_is_shown_twice_is_held_once(page: str) -> None:
    elements = Elements(page)
    uris = [str(held["src"]) for held in elements.of("img")] + [str(held["href"]) for held in elements.of("image")]
    assert len(set(uris)) == len(uris)
    used = Counter(str(held["href"])[1:] for held in elements.of("use"))
    assert used.keys() == {held["id"] for held in elements.of("image")}
    assert min(used.values()) > 1
    alts = [held["alt"] for held in elements.of("img")] + [
        held["aria-label"] for held in elements.of("svg", role="img")
    ]
    assert all(alts)
    equal = [alt for alt in alts if str(alt).startswith(("tiny/all/0000#0:", "tiny/all/9999#0:"))]
    assert len(equal) > 1


def test_a_drawn_collection_says_so(tmp_path: Path, tiny: Collection, catalog: Catalog) -> None:
    collection = Collection(tiny.folder)
    for synthetic in (False, True):
        collection.index["recipe"]["synthetic"] = synthetic
        write_report(audit_of(collection), tmp_path / "report.html", catalog)
        assert ("Synthetic data." in (tmp_path / "report.html").read_text("utf-8")) is synthetic


def test_two_masks_that_were_swapped_are_one_card(tmp_path: Path, tiny: Collection, catalog: Catalog) -> None:
    one, two, three = tiny.sample_ids[:3]
    rows = [suspect(one, "swapped", 1, two), suspect(two, "swapped", 2, one), suspect(three, "swapped", 3, one)]
    write_report(audit_of(tiny, suspects=rows), tmp_path / "report.html", catalog)
    elements = Elements((tmp_path / "report.html").read_text("utf-8"))
    assert len(elements.of("article", cls="card")) == 2
    assert len(elements.of("tr", **{"data-kind": "swapped"})) == 3
    assert elements.text.count("with the other's mask") == 4


def test_a_large_group_shows_some_members_and_counts_the_rest(
    tmp_path: Path, tiny: Collection, catalog: Catalog
) -> None:
    first, *rest = tiny.sample_ids
    rows = [relation(other, first, "pair", group=7, mask_iou=0.9 + n / 100) for n, other in enumerate(rest)]
    write_report(audit_of(tiny, duplicates=rows), tmp_path / "report.html", catalog)
    elements = Elements((tmp_path / "report.html").read_text("utf-8"))
    assert len(elements.of("article", cls="card")) == 1
    assert "Group 7: 9 masks" in elements.text
    assert "and 3 more masks of this group" in elements.text
    assert elements.text.count("would be left out") == 5
    assert "pairs8changesidentical" in elements.text
    assert "0.900 to 0.970" in elements.text


def test_findings_are_counted_by_level_change_and_source() -> None:
    rows = [
        relation("a/x/1", "b/x/1", "pair", changes=["identical"]),
        relation("a/x/2", "a/x/3", "pair", changes=["rescaled", "mirrored"]),
        relation("b/x/2", "a/x/3", "mask", changes=[]),
    ]
    table = pa.Table.from_pylist(rows, SCHEMAS["duplicates"])
    counted = {line.cells[0].text: [cell.value for cell in line.cells[1:-1]] for line in change_table(table).lines}
    assert counted["pair"] == [2, 1, 0, 1, 1, 0, 0, 0]
    assert counted["mask"] == [1, 0, 0, 0, 0, 0, 0, 0]
    assert counted["image"] == [0] * 8
    assert [[cell.value for cell in line.cells[1:]] for line in source_matrix(table).lines] == [[1, 2], [2, 0]]


@pytest.mark.parametrize(
    ("findings", "error", "text"),
    [
        (
            {"suspects": [suspect("tiny/all/none", "full", 1)]},
            StoreCorrupt,
            "'tiny/all/none#0', which tiny does not hold",
        ),
        ({"suspects": [suspect("tiny/all/0000", "full", 1, mask_id="tiny/all/0000#1")]}, StoreCorrupt, "0000#1"),
        (
            {"leaks": [relation("tiny/all/0000", "x/y/z", "pair", against="gone", against_digest="0")]},
            UsageError,
            "leaks into gone cannot be shown",
        ),
    ],
)
def test_findings_of_another_collection_are_refused(
    tmp_path: Path, tiny: Collection, catalog: Catalog, findings: Any, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=re.escape(text)):
        write_report(audit_of(tiny, **findings), tmp_path / "report.html", catalog)
    assert list(tmp_path.iterdir()) == []


def test_statistics_are_needed(tmp_path: Path, catalog: Catalog) -> None:
    build_recipe("tiny", tmp_path / "tiny", tiny_source(tmp_path / "source", 2).options())
    with pytest.raises(StoreCorrupt, match="run `hqdata stats "):
        write_report(audit_of(Collection(tmp_path / "tiny")), tmp_path / "report.html", catalog)


def blobs(seed: int, height: int, width: int) -> np.ndarray:
    """Random mask with a coarse grain: ``bool[H, W]``."""
    rng = np.random.default_rng(seed)
    return ndimage.gaussian_filter(rng.random((height, width)), 4) > 0.5


@pytest.mark.parametrize(("height", "width", "side"), [(60, 90, 20), (30, 90, 40), (20, 20, 40)])
@pytest.mark.parametrize("seed", range(3))
def test_a_crop_is_taken_where_most_of_the_edge_is(seed: int, height: int, width: int, side: int) -> None:
    mask = blobs(seed, height, width)
    left, top, wide, high = crop_box(mask, side)
    assert (wide, high) == (min(side, width), min(side, height))
    edge = ndimage.maximum_filter(mask, 3) & ~ndimage.minimum_filter(mask, 3)
    held = [[edge[y : y + high, x : x + wide].sum() for x in range(width - wide + 1)] for y in range(height - high + 1)]
    assert held[top][left] == np.max(held)


def test_a_crop_shows_the_images_own_pixels_but_for_a_line_outside_the_mask() -> None:
    mask = blobs(5, 80, 120)
    image = np.random.default_rng(1).integers(0, 256, (80, 120, 3), np.uint8)
    kept = image.copy()
    shown = crop(Seen(image, mask), (10, 20, 100, 50))
    assert np.array_equal(image, kept)
    changed = np.any(shown != image[20:70, 10:110], axis=2)
    around = ndimage.binary_dilation(mask, np.ones((3, 3)))
    line = around & ~ndimage.binary_erosion(around) & ~mask
    assert np.array_equal(changed, line[20:70, 10:110])
    assert {tuple(colour) for colour in shown[changed]} == {(0, 0, 0), (255, 225, 0)}


@pytest.mark.parametrize(("height", "width"), [(300, 100), (40, 90), (1, 500)])
def test_an_overview_fits_its_side(height: int, width: int) -> None:
    mask = np.zeros((height, width), bool)
    mask[: height // 2 + 1, : width // 2] = True
    shown = overview(Seen(np.full((height, width, 3), 90, np.uint8), mask), 64)
    assert max(shown.shape) == 64
    assert shown.shape[2] == 3
    assert (shown[..., 0].astype(int) - shown[..., 2] > 100).any()


def test_a_thread_thinner_than_a_pixel_of_the_overview_is_seen() -> None:
    mask = np.zeros((2000, 2000), bool)
    mask[1000, 100:1900] = True
    shown = overview(Seen(np.full((2000, 2000, 3), 90, np.uint8), mask), 100)
    yellow = (shown[..., 0] > 200) & (shown[..., 2] < 60)
    assert yellow[:, 10:90].any(axis=0).all()


def test_an_empty_mask_has_a_picture_without_outline(tmp_path: Path) -> None:
    shown = overview(Seen(np.full((50, 50, 3), 90, np.uint8), np.zeros((50, 50), bool)), 50)
    assert len(np.unique(shown)) == 1
    assert crop_box(np.zeros((50, 90), bool), 30) == (30, 10, 30, 30)


def many_masks(folder: Path, count: int = 2) -> Collection:
    """One image with some run-length masks, whose tag asked for a quarter turn."""
    image, _ = pair(1, 60, 40)
    masks = [np.zeros((40, 60), np.uint8) for _ in range(2)]
    masks[0][3:9, 5:30] = 1
    masks[1][20:39, 40:59] = 1
    item = dict.fromkeys(["id", "area", "bbox", "category_id", "iscrowd", "predicted_iou", "stability_score"])
    record = Record(
        sample_id=f"sa/all/{SCRIPT}#1",
        source="sa",
        part="all",
        image=image,
        image_suffix=".jpg",
        mask=None,
        mask_suffix=".png",
        masks=tuple({**item, **rle.encode(mask)} for mask in masks[:count]),
        width=60,
        height=40,
        image_sha256="1",
        mask_sha256=None,
        pixels_sha256="1",
        flags=("orientation_6",),
        errata=(),
    )
    partial = folder.with_name("making")
    partial.mkdir()
    write_shard(partial / "sa-00000.arrow", [record], 1 << 20)
    write_rejects(partial, [])
    index = {
        "format": FORMAT,
        "rows": 1,
        "recipe": {"name": "sa", "title": "sa", "digest": "0", "synthetic": False},
        "sources": {},
        "versions": {},
        "unverified": False,
        "shortfall": [],
        "content_digest": content_digest([(record.sample_id, "1", "1")]),
        "files": [file_row(partial, name) for name in ("rejects.parquet", "sa-00000.arrow")],
    }
    publish(partial, folder, index)
    return Collection(folder)


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # of pycocotools, with NumPy 2
def test_collections_of_many_masks_are_shown_upright_and_mask_by_mask(tmp_path: Path, catalog: Catalog) -> None:
    collection = many_masks(tmp_path / "many")
    compute_stats(collection)
    (sample,) = collection.sample_ids
    for k in (0, 1):
        view = seen(collection, f"{sample}#{k}")
        code = collection[sample].masks[k]
        want = coco.decode({"size": code["size"], "counts": code["counts"].encode()}).astype(bool)
        assert np.array_equal(view.mask, np.rot90(want, -1))
        assert np.array_equal(view.image, to_display(collection[sample].image, 6))
    rows = [suspect(sample, "coarse", k + 1, mask_id=f"{sample}#{k}", source="sa") for k in (0, 1)]
    written = write_report(audit_of(collection, suspects=rows), tmp_path / "report.html", catalog)
    assert written.pictures == 4
    text = Elements((tmp_path / "report.html").read_text("utf-8")).text
    assert f"{sample}#1" in text
    assert "40 x 60 px" in text


def rows_of(statistic: Statistic) -> list[Row]:
    rng = np.random.default_rng(0)
    values = rng.random(200) * (1 if statistic.scale == "share" else 300)
    return [Row("one", values, False), Row("a-rather-long-name", values[:3], True), Row("none", values[:0], False)]


@pytest.mark.parametrize("statistic", STATISTICS, ids=lambda item: item.column)
def test_a_plot_is_an_svg_with_a_row_a_source(statistic: Statistic) -> None:
    uri = distributions(statistic, rows_of(statistic))
    assert uri == distributions(statistic, rows_of(statistic))
    data = base64.b64decode(uri.removeprefix("data:image/svg+xml;base64,"))
    root = ElementTree.fromstring(data)  # noqa: S314 - our own bytes
    texts = ["".join(item.itertext()).strip() for item in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"one", "a-rather-lon...", "none", "median", statistic.axis} <= set(texts)
    links = [value for item in root.iter() for key, value in item.attrib.items() if key.endswith("href")]
    assert all(link.startswith("#") for link in links)
    assert b"<dc:date>" not in data


@pytest.mark.parametrize("value", [0.0, 1.0, 5000.0])
@pytest.mark.parametrize("scale", ["share", "linear", "log"])
def test_a_plot_of_one_value_or_none_is_drawn(scale: Any, value: float) -> None:
    statistic = Statistic(column="x", title="x", axis="x", scale=scale, meaning="x")
    for values in (np.array([value]), np.zeros(0)):
        assert distributions(statistic, [Row("a", values, False)]).startswith("data:image/svg+xml")


def test_every_statistic_is_one_of_the_table() -> None:
    assert {item.column for item in STATISTICS} - {"long_side"} <= {stat.name for stat in STATS}


STYLE = (Path(__file__).parents[2] / "hqdata" / "analysis" / "report" / "style.css").read_text()


def luminance(colour: str) -> float:
    """Relative luminance of ``#rgb`` or ``#rrggbb``, after WCAG 2.2."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * letter for letter in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, two: str) -> float:
    low, high = sorted((luminance(one), luminance(two)))
    return (high + 0.05) / (low + 0.05)


def test_the_oracle_of_contrast_knows_black_on_white() -> None:
    assert contrast("#000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#fff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
def test_text_can_be_read_on_its_ground(theme: str) -> None:
    blocks = [
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})", block))
        for block in re.findall(r":root \{(.*?)\}", STYLE, re.S)
    ]
    colours = dict(zip(("light", "dark", "print"), blocks, strict=True))[theme]
    pairs_of = [(ink, ground) for ink in ("ink", "muted", "link") for ground in ("paper", "panel")]
    for ink, ground in [*pairs_of, ("note-ink", "note"), ("pill-ink", "pill")]:
        assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)


def test_a_manifest_that_is_not_the_collections_is_not_quoted(tmp_path: Path, tiny: Collection) -> None:
    changed = tiny_source(tmp_path / "other", 3)
    changed.manifest.write_text(changed.manifest.read_text().replace("made by a test", "OTHER TERMS"))
    write_report(audit_of(tiny), tmp_path / "report.html", load_catalog([changed.manifests]))
    text = (tmp_path / "report.html").read_text("utf-8")
    assert "OTHER TERMS" not in text
    assert "built from another manifest of this name" in text


def test_a_collection_without_masks_has_a_report(tmp_path: Path, catalog: Catalog) -> None:
    collection = many_masks(tmp_path / "none", count=0)
    compute_stats(collection)
    write_report(audit_of(collection), tmp_path / "report.html", catalog)
    assert "1 sample with 0 masks" in (tmp_path / "report.html").read_text("utf-8")


def test_importing_the_report_is_light() -> None:
    code = "import sys, hqdata.analysis.report.page as p; print(*{'matplotlib', 'jinja2', 'duckdb'} & set(sys.modules))"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert child.stdout.split() == []
