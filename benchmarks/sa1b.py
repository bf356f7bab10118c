"""What a draw from a tar costs, against the least it could cost: reading the same members and parsing their JSON.

    python benchmarks/sa1b.py [--images 400] [--masks 100] [--rounds 15] [--builds 3] [--out results.json]

The tar is drawn: scenes at SA-1B's size (2250 x 1500) with as many masks as real records have on average, repeated
under other names. Every way runs in turns in one process after a warm-up; processor time counts, as others may use the
machine, too, and of the ratios within each round the median. The tar lies in the page cache: a disk's time comes on top
of every way alike. The ways:

- floor: read each image and record through the standard library's ``tarfile`` and parse the JSON, nothing else;
- list: list the tar and rank its images, which a build does once a tar;
- stream: list, rank, read image and record by their offsets, parse and check the record, take a mask;
- build: all of a build with one worker, the mask's PNG, hashes, shards and verification included; single and all masks;
- grow: the same where the collection stands in for the tar, which is gone: verified, copied, verified again.
"""

import argparse
import json
import statistics
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hqdata.catalog import Catalog, load_catalog
from hqdata.demo.draw import draw_scene
from hqdata.demo.items import SEED, jpeg
from hqdata.demo.restate import restate_drawn
from hqdata.demo.tars import write_tar
from hqdata.fetch.containers import UnlistedTar
from hqdata.limits import DEFAULT
from hqdata.masks import rle
from hqdata.pipelines.drawn import DrawOptions
from hqdata.pipelines.recipe import Options, build_recipe
from hqdata.recipe import Draw
from hqdata.sources.layout import Candidate
from hqdata.sources.locate import ArchiveFolder
from hqdata.sources.sa1b import choose, complete, pixels_of, read_record
from hqdata.sources.tars import draw_images, find_tars

SIZE = (2250, 1500)
SCENES = 4
GRAIN = 6.5


def make_tar(path: Path, images: int, masks: int) -> None:
    """Write a tar of enlarged scenes, repeated, each record with as many masks."""
    scenes = [draw_scene(np.random.default_rng([SEED, number]), number) for number in range(SCENES)]
    pictures = [jpeg(_grainy(cv2.resize(scene.image, SIZE, interpolation=cv2.INTER_CUBIC))) for scene in scenes]
    marks = [_enlarged(scene.record["annotations"], masks) for scene in scenes]
    files = {}
    for number in range(images):
        image = {"image_id": number, "width": SIZE[0], "height": SIZE[1], "file_name": f"sa_{number}.jpg"}
        record = {"image": image, "annotations": marks[number % SCENES]}
        files[f"sa_{number}.jpg"] = pictures[number % SCENES]
        files[f"sa_{number}.json"] = json.dumps(record).encode()
    write_tar(path, files)


def _grainy(picture: Any) -> Any:
    """Grain that makes image and record about as large as SA-1B's are on average, 1 MB."""
    grain = np.random.default_rng(SEED).normal(0, GRAIN, picture.shape)
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


def _enlarged(annotations: list[dict[str, Any]], masks: int) -> list[dict[str, Any]]:
    """Annotations at SA-1B's size, repeated to the wanted number."""
    found = []
    for number in range(masks):
        item = annotations[number % len(annotations)]
        mask = cv2.resize(rle.decode(item["segmentation"]), SIZE, interpolation=cv2.INTER_LINEAR)
        found.append({**item, "id": number, "segmentation": rle.encode(mask), "area": int(mask.sum())})
    return found


def floor(path: Path, taken: set[str]) -> int:
    """Read and parse with the standard library."""
    count = 0
    with tarfile.open(path) as archive:
        for info in archive:
            if info.name.rpartition(".")[0] in taken:
                stream = archive.extractfile(info)
                assert stream is not None
                data = stream.read()
                if info.name.endswith(".json"):
                    count += len(json.loads(data)["annotations"])
    return count


def draw(catalog: Catalog, archives: Path) -> tuple[Candidate, ...]:
    """List the tar and rank its images."""
    (take,) = catalog.recipe("sa1b-44k").take
    source, plan = catalog.source("sa1b"), take.draw
    assert isinstance(plan, Draw)
    route = find_tars(source, take, plan, ArchiveFolder(archives, DEFAULT, archives))
    return draw_images(source, route.form, take, plan, route.found, DEFAULT).candidates


def stream(path: Path, catalog: Catalog, archives: Path) -> int:
    """List, rank, read, parse, take a mask of each image."""
    candidates = draw(catalog, archives)
    tar = UnlistedTar(path, DEFAULT)
    count = 0
    for candidate in candidates:
        tar.read(candidate.image.member)
        assert candidate.mask is not None
        stem = candidate.sample_id.rpartition("/")[2]
        masks = read_record(tar.read(candidate.mask.member), *SIZE, stem)
        chosen = [masks[k] for k in choose(masks, "uniform", 1, stem)]
        count += int(pixels_of(chosen).sum()) + len([complete(mask) for mask in chosen])
    return count


def timed(ways: dict[str, Callable[[], object]], rounds: int) -> list[dict[str, float]]:
    """Processor seconds of each way in every round, in turns, after one round of warm-up."""
    found = []
    for _ in range(rounds + 1):
        seconds = {}
        for name, way in ways.items():
            start = time.process_time()
            way()
            seconds[name] = time.process_time() - start
        found.append(seconds)
    return found[1:]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--masks", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--builds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        archives, manifests = root / "archives", root / "manifests"
        path = archives / "sa1b" / "sa_000000.tar"
        make_tar(path, given.images, given.masks)
        path_bytes = path.stat().st_size
        restate_drawn(load_catalog(), 1, given.images, manifests)
        catalog = load_catalog([manifests])
        taken = {candidate.sample_id.rpartition("/")[2] for candidate in draw(catalog, archives)}
        builds = {"build, single": DrawOptions(), "build, all": DrawOptions(masks="all")}
        turns = iter(range(1000))

        def build(choice: DrawOptions) -> Callable[[], object]:
            own = Options(archives=archives, manifests=(manifests,), offline=True, draw=choice)
            return lambda: build_recipe("sa1b-44k", root / f"out-{next(turns)}", own)

        quick = {
            "floor": lambda: floor(path, taken),
            "list": lambda: draw(catalog, archives),
            "stream": lambda: stream(path, catalog, archives),
        }
        seconds = timed(quick, given.rounds)
        own = Options(archives=root / "none", manifests=(manifests,), offline=True, replace=True)
        build(DrawOptions())()
        slow = {
            "floor": quick["floor"],
            **{name: build(choice) for name, choice in builds.items()},
            "grow, single": lambda: build_recipe("sa1b-44k", root / "out-0", own),
        }
        whole = timed(slow, given.builds)
    print(f"{given.images} images of {path_bytes / given.images / 1000:.0f} kB with their records, {len(taken)} taken")
    for rounds in (seconds, whole):
        for way in rounds[0]:
            each = 1000 * statistics.median(row[way] for row in rounds) / len(taken)
            ratios = sorted(row[way] / row["floor"] for row in rounds)
            print(
                f"{way:<14} {each:7.2f} ms an image  {statistics.median(ratios):6.2f} of the floor "
                f"({ratios[0]:.2f} to {ratios[-1]:.2f}, {len(rounds)} rounds)"
            )
    if given.out:
        given.out.write_text(json.dumps({"taken": len(taken), "quick": seconds, "builds": whole}, indent=2) + "\n")


if __name__ == "__main__":
    main()
