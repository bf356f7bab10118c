"""Other splits and collections that a request names, by a path relative to the folder that the split goes to."""

import os
from pathlib import Path
from typing import TypeAlias

from hqdata.analysis.splits.masks import all_masks
from hqdata.errors import StoreCorrupt
from hqdata.store.reader import Collection
from hqdata.store.split import is_split
from hqdata.store.view import SplitView, open_view

Data: TypeAlias = Collection | SplitView


def place_of(folder: Path, path: str) -> Path:
    """Where a path of a request leads to; ``folder`` need not be there yet."""
    return Path(os.path.normpath(folder.resolve() / path))


def open_reference(folder: Path, path: str, option: str) -> Data:
    """Open a split or a collection.

    Raises:
        StoreCorrupt: it is neither, or the split's collection has changed.
    """
    place = place_of(folder, path)
    try:
        return open_view(place) if is_split(place) else Collection(place)
    except StoreCorrupt as error:
        raise StoreCorrupt(f"{option} {place}: {error}") from error


def masks_in(data: Data) -> list[str]:
    """Ids of its masks, sorted."""
    return data.mask_ids if isinstance(data, SplitView) else all_masks(data)
