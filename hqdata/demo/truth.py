"""What an audit of the demo should find, as rows of a table: written beside the collections, read by the score."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import combinations
from pathlib import Path

from hqdata.demo.spec import EVALUATION, Spec
from hqdata.errors import UsageError, explain
from hqdata.fsio.atomic import write_bytes

DUPLICATES, LEAKS, SUSPECTS = "duplicates", "leaks", "suspects"
REPORTED = ("extra_file", "unlabelled", "wrong_mask")
"""Errata of samples that a build keeps."""
_IMAGE = ("pair", "image")


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """One thing to be found."""

    table: str
    """``duplicates``, ``leaks`` or ``suspects``."""
    word: str
    """The level of what two masks share, or the kind of a suspect."""
    changes: tuple[str, ...] = ()
    """What was done to either image."""
    mask_id: str
    """In ``leaks`` the mask of the training collection."""
    other_mask_id: str = ""
    """For a suspect the mask of the image that its mask belongs to, where that is a sample."""
    note: str = ""


def truth(items: Sequence[Spec]) -> list[Truth]:
    """Everything that is wrong with the demo's collections, sorted."""
    rows = [*_relations(items), *_followers(items), *_suspects(items)]
    return sorted(rows, key=lambda row: (row.table, row.word, row.mask_id, row.other_mask_id))


def _relations(items: Iterable[Spec]) -> Iterator[Truth]:
    """What every plant shares with its original."""
    for spec in items:
        plant = spec.plant
        if plant and plant.level and plant.other:
            yield Truth(
                table=LEAKS if (plant.other.source, plant.other.part) in EVALUATION else DUPLICATES,
                word=plant.level,
                changes=tuple(sorted(plant.changes)),
                mask_id=spec.mask_id,
                other_mask_id=plant.other.mask_id,
                note=plant.note,
            )


def _followers(items: Iterable[Spec]) -> Iterator[Truth]:
    """What plants with the same original share with each other."""
    plants = [(spec, spec.plant) for spec in items if spec.plant and spec.plant.other]
    for (one, first), (two, second) in combinations(plants, 2):
        word = together(first.level, second.level)
        if first.other == second.other and word:
            yield Truth(
                table=DUPLICATES,
                word=word,
                changes=tuple(sorted({*first.changes, *second.changes} - {"identical", "re-encoded"})),
                mask_id=one.mask_id,
                other_mask_id=two.mask_id,
                note=f"both from {first.other.mask_id}" if first.other else "",
            )


def together(one: str | None, two: str | None) -> str | None:
    """What two plants share that share these with one original.

    >>> together("pair", "pair"), together("pair", "background"), together("object", "background")
    ('pair', 'background', None)
    """
    if one in _IMAGE and two in _IMAGE:
        return "pair" if one == two == "pair" else "image"
    if one in _IMAGE or two in _IMAGE:
        other = two if one in _IMAGE else one
        return other if other == "background" or "pair" in (one, two) else None
    return one if one == two else None


def _suspects(items: Iterable[Spec]) -> Iterator[Truth]:
    """Planted faults, and the errata that the sources themselves are known to have."""
    ids = {spec.mask_id for spec in items}
    for spec in items:
        if spec.plant and spec.plant.fault:
            giver = spec.plant.mask_of.mask_id if spec.plant.mask_of else ""
            yield Truth(
                table=SUSPECTS,
                word=spec.plant.fault,
                mask_id=spec.mask_id,
                other_mask_id=giver if giver in ids else "",
                note=spec.plant.note,
            )
        elif spec.erratum in REPORTED and spec.source != "dut-omron":
            note = f"{spec.erratum.replace('_', ' ')}, as in the real source"
            yield Truth(table=SUSPECTS, word="erratum", mask_id=spec.mask_id, note=note)


def write_truth(path: Path, rows: Iterable[Truth]) -> None:
    """Write a CSV file; the words of ``changes`` are separated by semicolons."""
    text = io.StringIO()
    sheet = csv.writer(text, lineterminator="\n")
    sheet.writerow(field.name for field in fields(Truth))
    for row in rows:
        sheet.writerow([row.table, row.word, ";".join(row.changes), row.mask_id, row.other_mask_id, row.note])
    write_bytes(path, text.getvalue().encode())


def read_truth(path: Path) -> list[Truth]:
    """Read what :func:`write_truth` wrote.

    Raises:
        UsageError: the file has other columns.
    """
    with path.open(newline="", encoding="utf-8") as stream:
        header, *rows = list(csv.reader(stream)) or [[]]
    names = [field.name for field in fields(Truth)]
    if header != names:
        raise UsageError(explain(f"{path} does not list what was planted", expected=", ".join(names), got=header))
    return [
        Truth(
            table=table,
            word=word,
            changes=tuple(filter(None, changes.split(";"))),
            mask_id=one,
            other_mask_id=two,
            note=note,
        )
        for table, word, changes, one, two, note in rows
    ]
