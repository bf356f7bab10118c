"""Draws that grow: a collection stands in for tars that are gone, and what comes out is what one pass would give."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hqdata.errors import ArchiveError, DiskFull, StaleLink, StoreCorrupt, Truncated, UsageError
from hqdata.pipelines import drawn
from hqdata.pipelines.drawn import DrawOptions
from hqdata.pipelines.recipe import build_recipe
from hqdata.sources.listing import LISTING, Listed, read_listing, write_listing
from hqdata.sources.record import normalize_record
from hqdata.store.reader import Collection
from hqdata.store.verify import verify
from tests.helpers import finish_build, snapshot, start_build
from tests.servers import FaultServer, Step
from tests.tars import IMAGES, Tars, make_tars, members, record, tar_bytes, tar_files
from tests.test_build_sa1b import DROP, SIZE, build, expected_stems, links, rejects_of, start_drop, stems_of

ORDERS = [
    (0, 1, 2, 3),
    (3, 2, 1, 0),
    *(tuple(np.random.default_rng(seed).permutation(4).tolist()) for seed in (1, 2, 5)),
]
DAMAGED = {
    # tar: members of it that are not as they should be
    1: {"sa_2003.json": b"{", "sa_2004.jpg": b"\xff\xd8\xff", "notes.txt": b"?", **members(1003), **members(4001)},
    3: {"sa_4002.json": json.dumps({**record(4002), "annotations": []}).encode()},
}


def damaged_tars(root: Path) -> Tars:
    """Four tars with faults of every kind: broken members, strays, images that are in other tars, too, a cut."""
    tars = make_tars(root, 4)
    for number, files in DAMAGED.items():
        whole = {**tar_files(number), **files}
        if number == 3:
            del whole["sa_4005.jpg"], whole["sa_4006.json"]
        tars.put(number, whole)
    tars.tar(2).write_bytes(tars.tar(2).read_bytes()[:60_000])
    return tars


@pytest.fixture(scope="module", params=["whole", "damaged"])
def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Tars:
    """Four tars; read only."""
    root = tmp_path_factory.mktemp("kept")
    return make_tars(root, 4) if request.param == "whole" else damaged_tars(root)


def only(kept: Tars, root: Path, *numbers: int) -> Tars:
    """The same tars, of which only some are at hand."""
    shutil.rmtree(root / "archives", ignore_errors=True)
    shutil.copytree(kept.manifests, root / "manifests", dirs_exist_ok=True)
    tars = Tars(root, kept.family)
    for number in numbers:
        tars.tar(number).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(kept.tar(number), tars.tar(number))
    return tars


@pytest.mark.parametrize(("order", "rule"), [*((order, "uniform") for order in ORDERS), (ORDERS[1], "all")])
def test_tars_in_any_order_give_what_one_pass_gives(kept, tmp_path, order, rule):
    draw = DrawOptions(masks=rule)
    expected = snapshot(build(kept, tmp_path / "once", draw=draw).folder)
    for number in order:
        tars = only(kept, tmp_path / "one", number)
        built = build(tars, tmp_path / "out", draw=draw, replace=True)
    assert snapshot(built.folder) == expected


def test_pairs_of_tars_and_workers(kept, tmp_path):
    expected = snapshot(build(kept, tmp_path / "once").folder)
    build(only(kept, tmp_path / "one", 1, 3), tmp_path / "out", workers=2)
    build(only(kept, tmp_path / "one", 0, 3), tmp_path / "out", workers=2, replace=True)
    assert snapshot(build(only(kept, tmp_path / "one", 2), tmp_path / "out", replace=True).folder) == expected


def test_what_is_complete_needs_no_tars(kept, tmp_path):
    expected = snapshot(build(kept, tmp_path / "out").folder)
    none = only(kept, tmp_path / "none")
    for replace in (False, True):
        assert snapshot(build(none, tmp_path / "out", replace=replace).folder) == expected
    assert not build_recipe("draw", tmp_path / "out", none.options()).fresh


def test_only_the_new_tar_is_read(tmp_path, monkeypatch):
    tars = make_tars(tmp_path, 2)
    tars.tar(1).rename(tmp_path / "aside")
    build(tars, tmp_path / "out", draw=DROP)
    (tmp_path / "aside").rename(tars.tar(1))
    seen = []

    def counted(image: bytes, text: bytes, stem: str, *rest: Any) -> Any:
        seen.append(stem)
        return normalize_record(image, text, stem, *rest)

    monkeypatch.setattr("hqdata.shard.normalize_record", counted)
    collection = build(tars, tmp_path / "out", replace=True)
    assert sorted(seen) == [stem for stem in stems_of(collection) if stem.startswith("sa_2")]
    assert len(seen) > 5


def test_the_listing_says_what_was_taken_from_which_tar(tmp_path):
    tars = make_tars(tmp_path)
    tars.put(1, {**tar_files(1), **members(1003)})
    tars.recipe(size=100)
    rows = read_listing(build(tars, tmp_path / "out").folder)
    assert [(row.tar, row.image) for row in rows if not row.taken] == [("sa_000001.tar", "sa_1003.jpg")]
    assert rows == sorted(rows)
    files = tar_files(0) | tar_files(1)
    for row in rows:
        assert (row.image_bytes, row.record_bytes) == (len(files[row.image]), len(files[row.record]))
        assert row.sample_id == f"sa1b/all/{row.image.removesuffix('.jpg')}"
    assert len(rows) == 2 * IMAGES + 1


def test_a_listing_comes_back(tmp_path):
    rows = [
        Listed("b.tar", "a/b/ü", "ü.jpg", 2**40, "ü.json", 0, True),
        Listed("a.tar", "a/b/c", "c", 1, "d", 2, False),
    ]
    for held in (rows, []):
        write_listing(tmp_path, held)
        assert read_listing(tmp_path) == sorted(held)
    (tmp_path / LISTING).write_bytes(b"PAR1 and so on")
    with pytest.raises(StoreCorrupt, match="is damaged"):
        read_listing(tmp_path)


def test_a_draw_from_more_tars_grows_out_of_one_from_fewer(tmp_path):
    tars = make_tars(tmp_path, 4)
    tars.recipe("two", tars=2)
    first = stems_of(build(tars, tmp_path / "out", "two", draw=DROP))
    assert len(list(tars.archives.rglob("*.tar"))) == 2
    grown = build(tars, tmp_path / "out", draw=DrawOptions(drop=True), replace=True)
    assert set(stems_of(grown)) != set(first)
    assert stems_of(grown) == expected_stems(0, 1, 2, 3)
    assert list(tars.archives.rglob("*.tar")) == []


def other_masks(tars: Tars) -> None:
    tars.recipe(masks="largest")


def other_seed(tars: Tars) -> None:
    tars.recipe(seed=8)


def more_images(tars: Tars) -> None:
    tars.recipe(size=SIZE + 1)


def fewer_images(tars: Tars) -> None:
    tars.recipe(size=SIZE - 1)


def other_manifest(tars: Tars) -> None:
    path = tars.manifests / "sources" / "sa1b.toml"
    path.write_text(path.read_text().replace('title = "Sa1b"', 'title = "Another"'))


@pytest.mark.parametrize("change", [other_masks, other_seed, more_images, fewer_images, other_manifest])
def test_images_whose_tars_are_gone_are_never_replaced(tmp_path, change):
    tars = make_tars(tmp_path, 3)
    for number in (1, 2):
        tars.tar(number).rename(tmp_path / f"{number}")
    build(tars, tmp_path / "out", draw=DROP)
    before = snapshot(tmp_path / "out")
    change(tars)
    (tmp_path / "1").rename(tars.tar(1))
    for replace, text in ((True, r"images of tars that are gone: sa_000000\.tar"), (False, "another collection")):
        with pytest.raises(UsageError, match=text):
            build(tars, tmp_path / "out", replace=replace)
    assert snapshot(tmp_path / "out") == before
    tars.put(0)
    assert len(build(tars, tmp_path / "out", replace=True)) >= SIZE - 1


def test_another_version_of_a_library_stands_in_for_nothing(tmp_path, monkeypatch):
    tars = make_tars(tmp_path, 2)
    tars.tar(1).rename(tmp_path / "1")
    build(tars, tmp_path / "out", draw=DROP)
    (tmp_path / "1").rename(tars.tar(1))
    monkeypatch.setattr("hqdata.pipelines.held.library_versions", lambda: (("pillow", "0"),))
    with pytest.raises(UsageError, match="version of a library"):
        build(tars, tmp_path / "out", replace=True)


@pytest.mark.parametrize("place", [0.3, 0.6, 0.9])
def test_a_flipped_bit_is_never_taken_over(tmp_path, place):
    tars = make_tars(tmp_path, 2)
    tars.tar(1).rename(tmp_path / "1")
    out = build(tars, tmp_path / "out", draw=DROP).folder
    (tmp_path / "1").rename(tars.tar(1))
    for path in (out / "sa1b-00001.arrow", out / LISTING):
        content = bytearray(path.read_bytes())
        content[int(len(content) * place)] ^= 4
        original = path.read_bytes()
        path.write_bytes(bytes(content))
        with pytest.raises(StoreCorrupt):
            build(tars, out, replace=True)
        path.write_bytes(original)
    assert stems_of(build(tars, out, replace=True)) == expected_stems(0, 1)


@pytest.mark.parametrize("point", ["shard", "sidecar", "files", "index", "publish", "drop"])
def test_a_kill_while_a_collection_grows_loses_nothing(tmp_path, point):
    tars = make_tars(tmp_path, 2)
    expected = snapshot(build(tars, tmp_path / "never").folder)
    tars.tar(1).rename(tmp_path / "1")
    build(tars, tmp_path / "out", draw=DROP)
    (tmp_path / "1").rename(tars.tar(1))
    before = "from hqdata.pipelines.drawn import DrawOptions; import hqdata.pipelines.recipe as r; Plain = r.Options"
    before += "; Options = lambda **more: Plain(draw=DrawOptions(drop=True), replace=True, **more)"
    process = start_build(tars, tmp_path / "out", before=before, env={"HQDATA_FAULT": f"after:{point}"})
    process.communicate(timeout=60)
    assert process.returncode == 137
    assert snapshot(build(tars, tmp_path / "out", draw=DROP, replace=True).folder) == expected
    assert list(tars.archives.rglob("*.tar")) == []
    assert not list(tmp_path.glob("out.partial-*"))


def test_a_collection_that_stood_aside_comes_back_without_being_replaced(tmp_path):
    tars = make_tars(tmp_path, 2)
    tars.tar(1).rename(tmp_path / "1")
    build(tars, tmp_path / "out", draw=DROP)
    before = snapshot(tmp_path / "out")
    (tmp_path / "1").rename(tars.tar(1))
    process = start_build(
        tars,
        tmp_path / "out",
        before="import hqdata.pipelines.recipe as r; P = r.Options; Options = lambda **more: P(replace=True, **more)",
        env={"HQDATA_FAULT": "after:index"},
    )
    process.communicate(timeout=60)
    assert not (tmp_path / "out").exists()
    with pytest.raises(UsageError, match="holds another collection"):
        build(tars, tmp_path / "out")
    assert snapshot(tmp_path / "out") == before


def test_a_tar_that_was_cut_comes_again_from_its_link(tmp_path, home):
    tars = make_tars(tmp_path, 2)
    expected = snapshot(build(tars, tmp_path / "never").folder)
    content = tars.tar(1).read_bytes()
    tars.tar(1).write_bytes(content[:30_000])
    assert rejects_of(build(tars, tmp_path / "out"))[0][3] == "truncated"
    tars.tar(1).unlink()
    with FaultServer() as server:
        url = server.serve("/a.tar", content)
        (tmp_path / "links.tsv").write_text(f"file_name\tcdn_link\nsa_000001.tar\t{url}\n")
        draw = DrawOptions(links=tmp_path / "links.tsv")
        grown = build(tars, tmp_path / "out", draw=draw, offline=False, replace=True)
    assert snapshot(grown.folder) == expected


@pytest.mark.parametrize("most", [1, 2])
def test_tars_come_and_go_a_few_at_a_time(tmp_path, home, monkeypatch, most):
    tars = make_tars(tmp_path, 5)
    expected = snapshot(build(tars, tmp_path / "never").folder)
    monkeypatch.setattr("hqdata.pipelines.recipe.PASS", most)
    held = []
    plain = drawn.drop_tars

    def watched(*arguments: Any) -> None:
        held.append(len(list(tars.archives.rglob("*.tar"))))
        plain(*arguments)

    monkeypatch.setattr("hqdata.pipelines.recipe.drop_tars", watched)
    with FaultServer() as server:
        draw = DrawOptions(links=links(tars, server).links, drop=True)
        collection = build(tars, tmp_path / "out", draw=draw, offline=False)
        assert snapshot(collection.folder) == expected
        asked = len(server.requests)
        assert asked == 5
        assert not build_recipe("draw", tmp_path / "out", tars.options(draw, offline=False)).fresh
        assert len(server.requests) == asked
    assert held == [*([most] * (5 // most)), *([5 % most] if 5 % most else []), 0]
    assert list(tars.archives.rglob("*.tar")) == []


def test_passes_that_are_stopped_go_on(tmp_path, home, monkeypatch):
    tars = make_tars(tmp_path, 4)
    expected = snapshot(build(tars, tmp_path / "never").folder)
    monkeypatch.setattr("hqdata.pipelines.recipe.PASS", 1)
    with FaultServer() as server:
        draw = DrawOptions(links=links(tars, server, Step()).links, drop=True)
        server.serve("/sa_000002.tar", b"", Step(status=403), Step(body=tar_bytes(tar_files(2))))
        with pytest.raises(StaleLink):
            build(tars, tmp_path / "out", draw=draw, offline=False)
        assert stems_of(Collection(tmp_path / "out")) == expected_stems(0, 1)
        grown = build(tars, tmp_path / "out", draw=draw, offline=False)
    assert snapshot(grown.folder) == expected


def test_a_link_to_another_tar_is_an_error(tmp_path, home):
    tars = make_tars(tmp_path, 2)
    with FaultServer() as server:
        draw = DrawOptions(links=links(tars, server).links, drop=True)
        server.serve("/sa_000001.tar", tar_bytes({"images/1.jpg": b"1"}))
        for _ in range(2):
            with pytest.raises(ArchiveError, match=r"sa_000001\.tar is a tar, but"):
                build(tars, tmp_path / "out", draw=draw, offline=False)
    assert not (tmp_path / "out").exists()


def test_tars_that_do_not_fit_are_not_begun(tmp_path, home):
    tars = make_tars(tmp_path, 2, size=10**15)
    with FaultServer() as server:
        draw = links(tars, server)
        with pytest.raises(DiskFull, match=r"2 tars do not fit(.|\n)*2,000,000,000,000,000"):
            build(tars, tmp_path / "out", draw=draw, offline=False)
        assert server.requests == []


def test_a_part_that_is_there_counts_as_room(tmp_path, home, monkeypatch):
    tars = make_tars(tmp_path, 1, size=50_000)
    content = tars.tar(0).read_bytes()
    with FaultServer() as server:
        draw = links(tars, server, Step(drop_after=40_000), Step())
        monkeypatch.setattr("hqdata.fetch.http.time.sleep", lambda _: None)
        limits = tars.options().limits
        with pytest.raises(Truncated, match="ended early"):
            build(tars, tmp_path / "out", draw=draw, offline=False, limits=dataclasses.replace(limits, attempts=1))
        monkeypatch.setattr("hqdata.pipelines.drawn.free_bytes", lambda _: 20_000)
        assert len(content) > 20_000
        assert len(build(tars, tmp_path / "out", draw=draw, offline=False)) == IMAGES


def test_verify_knows_the_listing(tmp_path):
    out = build(make_tars(tmp_path), tmp_path / "out").folder
    (out / LISTING).write_bytes(b"x")
    assert [problem.file for problem in verify(out)] == [LISTING]


def test_a_kill_between_deletions(tmp_path):
    """Whatever tars are left, running again deletes them and changes nothing."""
    tars = make_tars(tmp_path, 3)
    expected = snapshot(build(tars, tmp_path / "never").folder)
    for left in (2, 1):
        process = start_drop(tars, tmp_path / "out", "drop")
        process.communicate(timeout=60)
        assert (process.returncode, len(list(tars.archives.rglob("*.tar")))) == (137, left)
        assert snapshot(tmp_path / "out") == expected
    assert not finish_build(start_build(tars, tmp_path / "out"))["fresh"]
