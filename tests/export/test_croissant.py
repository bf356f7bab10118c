"""The Croissant file of an export is valid by MLCommons' own library, which reads the collection through it."""

import json
import logging
import shutil
from pathlib import Path

import mlcroissant as mlc
import numpy as np
import pytest

from hqdata.analysis.stats import compute_stats
from hqdata.analysis.stats_table import STATS
from hqdata.catalog import load_catalog
from hqdata.export.croissant import CONTEXT, MEANINGS
from hqdata.export.hub import HubOptions, export_hub
from hqdata.pipelines.recipe import build_recipe
from hqdata.schema import MASK_KEYS, REJECT_SCHEMA, SAMPLE_SCHEMA
from hqdata.store.reader import Collection
from tests.export.many import ATTRIBUTES, drawn_masks, many_masks
from tests.helpers import sha256, tiny_source

pytestmark = [
    pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame.reset_index:DeprecationWarning"),
]
PLACED = HubOptions(group_bytes=200_000, shard_bytes=1_000_000, repo="me/mine", published="2026-01-31")


def opened(out: Path) -> mlc.Dataset:
    """Errors are raised by the library itself."""
    return mlc.Dataset(str(out / "croissant.json"))


def records(out: Path, name: str, **more) -> list[dict]:
    return list(opened(out).records(name, **more))


@pytest.fixture(scope="module")
def collection(hqseg, tmp_path_factory) -> Collection:
    return Collection(shutil.copytree(hqseg.folder, tmp_path_factory.mktemp("croissant") / "hqseg"))


