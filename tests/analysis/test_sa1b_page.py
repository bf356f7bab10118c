"""The page on SA-1B: its questions hold against pandas, its recipe is one, and `samples.tar` is the tar."""

import re
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hqdata
from hqdata.analysis.stats import compute_stats
from hqdata.catalog import load_catalog
from hqdata.pipelines.drawn import DrawOptions
from hqdata.pipelines.recipe import build_recipe
from hqdata.sources.sa1b import MASK_RULES
from hqdata.store.reader import Collection
from tests.helpers import write_toml
from tests.tars import make_tars

PAGE = (Path(__file__).parents[2] / "docs" / "sa1b.md").read_text()
QUESTIONS = dict(re.findall(r"^### (.+?)\n.*?```sql\n(.+?)```", PAGE, re.MULTILINE | re.DOTALL))
COLUMNS = ["area_rel", "components_1024", "holes_1024", "thin_share_1024", "border_rel", "edge_alignment_1024"]


@pytest.fixture(scope="module", params=["uniform", "all"])
def control(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """A draw from four tars, with statistics."""
    root = tmp_path_factory.mktemp("control")
    tars = make_tars(root, 4)
    tars.recipe(size=50)
    collection = Collection(build_recipe("draw", root / "out", tars.options(DrawOptions(masks=request.param))).folder)
    compute_stats(collection)
    return collection


def tar_of(sample_id: str) -> str:
    """Images of the first tar are numbered from 1000 on, those of the second from 2000 on."""
    return f"sa_{int(sample_id.rpartition('_')[2]) // 1000 - 1:06d}.tar"


def test_samples_know_their_tar(control):
    rows = hqdata.sql("SELECT sample_id, tar FROM samples", control).to_pylist()
    assert len(rows) == 50
    assert all(row["tar"] == tar_of(row["sample_id"]) for row in rows)
    assert len({row["tar"] for row in rows}) == 4


def test_beside_a_collection_that_was_not_drawn(control, hqseg):
    rows = hqdata.sql("SELECT source, count(tar) AS drawn, count(*) AS rows FROM samples GROUP BY ALL", control, hqseg)
    held = {row["source"]: (row["drawn"], row["rows"]) for row in rows.to_pylist()}
    assert held.pop("sa1b") == (50, 50)
    assert {drawn for drawn, _ in held.values()} == {0}
    (row,) = hqdata.sql("SELECT count(*) AS rows FROM samples WHERE tar = 'sa_000002.tar'", hqseg, control).to_pylist()
    assert row["rows"] > 5


def figures(control: Collection) -> pd.DataFrame:
    table = control.stats.select(["sample_id", *COLUMNS]).to_pandas()
    return table.assign(tar=table.pop("sample_id").map(tar_of)).set_index("tar")


def test_the_comparison_of_tars_is_what_pandas_finds(control):
    found = hqdata.sql(QUESTIONS["Do the tars differ?"], control).to_pandas()
    expected = []
    for tar in sorted(set(figures(control).index)):
        own = figures(control).loc[tar]
        others = figures(control).drop(tar)
        spread = np.sqrt((own.var() + others.var()) / 2)
        for stat in COLUMNS:
            difference = (own[stat].mean() - others[stat].mean()) / spread[stat] if spread[stat] else np.nan
            expected.append((stat, tar, own[stat].count(), own[stat].mean(), others[stat].mean(), difference))
    wanted = pd.DataFrame(expected, columns=found.columns).sort_values(["stat", "tar"], ignore_index=True)
    pd.testing.assert_frame_equal(found.sort_values(["stat", "tar"], ignore_index=True), wanted, check_dtype=False)
    assert found["difference"].abs().dropna().is_monotonic_decreasing
    assert found["difference"].abs().max() > 0.1


def test_the_design_effect_is_what_pandas_finds(control):
    found = hqdata.sql(QUESTIONS["How much wider are intervals with the tar as a cluster?"], control).to_pandas()
    table = figures(control)
    means = table.groupby(level=0).mean()
    wanted = pd.DataFrame(
        {
            "masks": table.count(),
            "tars": means.count(),
            "mean": table.mean(),
            "mask_error": table.sem(),
            "tar_error": means.sem(),
            "design_effect": (means.sem() / table.sem().replace(0, np.nan)) ** 2,
        }
    ).rename_axis("stat")
    held = found.set_index("stat").loc[wanted.index]
    pd.testing.assert_frame_equal(held, wanted, check_dtype=False)


def test_both_questions_are_there():
    assert len(QUESTIONS) == PAGE.count("```sql") == 2


def test_the_recipe_of_the_page_draws_other_tars(tmp_path):
    (text,) = re.findall(r"```toml\n(.+?)```", PAGE, re.DOTALL)
    write_toml(tmp_path / "recipes" / "mine.toml", tomllib.loads(text))
    catalog = load_catalog([tmp_path])
    (take,), (packaged,) = catalog.recipe("mine").take, catalog.recipe("sa1b-44k").take
    assert take.draw is not None
    assert packaged.draw is not None
    assert (take.count, take.draw.tars, take.draw.seed) == (packaged.count, packaged.draw.tars, 1)


def test_every_rule_and_draw_is_on_the_page():
    catalog = load_catalog()
    assert all(f"| `{rule}` |" in PAGE for rule in MASK_RULES)
    drawn = [name for name, recipe in catalog.recipes.items() if any(take.draw for take in recipe.take)]
    assert len(drawn) == 4
    assert all(f"| `{name}` |" in PAGE for name in drawn)
