"""Draws become collections: whatever is in the tars, however often it is stopped, with or without links."""

import gzip
import json
import lzma
import os
import subprocess
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w

import hqdata
from hqdata.analysis.mask_row import sample_rows
from hqdata.analysis.stats import compute_stats
from hqdata.errors import ArchiveError, StaleLink, TermsNotAccepted, UsageError
from hqdata.masks import rle
from hqdata.pipelines.drawn import DrawOptions
from hqdata.pipelines.recipe import build_recipe
from hqdata.recipe import Draw
from hqdata.sources.draw import choose_tars, rank
from hqdata.store.reader import Collection
from hqdata.store.verify import verify
from tests.helpers import finish_build, snapshot, start_build
from tests.servers import FaultServer, Step
from tests.tars import HEIGHT, IMAGES, WIDTH, Tars, make_tars, members, record, tar_bytes, tar_files

SIZE = 24
SIGNATURE = "Signature-abc123"


@pytest.fixture(scope="module")
def tars(tmp_path_factory: pytest.TempPathFactory) -> Tars:
    """Two whole tars; read only."""
    return make_tars(tmp_path_factory.mktemp("tars"))


def build(tars: Tars, out: Path, name: str = "draw", **changes: Any) -> Collection:
    collection = Collection(build_recipe(name, out, tars.options(**changes)).folder)
    assert verify(collection.folder, deep=True) == []
    return collection


def expected_stems(*numbers: int, size: int = SIZE, seed: int = 7) -> list[str]:
    """The draw, made the plain way."""
    stems = {name.partition(".")[0] for number in numbers for name in tar_files(number)}
    return sorted(sorted(stems, key=lambda stem: rank(seed, stem))[:size])


def stems_of(collection: Collection) -> list[str]:
    return sorted(sample_id.removeprefix("sa1b/all/") for sample_id in collection.sample_ids)


def rejects_of(collection: Collection) -> list[tuple[str, str, str, str]]:
    rows = collection.rejects.to_pylist()
    return [(row["archive"], row["member"], row["stage"], row["reason"]) for row in rows]


def test_a_draw_takes_the_lowest_images_and_one_mask_each(tars, tmp_path):
    collection = build(tars, tmp_path / "out")
    assert stems_of(collection) == expected_stems(0, 1)
    for sample in collection:
        number = int(sample.sample_id.rpartition("_")[2])
        known = [rle.decode(item["segmentation"]) * 255 for item in record(number)["annotations"]]
        assert any(np.array_equal(sample.mask, mask) for mask in known)
        assert (sample.masks, sample.size) == ([], (WIDTH, HEIGHT))
        stated = sample.stated(0)
        assert stated is not None
        assert np.array_equal(rle.decode(stated) * 255, sample.mask)
        assert sample.row["image"]["bytes"] == members(number)[f"sa_{number}.jpg"]
    assert len({sample.row["pixels_sha256"] for sample in collection}) > 5


@pytest.mark.parametrize("masks", ["uniform", "all"])
def test_what_sa1b_states_of_a_mask_is_a_column(tars, tmp_path, masks):
    collection = build(tars, tmp_path / "out", draw=DrawOptions(masks=masks))
    compute_stats(collection)
    columns = ("mask_id", "annotation_id", "predicted_iou", "stability_score")
    rows = hqdata.sql(f"SELECT {', '.join(columns)} FROM stats ORDER BY ALL", collection).to_pylist()  # noqa: S608
    known = {
        (f"{sample.sample_id}#{k}", item["id"], item["predicted_iou"], item["stability_score"])
        for sample in collection
        for k in sample.ks
        for item in [sample.stated(k)]
    }
    assert {tuple(row.values()) for row in rows} == known
    assert {row["predicted_iou"] for row in rows} == {0.875}


