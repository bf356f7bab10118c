"""What a matched control costs and how alike it is to its target, beside what one would run instead.

    python benchmarks/match.py [--targets 44320] [--pool 1000000] [--columns 4 8] [--out results.json]

Target and pool are made up: shares, areas, counts with a long tail and lengths that are often 0, which go together more
closely in the target than in the pool. Each measurement runs in a process of its own:

- hqdata: :func:`hqdata.analysis.splits.match.match`, and the same with ``joint``;
- propensity: logistic regression of target against pool, then for each mask of the target the nearest unused mask of
  the pool by the logit (scikit-learn, where it is installed);
- nearest: for each mask of the target the nearest unused one of its 32 nearest neighbours, columns in standard
  deviations (scipy's cKDTree);
- random: as many masks as the target has.

Printed for each: seconds, peak memory over that of the data; masks, all different; effective sample size; the largest
standardised mean difference and the largest Kolmogorov-Smirnov distance of a column (0.009 by chance at 44,320 masks);
the largest difference of two columns' rank correlation; and, where scikit-learn is installed, how well gradient-boosted
trees tell the control from the target (area under the curve; 0.5 is chance, and below it are controls that hold near
copies of the target's masks, which mislead the trees).
"""

import argparse
import importlib.util
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.spatial import cKDTree
from scipy.stats import ks_2samp, spearmanr

from hqdata.analysis.splits.match import match
from hqdata.arrays import FloatArray, IntArray
from hqdata.errors import UsageError

NAMES = ["area_rel", "thin_share_1024", "components_1024", "border_rel"]
NEIGHBOURS = 32
SKLEARN = importlib.util.find_spec("sklearn") is not None


def masks(count: int, columns: int, rng: np.random.Generator, shift: float, together: float) -> FloatArray:
    """Columns as the statistics have them, made up."""
    common = rng.standard_normal((count, 1))
    normal = np.sqrt(together) * common + np.sqrt(1 - together) * rng.standard_normal((count, columns)) + shift
    makers: list[Callable[[FloatArray], FloatArray]] = [
        lambda z: 1 / (1 + np.exp(1.2 - z)),
        lambda z: np.maximum(0, np.tanh(0.4 * z)),
        lambda z: np.floor(1 + np.exp(1.5 * (z - 1))),
        lambda z: np.maximum(0, 0.2 * (z - 0.7)),
    ]
    return np.column_stack([makers[place % 4](normal[:, place]) for place in range(columns)])


def table(rows: FloatArray) -> pa.Table:
    return pa.table({f"{NAMES[place % 4]}_{place}": column for place, column in enumerate(rows.T)})


def by_hqdata(target: FloatArray, pool: FloatArray, *, joint: bool = False) -> tuple[IntArray, float | None]:
    ids = [f"sa1b/all/sa_{number}#0" for number in range(len(pool))]
    found = match(table(target), table(pool), ids, seed=1, joint=joint)
    return found.positions, found.balance.effective


def by_propensity(target: FloatArray, pool: FloatArray) -> tuple[IntArray, None]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    rows = StandardScaler().fit_transform(np.concatenate([target, pool]))
    is_target = np.arange(len(rows)) < len(target)
    logit = LogisticRegression(max_iter=1000).fit(rows, is_target).decision_function(rows)
    offered = np.argsort(logit[~is_target], kind="stable")
    places = np.searchsorted(logit[~is_target][offered], logit[is_target])
    return offered[nearest_free(places, len(pool))], None


def nearest_free(places: IntArray, count: int) -> IntArray:
    """For each place on a line the nearest one that is still free, in random order."""
    after, before = np.arange(count + 1), np.arange(count + 1)
    found = []

    def free(links: IntArray, place: int) -> int:
        while links[place] != place:
            links[place] = links[links[place]]
            place = links[place]
        return int(place)

    for place in np.random.default_rng(1).permutation(np.minimum(places, count - 1)).tolist():
        # Place 0 of ``before`` and the last one of ``after`` stand for the ends.
        right, left = free(after, place), free(before, place + 1) - 1
        best = right if left < 0 or (right < count and right - place <= place - left) else left
        after[best], before[best + 1] = best + 1, best
        found.append(best)
    return np.array(found)


