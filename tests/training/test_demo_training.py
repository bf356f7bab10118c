"""The demo's training, small: both runs, their means, the page."""

import json
from pathlib import Path

from hqdata.pipelines.demo_training import COARSE, EXACT, PICTURES, train_demo
from hqdata.pipelines.recipe import Options
from hqdata.store.reader import Collection
from tests.helpers import write_files
from tests.splits import fruit, make


def test_two_runs_stand_beside_plain_sam(tmp_path: Path) -> None:
    collection = fruit(tmp_path)
    exact = make(collection, tmp_path, only=("cherry",)).path
    earlier = {f"runs/{EXACT}/run.json": b"{}", "pictures/pictures.json": b'{"pictures": []}'}
    write_files(tmp_path / "demo", earlier)  # of a demo that is replaced
    done = train_demo(
        (exact, collection.folder), collection.folder, tmp_path / "demo", Options(), changes=["iterations=2"]
    )
    assert [run.name for run in done.runs] == [EXACT, COARSE]
    trained_on = [json.loads((run / "run.json").read_text())["data"] for run in done.runs]
    assert [facts["kind"] for facts in trained_on] == ["split", "collection"]
    assert [(item.run, item.output, item.plain.masks) for item in done.means] == [
        ("base", "sam_plain", len(Collection(collection.folder))),
        (EXACT, "head", 24),
        (COARSE, "head", 24),
    ]
    assert done.page.read_text().count("<img") >= PICTURES
