"""An export for the Hub: what ``datasets`` and pyarrow read from it, what its card says, and what it refuses."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub import DatasetCard

from hqdata.analysis.stats import compute_stats
from hqdata.catalog import load_catalog
from hqdata.errors import DiskFull, StoreCorrupt, UsageError
from hqdata.export.hub import HubOptions, export_hub
from hqdata.export.rights import select_sources
from hqdata.export.shards import plan_shards, require_pixels
from hqdata.limits import Limits
from hqdata.pipelines.own_data import build_own
from hqdata.pipelines.recipe import Options, build_recipe
from hqdata.schema import FEATURES, FLAGS, SAMPLE_SCHEMA
from hqdata.store.reader import Collection
from hqdata.store.terms import source_terms
from tests.helpers import pairs, sha256, snapshot, tiny_source, write_files, write_recipe, write_toml

SMALL = HubOptions(group_bytes=200_000, shard_bytes=1_000_000)
PIXELS = {"image.bytes", "mask.bytes"}


def shards(out: Path, split: str = "*") -> list[Path]:
    return sorted((out / "data").glob(f"{split}-*.parquet"))


def rows_of(out: Path) -> pa.Table:
    return pa.concat_tables(pq.read_table(path, page_checksum_verification=True) for path in shards(out))


def load(out: Path, cache: Path, *words: str) -> datasets.DatasetDict:
    """As a user does, offline: the folder is all that there is."""
    return datasets.load_dataset(str(out), *words, cache_dir=str(cache))


@pytest.fixture(scope="module")
def collection(hqseg, tmp_path_factory) -> Collection:
    """A copy of its own: others compute statistics beside the shared one."""
    return Collection(shutil.copytree(hqseg.folder, tmp_path_factory.mktemp("hub") / "hqseg"))


@pytest.fixture(scope="module")
def exported(collection, drawn, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("hub") / "out"
    done = export_hub(collection, load_catalog([drawn.manifests]), out, SMALL)
    assert (done.samples, done.splits) == (len(collection), {"train": len(collection)})
    assert (done.configs, done.left_out, done.allowed) == (("default", "rejects"), (), ())
    assert (done.content_digest, done.synthetic) == (collection.digest, True)
    assert done.bytes_written == sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    return out


def test_rows_are_the_collections_to_the_bit(collection, exported):
    assert len(shards(exported)) > 2
    assert rows_of(exported).equals(collection.table.combine_chunks())


def test_datasets_decodes_every_image_and_mask(collection, exported, tmp_path):
    loaded = load(exported, tmp_path)
    assert list(loaded) == ["train"]
    assert loaded["train"].features == datasets.Features.from_dict(FEATURES)
    assert loaded["train"]["sample_id"][:] == list(collection.sample_ids)
    for row, sample in zip(loaded["train"], collection, strict=True):
        np.testing.assert_array_equal(np.asarray(row["image"].convert("RGB")), sample.image)
        np.testing.assert_array_equal(np.asarray(row["mask"]), sample.mask)
        assert (row["flags"], row["errata"]) == (list(sample.flags), list(sample.errata))


def test_the_files_alone_tell_which_columns_are_images(collection, exported, tmp_path):
    files = [str(path) for path in shards(exported)]
    loaded = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path))
    assert isinstance(loaded.features["mask"], datasets.Image)
    np.testing.assert_array_equal(np.asarray(loaded[0]["mask"]), collection[0].mask)


def test_no_image_is_only_a_path(exported):
    """What ``datasets`` itself writes of images that were made from paths."""
    for path in shards(exported):
        for column in ("image", "mask"):
            cells = pq.read_table(path, columns=[column]).column(column).to_pylist()
            assert all(len(cell["bytes"]) > 50 for cell in cells)


def test_groups_and_files_are_bounded(exported):
    for path in shards(exported):
        layout = pq.read_metadata(path)
        sizes = [layout.row_group(number).total_byte_size for number in range(layout.num_row_groups)]
        rows = [layout.row_group(number).num_rows for number in range(layout.num_row_groups)]
        assert all(size < 210_000 or count == 1 for size, count in zip(sizes, rows, strict=True))
        assert path.stat().st_size < 1_100_000
        assert layout.num_row_groups > 1


def test_pixels_are_stored_plainly_with_checksums_and_an_offset_index(exported):
    layout = pq.read_metadata(shards(exported)[0])
    columns = {c.path_in_schema: c for c in map(layout.row_group(0).column, range(layout.num_columns))}
    assert {name for name, column in columns.items() if column.compression == "UNCOMPRESSED"} == PIXELS
    assert all(column.has_offset_index for column in columns.values())
    assert {name for name, column in columns.items() if not column.is_stats_set} == PIXELS
    assert "RLE_DICTIONARY" in columns["source"].encodings
    assert all("RLE_DICTIONARY" not in columns[name].encodings for name in PIXELS)


def test_a_flipped_bit_in_a_shard_is_found_by_its_checksum(exported, tmp_path):
    raw = bytearray(shards(exported)[0].read_bytes())
    raw[raw.index(b"\xff\xd8\xff") + 200] ^= 1
    (tmp_path / "flipped.parquet").write_bytes(raw)
    with pytest.raises(OSError, match="CRC"):
        pq.read_table(tmp_path / "flipped.parquet", page_checksum_verification=True)


PLANS = {
    "nothing": ([], []),
    "one group": ([1, 2, 3], [[(0, 3)]]),
    "two groups": ([3, 3, 3], [[(0, 2), (2, 3)]]),
    "a row larger than a group": ([1, 9, 1], [[(0, 1), (1, 2)], [(2, 3)]]),
    "a row larger than a file": ([1, 50, 1], [[(0, 1)], [(1, 2)], [(2, 3)]]),
    "a group just full": ([6, 4], [[(0, 1), (1, 2)]]),
    "a file just full": ([6, 4, 1], [[(0, 1), (1, 2)], [(2, 3)]]),
}


@pytest.mark.parametrize("case", PLANS)
def test_rows_are_cut_into_groups_of_6_and_files_of_10(case):
    sizes, plan = PLANS[case]
    assert plan_shards(sizes, group_bytes=6, shard_bytes=10) == plan


GOOD = {"bytes": b"x", "path": "a.jpg"}
CELLS = {
    "both": (GOOD, GOOD, None),
    "no mask, many masks": (GOOD, None, None),
    "image is a path": ({"bytes": None, "path": "/a.jpg"}, GOOD, "a/b/c has no image bytes"),
    "image of no bytes": ({"bytes": b"", "path": "a.jpg"}, GOOD, "a/b/c has no image bytes"),
    "no image": (None, GOOD, "a/b/c has no image bytes"),
    "mask is a path": (GOOD, {"bytes": None, "path": "/a.png"}, "a/b/c has no mask bytes"),
}


@pytest.mark.parametrize("case", CELLS)
def test_an_image_without_bytes_is_refused(case):
    image, mask, error = CELLS[case]
    good = dict.fromkeys(SAMPLE_SCHEMA.names) | {"sample_id": "good", "image": GOOD, "mask": GOOD}
    table = pa.Table.from_pylist([good, good | {"sample_id": "a/b/c", "image": image, "mask": mask}], SAMPLE_SCHEMA)
    if error is None:
        require_pixels(table)
        return
    with pytest.raises(StoreCorrupt, match=error):
        require_pixels(table)


def test_a_damaged_collection_is_not_exported(collection, drawn, tmp_path):
    copy = Path(shutil.copytree(collection.folder, tmp_path / "copy"))
    shard = sorted(copy.glob("*.arrow"))[0]
    raw = bytearray(shard.read_bytes())
    raw[len(raw) // 2] ^= 1
    shard.write_bytes(raw)
    with pytest.raises(StoreCorrupt, match=f"{shard.name}: has another sha256"):
        export_hub(Collection(copy), load_catalog([drawn.manifests]), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


def test_the_same_bytes_again(collection, exported, drawn, tmp_path):
    export_hub(collection, load_catalog([drawn.manifests]), tmp_path / "out", SMALL)
    assert snapshot(tmp_path / "out") == snapshot(exported)


def test_shards_do_not_depend_on_the_collections_own(tmp_path):
    tiny = tiny_source(tmp_path, 12)
    for name, rows in (("a", 5), ("b", 1000)):
        build_recipe("tiny", tmp_path / name, tiny.options(limits=Limits(shard_rows=rows)))
        export_hub(Collection(tmp_path / name), load_catalog([tiny.manifests]), tmp_path / f"out-{name}")
    (one,), (other,) = (shards(tmp_path / f"out-{name}") for name in "ab")
    assert one.read_bytes() == other.read_bytes()


def test_a_folder_with_files_is_refused(collection, drawn, tmp_path):
    write_files(tmp_path / "out", {"mine.txt": b"precious"})
    with pytest.raises(UsageError, match="is not an empty folder"):
        export_hub(collection, load_catalog([drawn.manifests]), tmp_path / "out")
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "mine.txt"]


CHILD = """
import sys
from pathlib import Path
from hqdata.catalog import load_catalog
from hqdata.export.hub import export_hub
from hqdata.store.reader import Collection
folder, manifests, out = map(Path, sys.argv[1:])
export_hub(Collection(folder), load_catalog([manifests]), out)
"""


@pytest.mark.parametrize("point", ["export-shard", "export-files"])
def test_a_killed_export_leaves_nothing_under_the_name(tmp_path, point):
    tiny = tiny_source(tmp_path, 3)
    build_recipe("tiny", tmp_path / "built", tiny.options())
    words = [sys.executable, "-c", CHILD, tmp_path / "built", tiny.manifests, tmp_path / "out"]
    killed = subprocess.run(words, env={**os.environ, "HQDATA_FAULT": f"after:{point}"}, check=False, timeout=60)
    assert killed.returncode == 137
    assert not (tmp_path / "out").exists()
    catalog = load_catalog([tiny.manifests])
    export_hub(Collection(tmp_path / "built"), catalog, tmp_path / "out")
    export_hub(Collection(tmp_path / "built"), catalog, tmp_path / "whole")
    assert snapshot(tmp_path / "out") == snapshot(tmp_path / "whole")
    assert not list(tmp_path.glob(".*partial"))


LIMITED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))
sys.argv[0] = "hqdata"
from hqdata.cli.main import main
main()
"""


