"""hqdata: build HQSeg-44K and its controls, query every mask, train HQ-SAM on any split.

>>> import hqdata
>>> collection = hqdata.open("hqseg-44k")  # doctest: +SKIP
>>> collection[0].image.shape, collection[0].mask.shape  # doctest: +SKIP
((300, 400, 3), (300, 400))
"""

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hqdata.store.reader import Collection

__version__ = "0.1.0"
__all__ = ["open"]


def open(folder: "str | PathLike[str]") -> "Collection":  # noqa: A001 - `hqdata.open` reads as it should
    """Open a finished collection.

    Args:
        folder: what ``hqdata build`` wrote.

    Raises:
        StoreCorrupt: the folder is no finished collection, or differs from its index.
    """
    from hqdata.store.reader import Collection  # noqa: PLC0415 - `import hqdata` stays light

    return Collection(Path(folder))
