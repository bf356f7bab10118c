"""What a build finds (archives under any name, own data) and what it does with what is already in ``--out``."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import hqdata
from hqdata.errors import ArchiveError, ChecksumMismatch, UsageError
from hqdata.home import lock_file
from hqdata.pipelines.own_data import build_own
from hqdata.pipelines.recipe import Options, build_recipe
from tests.helpers import encoded, pair, pairs, snapshot, tiny_source, write_files, write_recipe, write_tar, write_zip


def rows(built) -> int:
    return int(built.index["rows"])


@pytest.mark.parametrize("archive", ["tiny.zip", "tiny.tar", "tiny.tar.gz", ""])
def test_every_packing_gives_the_same_samples(tmp_path, archive):
    tiny = tiny_source(tmp_path, 12, archive=archive)
    built = build_recipe("tiny", tmp_path / "out", tiny.options())
    zipped = tiny_source(tmp_path / "zip", 12)
    other = build_recipe("tiny", tmp_path / "other", zipped.options())
    assert rows(built) == 12
    assert built.index["content_digest"] == other.index["content_digest"]
    left = {path.name for path in tmp_path.iterdir() if not path.name.endswith(".hqdata-lock")}
    assert left == {"archives", "manifests", "out", "zip", "other"}


def move_to(tiny, name: str) -> None:
    target = tiny.archives / name
    target.parent.mkdir(parents=True, exist_ok=True)
    tiny.archive.rename(target)
    tiny.archive.parent.rmdir()


@pytest.mark.parametrize(
    ("published", "name"),
    [
        (True, "whatever.bin"),
        (True, "elsewhere/copy (1).zip"),
        (False, "Tiny/download.zip"),
        (False, "copy (1).zip"),
    ],
    ids=["by sha256", "by sha256 in another folder", "by sub-folder", "by members"],
)
def test_archives_are_found_whatever_they_are_called(tmp_path, home, published, name):
    tiny = tiny_source(tmp_path, 4, published=published)
    move_to(tiny, name)
    built = build_recipe("tiny", tmp_path / "out", tiny.options())
    assert rows(built) == 4
    assert built.index["sources"]["tiny"]["archives"][0]["verified"] == ("published" if published else "first use")


def test_a_name_alone_decides_nothing(tmp_path):
    tiny = tiny_source(tmp_path, 4)
    write_zip(tiny.archive, {"readme.txt": b"not it"})
    with pytest.raises(ArchiveError, match=r"archives are missing: tiny/tiny\.zip"):
        build_recipe("tiny", tmp_path / "out", tiny.options())


def test_files_that_fit_two_sources_are_refused(tmp_path):
    tiny = tiny_source(tmp_path, 4, published=False)
    tiny_source(tmp_path, 4, name="twin", published=False)
    shutil.rmtree(tiny.archives / "twin")
    move_to(tiny, "a.zip")
    with pytest.raises(ArchiveError, match="twin") as caught:
        build_recipe("tiny", tmp_path / "out", tiny.options())
    assert "sub-folder called tiny/" in str(caught.value)


def test_an_unpublished_archive_is_locked_on_first_use(tmp_path, home):
    tiny = tiny_source(tmp_path, 4, published=False)
    assert rows(build_recipe("tiny", tmp_path / "out", tiny.options())) == 4
    assert lock_file().get("tiny", "tiny.zip").size == tiny.archive.stat().st_size
    write_zip(tiny.archive, pairs(4, seed=9))
    with pytest.raises(ChecksumMismatch, match=r"is not the locked tiny/tiny.zip"):
        build_recipe("tiny", tmp_path / "new", tiny.options())
    assert build_recipe("tiny", tmp_path / "new", tiny.options(unverified=True)).index["unverified"]


def test_the_same_build_again_changes_nothing(tmp_path):
    tiny = tiny_source(tmp_path, 12)
    first = build_recipe("tiny", tmp_path / "out", tiny.options())
    state = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    again = build_recipe("tiny", tmp_path / "out", tiny.options())
    assert (first.fresh, again.fresh, again.reused_shards) == (True, False, 3)
    assert again.index == first.index
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == state


@pytest.mark.parametrize("there", ["another collection", "a folder of files", "a damaged collection"])
def test_what_is_in_out_is_left_alone(tmp_path, there):
    tiny = tiny_source(tmp_path, 4)
    out = tmp_path / "out"
    if there == "a folder of files":
        write_files(out, {"mine.txt": b"precious"})
    else:
        build_recipe("other", out, tiny_source(tmp_path, 4, name="other", seed=1).options())
    if there == "a damaged collection":
        (out / "collection.json").write_bytes(b"{}")
    before = snapshot(out)
    for replace in (False, True) if there != "another collection" else (False,):
        with pytest.raises(UsageError, match="it was left alone"):
            build_recipe("tiny", out, tiny.options(replace=replace))
    assert snapshot(out) == before
    assert not list(tmp_path.glob("out.partial-*"))


def test_an_empty_folder_may_be_built_into(tmp_path):
    tiny = tiny_source(tmp_path, 4)
    (tmp_path / "out").mkdir()
    assert build_recipe("tiny", tmp_path / "out", tiny.options()).fresh


def test_adding_a_source_builds_only_that_source(tmp_path):
    tiny = tiny_source(tmp_path, 12)
    tiny_source(tmp_path, 7, name="more", seed=5)
    write_recipe(tiny.manifests, "mix", {"tiny": {"all": 12}})
    build_recipe("mix", tmp_path / "out", tiny.options())
    inodes = {path.name: path.stat().st_ino for path in (tmp_path / "out").glob("*.arrow")}
    write_recipe(tiny.manifests, "mix", {"tiny": {"all": 12}, "more": {"all": 7}})
    with pytest.raises(UsageError, match="--replace"):
        build_recipe("mix", tmp_path / "out", tiny.options())
    built = build_recipe("mix", tmp_path / "out", tiny.options(replace=True))
    now = {path.name: path.stat().st_ino for path in (tmp_path / "out").glob("*.arrow")}
    assert (rows(built), built.reused_shards, len(now)) == (19, 3, 5)
    assert inodes.items() <= now.items()
    build_recipe("mix", tmp_path / "never", tiny.options())
    assert snapshot(tmp_path / "out") == snapshot(tmp_path / "never")
    assert not list(tmp_path.glob("out.*"))


def test_neighbours_are_left_alone(tmp_path):
    """Neither the user's folders nor the unfinished builds of other collections belong to this one."""
    tiny = tiny_source(tmp_path, 4)
    theirs = ("out.replaced/mine.txt", "out1.partial-0/tiny-00000.shard.json", "out.partial", "out[12].txt")
    write_files(tmp_path, dict.fromkeys(theirs, b"precious"))
    before = {name: (tmp_path / name).read_bytes() for name in theirs}
    for _ in range(2):
        build_recipe("tiny", tmp_path / "out[12]", tiny.options(replace=True))
        build_recipe("tiny", tmp_path / "out", tiny.options(replace=True))
    assert {name: (tmp_path / name).read_bytes() for name in theirs} == before
    assert len(hqdata.open(tmp_path / "out[12]")) == 4