def by_nearest(target: FloatArray, pool: FloatArray) -> tuple[IntArray, None]:
    sd = np.sqrt((target.var(axis=0) + pool.var(axis=0)) / 2)
    _, neighbours = cKDTree(pool / sd).query(target / sd, k=NEIGHBOURS)
    used, found = np.zeros(len(pool), bool), []
    for row in np.random.default_rng(1).permutation(neighbours):
        free = row[~used[row]]
        if free.size:
            used[free[0]] = True
            found.append(int(free[0]))
    return np.array(found), None


def by_chance(target: FloatArray, pool: FloatArray) -> tuple[IntArray, None]:
    return np.random.default_rng(1).permutation(len(pool))[: len(target)], None


METHODS: dict[str, Callable[[FloatArray, FloatArray], tuple[IntArray, float | None]]] = {
    "hqdata": by_hqdata,
    "hqdata joint": lambda target, pool: by_hqdata(target, pool, joint=True),
    **({"propensity": by_propensity} if SKLEARN else {}),
    "nearest": by_nearest,
    "random": by_chance,
}


def told_apart(one: FloatArray, other: FloatArray) -> float | None:
    """Area under the curve of gradient-boosted trees, three-fold; None without scikit-learn."""
    if not SKLEARN:
        return None
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import cross_val_predict

    rows, labels = np.concatenate([one, other]), np.arange(len(one) + len(other)) < len(one)
    guess = cross_val_predict(
        HistGradientBoostingClassifier(random_state=1), rows, labels, cv=3, method="predict_proba"
    )
    return float(roc_auc_score(labels, guess[:, 1]))


def measure(method: str, targets: int, offered: int, columns: int) -> dict[str, Any]:
    """Draw a control by one method and hold it against the target."""
    rng = np.random.default_rng([columns, targets])
    target, pool = masks(targets, columns, rng, 0.3, 0.4), masks(offered, columns, rng, -0.2, 0.2)
    row: dict[str, Any] = {"method": method, "targets": targets, "pool": offered, "columns": columns}
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    try:
        positions, effective = METHODS[method](target, pool)
    except UsageError as error:
        return row | {"refused": str(error).partition("\n")[0], "seconds": time.perf_counter() - start}
    row["seconds"] = time.perf_counter() - start
    row["peak_mib"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held) / 1024
    control = pool[positions]
    sd = np.sqrt((target.var(axis=0, ddof=1) + pool.var(axis=0, ddof=1)) / 2)
    off = np.abs(control.mean(axis=0) - target.mean(axis=0)) / sd
    correlations = [np.asarray(spearmanr(rows).statistic) for rows in (target, control)]
    return row | {
        "masks": len(np.unique(positions)),
        "effective": effective,
        "smd": float(off.max()),
        "ks": max(float(ks_2samp(*pair).statistic) for pair in zip(target.T, control.T, strict=True)),
        "correlation": float(np.abs(correlations[0] - correlations[1]).max()),
        "auc": told_apart(target, control),
    }


def line(row: dict[str, Any]) -> str:
    begun = f"{row['columns']} columns  {row['method']:<13}{row['seconds']:8.1f} s"
    if "refused" in row:
        return f"{begun}   {row['refused']}"
    effective, auc = (
        f"{row[name]:{form}}" if row[name] else "-" for name, form in (("effective", ",.0f"), ("auc", ".3f"))
    )
    return (
        f"{begun}{row['peak_mib']:8.0f} MiB{row['masks']:>9,} masks, effective {effective:>8}; "
        f"smd {row['smd']:.3f}  ks {row['ks']:.3f}  correlation {row['correlation']:.3f}  auc {auc}"
    )


def main() -> None:
    """Measure every method at every number of columns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", type=int, default=44320)
    parser.add_argument("--pool", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, nargs="+", default=[4, 8])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.one, given.targets, given.pool, given.columns[0])))
        return
    rows = []
    for columns in given.columns:
        for method in METHODS:
            command = [sys.executable, __file__, "--one", method, "--targets", str(given.targets)]
            command += ["--pool", str(given.pool), "--columns", str(columns)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            rows.append(json.loads(done.stdout))
            print(line(rows[-1]), flush=True)
    if given.out:
        given.out.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
