"""Which samples differ between two collections."""

from collections import Counter
from dataclasses import dataclass

from hqdata.store.reader import Collection

_COLUMNS = ("sample_id", "image_sha256", "mask_sha256", "pixels_sha256")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One sample that the collections do not agree on."""

    sample_id: str
    kind: str
    """``only in A``, ``only in B``, ``image``, ``mask`` (other pixels), ``mask file`` (same pixels, other bytes), or
    ``renamed`` (same image and mask under another id)."""
    other_id: str = ""


def diff(a: Collection, b: Collection) -> list[Difference]:
    """Compare two collections by id; what is left is matched by image hash, so that renamed samples are seen."""
    rows_a, rows_b = _rows(a), _rows(b)
    differences = []
    for sample_id in sorted(rows_a.keys() & rows_b.keys()):
        kind = _kind(rows_a[sample_id], rows_b[sample_id])
        if kind:
            differences.append(Difference(sample_id=sample_id, kind=kind))
    left = sorted(rows_a.keys() - rows_b.keys())
    right = sorted(rows_b.keys() - rows_a.keys())
    images = Counter(rows_b[name][0] for name in right)
    by_image = {rows_b[name][0]: name for name in right if images[rows_b[name][0]] == 1}
    renamed = set()
    for name in left:
        other = by_image.pop(rows_a[name][0], None)
        if other is not None and rows_a[name][2] == rows_b[other][2]:
            renamed.add(other)
            differences.append(Difference(sample_id=name, kind="renamed", other_id=other))
        else:
            differences.append(Difference(sample_id=name, kind="only in A"))
    differences += [Difference(sample_id=name, kind="only in B") for name in right if name not in renamed]
    return sorted(differences, key=lambda item: (item.kind, item.sample_id))


def _rows(collection: Collection) -> dict[str, tuple[str, str, str]]:
    columns = collection.table.select(_COLUMNS).to_pydict()
    return {row[0]: row[1:] for row in zip(*columns.values(), strict=True)}


def _kind(a: tuple[str, str, str], b: tuple[str, str, str]) -> str:
    if a[0] != b[0]:
        return "image"
    if a[2] != b[2]:
        return "mask"
    return "mask file" if a[1] != b[1] else ""
