"""How fast a group-by over every mask is, against pandas reading just the needed columns; all in one run.

    python benchmarks/sql.py [--masks 4430000] [--rounds 5] [--out results.json]

The table is made up: one row a mask, in the columns and row groups that `hqdata stats` writes, zstd. The ways:

- sql: one SELECT through the locked connection, the connection and the check of the statement included;
- pandas: ``read_parquet`` of the columns that the question names, then ``groupby``.

Then it measures what a query over ``samples`` touches of a collection's pixels: resident bytes of the mapped shards.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

import hqdata
from hqdata.analysis import measure, stats
from hqdata.analysis.stats_table import STATS_SCHEMA
from hqdata.pipelines.own_data import build_own
from hqdata.pipelines.recipe import Options
from hqdata.store.derived import derived_folder, publish_derived
from hqdata.store.reader import Collection

ROW_GROUP = measure._ROW_GROUP
SOURCES = ["dis5k", "thinobject5k", "fss1000", "duts", "msra10k", "ecssd", "sa1b"]
FILLED = ("area_px", "area_rel", "ipq_1024", "thin_share_1024", "soft_edge_share", "boundary_1024")
"""Figures that hold numbers; the rest of the columns are there, and null."""
QUESTIONS: dict[str, tuple[str, list[str], Callable[[pd.DataFrame], Any]]] = {
    "mean by source": (
        "SELECT source, avg(thin_share_1024) AS a, avg(soft_edge_share) AS b, count(*) AS n FROM stats "
        "GROUP BY source ORDER BY source",
        ["source", "thin_share_1024", "soft_edge_share"],
        lambda t: t.groupby("source").agg(
            a=("thin_share_1024", "mean"), b=("soft_edge_share", "mean"), n=("soft_edge_share", "size")
        ),
    ),
    "three quantiles by source": (
        "SELECT source, quantile_cont(ipq_1024, [0.05, 0.5, 0.95]) AS q FROM stats GROUP BY source ORDER BY source",
        ["source", "ipq_1024"],
        lambda t: t.groupby("source")["ipq_1024"].quantile([0.05, 0.5, 0.95]),
    ),
    "share of a condition": (
        "SELECT source, avg((thin_share_1024 > 0.9)::int) AS s FROM stats WHERE area_rel < 0.5 "
        "GROUP BY source ORDER BY source",
        ["source", "thin_share_1024", "area_rel"],
        lambda t: t[t.area_rel < 0.5].assign(s=lambda x: x.thin_share_1024 > 0.9).groupby("source")["s"].mean(),
    ),
}


def make_collection(folder: Path, samples: int) -> Path:
    """A collection of noise, whose pixels weigh far more than the rest of it."""
    rng = np.random.default_rng(0)
    for name in ("im", "gt"):
        (folder / name).mkdir(parents=True)
    for number in range(samples):
        image, mask = rng.integers(0, 256, (400, 400, 3), np.uint8), rng.integers(0, 2, (400, 400), np.uint8) * 255
        Image.fromarray(image).save(folder / "im" / f"{number:04d}.png")
        Image.fromarray(mask).save(folder / "gt" / f"{number:04d}.png")
    build_own(folder / "im", folder / "gt", "noise", folder / "out", Options())
    return folder / "out"


def make_stats(collection: Path, masks: int) -> Path:
    """Made-up statistics of that many masks beside the collection; a pure function of their number."""
    rng = np.random.default_rng(1)
    content = Collection(collection).index["content_digest"]
    final = derived_folder(collection, "stats", "0" * 64)
    partial = final.with_name("partial")
    partial.mkdir(parents=True)
    with pq.ParquetWriter(partial / "stats.parquet", STATS_SCHEMA, **measure.table_options(stats.MEASURE)) as writer:
        for start in range(0, masks, ROW_GROUP):
            writer.write_table(_made_up(start, min(ROW_GROUP, masks - start), rng))
    publish_derived(partial, final, kind="stats", version=1, facts={"content_digest": content})
    return final / "stats.parquet"


def _made_up(start: int, count: int, rng: np.random.Generator) -> pa.Table:
    ids = [f"sa1b/all/sa_{number // 100:07d}" for number in range(start, start + count)]
    columns: dict[str, Any] = {
        "mask_id": [f"{name}#{number % 100}" for number, name in enumerate(ids, start)],
        "sample_id": ids,
        "source": np.array(SOURCES)[rng.integers(0, len(SOURCES), count)],
    }
    for name in FILLED:
        kind = STATS_SCHEMA.field(name).type
        columns[name] = rng.integers(1, 1_000_000, count) if pa.types.is_integer(kind) else rng.random(count)
    return pa.table(
        [pa.array(columns[f.name], f.type) if f.name in columns else pa.nulls(count, f.type) for f in STATS_SCHEMA],
        schema=STATS_SCHEMA,
    )


def seconds_of(ways: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median seconds; the ways take turns, and the first turn warms the page cache and is not counted."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            if turn:
                taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in taken.items()}


def check(collection: Path, stats: Path) -> None:
    """Both ways must give the same answer before their speed is worth anything."""
    sql, columns, grouped = QUESTIONS["mean by source"]
    ours = hqdata.sql(sql, collection).to_pandas().set_index("source")
    theirs = grouped(pd.read_parquet(stats, columns=columns))
    assert np.allclose(ours[["a", "b", "n"]], theirs[["a", "b", "n"]])


def touched(collection: Path) -> dict[str, int]:
    """Bytes of the shards that a query over every column of ``samples`` makes resident, in a process of its own."""
    names = [path for path in collection.iterdir() if path.suffix == ".arrow"]
    for path in names:
        with path.open("rb") as stream:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    code = (
        "import sys, hqdata; c = hqdata.open(sys.argv[1])\n"
        "hqdata.sql('SELECT * FROM samples', c)\n"
        "inside = total = 0\n"
        "for line in open('/proc/self/smaps'):\n"
        "    inside = '.arrow' in line if '-' in line.split()[0] and ':' not in line.split()[0] else inside\n"
        "    total += int(line.split()[1]) if inside and line.startswith('Rss:') else 0\n"
        "print(total * 1024)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(collection)], capture_output=True, text=True, check=True)
    return {"shards_bytes": sum(path.stat().st_size for path in names), "resident_bytes": int(done.stdout)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--masks", type=int, default=4_430_000)
    parser.add_argument("--samples", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    given = parser.parse_args()
    results: dict[str, Any] = {"masks": given.masks, "cores": os.cpu_count(), "seconds": {}, "ratios": {}}
    with tempfile.TemporaryDirectory() as scratch:
        collection = make_collection(Path(scratch), given.samples)
        stats = make_stats(collection, given.masks)
        check(collection, stats)
        for name, (sql, columns, grouped) in QUESTIONS.items():
            ways: dict[str, Callable[[], Any]] = {
                "sql": lambda sql=sql: hqdata.sql(sql, collection),
                "pandas": lambda columns=columns, grouped=grouped: grouped(pd.read_parquet(stats, columns=columns)),
            }
            taken = seconds_of(ways, given.rounds)
            results["seconds"][name] = taken
            results["ratios"][f"{name}: pandas / sql (goal of the first: >= 1.8)"] = taken["pandas"] / taken["sql"]
        results["pixels"] = touched(collection)
    for name, taken in results["seconds"].items():
        print(f"{name:<28}" + "".join(f"{way:>10} {value * 1000:7.0f} ms" for way, value in taken.items()))
    for name, ratio in results["ratios"].items():
        print(f"{name:<70}{ratio:6.2f}")
    print("resident {resident_bytes:,} of {shards_bytes:,} bytes of shards".format(**results["pixels"]))
    if given.out:
        given.out.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
