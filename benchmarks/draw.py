"""What it costs to rank all of SA-1B's images, in seconds and in memory, on an index that is made up.

    python benchmarks/draw.py [--images 11185362] [--size 44320] [--out results.json]

Each measurement runs in a process of its own. The names come from a generator, so that they cost no memory; the time
that the generator takes alone is measured too. Memory is the peak resident size over that of a draw from a hundredth of
the images: it must not grow with their number.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from hqdata.sources.draw import lowest


def names(count: int) -> Iterator[tuple[str, int]]:
    """Names as SA-1B has them, each with the number of its tar."""
    return ((f"sa_{number}", number // 11186) for number in range(1, count + 1))


def measure(count: int, size: int) -> dict[str, float]:
    """Seconds of the generator alone and of the draw, and peak resident memory in MiB."""
    start = time.perf_counter()
    for _ in names(count):
        pass
    alone = time.perf_counter() - start
    start = time.perf_counter()
    taken = lowest(names(count), 44320, size).taken
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"images": count, "taken": len(taken), "names_s": alone, "draw_s": seconds, "peak_mib": peak}


def main() -> None:
    """Measure a hundredth, a tenth and all of the images."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=11185362)
    parser.add_argument("--size", type=int, default=44320)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.one, given.size)))
        return
    rows = []
    for count in (given.images // 100, given.images // 10, given.images):
        command = [sys.executable, __file__, "--one", str(count), "--size", str(given.size)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        rows.append(json.loads(done.stdout))
        row = rows[-1]
        print(
            f"{row['images']:>12,} images: {row['draw_s']:6.2f} s, of which names {row['names_s']:.2f} s; "
            f"peak {row['peak_mib']:.0f} MiB"
        )
    if given.out:
        given.out.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
