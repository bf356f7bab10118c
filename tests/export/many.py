"""A collection of many masks an image, written without a source of that kind."""

from pathlib import Path

import numpy as np
from pycocotools import mask as coco

from hqdata.schema import Record
from hqdata.store.index import FORMAT, content_digest
from hqdata.store.reader import Collection
from hqdata.store.writer import file_row, publish, write_rejects, write_shard
from tests.helpers import pair

HEIGHT, WIDTH = 32, 48


def drawn_masks() -> list[np.ndarray]:
    """``bool[32, 48]``: a box, one pixel in a corner, a comb, and nothing."""
    masks = [np.zeros((HEIGHT, WIDTH), bool) for _ in range(4)]
    masks[0][5:20, 8:30] = True
    masks[1][-1, -1] = True
    masks[2][:, ::2] = True
    return masks


ATTRIBUTES = [
    {"id": 71, "area": 1.5, "bbox": [8.0, 5.0, 22.0, 15.0], "predicted_iou": 0.9, "stability_score": 0.95},
    {"id": 72, "crop_box": [0.0, 0.0, 48.0, 32.0], "point_coords": [[47.0, 31.0]]},
    {"category_id": 18, "iscrowd": True},
    {},
]


def many_masks(folder: Path) -> Collection:
    """Two images: with the four masks, and with none."""
    codes = [coco.encode(np.asfortranarray(mask.astype(np.uint8))) for mask in drawn_masks()]
    items = [
        {**more, "size": list(code["size"]), "counts": code["counts"].decode()}
        for code, more in zip(codes, ATTRIBUTES, strict=True)
    ]
    records = [record(number, tuple(masks)) for number, masks in enumerate((items, []))]
    partial = folder.with_name(f"{folder.name}-making")
    partial.mkdir()
    write_shard(partial / "sa-00000.arrow", records, 1 << 20)
    write_rejects(partial, [])
    row = {
        "title": "Sa",
        "licence": None,
        "redistribution": "allowed",
        "citation": "",
        "synthetic": True,
        "archives": [],
    }
    index = {
        "format": FORMAT,
        "rows": 2,
        "recipe": {"name": "sa", "title": "Sa", "digest": "", "synthetic": True},
        "sources": {"sa": row},
        "shortfall": [],
        "unverified": False,
        "versions": {},
        "content_digest": content_digest((r.sample_id, r.image_sha256, r.pixels_sha256) for r in records),
        "files": [file_row(partial, "rejects.parquet"), {**file_row(partial, "sa-00000.arrow"), "rows": 2}],
    }
    publish(partial, folder, index)
    return Collection(folder)


def record(number: int, masks: tuple[dict, ...]) -> Record:
    return Record(
        sample_id=f"sa/all/{number}",
        source="sa",
        part="all",
        image=pair(number, WIDTH, HEIGHT)[0],
        image_suffix=".jpg",
        mask=None,
        mask_suffix=".png",
        masks=masks,
        width=WIDTH,
        height=HEIGHT,
        image_sha256=str(number),
        mask_sha256=None,
        pixels_sha256=str(number),
        flags=(),
        errata=(),
    )
