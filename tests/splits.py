"""A collection of three small sources with an audit's findings, to make splits of."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hqdata.analysis.findings import DUPLICATES, LEAKS, SCHEMAS, SUSPECTS, publish_findings
from hqdata.analysis.splits.create import create_split
from hqdata.analysis.splits.request import Request
from hqdata.analysis.stats import compute_stats
from hqdata.catalog import load_catalog
from hqdata.pipelines.recipe import build_recipe
from hqdata.store.reader import Collection
from hqdata.store.split import Split
from tests.helpers import tiny_source, write_recipe

NUMBERS = {"apple": 6, "banana": 8, "cherry": 10}
JUDGE = "f" * 64
"""Content digest of an evaluation collection that nobody built."""


def mask(source: str, number: int) -> str:
    return f"{source}/all/{number:04d}#0"


def fruit(root: Path) -> Collection:
    """24 masks: apple 6, banana 8, cherry 10; measured, not audited."""
    for seed, (name, count) in enumerate(NUMBERS.items(), start=1):
        tiny = tiny_source(root, count, name=name, archive=f"{name}.zip", seed=seed)
    write_recipe(tiny.manifests, "fruit", {name: {"all": count} for name, count in NUMBERS.items()})
    build_recipe("fruit", root / "fruit", tiny.options())
    collection = Collection(root / "fruit")
    compute_stats(collection)
    return collection


def _row(table: str, **values: Any) -> dict[str, Any]:
    return {name: values.get(name) for name in SCHEMAS[table].names}


def audit(
    collection: Collection,
    copies: Sequence[Sequence[str]] = (),
    leaks: Sequence[tuple[str, str]] = (),
    suspects: Sequence[str] = (),
) -> None:
    """Publish findings as an audit would: groups of masks with one image, (mask, level) that leak into ``judge``."""
    duplicates = [
        _row(DUPLICATES, mask_id=one, other_mask_id=two, level="pair", changes=["identical"], group=number, remove=two)
        for number, group in enumerate(copies, start=1)
        for one, two in itertools.pairwise(group)
    ]
    publish_findings(collection, DUPLICATES, 1, {}, duplicates)
    against = {"against": "judge", "against_digest": JUDGE}
    leaked = [
        _row(LEAKS, **against, mask_id=one, other_mask_id=f"judge/all/{n}#0", level=level, reason="seen", remove=one)
        for n, (one, level) in enumerate(leaks)
    ]
    publish_findings(collection, LEAKS, 1, against, leaked)
    listed = [_row(SUSPECTS, mask_id=one, kind="empty", remove=one, reason="nothing") for one in suspects]
    publish_findings(collection, SUSPECTS, 1, {}, listed)


def make(collection: Collection, out: Path, name: str = "some", **choices: Any) -> Split:
    """One split, as ``hqdata split create`` makes it."""
    (split,) = create_split(collection, Request(name=name, **choices), out, load_catalog())
    return split
