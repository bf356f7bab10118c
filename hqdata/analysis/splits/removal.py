"""What leaves a split for a reason that belongs to single masks: errata, copies, leaks. Each one becomes a note."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import pyarrow as pa

from hqdata.analysis.duplicates import Worth, why_kept, worth
from hqdata.analysis.findings import DUPLICATES, LEAKS, SUSPECTS
from hqdata.analysis.splits.masks import Copies, sample_of, source_of
from hqdata.analysis.splits.request import ALL, SERIOUS
from hqdata.errors import StoreCorrupt, UsageError, explain
from hqdata.store.derived import newest_derived, read_derived_table, require_derived
from hqdata.store.reader import Collection
from hqdata.strict import nearest

Note: TypeAlias = dict[str, Any]
"""A row of :data:`hqdata.store.split.NOTES_SCHEMA`."""
REFUSED = ("pair",)
"""Levels of leaks that no split may hold unless it is allowed: the evaluation sample itself, image and mask."""


def note(mask_id: str, what: str, why: str, reason: str, row: Mapping[str, Any] | None = None) -> Note:
    """A note; level, other mask and evaluation collection are those of a finding."""
    of = row or {}
    same = {key: of.get(key) for key in ("level", "other_mask_id", "against")}
    return {"mask_id": mask_id, "what": what, "why": why, **same, "reason": reason}


def removed(notes: Iterable[Note]) -> set[str]:
    """Masks that notes remove."""
    return {row["mask_id"] for row in notes if row["what"] == "removed"}


def remove_errata(collection: Collection, mask_ids: Iterable[str]) -> list[Note]:
    """Masks of samples whose source has reported a fault."""
    table = collection.table.select(["sample_id", "errata"]).to_pylist()
    faults = {row["sample_id"]: ", ".join(row["errata"]) for row in table if row["errata"]}
    return [
        note(mask_id, "removed", "errata", f"its source has a known fault here: {faults[sample_of(mask_id)]}")
        for mask_id in mask_ids
        if sample_of(mask_id) in faults
    ]


def remove_suspects(collection: Collection, mask_ids: Iterable[str]) -> list[Note]:
    """Masks that the audit puts forward for removal by themselves.

    Raises:
        StoreCorrupt: the collection was not audited.
    """
    folder = require_derived(collection.folder, SUSPECTS, f"hqdata audit {collection.folder}")
    rows = read_derived_table(folder, SUSPECTS).to_pylist()
    certain = {row["remove"]: f"{row['kind']}: {row['reason']}" for row in rows if row["remove"]}
    return [note(mask_id, "removed", "suspects", certain[mask_id]) for mask_id in mask_ids if mask_id in certain]


def remove_duplicates(collection: Collection, copies: Copies, mask_ids: Sequence[str]) -> list[Note]:
    """All but the best sample of every group of which some are in the choice.

    An audit keeps the best of all; a choice that lacks that one keeps the best of its own.

    Raises:
        StoreCorrupt: the collection was not audited.
    """
    _require_audit(collection, copies)
    position = {sample: place for place, sample in enumerate(collection.sample_ids)}
    worths: list[Worth] = worth(collection)
    members: dict[str, set[str]] = {}
    for sample in {sample_of(mask_id) for mask_id in mask_ids} & copies.groups.keys():
        members.setdefault(copies.groups[sample], set()).add(sample)
    gone: dict[str, Note] = {}
    for samples in members.values():
        best = min(samples, key=lambda sample: worths[position[sample]])
        for sample in samples - {best}:
            why = why_kept(worths[position[best]], worths[position[sample]])
            reason = f"one image with {best}, which is kept: {why}"
            gone[sample] = note("", "removed", DUPLICATES, reason, {"other_mask_id": f"{best}#0"})
    return [{**gone[sample_of(m)], "mask_id": m} for m in mask_ids if sample_of(m) in gone]


def _require_audit(collection: Collection, copies: Copies) -> None:
    if copies.table is None:
        require_derived(collection.folder, DUPLICATES, f"hqdata audit {collection.folder}")


def remove_sources(copies: Copies, mask_ids: Iterable[str], sources: Sequence[str], *, keep_copies: bool) -> list[Note]:
    """Masks of sources that are left out, and the copies that other sources hold of their images."""
    given = list(mask_ids)
    units = {copies.unit(mask_id): source_of(mask_id) for mask_id in given if source_of(mask_id) in sources}
    notes = [
        note(mask_id, "removed", "without", f"{source_of(mask_id)} is left out")
        for mask_id in given
        if source_of(mask_id) in sources
    ]
    if keep_copies:
        return notes
    return notes + [
        note(mask_id, "removed", "copy", f"one image with a sample of {units[copies.unit(mask_id)]}, which is left out")
        for mask_id in given
        if source_of(mask_id) not in sources and copies.unit(mask_id) in units
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaks:
    """What an audit found between the collection and evaluation collections."""

    tables: tuple[str, ...]
    """Names of the derived tables."""
    against: tuple[Mapping[str, str], ...]
    """``name`` and ``content_digest`` of each evaluation collection."""
    rows: tuple[Mapping[str, Any], ...]


def read_leaks(collection: Collection, names: Sequence[str] = ()) -> Leaks:
    """Read what audits found; of an evaluation collection that was audited twice, the newest.

    Args:
        collection: for training.
        names: of evaluation collections, as the audit knew them, or their content digests; all if empty.

    Raises:
        StoreCorrupt: the collection was not audited against one that is named.
    """
    found = newest_derived(collection.folder, LEAKS)
    known = {index[key] for index, _ in found for key in ("against", "against_digest")}
    for name in names:
        if name not in known:
            raise StoreCorrupt(
                explain(
                    f"{collection.folder} was not audited against {name}",
                    got=f"only against {', '.join(sorted(index['against'] for index, _ in found)) or 'none'}",
                    did="nothing was written",
                    do=f"run `hqdata audit {collection.folder} --against DIR` with it",
                )
            )
    wanted = [(i, folder) for i, folder in found if not names or {i["against"], i["against_digest"]} & {*names}]
    table = pa.concat_tables([read_derived_table(folder, LEAKS) for _, folder in wanted]) if wanted else None
    return Leaks(
        tables=tuple(folder.name for _, folder in wanted),
        against=tuple({"name": index["against"], "content_digest": index["against_digest"]} for index, _ in wanted),
        rows=tuple(table.to_pylist()) if table else (),
    )


def remove_leaks(leaks: Leaks, mask_ids: Iterable[str], levels: Sequence[str]) -> list[Note]:
    """Masks that share something with an evaluation collection, at the levels that are asked for."""
    chosen = {*mask_ids}
    return _once(
        [
            note(row["mask_id"], "removed", LEAKS, f"{row['reason']} ({row['against']})", row)
            for row in leaks.rows
            if row["mask_id"] in chosen and row["level"] in levels
        ]
    )


def _once(notes: Iterable[Note]) -> list[Note]:
    """The first note of every mask."""
    found: dict[str, Note] = {}
    for row in notes:
        found.setdefault(row["mask_id"], row)
    return list(found.values())


def check_leaks(leaks: Leaks, mask_ids: Iterable[str], allowed: Callable[[str], bool]) -> list[Note]:
    """What the final choice shares with evaluation collections: refused, allowed or warned of.

    Args:
        leaks: of the collection.
        mask_ids: of the split.
        allowed: whether the samples of an evaluation collection of this name may be trained on.

    Raises:
        UsageError: it holds evaluation samples, image and mask, that nobody allowed; the first pairs are named.
    """
    chosen = {*mask_ids}
    rows = [row for row in leaks.rows if row["mask_id"] in chosen and row["level"] in SERIOUS]
    bad = [row for row in rows if row["level"] in REFUSED and not allowed(row["against"])]
    if bad:
        pairs = ", ".join(f"{row['mask_id']} = {row['other_mask_id']}" for row in bad[:3])
        names = sorted({row["against"] for row in bad})
        raise UsageError(
            explain(
                f"{len(bad):,} masks of the split are samples of {', '.join(names)}, image and mask",
                got=pairs + (", ..." if len(bad) > 3 else ""),
                did="nothing was written",
                do="leave them out (--exclude-audit leaks), or record that you want them: "
                + " ".join(f"--allow-leaks {name}" for name in names),
            )
        )
    return [
        note(row["mask_id"], "leak", "allowed" if allowed(row["against"]) else "warned", row["reason"], row)
        for row in rows
    ]


def require_known(words: Iterable[str], leaks: Leaks) -> None:
    """Make sure that allowances name evaluation collections that there are.

    Raises:
        UsageError: one does not.
    """
    known = [row["name"] for row in leaks.against]
    for word in words:
        if word not in {ALL, *known}:
            do = nearest(word, [*known, ALL])
            raise UsageError(explain(f'--allow-leaks: the collection was not audited against "{word}"', do=do))
