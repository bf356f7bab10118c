"""Rows of a split as Hugging Face ``datasets`` gives them, changed as the split reads them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from hqdata.errors import UsageError, explain

if TYPE_CHECKING:
    from hqdata.store.view import SplitView


@dataclass(frozen=True)
class AsRead:
    """A transform for :meth:`datasets.Dataset.with_transform`; images and masks come and go as Pillow's images."""

    view: "SplitView"

    def __call__(self, batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        """Change the columns that there are.

        Raises:
            UsageError: there is no ``sample_id``, without which no row can be told.
        """
        if "sample_id" not in batch:
            raise UsageError(
                explain(
                    "rows of this split change when they are read, by their sample_id",
                    got=f"columns {', '.join(batch)}",
                    do="keep the column sample_id",
                )
            )
        rows = [dict(zip(batch, values, strict=True)) for values in zip(*batch.values(), strict=True)]
        changed = [self._changed(row) for row in rows]
        return {name: [row[name] for row in changed] for name in batch}

    def _changed(self, row: dict[str, Any]) -> dict[str, Any]:
        position = self.view.position(row["sample_id"])
        reading, ks = self.view.reading(position), self.view.ks(position)
        ids = [f"{row['sample_id']}#{k}" for k in ks]
        if "image" in row:
            row["image"] = reading.picture(row["image"])
        if row.get("mask") is not None:
            row["mask"] = Image.fromarray(reading.greys(ids[0], np.asarray(row["mask"])))
        if row.get("masks") is not None:
            stored = [row["masks"][k] for k in ks]
            row["masks"] = [reading.code(mask_id, code) for mask_id, code in zip(ids, stored, strict=True)]
        for side in ("width", "height"):
            if side in row:
                row[side], _ = reading.size(row[side], 1)
        return row