@pytest.fixture(scope="module")
def exported(collection, drawn, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("croissant") / "out"
    export_hub(collection, load_catalog([drawn.manifests]), out, PLACED)
    return out


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> tuple[Collection, Path]:
    """A small collection with statistics, and its export."""
    root = tmp_path_factory.mktemp("measured")
    tiny = tiny_source(root, 5)
    build_recipe("tiny", root / "built", tiny.options())
    compute_stats(Collection(root / "built"))
    export_hub(Collection(root / "built"), load_catalog([tiny.manifests]), root / "out")
    return Collection(root / "built"), root / "out"


def test_the_library_finds_nothing_to_say(exported, caplog):
    with caplog.at_level(logging.WARNING):
        issues = opened(exported).metadata.ctx.issues
    assert (issues.errors, issues.warnings) == (set(), set())
    assert caplog.messages == []


def test_only_what_nobody_knows_yet_is_missing(measured):
    """A citation (the small source has none) and the date of publication."""
    warnings = opened(measured[1]).metadata.ctx.issues.warnings
    wanted = ("citeAs", "datePublished")
    assert len(warnings) == 2
    assert all(any(f'{word}" is recommended' in text for text in warnings) for word in wanted)


def test_it_says_which_version_it_conforms_to(exported, collection):
    metadata = opened(exported).metadata
    assert metadata.ctx.is_v1_1()
    assert metadata.name == "hqseg-44k"
    assert metadata.url == "https://huggingface.co/datasets/me/mine"
    assert metadata.date_published.date().isoformat() == "2026-01-31"
    assert metadata.version == f"1.0.0+{collection.digest[:16]}"
    assert "drawn by hqdata; they are not the real datasets" in str(metadata.description)
    assert "qin2022dis" in metadata.cite_as
    assert str(metadata.license[0].name) == "DIS5K v1 (drawn stand-in): Apache-2.0"
    assert json.loads((exported / "croissant.json").read_text())["isLiveDataset"] is False


def test_every_term_of_the_librarys_context_is_there():
    """The context of the library is the standard one; ours adds provenance and what the specification has besides."""
    from mlcroissant._src.core.context import Context, CroissantVersion
    from mlcroissant._src.core.rdf import make_context

    standard = make_context(Context(conforms_to=CroissantVersion.V_1_1))
    assert {key: CONTEXT.get(key) for key in standard} == standard
    assert set(CONTEXT) - set(standard) == {
        *("annotation", "equivalentProperty", "excludes", "md5", "prov", "readLines", "sdVersion", "unArchive")
    } - set(standard)


def test_every_record_is_a_sample(collection, exported):
    found = records(exported, "default")
    assert [row["default/sample_id"].decode() for row in found] == list(collection.sample_ids)
    for row, sample in zip(found, collection, strict=True):
        np.testing.assert_array_equal(np.asarray(row["default/image"].convert("RGB")), sample.image)
        np.testing.assert_array_equal(np.asarray(row["default/mask"]), sample.mask)
        assert (row["default/width"], row["default/height"]) == sample.size
        assert [word.decode() for word in row["default/flags"]] == list(sample.flags)
        assert row["default/pixels_sha256"].decode() == sample.row["pixels_sha256"]
        assert row["default/split"] == b"train"


def test_every_reject_is_a_record(collection, exported):
    found = [
        {name.removeprefix("rejects/"): value.decode() for name, value in row.items()}
        for row in records(exported, "rejects")
    ]
    assert found == collection.rejects.to_pylist()


def test_every_figure_is_a_record(measured):
    built, out = measured
    for row, expected in zip(records(out, "stats"), built.stats.to_pylist(), strict=True):
        for name, value in expected.items():
            got = row[f"stats/{name}"]
            assert (got.decode() if isinstance(got, bytes) else got) == value


def test_run_length_masks_are_nested_records(tmp_path):
    export_hub(many_masks(tmp_path / "many"), load_catalog(), tmp_path / "out")
    first, second = records(tmp_path / "out", "default")
    assert first["default/mask"] is None
    assert len(first["default/masks"]) == len(drawn_masks())
    for row, attributes in zip(first["default/masks"], ATTRIBUTES, strict=True):
        assert row["default/masks/size"] == [32, 48]
        assert row["default/masks/counts"]
        for key, value in attributes.items():
            assert row[f"default/masks/{key}"] == value
    assert second["default/masks"] in ([], [{f"default/masks/{key}": None for key in MASK_KEYS}])


def test_splits_can_be_asked_for_one_by_one(drawn, tmp_path):
    build_recipe("hq-eval", tmp_path / "built", drawn.options("bundle"))
    export_hub(Collection(tmp_path / "built"), load_catalog([drawn.manifests]), tmp_path / "out", PLACED)
    names = [row["default_splits/split_name"] for row in records(tmp_path / "out", "default_splits")]
    assert names == ["coift", "dis5k_vd", "hrsod", "thinobject5k_test"]
    for name in names:
        found = records(tmp_path / "out", "default", filters={"default/split": name})
        assert {row["default/split"] for row in found} == {name.encode()}
        assert {row["default/source"].decode() for row in found} == {name.partition("_")[0]}


def test_the_hashes_are_the_files(exported):
    files = {item.id: item for item in opened(exported).metadata.file_objects}
    held = sorted(exported.rglob("*.parquet"))
    assert set(files) == {path.relative_to(exported).as_posix() for path in held}
    for path in held:
        described = files[path.relative_to(exported).as_posix()]
        assert described.sha256 == sha256(path.read_bytes())
        assert described.content_size == f"{path.stat().st_size} B"


def test_another_file_under_the_name_is_noticed(exported, tmp_path):
    copy = Path(shutil.copytree(exported, tmp_path / "copy"))
    shutil.copyfile(next((copy / "data").iterdir()), copy / "rejects" / "rejects.parquet")
    with pytest.raises(mlc.GenerationError) as caught:
        records(copy, "rejects")
    assert "is not identical with the reference" in str(caught.value.__cause__)


def test_every_column_is_described(measured, exported):
    described = {}
    for out in (exported, measured[1]):
        for record_set in opened(out).metadata.record_sets:
            for field in record_set.fields:
                described |= {item.id: item for item in (field, *field.sub_fields)}
    columns = {f"default/{name}" for name in SAMPLE_SCHEMA.names} | {f"default/masks/{key}" for key in MASK_KEYS}
    columns |= {f"rejects/{name}" for name in REJECT_SCHEMA.names} | {f"stats/{stat.name}" for stat in STATS}
    assert set(described) == columns | {"default/split", "default_splits/split_name"}
    for stat in STATS:
        unit = f" ({stat.unit})" if stat.unit else ""
        assert described[f"stats/{stat.name}"].description == stat.formula + unit
    assert set(MEANINGS) == {name for name in columns if not name.startswith("stats/")}
    assert all(described[name].description == text for name, text in MEANINGS.items())
