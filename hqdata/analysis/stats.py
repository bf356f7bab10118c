"""Statistics of a collection or a split: every mask a row, in the columns of :mod:`hqdata.analysis.stats_table`."""

from hqdata.analysis.mask_row import sample_rows
from hqdata.analysis.measure import PIECE_SAMPLES, Computed, Measure, OnSamples, compute
from hqdata.analysis.stats_table import STATS_SCHEMA, VERSION
from hqdata.store.reader import STATS, Collection
from hqdata.store.view import SplitView

MEASURE = Measure(kind=STATS, version=VERSION, schema=STATS_SCHEMA, rows=sample_rows, words=("source", "part"))


def compute_stats(
    collection: Collection,
    *,
    workers: int = 1,
    on_samples: OnSamples = lambda _: None,
    piece_samples: int = PIECE_SAMPLES,
) -> Computed:
    """Measure every mask of a collection, or of a split as it is read.

    A split that changes no pixels has the statistics of its collection, all of which are computed then. The rest is as
    :func:`hqdata.analysis.measure.compute` says.
    """
    return compute(measured(collection), MEASURE, workers=workers, on_samples=on_samples, piece_samples=piece_samples)


def measured(collection: Collection) -> Collection:
    """What is measured for the statistics of a collection or split: a split only if it changes pixels."""
    if isinstance(collection, SplitView) and not collection.definition.changes_pixels:
        return collection.collection
    return collection
