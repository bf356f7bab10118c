"""The demo's plan of splits, on the drawn collection of the tests."""

from importlib import resources
from pathlib import Path

import pytest

from hqdata.analysis.sheet import TILE, side_by_side
from hqdata.catalog import load_catalog
from hqdata.errors import UsageError
from hqdata.pipelines.demo import run_demo
from hqdata.pipelines.demo_splits import PLAN, split_demo
from hqdata.pipelines.ready import Plan, make_ready, parse_plan
from hqdata.pipelines.recipe import Options
from hqdata.store.reader import Collection
from hqdata.store.view import open_view

LEVELS = (0.95, 0.9, 0.8, 0.7)


@pytest.fixture
def plan() -> Plan:
    return parse_plan((resources.files("hqdata.pipelines") / PLAN).read_text(encoding="utf-8"), PLAN)


def test_the_ladder_has_the_same_masks_worse_at_every_level(hqseg: Collection, plan: Plan, tmp_path: Path) -> None:
    ladder = Plan(name=plan.name, title="", why="", entries=tuple(e for e in plan.entries if "degrade" in e.table))
    made = make_ready(ladder, {"data": hqseg}, tmp_path, load_catalog())
    assert [item.name for item in made] == ["masks-binary", *(f"masks-polygon-{level}" for level in LEVELS)]
    views = {item.name: open_view(item.splits[0].path) for item in made}
    assert {len(view.mask_ids) for view in views.values()} == {109}
    for item, level in zip(made[1:], LEVELS, strict=True):
        rows = item.splits[0].facts["degrade"]["sources"]
        assert all(abs(row["boundary_iou"] - level) <= 0.1 / row["masks"] + 0.005 for row in rows.values())
    assert side_by_side(views, tmp_path / "ladder.png", count=2) == 2
    assert (tmp_path / "ladder.png").stat().st_size > TILE


def test_the_plan_needs_a_control(plan: Plan, tmp_path: Path) -> None:
    assert plan.roles == ("data", "control")
    small = run_demo(tmp_path / "demo", Options(), scale=0)
    assert small.control is None
    with pytest.raises(UsageError, match="no control"):
        split_demo(small, Options())
