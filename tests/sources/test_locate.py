"""Which file is which archive: by sha256, by sub-folder, by members; never by its name alone."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from hqdata.catalog import Catalog
from hqdata.errors import ArchiveError
from hqdata.limits import DEFAULT
from hqdata.manifest import Archive, Form, Part, PartLayout, Source, Terms
from hqdata.recipe import Recipe
from hqdata.sources.locate import ArchiveFolder, Locator, Route
from tests.helpers import sha256, write_files, write_tar, write_zip

IMAGES = ("images/{stem:[0-9]{4}}.jpg",)
MASKS = ("ground_truth_mask/{stem:[0-9]{4}}.png",)


def source(name: str, *forms: Form, **changes: Any) -> Source:
    plain: dict[str, Any] = {
        "name": name,
        "title": name.upper(),
        "kind": "pairs",
        "use": ("train",),
        "homepage": None,
        "terms": Terms(licence=None, summary="", url=None, redistribution=None),
        "citation": "",
        "parts": {"all": Part(title="", count=3)},
        "forms": forms,
    }
    return Source(**(plain | changes))


def layout(**changes: Any) -> PartLayout:
    plain: dict[str, Any] = {"images": ("im/{stem}.jpg",), "masks": ("gt/{stem}.png",), "part": "all", "count": 3}
    return PartLayout(**(plain | changes))


def one_zip(name: str, archive: str = "a.zip", form: str = "official", **changes: Any) -> Source:
    """A source with one archive of ``im/`` and ``gt/``."""
    return source(name, Form(name=form, archives=(Archive(name=archive),), parts=(layout(**changes),)))


def pairs(images: str = "im/{}.jpg", masks: str = "gt/{}.png", count: int = 3) -> dict[str, bytes]:
    return {pattern.format(f"{n:04d}"): pattern.encode() for n in range(count) for pattern in (images, masks)}


ECSSD = source(
    "ecssd",
    Form(
        name="official",
        archives=(Archive(name="images.zip"), Archive(name="ground_truth_mask.zip")),
        parts=(layout(images=IMAGES, masks=MASKS, image_archive="images.zip", mask_archive="ground_truth_mask.zip"),),
    ),
    aliases=("ECSSD-1000",),
)


class Place:
    """A folder of archives, and the catalog to read it by."""

    def __init__(self, root: Path, sources: Iterable[Source]) -> None:
        self.root = root / "archives"
        self.root.mkdir(exist_ok=True)
        by_name = {item.name: item for item in sources}
        self.catalog = Catalog(sources=by_name, recipes=dict[str, Recipe]())
        self.folder = ArchiveFolder(self.root, DEFAULT, root / "spool")

    def route(self, name: str, prefer: str | None = None) -> Route:
        locator = Locator(self.catalog, self.folder, lambda _, archive: (archive.size, archive.sha256))
        return locator.route(self.catalog.source(name), ["all"], prefer)

    def found(self, name: str, prefer: str | None = None) -> dict[str, str]:
        """Path by archive name; "" stands for an unpacked folder."""
        route = self.route(name, prefer)
        return {located.archive.name: located.path.relative_to(self.root).as_posix() for located in route.found}


@pytest.mark.parametrize("where", ["anything.bin", "sub/x.zip", "other/images.zip"])
def test_a_published_sha256_finds_the_file_under_any_name(tmp_path: Path, where: str) -> None:
    content = write_zip(tmp_path / "archives" / where, pairs()).read_bytes()
    write_zip(tmp_path / "archives" / "a.zip", pairs(count=4))
    archive = Archive(name="a.zip", size=len(content), sha256=sha256(content))
    of = source("tiny", Form(name="official", archives=(archive,), parts=(layout(),)))
    place = Place(tmp_path, [of])
    assert place.found("tiny") == {"a.zip": where}


def test_a_file_with_another_hash_is_found_by_its_members_and_left_to_the_check(tmp_path: Path) -> None:
    write_zip(tmp_path / "archives" / "tiny" / "a.zip", pairs())
    archive = Archive(name="a.zip", sha256="0" * 64)
    place = Place(tmp_path, [source("tiny", Form(name="official", archives=(archive,), parts=(layout(),)))])
    assert place.found("tiny") == {"a.zip": "tiny/a.zip"}


@pytest.mark.parametrize("name", ["a.zip", "A.ZIP", "download (1).zip", "whatever"])
@pytest.mark.parametrize("folder", ["", "tiny/"])
def test_members_tell_an_archive_whatever_its_name(tmp_path: Path, name: str, folder: str) -> None:
    write_zip(tmp_path / "archives" / folder / name, pairs("top/im/{}.JPG", "top/gt/{}.png"))
    write_zip(tmp_path / "archives" / "unrelated.zip", {"readme.txt": b"", "im/1.txt": b""})
    assert Place(tmp_path, [one_zip("tiny")]).found("tiny") == {"a.zip": f"{folder}{name}"}


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz"])
def test_a_tar_and_a_tar_gz_are_found_too(tmp_path: Path, name: str) -> None:
    write_tar(tmp_path / "archives" / name, pairs())
    place = Place(tmp_path, [one_zip("tiny")])
    assert place.found("tiny") == {"a.zip": name}
    assert len(list((tmp_path / "spool").glob("*.tar"))) == (1 if name == "a.tar.gz" else 0)


def test_the_right_name_with_the_wrong_members_is_missing(tmp_path: Path) -> None:
    write_zip(tmp_path / "archives" / "a.zip", pairs("jpg/{}.jpg", "png/{}.png"))
    route = Place(tmp_path, [one_zip("tiny")]).route("tiny")
    assert (route.found, [archive.name for archive in route.missing]) == ((), ["a.zip"])


@pytest.mark.parametrize("name", ["ecssd", "ECSSD", "Ecssd-1000", "ecssd1000", "ECSSD_1000"])
def test_the_sub_folder_of_a_source_is_told_by_name_or_alias(tmp_path: Path, name: str) -> None:
    home = tmp_path / "archives" / name
    write_zip(home / "images.zip", pairs("images/{}.jpg", "images/{}.jpg"))
    write_zip(home / "ground_truth_mask.zip", pairs("ground_truth_mask/{}.png", "ground_truth_mask/{}.png"))
    assert Place(tmp_path, [ECSSD]).found("ecssd") == {
        "images.zip": f"{name}/images.zip",
        "ground_truth_mask.zip": f"{name}/ground_truth_mask.zip",
    }


def test_another_images_zip_is_not_taken_for_that_of_ecssd(tmp_path: Path) -> None:
    root = tmp_path / "archives"
    write_zip(root / "images.zip", {f"images/im{n}.jpg": b"x" for n in range(3)})
    write_zip(root / "ecssd_images.zip", {f"images/{n:04d}.jpg": b"x" for n in range(3)})
    write_zip(root / "ground_truth_mask.zip", {f"ground_truth_mask/{n:04d}.png": b"x" for n in range(3)})
    assert Place(tmp_path, [ECSSD]).found("ecssd") == {
        "images.zip": "ecssd_images.zip",
        "ground_truth_mask.zip": "ground_truth_mask.zip",
    }


def test_the_name_breaks_a_tie_between_files_that_fit(tmp_path: Path) -> None:
    for name in ("a.zip", "a (1).zip"):
        write_zip(tmp_path / "archives" / name, pairs())
    assert Place(tmp_path, [one_zip("tiny")]).found("tiny") == {"a.zip": "a.zip"}


def test_the_right_count_goes_before_the_right_name(tmp_path: Path) -> None:
    write_zip(tmp_path / "archives" / "a.zip", pairs(count=2))
    write_zip(tmp_path / "archives" / "b.zip", pairs(count=3))
    assert Place(tmp_path, [one_zip("tiny")]).found("tiny") == {"a.zip": "b.zip"}


def test_two_files_that_fit_equally_are_an_error_naming_both(tmp_path: Path) -> None:
    for name in ("x.zip", "y.zip"):
        write_zip(tmp_path / "archives" / name, pairs())
    with pytest.raises(ArchiveError, match=r"tiny's a\.zip cannot be told.*\n.*\n.*x\.zip; .*y\.zip\n.*called tiny/"):
        Place(tmp_path, [one_zip("tiny")]).route("tiny")


@pytest.mark.parametrize(
    ("name", "count"),
    [("a.zip", 3), ("x.zip", 3), ("a.zip", 2), ("x.zip", 2)],
    ids=["both fit in full", "another name", "another count", "another name and count"],
)
def test_a_file_that_fits_two_sources_is_an_error_until_it_has_a_sub_folder(
    tmp_path: Path, name: str, count: int
) -> None:
    sources = [one_zip("one"), one_zip("two")]
    path = write_zip(tmp_path / "archives" / name, pairs(count=count))
    with pytest.raises(ArchiveError) as caught:
        Place(tmp_path, sources).route("one")
    assert f"{path} cannot be told by its members" in str(caught.value)
    assert "one (official); two (official)" in str(caught.value)
    assert "sub-folder called one/" in str(caught.value)
    path.rename(write_files(path.parent, {"one/.keep": b""}) / "one" / name)
    place = Place(tmp_path, sources)
    assert place.found("one") == {"a.zip": f"one/{name}"}
    assert place.found("two") == {}


@pytest.mark.parametrize(
    ("one", "two"),
    [({"count": 3}, {"count": 5}), ({}, {"archive": "b.zip"})],
    ids=["the other expects another count", "the other's archive has another name"],
)
def test_a_source_that_fits_less_well_is_no_rival(tmp_path: Path, one: dict[str, Any], two: dict[str, Any]) -> None:
    write_zip(tmp_path / "archives" / "a.zip", pairs())
    assert Place(tmp_path, [one_zip("one", **one), one_zip("two", **two)]).found("one") == {"a.zip": "a.zip"}


@pytest.mark.parametrize("folder", ["tiny", "TINY", "."])
def test_an_unpacked_folder_stands_for_the_archives(tmp_path: Path, folder: str) -> None:
    write_files(tmp_path / "archives" / folder, pairs("top/im/{}.jpg", "top/gt/{}.png"))
    route = Place(tmp_path, [one_zip("tiny")]).route("tiny")
    assert [(item.path, item.is_folder) for item in route.found] == [(tmp_path / "archives" / folder, True)]
    assert route.missing == ()


def test_a_pattern_without_a_folder_never_takes_the_whole_place(tmp_path: Path) -> None:
    write_files(tmp_path / "archives", pairs("bus/{}.jpg", "bus/{}.png"))
    of = one_zip("tiny", images=("{class}/{n}.jpg",), masks=("{class}/{n}.png",))
    assert Place(tmp_path, [of]).found("tiny") == {}
    write_files(tmp_path / "archives" / "tiny", pairs("bus/{}.jpg", "bus/{}.png"))
    assert Place(tmp_path, [of]).found("tiny") == {"": "tiny"}


BUNDLE = source("samhq", kind="bundle", parts={}, archives=(Archive(name="pack.zip"),))
BOTH = source(
    "tiny",
    Form(name="official", archives=(Archive(name="a.zip"),), parts=(layout(),)),
    Form(
        name="bundle",
        archives=(Archive(name="pack.zip", bundle="samhq"),),
        parts=(layout(images=("tiny/{stem}.jpg",), masks=("tiny/{stem}.png",)),),
    ),
)


@pytest.mark.parametrize(
    ("there", "prefer", "form"),
    [
        (("official", "bundle"), None, "official"),
        (("official", "bundle"), "official", "official"),
        (("official", "bundle"), "bundle", "bundle"),
        (("bundle",), "official", "bundle"),
        (("official",), "bundle", "official"),
        ((), "bundle", "bundle"),
        ((), "official", "official"),
    ],
)
def test_the_preferred_form_is_taken_if_it_is_there(
    tmp_path: Path, there: tuple[str, ...], prefer: str | None, form: str
) -> None:
    if "official" in there:
        write_zip(tmp_path / "archives" / "tiny" / "a.zip", pairs())
    if "bundle" in there:
        write_zip(tmp_path / "archives" / "samhq" / "pack.zip", pairs("cascade/tiny/{}.jpg", "cascade/tiny/{}.png"))
    route = Place(tmp_path, [BOTH, BUNDLE]).route("tiny", prefer)
    assert (route.form.name, bool(route.missing)) == (form, not there)
    assert [item.owner for item in route.found] == (["samhq" if form == "bundle" else "tiny"] if there else [])


@pytest.mark.parametrize("folder", ["", "tiny/"])
def test_the_home_of_a_source_is_not_taken_for_a_bundle_of_another_hash(tmp_path: Path, folder: str) -> None:
    write_zip(tmp_path / "archives" / folder / "a.zip", pairs("COIFT/im/{}.jpg", "COIFT/gt/{}.png"))
    inside = layout(images=("COIFT/im/{stem}.jpg",), masks=("COIFT/gt/{stem}.png",))
    known = Archive(name="pack.zip", size=7, sha256="0" * 64, bundle="samhq")
    bundled = Form(name="bundle", archives=(known,), parts=(inside,))
    of = source("tiny", BOTH.forms[0], bundled)
    bundle = source("samhq", kind="bundle", parts={}, archives=(Archive(name="pack.zip", size=7, sha256="0" * 64),))
    assert Place(tmp_path, [of, bundle]).route("tiny", "bundle").form.name == "official"
    only = source("tiny", bundled)
    assert Place(tmp_path, [only, bundle]).found("tiny") == {"pack.zip": f"{folder}a.zip"}


def test_what_is_missing_of_two_archives_is_said(tmp_path: Path) -> None:
    write_zip(tmp_path / "archives" / "ecssd" / "images.zip", {f"images/{n:04d}.jpg": b"x" for n in range(3)})
    route = Place(tmp_path, [ECSSD]).route("ecssd")
    assert [item.archive.name for item in route.found] == ["images.zip"]
    assert [archive.name for archive in route.missing] == ["ground_truth_mask.zip"]


def test_a_part_that_no_form_holds_is_an_error(tmp_path: Path) -> None:
    place = Place(tmp_path, [one_zip("tiny")])
    locator = Locator(place.catalog, place.folder, lambda *_: (None, None))
    with pytest.raises(ArchiveError, match=r"TINY cannot be built: no known form holds all, te\n.*hqdata sources tiny"):
        locator.route(place.catalog.source("tiny"), ["all", "te"], None)


def test_damaged_files_are_listed_and_do_not_stand_in_the_way(tmp_path: Path) -> None:
    root = tmp_path / "archives"
    raw = write_zip(root / "whole.zip", pairs()).read_bytes()
    write_files(
        root, {"cut.zip": raw[:-30], "page.zip": b"<html>quota", "cut.tar.gz": b"\x1f\x8b\x08", "late.part": raw}
    )
    place = Place(tmp_path, [one_zip("tiny")])
    assert place.found("tiny") == {"a.zip": "whole.zip"}
    assert {path.name: text.split("\n")[0].rpartition(" is ")[2] for path, text in place.folder.damaged.items()} == {
        "cut.tar.gz": "cut short or damaged",
        "cut.zip": "cut short or damaged",
        "page.zip": "no archive",
    }


def test_a_place_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    place = Place(tmp_path, [one_zip("tiny")])
    place.root.rmdir()
    assert place.found("tiny") == {}
