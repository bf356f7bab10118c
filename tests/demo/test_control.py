"""The demo's miniature of the SA-1B control: drawn tars, the real layout, the real way of drawing."""

import dataclasses

import numpy as np
import pytest

from hqdata.catalog import load_catalog
from hqdata.demo.restate import restate_drawn
from hqdata.demo.tars import scene_members, write_tar
from hqdata.masks import rle
from hqdata.pipelines.drawn import DrawOptions
from hqdata.pipelines.recipe import Options, build_recipe
from hqdata.store.reader import Collection

SCENES = 4


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> Options:
    """Two tars of two scenes each, and their manifest."""
    root = tmp_path_factory.mktemp("control")
    for tar in range(2):
        first = scene_members(2 * tar + 1) | scene_members(2 * tar + 2)
        write_tar(root / "archives" / "sa1b" / f"sa_{tar:06d}.tar", first)
    restate_drawn(load_catalog(), 2, SCENES, root / "manifests")
    return Options(archives=root / "archives", manifests=(root / "manifests",), offline=True)


def test_restated_is_the_real_draw_but_for_its_numbers(options):
    real, drawn = load_catalog(), load_catalog(options.manifests)
    for name in ("sa1b", "sa1b-44k"):
        assert "drawn stand-in" in (drawn.recipes.get(name) or drawn.sources[name]).title
    (take,), (original,) = drawn.recipe("sa1b-44k").take, real.recipe("sa1b-44k").take
    assert take.draw is not None
    assert original.draw is not None
    assert (take.parts, take.draw.tars, take.draw.seed) == ({"all": 3}, 2, original.draw.seed)
    assert drawn.source("sa1b").form("official").annotated[0].images == ("{stem:sa_[0-9]+}.jpg",)
    assert not drawn.source("sa1b").terms.accept


def test_three_quarters_of_the_scenes_are_drawn(options, tmp_path):
    single = Collection(build_recipe("sa1b-44k", tmp_path / "single", options).folder)
    every = dataclasses.replace(options, draw=DrawOptions(masks="all"))
    many = Collection(build_recipe("sa1b-44k", tmp_path / "many", every).folder)
    assert len(single) == 3
    assert single.index["recipe"]["synthetic"]
    assert single.index["shortfall"] == []
    assert single.sample_ids == many.sample_ids
    for one, other in zip(single, many, strict=True):
        assert len(other.masks) >= 8
        assert any(np.array_equal(one.mask, rle.decode(mask) * np.uint8(255)) for mask in other.masks)