def test_the_index_says_what_was_drawn_from_what(tars, tmp_path):
    collection = build(tars, tmp_path / "out")
    row = collection.index["sources"]["sa1b"]
    per_tar = Counter(int(stem[3:]) // 1000 - 1 for stem in stems_of(collection))
    assert (row["packed"], row["archives"], collection.index["shortfall"]) == ("tars", [], [])
    assert row["draw"] == {
        "seed": 7,
        "tars": 2,
        "skip": 0,
        "masks": "uniform",
        "per_image": 1,
        "evaluation": False,
        "size": SIZE,
        "missing": [],
        "from": [
            {
                "name": f"sa_{number:06d}.tar",
                "size": tars.tar(number).stat().st_size,
                "whole": True,
                "images": IMAGES,
                "taken": per_tar[number],
            }
            for number in (0, 1)
        ],
    }
    rows = Counter[str]()
    for item in collection.index["files"]:
        if "tar" in item:
            rows[item["tar"]] += item["rows"]
    assert rows == {f"sa_{number:06d}.tar": per_tar[number] for number in (0, 1)}


@pytest.mark.parametrize("rule", ["uniform", "largest", "whole", "all"])
def test_rules_take_other_masks_of_the_same_images(tars, tmp_path, rule):
    collection = build(tars, tmp_path / "out", draw=DrawOptions(masks=rule))
    images = expected_stems(0, 1)
    # Every fourth record has a mask of the whole image, in which all others lie.
    lost = [stem for stem in images if rule == "whole" and int(stem[3:]) % 4 == 3]
    assert stems_of(collection) == sorted(set(images) - set(lost))
    assert [(row[1], row[3]) for row in rejects_of(collection)] == [(f"{stem}.json", "no_mask") for stem in lost]
    assert [(c["samples"], c["expected"]) for c in collection.index["shortfall"]] == [
        (SIZE - len(lost), SIZE) for _ in lost[:1]
    ]
    assert bool(lost) == (rule == "whole")


def test_all_masks_keep_their_codes_and_attributes(tars, tmp_path):
    collection = build(tars, tmp_path / "out", draw=DrawOptions(masks="all"))
    for sample in collection:
        known = record(int(sample.sample_id.rpartition("_")[2]))["annotations"]
        assert sample.row["mask"] is None
        assert [mask["id"] for mask in sample.masks] == [item["id"] for item in known]
        assert {mask["predicted_iou"] for mask in sample.masks} == {0.875}
        assert {mask["stability_score"] for mask in sample.masks} == {0.96875}
        assert [mask["bbox"] for mask in sample.masks] == [item["bbox"] for item in known]
        assert [mask["point_coords"] for mask in sample.masks] == [item["point_coords"] for item in known]


def test_some_masks_of_each_image(tars, tmp_path):
    tars.recipe("three", per_image=3, size=10)
    collection = build(tars, tmp_path / "out", "three")
    assert {len(sample.masks) for sample in collection} == {3}
    assert len(collection) == 10


@pytest.mark.parametrize("rule", ["largest", "all"])
def test_statistics_of_both_kinds(tars, tmp_path, rule):
    collection = build(tars, tmp_path / "out", draw=DrawOptions(masks=rule))
    for sample in collection:
        known = record(int(sample.sample_id.rpartition("_")[2]))["annotations"]
        areas = [item["area"] for item in known]
        assert [row["area_px"] for row in sample_rows(sample)] == (areas if rule == "all" else [max(areas)])


def test_workers_order_and_place_do_not_matter(tars, tmp_path):
    expected = snapshot(build(tars, tmp_path / "out").folder)
    assert snapshot(build(tars, tmp_path / "two", workers=2).folder) == expected
    turned = make_tars(tmp_path / "turned")
    for number in (1, 0):
        turned.tar(number).unlink()
        path = turned.put(number, dict(reversed(tar_files(number).items())))
        path.rename(turned.archives / path.name)
    moved = build(turned, tmp_path / "moved")
    assert snapshot(moved.folder) == expected


def test_more_tars_give_what_one_pass_over_all_gives(tmp_path):
    tars = make_tars(tmp_path, 1, family=3)
    first = build(tars, tmp_path / "out")
    assert stems_of(first) == expected_stems(0)
    assert [(c["samples"], c["expected"]) for c in first.index["shortfall"]] == [(IMAGES, SIZE)]
    assert first.index["sources"]["sa1b"]["draw"]["missing"] == ["sa_000001.tar", "sa_000002.tar"]
    for number in (2, 1):
        tars.put(number)
        again = build(tars, tmp_path / "out", replace=True)
    assert stems_of(again) == expected_stems(0, 1, 2)
    assert snapshot(again.folder) == snapshot(build(tars, tmp_path / "never").folder)


def test_draws_that_skip_share_no_image(tmp_path):
    tars = make_tars(tmp_path, 4)
    held = []
    for skip in (0, 2):
        tars.recipe(f"skip-{skip}", tars=2, skip=skip, size=30)
        collection = build(tars, tmp_path / f"out-{skip}", f"skip-{skip}")
        assert len(collection) == 30
        held.append(set(stems_of(collection)))
    assert held[0].isdisjoint(held[1])


def test_broken_tars_of_the_errata_and_those_for_evaluation_are_never_drawn_from(tmp_path):
    tars = make_tars(tmp_path, 3, evaluation=["sa_000001.tar"])
    add_erratum(tars, "sa_000002.tar")
    tars.recipe(tars="all", size=99)
    assert stems_of(build(tars, tmp_path / "out")) == expected_stems(0, size=99)
    tars.recipe("eval", tars=1, evaluation=True, size=99)
    assert stems_of(build(tars, tmp_path / "eval", "eval")) == expected_stems(1, size=99)


def add_erratum(tars: Tars, *stems: str, **more: Any) -> None:
    manifest = tars.manifests / "sources" / "sa1b.toml"
    erratum = {"kind": "mismatch", "part": "all", "stems": list(stems), "note": "", "reference": "", **more}
    manifest.write_text(manifest.read_text() + tomli_w.dumps({"errata": [erratum]}))


def test_a_tar_that_is_named_as_broken_excuses_no_missing_image(tmp_path):
    tars = make_tars(tmp_path, 3)
    add_erratum(tars, "sa_000002.tar", "sa_9000", may_reject=True)
    files = tar_files(1)
    files["sa_2003.json"] = b"{"
    tars.put(1, files)
    tars.recipe(tars="all", size=2 * IMAGES)
    (count,) = build(tars, tmp_path / "out").index["shortfall"]
    assert (count["samples"], count["expected"], count["excused"]) == (2 * IMAGES - 1, 2 * IMAGES, 0)


def test_errata_of_images_are_a_column(tmp_path):
    tars = make_tars(tmp_path)
    add_erratum(tars, "sa_1003", "sa_2007")
    tars.recipe(size=2 * IMAGES)
    held = {sample.sample_id.removeprefix("sa1b/all/") for sample in build(tars, tmp_path / "out") if sample.errata}
    assert held == {"sa_1003", "sa_2007"}


def cut(content: bytes, share: float) -> bytes:
    return content[: int(len(content) * share)]


def odd_member(kind: bytes, size: int = 0) -> bytes:
    """Padding, the header of something that is no file, and the end mark."""
    info = tarfile.TarInfo("sa_9.jpg")
    info.type, info.linkname, info.size = kind, "/etc/passwd", size
    header = info.tobuf(tarfile.GNU_FORMAT)
    return bytes(-len(tar_bytes(members(2000)).rstrip(b"\0")) % 512) + header + bytes(1024)


TARS: dict[str, tuple[bytes, bool]] = {
    # content: whether something of it can be used
    "cut in the middle": (cut(tar_bytes(tar_files(1)), 0.5), True),
    "no end mark": (tar_bytes(tar_files(1)).rstrip(b"\0"), True),
    "goes on after its end": (tar_bytes(tar_files(1)) + b"x" * 512, True),
    "rubbish in the middle": (tar_bytes(tar_files(1, 10)).rstrip(b"\0") + b"\xff" * 5000, True),
    "two tars in one": (tar_bytes(tar_files(1, 10)) + tar_bytes(tar_files(1)), True),
    "empty": (b"", False),
    "rubbish": (b"\xff" * 5000, False),
    "compressed": (gzip.compress(tar_bytes(tar_files(1))), False),
    "compressed in another way": (lzma.compress(tar_bytes(tar_files(1))), False),
    "a device": (tar_bytes(members(2000)).rstrip(b"\0") + odd_member(tarfile.CHRTYPE), False),
    "a link to elsewhere": (tar_bytes(members(2000)).rstrip(b"\0") + odd_member(tarfile.SYMTYPE), False),
    "a header of a terabyte": (tar_bytes(members(2000)).rstrip(b"\0") + odd_member(tarfile.XHDTYPE, 2**40), True),
    "zeros from the middle on": (cut(tar_bytes(tar_files(1)), 0.5) + bytes(2**21), True),
    "a page": (b"<!DOCTYPE html><html>expired</html>", False),
    "cut in the first member": (tar_bytes(tar_files(1))[:700], False),
    "something else": (tar_bytes({"images/1.jpg": b"", "masks/1.png": b""}), False),
    "a member twice": (tar_bytes({"sa_2000.jpg": b"1"})[:1024] + tar_bytes(members(2000)), False),
    "a name that climbs out": (tar_bytes({**members(2000), "../sa_1.jpg": b""}), False),
}


@pytest.mark.parametrize("case", TARS)
def test_tars_that_are_not_whole(tmp_path, case):
    content, usable = TARS[case]
    tars = make_tars(tmp_path)
    tars.tar(1).write_bytes(content)
    collection = build(tars, tmp_path / "out")
    own = [row for row in rejects_of(collection) if not row[1]]
    assert own == [("sa_000001.tar", "", "list", "truncated" if usable else "bad_archive")]
    stems = stems_of(collection)
    assert set(expected_stems(0)) & set(expected_stems(0, 1)) <= set(stems)
    assert any(stem.startswith("sa_2") for stem in stems) == usable
    assert not any(str(tmp_path) in str(row) for row in collection.rejects.to_pylist())
    facts = {tar["name"]: tar["whole"] for tar in collection.index["sources"]["sa1b"]["draw"]["from"]}
    assert facts.get("sa_000001.tar", False) is False


def spoil(files: dict[str, bytes]) -> dict[str, str]:
    """Damage ten images of a tar, and add what does not belong; the reason of each reject by its member."""
    files["sa_2000.json"] = b"{"
    files["sa_2001.json"] = members(2002)["sa_2002.json"]
    files["sa_2002.json"] = json.dumps({**record(2002), "annotations": []}).encode()
    files["sa_2003.jpg"] = files["sa_2003.jpg"][:200]
    del files["sa_2004.json"], files["sa_2005.jpg"]
    files["notes.txt"] = b"?"
    files["._sa_2007.jpg"] = b"?"
    files["sa_2008.jpeg"] = files["sa_2008.jpg"]
    files["other/sa_2009.jpg"] = files["sa_2009.jpg"]
    files["sa_2010.json"] = json.dumps(
        {**record(2010), "image": {**record(2010)["image"], "file_name": "\ud800"}}
    ).encode()
    files["sa_2011.json"] = b'{"image": ' * 9000
    files["sa_2012.json"] = b""
    files["sa_2013.jpg"] = b""
    return {
        "sa_2000.json": "bad_record",
        "sa_2001.json": "bad_record",
        "sa_2002.json": "no_mask",
        "sa_2003.jpg": "truncated",
        "sa_2004.jpg": "missing_mask",
        "sa_2005.json": "missing_image",
        "notes.txt": "stray",
        "._sa_2007.jpg": "system_file",
        "sa_2008.jpg": "duplicate_id",
        "other/sa_2009.jpg": "stray",
        "sa_2010.json": "bad_record",
        "sa_2011.json": "bad_record",
        "sa_2012.json": "bad_record",
        "sa_2013.jpg": "empty_file",
    }


def test_broken_members_become_rejects(tmp_path):
    tars = make_tars(tmp_path)
    files = tar_files(1)
    reasons = spoil(files)
    tars.put(1, files)
    tars.recipe(size=100)
    collection = build(tars, tmp_path / "out", workers=2)
    assert {row[1]: row[3] for row in rejects_of(collection)} == reasons
    assert len(collection) == 2 * IMAGES - 10
    (count,) = collection.index["shortfall"]
    assert (count["pairs"], count["samples"]) == (2 * IMAGES - 2, 2 * IMAGES - 10)


def test_an_image_that_lies_in_two_tars_counts_once(tmp_path):
    tars = make_tars(tmp_path)
    tars.put(1, {**tar_files(1), **members(1003)})
    tars.recipe(size=100)
    collection = build(tars, tmp_path / "out")
    assert len(collection) == 2 * IMAGES
    assert rejects_of(collection) == [("sa_000001.tar", "sa_1003.jpg", "pair", "duplicate_id")]


def test_two_files_of_one_name(tmp_path):
    tars = make_tars(tmp_path)
    (tars.archives / "sa_000001.tar").write_bytes(tars.tar(1).read_bytes())
    with pytest.raises(ArchiveError, match=r"two files may be sa_000001\.tar"):
        build(tars, tmp_path / "out")


def test_no_tar_at_hand_names_those_that_are_wanted(tmp_path):
    tars = make_tars(tmp_path, 1)
    tars.tar(0).rename(tars.archives / "sa_000007.tar")
    with pytest.raises(ArchiveError, match=r"no tar of the draw(.|\n)*sa_000000\.tar"):
        build(tars, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("point", ["shard", "sidecar", "files", "index"])
def test_a_build_that_is_killed_goes_on(tars, tmp_path, point):
    process = start_build(tars, tmp_path / "out", env={"HQDATA_FAULT": f"after:{point}"})
    process.communicate(timeout=60)
    assert (process.returncode, (tmp_path / "out").exists()) == (137, False)
    again = finish_build(start_build(tars, tmp_path / "out"))
    assert again["reused"] == {"shard": 0, "sidecar": 1}.get(point, 6)
    assert snapshot(tmp_path / "out") == snapshot(build(tars, tmp_path / "never").folder)


def test_a_tar_that_changed_is_read_anew(tmp_path):
    tars = make_tars(tmp_path)
    process = start_build(tars, tmp_path / "out", env={"HQDATA_FAULT": "after:files"})
    process.communicate(timeout=60)
    state = tars.tar(0).stat()
    os.utime(tars.tar(0), ns=(state.st_atime_ns, state.st_mtime_ns + 10**9))
    taken = [tar["taken"] for tar in build(tars, tmp_path / "x").index["sources"]["sa1b"]["draw"]["from"]]
    again = finish_build(start_build(tars, tmp_path / "out"))
    assert again["reused"] == -(-taken[1] // 5)


DROP = DrawOptions(drop=True)


def test_tars_are_deleted_at_the_end(tmp_path):
    tars = make_tars(tmp_path, 3)
    expected = snapshot(build(tars, tmp_path / "never").folder)
    tars.tar(2).rename(tars.archives / "sa_000009.tar")
    tars.put(2)
    assert snapshot(build(tars, tmp_path / "out", draw=DROP).folder) == expected
    assert [path.name for path in sorted(tars.archives.rglob("*.tar"))] == ["sa_000009.tar"]
    again = build_recipe("draw", tmp_path / "out", tars.options(DROP))
    assert (again.fresh, again.index["rows"]) == (False, SIZE)


def test_a_tar_that_did_not_give_all_is_kept(tmp_path):
    tars = make_tars(tmp_path)
    tars.tar(1).write_bytes(TARS["cut in the middle"][0])
    build(tars, tmp_path / "out", draw=DROP)
    assert [path.name for path in tars.archives.rglob("*.tar")] == ["sa_000001.tar"]


def start_drop(tars: Tars, out: Path, point: str) -> subprocess.Popen[str]:
    before = "from hqdata.pipelines.drawn import DrawOptions; import hqdata.pipelines.recipe as r; Plain = r.Options"
    before += "; Options = lambda **more: Plain(draw=DrawOptions(drop=True), **more)"
    env = {"HQDATA_FAULT": f"after:{point}"}
    return start_build(tars, out, before=before, env=env)


@pytest.mark.parametrize(("point", "left"), [("index", 3), ("publish", 3), ("drop", 2)])
def test_a_kill_around_the_deletion_loses_nothing(tmp_path, point, left):
    tars = make_tars(tmp_path, 3)
    expected = snapshot(build(tars, tmp_path / "never").folder)
    process = start_drop(tars, tmp_path / "out", point)
    process.communicate(timeout=60)
    assert process.returncode == 137
    assert len(list(tars.archives.rglob("*.tar"))) == left
    assert snapshot(build(tars, tmp_path / "out", draw=DROP).folder) == expected
    assert list(tars.archives.rglob("*.tar")) == []


def test_a_recipe_without_a_draw_knows_no_tars(tars, tmp_path):
    with pytest.raises(UsageError, match="ecssd draws from no tars"):
        build_recipe("ecssd", tmp_path / "out", tars.options(DROP))


def links(tars: Tars, server: FaultServer, *steps: Step) -> DrawOptions:
    """Links for the tars of a family, each behind a signature; the tars leave the disk."""
    lines = ["file_name\tcdn_link"]
    for number in range(tars.family):
        path = tars.tar(number)
        url = server.serve(f"/{path.name}", path.read_bytes(), *steps)
        lines.append(f"{path.name}\t{url}?Policy=x&Signature={SIGNATURE}")
        path.unlink()
    file = tars.root / "links.tsv"
    file.write_text("\n".join(lines) + "\n")
    return DrawOptions(links=file)


def test_tars_come_from_links_and_no_file_holds_one(tmp_path, caplog, home):
    tars = make_tars(tmp_path)
    expected = snapshot(build(tars, tmp_path / "never").folder)
    with FaultServer() as server:
        draw = links(tars, server)
        got = build(tars, tmp_path / "out", draw=draw, offline=False)
    assert snapshot(got.folder) == expected
    assert sorted(path.name for path in tars.tar(0).parent.iterdir()) == ["sa_000000.tar", "sa_000001.tar"]
    assert draw.links is not None
    draw.links.unlink()
    held = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(SIGNATURE.encode() in content for content in held)
    assert SIGNATURE not in caplog.text


def test_only_the_tars_of_the_draw_are_fetched(tmp_path, home):
    tars = make_tars(tmp_path, 6)
    tars.recipe(tars=2)
    with FaultServer() as server:
        build(tars, tmp_path / "out", draw=links(tars, server), offline=False)
        asked = sorted(seen.path for seen in server.requests)
    names = [f"sa_{number:06d}.tar" for number in range(6)]
    assert asked == [f"/{name}" for name in choose_tars(names, Draw(seed=7, tars=2))]


def test_an_expired_link_stops_the_build(tmp_path, home):
    tars = make_tars(tmp_path)
    with FaultServer() as server:
        draw = links(tars, server, Step(status=403))
        with pytest.raises(StaleLink, match="the link has expired") as caught:
            build(tars, tmp_path / "out", draw=draw, offline=False)
    assert SIGNATURE not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_links_need_accepted_terms(tmp_path, home):
    tars = make_tars(tmp_path, accept=True)
    with FaultServer() as server:
        draw = links(tars, server)
        with pytest.raises(TermsNotAccepted, match="--accept-terms sa1b"):
            build(tars, tmp_path / "out", draw=draw, offline=False)
        assert server.requests == []
