"""Statistics of a whole collection: every mask a row, in the columns of :mod:`hqdata.analysis.stats_table`."""

from hqdata.analysis.mask_row import sample_rows
from hqdata.analysis.measure import PIECE_SAMPLES, Computed, Measure, OnSamples, compute
from hqdata.analysis.stats_table import STATS_SCHEMA, VERSION
from hqdata.store.reader import STATS, Collection

MEASURE = Measure(kind=STATS, version=VERSION, schema=STATS_SCHEMA, rows=sample_rows, words=("source", "part"))


def compute_stats(
    collection: Collection,
    *,
    workers: int = 1,
    on_samples: OnSamples = lambda _: None,
    piece_samples: int = PIECE_SAMPLES,
) -> Computed:
    """Measure every mask of a collection; the rest is as :func:`hqdata.analysis.measure.compute` says."""
    return compute(collection, MEASURE, workers=workers, on_samples=on_samples, piece_samples=piece_samples)
