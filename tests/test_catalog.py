"""Manifests and recipes from folders: what is wrong in one is an error at once, with its place."""

from pathlib import Path
from typing import Any

import pytest

from hqdata.catalog import Catalog, load_catalog, manifest_digest
from hqdata.errors import ManifestError
from tests.helpers import TERMS, write_recipe, write_toml

SHA = "0" * 64


def manifest(**changes: Any) -> dict[str, Any]:
    layout = {"part": "all", "images": ["im/{stem}.jpg"], "masks": ["gt/{stem}.png"]}
    return {
        "name": "mine",
        "title": "Mine",
        "kind": "pairs",
        "use": ["train"],
        "homepage": "unknown",
        "citation": "",
        "terms": TERMS,
        "parts": {"all": {"title": "all", "count": 3}},
        "forms": [{"name": "official", "archives": [{"name": "a.zip"}], "parts": [layout]}],
        **changes,
    }


def form(**changes: Any) -> dict[str, Any]:
    layout = {"part": "all", "images": ["im/{stem}.jpg"], "masks": ["gt/{stem}.png"]} | changes.pop("layout", {})
    return {"name": "official", "archives": [{"name": "a.zip"}], "parts": [layout], **changes}


def load(folder: Path, **changes: Any) -> Catalog:
    table = manifest(**changes)
    write_toml(folder / "sources" / f"{table['name']}.toml", table)
    return load_catalog([folder])


def test_the_packaged_manifests_load() -> None:
    catalog = load_catalog()
    assert list(catalog.sources) == sorted(catalog.sources)
    assert {"hqseg-44k", "hq-eval"} <= set(catalog.recipes)


def test_a_folder_adds_and_a_later_folder_overrides(tmp_path: Path) -> None:
    write_toml(tmp_path / "a" / "sources" / "mine.toml", manifest(title="first"))
    write_toml(tmp_path / "b" / "sources" / "mine.toml", manifest(title="second"))
    write_toml(tmp_path / "b" / "sources" / "ecssd.toml", manifest(name="ecssd", title="my ECSSD"))
    catalog = load_catalog([tmp_path / "a", tmp_path / "b"])
    assert catalog.source("mine").title == "second"
    assert catalog.source("ecssd").title == "my ECSSD"
    assert catalog.source("duts").title == load_catalog().source("duts").title


def test_a_source_is_a_recipe_of_all_its_parts(tmp_path: Path) -> None:
    catalog = load(tmp_path, parts={"all": {"title": "", "count": 3}, "te": {"title": "", "count": "unknown"}})
    recipe = catalog.recipe("mine")
    assert (recipe.name, recipe.take[0].parts, recipe.count) == ("mine", {"all": 3, "te": None}, None)
    assert catalog.recipe("hqseg-44k").count == 44320