def test_replaced_shards_keep_flags_errata_and_rejects(drawn, tmp_path):
    """A shard taken over from a collection must bring the same numbers as one that is built."""
    build_recipe("msra10k", tmp_path / "out", drawn.options())
    built = build_recipe("hqseg-44k", tmp_path / "out", drawn.options(replace=True))
    build_recipe("hqseg-44k", tmp_path / "never", drawn.options())
    assert built.reused_shards == 1
    assert snapshot(tmp_path / "out") == snapshot(tmp_path / "never")


OWN = {
    "flat": ({"a.jpg": 0, "b.jpg": 1}, {"a.png": 0, "b.png": 1}, {}, {"a", "b"}),
    "nested": ({"x/a.jpg": 0, "y/a.jpg": 1}, {"x/a.png": 0, "y/a.png": 1}, {}, {"x/a", "y/a"}),
    "patterns": (
        {"a_im.jpg": 0, "a_other.jpg": 1},
        {"a_gt.png": 0},
        {"image_pattern": "{stem}_im.jpg", "mask_pattern": "{stem}_gt.png"},
        {"a"},
    ),
    "names": ({"Été #1.v2.jpg": 0, "空.JPEG": 1}, {"Été #1.v2.png": 0, "空.png": 1}, {}, {"Été #1.v2", "空"}),
}


@pytest.mark.parametrize("case", OWN)
def test_own_data(tmp_path, case):
    images, masks, more, stems = OWN[case]
    write_files(tmp_path / "im", {name: pair(seed)[0] for name, seed in images.items()})
    write_files(tmp_path / "gt", {name: pair(seed)[1] for name, seed in masks.items()})
    build_own(tmp_path / "im", tmp_path / "gt", "mine", tmp_path / "out", Options(), **more)
    collection = hqdata.open(tmp_path / "out")
    assert set(collection.sample_ids) == {f"mine/all/{stem}" for stem in stems}
    assert [row["reason"] for row in collection.rejects.to_pylist()] == ["stray"] * (len(images) - len(stems))
    assert not collection.index["shortfall"]


def test_own_data_in_one_folder(tmp_path):
    files = {
        f"{number}{suffix}": pair(number)[side] for number in range(3) for side, suffix in ((0, ".jpg"), (1, ".png"))
    }
    folder = write_files(tmp_path / "both", files)
    assert rows(build_own(folder, folder, "mine", tmp_path / "out", Options())) == 3


def test_own_png_images_keep_their_bytes(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    image = encoded(pixels)
    write_files(tmp_path / "im", {"a.png": image})
    write_files(tmp_path / "gt", {"a.png": encoded((pixels[..., 0] > 127).astype(np.uint8))})
    build_own(tmp_path / "im", tmp_path / "gt", "mine", tmp_path / "out", Options())
    sample = hqdata.open(tmp_path / "out")[0]
    assert sample.row["image"]["bytes"] == image
    np.testing.assert_array_equal(sample.image, pixels)
    np.testing.assert_array_equal(sample.mask, np.where(pixels[..., 0] > 127, 255, 0))
    assert sample.flags == ("mask_01", "mask_reencoded")


def test_own_data_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="no folder at"):
        build_own(tmp_path / "im", tmp_path / "gt", "mine", tmp_path / "out", Options())
    (tmp_path / "im").mkdir()
    with pytest.raises(UsageError, match="no sample of mine"):
        build_own(tmp_path / "im", tmp_path / "im", "mine", tmp_path / "out", Options())
    assert not (tmp_path / "out").exists()


def test_a_tar_cut_between_members_is_refused(tmp_path):
    tiny = tiny_source(tmp_path, 6, archive="tiny.tar", published=False)
    content = tiny.archive.read_bytes()
    size = 512 + -(-len(pairs(1)["images/0000.jpg"]) // 512) * 512
    tiny.archive.write_bytes(content[:size])
    with pytest.raises(ArchiveError, match="cut short"):
        build_recipe("tiny", tmp_path / "out", tiny.options(partial=False))
    write_tar(Path(tiny.archive), pairs(6))
    assert rows(build_recipe("tiny", tmp_path / "out", tiny.options())) == 6