@pytest.mark.parametrize("to", ["hub", "coco"])
def test_a_full_disk_is_explained_and_nothing_is_left(tmp_path, to):
    tiny = tiny_source(tmp_path / "source", 6)
    build_recipe("tiny", tmp_path / "source" / "built", tiny.options())
    words = [
        "export",
        tmp_path / "source" / "built",
        "--to",
        to,
        "--out",
        tmp_path / "out",
        "--manifests",
        tiny.manifests,
    ]
    command = [sys.executable, "-c", LIMITED, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no room to write" in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_what_cannot_fit_is_not_begun(collection, drawn, tmp_path, monkeypatch):
    monkeypatch.setattr("hqdata.export.folder.free_bytes", lambda _: 1000)
    with pytest.raises(DiskFull, match="1,000 bytes free"):
        export_hub(collection, load_catalog([drawn.manifests]), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_the_card_is_read_by_the_hubs_own_library(collection, exported):
    card = DatasetCard.load(exported / "README.md")
    data = card.data.to_dict()
    assert (data["license"], data["license_link"]) == ("other", "LICENSE.md")
    assert data["size_categories"] == ["n<1K"]
    assert "synthetic" in data["tags"]
    assert {row["config_name"]: row["data_files"] for row in data["configs"]} == {
        "default": [{"split": "train", "path": "data/train-*"}],
        "rejects": [{"split": "train", "path": "rejects/rejects.parquet"}],
    }
    assert {row["config_name"]: row["splits"][0]["num_examples"] for row in data["dataset_info"]} == {
        "default": len(collection),
        "rejects": collection.rejects.num_rows,
    }


def test_the_card_tells_what_the_collection_is(collection, exported):
    text = (exported / "README.md").read_text()
    for word in (
        "**SYNTHETIC: ",
        collection.digest,
        collection.index["recipe"]["digest"],
        "**Foreground is above 127**",
    ):
        assert word in text
    for part in collection.index["counts"]:
        assert f"| {part['source']} | {part['part']} | train | {part['samples']} |" in text
    for flag, number in collection.index["flags"].items():
        assert f"| `{flag}` | {number} | {FLAGS[flag]} |" in text
    for reason, number in collection.index["rejects"].items():
        assert f"| `{reason}` | {number} | " in text
    for source in collection.index["sources"].values():
        assert source["citation"] in text
        assert f"### {source['title']} (" in (exported / "LICENSE.md").read_text()
    assert "hqdata export DIR --to hub --out OUT\n" in text
    assert str(exported) not in text


def test_the_index_holds_every_other_file(collection, exported):
    index = json.loads((exported / "hqdata.json").read_text())
    files = {row["name"]: row["sha256"] for row in index["files"]}
    assert files == {name: digest for name, digest in snapshot(exported).items() if name != "hqdata.json"}
    assert index["content_digest"] == index["collection"]["content_digest"] == collection.digest
    assert (index["left_out"], index["allowed"]) == ({}, [])


def test_rejects_and_statistics_are_configs(tmp_path):
    tiny = tiny_source(tmp_path, 4, files={**pairs(4), "images/lonely.jpg": pairs(1)["images/0000.jpg"]})
    build_recipe("tiny", tmp_path / "built", tiny.options(partial=True))
    built = Collection(tmp_path / "built")
    compute_stats(built)
    done = export_hub(built, load_catalog([tiny.manifests]), tmp_path / "out")
    assert done.configs == ("default", "rejects", "stats")
    stats = load(tmp_path / "out", tmp_path / "cache", "stats")["train"]
    assert stats.to_list() == datasets.Dataset(built.stats).to_list()
    rejects = load(tmp_path / "out", tmp_path / "cache", "rejects")["train"]
    assert [row["member"] for row in rejects] == ["images/lonely.jpg"]
    assert load(tmp_path / "out", tmp_path / "cache")["train"].num_rows == 4


@pytest.fixture(scope="module")
def evaluation(drawn, tmp_path_factory) -> Collection:
    out = tmp_path_factory.mktemp("eval") / "hq-eval"
    build_recipe("hq-eval", out, drawn.options("bundle"))
    return Collection(out)


PARTS = {"coift": "coift", "dis5k_vd": "dis5k", "hrsod": "hrsod", "thinobject5k_test": "thinobject5k"}
SPLITS = {
    "evaluation sets get a split each": ("evaluation", None, list(PARTS)),
    "unless one is wanted": ("evaluation", "train", ["train"]),
    "training sets are one split": ("collection", None, ["train"]),
    "unless the parts are wanted": (
        "collection",
        "part",
        ["dis5k_tr", "duts_te", "duts_tr", "ecssd", "fss1000", "msra10k", "thinobject5k_train"],
    ),
}


@pytest.mark.parametrize("case", SPLITS)
def test_splits(request, drawn, tmp_path, case):
    fixture, wanted, expected = SPLITS[case]
    built = request.getfixturevalue(fixture)
    done = export_hub(built, load_catalog([drawn.manifests]), tmp_path / "out", HubOptions(splits=wanted))
    loaded = load(tmp_path / "out", tmp_path / "cache")
    assert list(loaded) == list(done.splits) == expected
    assert sum(done.splits.values()) == len(built)
    ids = [sample_id for split in loaded.values() for sample_id in split["sample_id"]]
    assert sorted(ids) == sorted(built.sample_ids)
    if expected == list(PARTS):
        assert {name: set(split["source"]) for name, split in loaded.items()} == {k: {v} for k, v in PARTS.items()}


def with_terms(tiny, redistribution: str):
    """The same source under other terms."""
    manifest = tomllib.loads(tiny.manifest.read_text())
    manifest["terms"]["redistribution"] = redistribution
    manifest["citation"] = f"@misc{{{tiny.name}}}"
    write_toml(tiny.manifest, manifest)
    return tiny


@pytest.fixture(scope="module")
def mixed(tmp_path_factory) -> tuple[Collection, Path]:
    """Three sources: free to pass on, forbidden, and unknown."""
    root = tmp_path_factory.mktemp("mixed")
    said = {"free": "allowed", "shut": "forbidden", "mute": "unknown"}
    for number, (name, word) in enumerate(said.items()):
        with_terms(tiny_source(root, 3, name=name, archive=f"{name}.zip", seed=number), word)
    write_recipe(root / "manifests", "mixed", {name: {"all": 3} for name in said})
    options = Options(archives=root / "archives", manifests=(root / "manifests",), offline=True)
    build_recipe("mixed", root / "built", options)
    return Collection(root / "built"), root / "manifests"


REFUSED = {
    "as they are": (
        (),
        (),
        "add --leave-out shut --leave-out mute; or, where you have the right to pass them on, --allow mute instead",
    ),
    "forbidden stays forbidden": ((), ("shut", "mute"), "add --leave-out shut$"),
    "unknown": (("shut",), (), "mute: its terms do not say whether it may be redistributed"),
    "no such source": (("shot",), (), 'no source "shot"[^$]*did you mean "shut"'),
    "both": (("mute",), ("mute",), "both left out and allowed: mute"),
    "nothing left": (("free", "mute", "shut"), (), "every source is left out"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_terms_are_kept(mixed, tmp_path, case):
    built, manifests = mixed
    leave_out, allow, text = REFUSED[case]
    with pytest.raises(UsageError, match=text):
        export_hub(built, load_catalog([manifests]), tmp_path / "out", HubOptions(leave_out=leave_out, allow=allow))
    assert list(tmp_path.iterdir()) == []


def test_every_offending_source_is_named_at_once(mixed, tmp_path):
    built, manifests = mixed
    with pytest.raises(UsageError, match="shut: its terms forbid redistribution\n  mute: its terms do not say"):
        export_hub(built, load_catalog([manifests]), tmp_path / "out")


def test_a_source_that_is_left_out_is_nowhere_in_the_export_but_named(mixed, tmp_path):
    built, manifests = mixed
    options = HubOptions(leave_out=("shut",), allow=("mute",))
    done = export_hub(built, load_catalog([manifests]), tmp_path / "out", options)
    assert (done.samples, done.left_out, done.allowed) == (6, ("shut",), ("mute",))
    rows = rows_of(tmp_path / "out")
    assert rows.column("sample_id").to_pylist() == [name for name in built.sample_ids if "shut" not in name]
    assert rows.column("image").to_pylist() == [s.row["image"] for s in built if s.source != "shut"]
    card = (tmp_path / "out" / "README.md").read_text()
    assert "**shut** (Shut): its terms forbid redistribution" in card
    assert "### Mute (`mute`)" in card
    assert "whoever exported this states to have the right" in card
    assert "@misc{mute}" in card
    assert "@misc{shut}" not in card
    assert "hqdata export DIR --to hub --out OUT --leave-out shut --allow mute\n" in card
    index = json.loads((tmp_path / "out" / "hqdata.json").read_text())
    assert (list(index["sources"]), index["allowed"]) == (["free", "mute"], ["mute"])
    assert index["left_out"] == {"shut": "its terms forbid redistribution"}
    assert index["content_digest"] == done.content_digest != built.digest


def test_the_digest_of_a_part_is_that_of_a_collection_of_that_part(mixed, tmp_path):
    built, manifests = mixed
    root = manifests.parent
    write_recipe(manifests, "part", {"free": {"all": 3}})
    build_recipe("part", tmp_path / "part", Options(archives=root / "archives", manifests=(manifests,), offline=True))
    options = HubOptions(leave_out=("shut", "mute"))
    done = export_hub(built, load_catalog([manifests]), tmp_path / "out", options)
    assert done.content_digest == Collection(tmp_path / "part").digest


def index_row(redistribution, owners=("x",), synthetic=False) -> dict:
    archives = [{"owner": owner, "name": "a.zip"} for owner in owners]
    row = {"title": "T", "licence": None, "citation": "", "archives": archives}
    return row | {"redistribution": redistribution, "synthetic": synthetic}


VERDICTS = {
    "allowed": ("own", index_row("allowed"), "allowed"),
    "nobody knows": ("own", index_row(None), None),
    "from a bundle that forbids": ("own", index_row("allowed", ["samhq"]), "forbidden"),
    "unknown, from a bundle that forbids": ("ecssd", index_row(None, ["samhq"]), "forbidden"),
    "from a bundle that nobody knows": ("own", index_row("allowed", ["own", "nobody"]), None),
    "the manifest at hand is stricter": ("dis5k", index_row("allowed", ["dis5k"]), "forbidden"),
    "the collection's is stricter": ("own", index_row("forbidden"), "forbidden"),
    "drawn stand-ins are not the real ones": ("dis5k", index_row("allowed", ["samhq"], synthetic=True), "allowed"),
}


@pytest.mark.parametrize("case", VERDICTS)
def test_the_strictest_terms_count(case):
    name, row, verdict = VERDICTS[case]
    row = row | {
        "archives": [item | {"owner": name if item["owner"] == "x" else item["owner"]} for item in row["archives"]]
    }
    (terms,) = source_terms({"sources": {name: row}}, load_catalog())
    assert terms.redistribution == verdict


def test_the_real_recipe_from_the_bundle_is_refused_whole():
    """With the real manifests: every source of HQSeg-44K, taken from the authors' bundle."""
    catalog = load_catalog()
    names = [take.source for take in catalog.recipe("hqseg-44k").take]
    index = {"sources": {name: index_row(catalog.source(name).terms.redistribution, ["samhq"]) for name in names}}
    with pytest.raises(UsageError) as caught:
        select_sources(source_terms(index, catalog), allow=[name for name in names if name != "dis5k"])
    text = str(caught.value)
    assert "  dis5k: its terms forbid redistribution\n" in text
    assert "  ecssd: the terms of samhq, from which it was taken, forbid redistribution\n" in text
    assert set(re.findall(r"--leave-out (\S+?)(?=[ ;]|$)", text)) == set(names)
    assert "--prefer official" in text


OPTIONS = {
    "a date of another form": (HubOptions(published="20260102"), "expected: YYYY-MM-DD"),
    "no date": (HubOptions(published="soon"), "expected: YYYY-MM-DD"),
    "no owner": (HubOptions(repo="name"), "expected: OWNER/NAME"),
    "no name of the Hub": (HubOptions(repo="a/b c"), "expected: OWNER/NAME"),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_what_the_hub_would_refuse_is_refused_first(collection, drawn, tmp_path, case):
    options, text = OPTIONS[case]
    with pytest.raises(UsageError, match=text):
        export_hub(collection, load_catalog([drawn.manifests]), tmp_path / "out", options)
    assert list(tmp_path.iterdir()) == []


def test_two_parts_of_one_split_name_are_refused(tmp_path):
    for name, part in (("a-b", "c"), ("a", "b-c")):
        tiny = tiny_source(tmp_path, 2, name=name)
        manifest = tomllib.loads(tiny.manifest.read_text().replace('"all"', f'"{part}"').replace(".all]", f".{part}]"))
        write_toml(tiny.manifest, manifest)
    write_recipe(tmp_path / "manifests", "two", {"a-b": {"c": 2}, "a": {"b-c": 2}})
    manifests = tmp_path / "manifests"
    options = Options(archives=tmp_path / "archives", manifests=(manifests,), offline=True)
    build_recipe("two", tmp_path / "built", options)
    with pytest.raises(UsageError, match="two parts would both be the split a_b_c"):
        export_hub(
            Collection(tmp_path / "built"), load_catalog([manifests]), tmp_path / "out", HubOptions(splits="part")
        )


def test_real_files_come_through(real, tmp_path):
    """A handful of real pairs: bytes equal those of the files, but for an orientation tag."""
    beside = [(path, path.with_suffix(".png")) for path in sorted(real.rglob("*.jpg"))]
    found = [(image, mask) for image, mask in beside if mask.is_file()][:5]
    if not found:
        pytest.skip("no image lies beside its mask there")
    for number, (image, mask) in enumerate(found):
        write_files(tmp_path, {f"im/{number}.jpg": image.read_bytes(), f"gt/{number}.png": mask.read_bytes()})
    build_own(tmp_path / "im", tmp_path / "gt", "own", tmp_path / "built", Options())
    built = Collection(tmp_path / "built")
    export_hub(built, load_catalog(), tmp_path / "out", HubOptions(allow=("own",)))
    loaded = load(tmp_path / "out", tmp_path / "cache")["train"].cast_column("image", datasets.Image(decode=False))
    for row in loaded:
        path = row["image"]["path"].split("/")[-1]
        assert row["image_sha256"] == sha256((tmp_path / "im" / path).read_bytes())
        assert row["image"]["bytes"] == built[row["sample_id"]].row["image"]["bytes"]