def test_an_archive_of_a_bundle_is_described_there(tmp_path: Path) -> None:
    write_toml(
        tmp_path / "sources" / "pack.toml",
        manifest(name="pack", kind="bundle", parts={}, forms=[], archives=[{"name": "p.zip", "sha256": SHA}]),
    )
    catalog = load(tmp_path, forms=[form(archives=[{"name": "p.zip", "bundle": "pack"}])])
    source = catalog.source("mine")
    (archive,) = catalog.archives(source, source.form("official"))
    assert (archive.sha256, catalog.owner(archive, "mine")) == (SHA, "pack")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"titel": "x"}, r'mine\.toml: unknown key "titel"\n.*did you mean "title"'),
        ({"name": "../evil"}, r"bad name"),
        ({"name": "Mine"}, r"bad name\n.*a-z, 0-9 and -"),
        ({"parts": {"../..": {"title": "", "count": 1}}, "forms": []}, r"mine\.toml: mine: bad name"),
        ({"forms": [form(archives=[{"name": "../../a.zip"}])]}, r"mine\.toml: forms\[0\]: archives\[0\]: .*plain file"),
        ({"forms": [form(archives=[{"name": ".."}])]}, "plain file name"),
        ({"forms": [form(archives=[{"name": "a\\b.zip"}])]}, "plain file name"),
        ({"forms": [form(archives=[{"name": "a\0.zip"}])]}, "plain file name"),
        ({"forms": [form(archives=[{"name": "a.zip", "sha256": "abc"}])]}, "64 hex digits"),
        ({"forms": [form(archives=[{"name": "a.zip", "sha256": SHA.replace("0", "A")}])]}, "64 hex digits"),
        ({"forms": [form(archives=[{"name": "a.zip", "bundle": "samhq"}])]}, r"bundle samhq has no archive a\.zip"),
        ({"forms": [form(archives=[{"name": "a.zip", "bundle": "samhp"}])]}, 'did you mean "samhq"'),
        ({"forms": [form(layout={"part": "tr"})]}, r"form official names part 'tr'\n.*\['all'\]"),
        ({"forms": [form(layout={"image_archive": "b.zip"})]}, r"has no archive b\.zip\n.*\['a\.zip'\]"),
        ({"forms": [form(annotated=[{"part": "all", "images": [], "annotations": "", "annotation_archive": "c.zip"}])]},
         r"has no archive c\.zip"),
        ({"errata": [{"kind": "removed", "part": "tr", "stems": [], "note": "", "reference": ""}]}, "an erratum names"),
        ({"kind": "pear"}, r"kind has no such choice\n.*pairs \| sa1b"),
    ],
)  # fmt: skip
def test_a_wrong_manifest_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    write_toml(tmp_path / "sources" / "mine.toml", manifest(**changes))
    with pytest.raises(ManifestError, match=message):
        load_catalog([tmp_path])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name = ", "is not TOML"),
        (b"\xff\xfe", "is not TOML"),
        (b"a = " + b"[" * 100_000, "is not TOML"),
        (b"#" * (1024 * 1024 + 1), "too large for a manifest"),
        (b"", "missing key"),
    ],
    ids=["half a line", "no text", "nested without end", "huge", "empty"],
)
def test_a_file_that_is_no_manifest_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "mine.toml").write_bytes(content)
    with pytest.raises(ManifestError, match=rf"mine\.toml.*{message}"):
        load_catalog([tmp_path])


def test_name_and_file_name_agree(tmp_path: Path) -> None:
    write_toml(tmp_path / "sources" / "yours.toml", manifest())
    with pytest.raises(ManifestError, match=r"name and file name differ\n.*yours\n.*mine"):
        load_catalog([tmp_path])


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"no manifest folder at .*/nowhere"):
        load_catalog([tmp_path / "nowhere"])


@pytest.mark.parametrize(
    ("takes", "message"),
    [
        ({"ecsd": {"all": 1}}, 'no source is called "ecsd"\n.*did you mean "ecssd"'),
        ({"ecssd": {"train": 1}}, r"recipe r: ecssd has no part \['train'\]\n.*\['all'\]"),
    ],
)
def test_a_recipe_that_takes_what_is_not_there_is_refused(
    tmp_path: Path, takes: dict[str, dict[str, int]], message: str
) -> None:
    write_recipe(tmp_path, "r", takes)
    with pytest.raises(ManifestError, match=message):
        load_catalog([tmp_path])


def test_a_reading_names_a_recipe(tmp_path: Path) -> None:
    write_recipe(tmp_path, "r", {"ecssd": {"all": 1}}, readings=[{"recipe": "hqseg-44", "note": ""}])
    with pytest.raises(ManifestError, match=r'no recipe is called "hqseg-44"\n.*did you mean "hqseg-44k"'):
        load_catalog([tmp_path])


def test_a_name_that_nothing_carries_brings_the_nearest() -> None:
    catalog = load_catalog()
    with pytest.raises(ManifestError, match='did you mean "thinobject5k"'):
        catalog.source("thinobject")
    with pytest.raises(ManifestError, match='did you mean "hqseg-44k"'):
        catalog.recipe("hqseg44k")
    with pytest.raises(ManifestError, match='no recipe is called "samhq"'):
        catalog.recipe("samhq")
    with pytest.raises(ManifestError, match=r"has no form 'offical'\n.*official"):
        catalog.source("ecssd").form("offical")


def test_the_digest_follows_every_word(tmp_path: Path) -> None:
    one, same = load(tmp_path / "a"), load(tmp_path / "b")
    other = load(tmp_path / "c", terms={**TERMS, "summary": "other"})
    digests = [manifest_digest(catalog.source("mine")) for catalog in (one, same, other)]
    assert digests[0] == digests[1] != digests[2]
