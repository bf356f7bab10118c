"""The variants by name, in Python and on the command line."""

import json

import pytest
from typer.testing import CliRunner

from hqdata.cli.main import app
from hqdata.errors import UsageError
from hqdata.training.size import SIZES
from hqdata.training.variants.registry import find_variant

PUBLISHED = {"vit_b": 1_071_104, "vit_l": 1_333_248, "vit_h": 1_595_392}


@pytest.mark.parametrize("size", PUBLISHED)
def test_hq_sam_trains_the_published_number_of_weights(size: str) -> None:
    assert find_variant("hq-sam").trained(SIZES[size]) == PUBLISHED[size]


def test_an_unknown_variant_is_told_the_nearest() -> None:
    with pytest.raises(UsageError, match='did you mean "hq-sam"'):
        find_variant("hqsam")


def test_the_command_lists_them() -> None:
    done = CliRunner().invoke(app, ["variants", "--json"])
    (row,) = json.loads(done.stdout)
    assert {name: row[name] for name in ("name", *PUBLISHED)} == {"name": "hq-sam", **PUBLISHED}
    assert "1,333,248" in CliRunner().invoke(app, ["variants"]).stdout
