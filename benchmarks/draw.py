"""What it costs to rank all of SA-1B's images, in processor seconds and in memory, on an index that is made up.

    python benchmarks/draw.py [--images 11185362] [--size 44320] [--tars 4] [--out results.json]

Each measurement runs in a process of its own. The names come from a generator, so that they cost no memory; the time
that the generator takes alone is measured too. Memory is the peak resident size over that of a draw from a hundredth of
the images: it must not grow with their number.

Then the same with listing: tars with as many members as SA-1B's, at the same places, whose contents are holes. What a
disk needs to find 22,372 headers in 11 GB comes on top.
"""

import argparse
import json
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from hqdata.catalog import load_catalog
from hqdata.limits import DEFAULT
from hqdata.manifest import Archive
from hqdata.recipe import Draw
from hqdata.sources.draw import lowest
from hqdata.sources.locate import Located
from hqdata.sources.tars import draw_images, drawn_form

PAIRS = 11186
"""Images of a tar of SA-1B."""
SIZES = {"jpg": 930_000, "json": 80_000}


def names(count: int) -> Iterator[tuple[str, int]]:
    """Names as SA-1B has them, each with the number of its tar."""
    return ((f"sa_{number}", number // PAIRS) for number in range(1, count + 1))


def measure(count: int, size: int) -> dict[str, float]:
    """Processor seconds of the generator alone and of the draw, and peak resident memory in MiB."""
    start = time.process_time()
    for _ in names(count):
        pass
    alone = time.process_time() - start
    start = time.process_time()
    taken = lowest(names(count), 44320, size).taken
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"images": count, "taken": len(taken), "names_s": alone, "draw_s": seconds, "peak_mib": peak}


def write_hollow_tar(path: Path, first: int) -> None:
    """Write headers where SA-1B's tars have them, and holes for images and records."""
    with path.open("wb") as stream:
        for number in range(first, first + PAIRS):
            for suffix, size in SIZES.items():
                info = tarfile.TarInfo(f"sa_{number}.{suffix}")
                info.size = size
                stream.write(info.tobuf(tarfile.USTAR_FORMAT))
                stream.seek(size + -size % 512, 1)
        stream.write(bytes(10240))


def measure_listing(count: int, size: int) -> dict[str, float]:
    """Processor seconds to list hollow tars and rank their images, and peak resident memory in MiB."""
    catalog = load_catalog()
    source, (take,) = catalog.source("sa1b"), catalog.recipe("sa1b-44k").take
    with tempfile.TemporaryDirectory() as folder:
        tars = []
        for number in range(count):
            path = Path(folder, f"sa_{number:06d}.tar")
            write_hollow_tar(path, 1 + number * PAIRS)
            tars.append(Located(archive=Archive(name=path.name), owner="sa1b", path=path, is_folder=False))
        start = time.process_time()
        drawn = draw_images(source, drawn_form(source, take), take, Draw(seed=44320, tars=count), tars, DEFAULT)
        seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    assert sum(fact.images for fact in drawn.facts) == count * PAIRS
    assert len(drawn.candidates) == min(size, count * PAIRS)
    return {"tars": count, "taken": len(drawn.candidates), "list_s": seconds, "peak_mib": peak}


def in_child(name: str, count: int, size: int) -> dict[str, float]:
    """Run a measurement in a process of its own."""
    command = [sys.executable, __file__, "--one", name, "--images", str(count), "--size", str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Measure a hundredth, a tenth and all of the images; then tars."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=11185362)
    parser.add_argument("--size", type=int, default=44320)
    parser.add_argument("--tars", type=int, default=4)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", choices=("names", "tars"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        way = measure if given.one == "names" else measure_listing
        print(json.dumps(way(given.images, given.size)))
        return
    rows = []
    for count in (given.images // 100, given.images // 10, given.images):
        rows.append(row := in_child("names", count, given.size))
        print(
            f"{row['images']:>12,} images: {row['draw_s']:6.2f} s, of which names {row['names_s']:.2f} s; "
            f"peak {row['peak_mib']:.0f} MiB"
        )
    for count in (1, given.tars):
        rows.append(row := in_child("tars", count, given.size))
        print(f"{count:>14,} tars: {row['list_s']:6.2f} s, listed and ranked; peak {row['peak_mib']:.0f} MiB")
    if given.out:
        given.out.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
