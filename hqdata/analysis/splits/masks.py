"""The masks of a collection by name: ids, the source of each, and which ones share an image."""

from collections.abc import Iterable
from dataclasses import dataclass

from hqdata.analysis.duplicates import ONE_IMAGE
from hqdata.analysis.findings import DUPLICATES
from hqdata.errors import UsageError, explain
from hqdata.store.chosen import masks_of_samples
from hqdata.store.derived import find_derived, read_derived_table
from hqdata.store.reader import Collection
from hqdata.strict import nearest


def all_masks(collection: Collection) -> list[str]:
    """Ids of every mask, ``SAMPLE_ID#K``, sorted; an image without mask has none."""
    numbers = masks_of_samples(collection).tolist()
    return sorted(f"{name}#{k}" for name, n in zip(collection.sample_ids, numbers, strict=True) for k in range(n))


def source_of(mask_id: str) -> str:
    """Source of a mask.

    >>> source_of("ecssd/all/0001#0")
    'ecssd'
    """
    return mask_id.partition("/")[0]


def sample_of(mask_id: str) -> str:
    """Sample of a mask.

    >>> sample_of("ecssd/all/a#b#0")
    'ecssd/all/a#b'
    """
    return mask_id.rpartition("#")[0]


def by_source(mask_ids: Iterable[str]) -> dict[str, list[str]]:
    """Masks of each source, both sorted as they come."""
    found: dict[str, list[str]] = {}
    for mask_id in mask_ids:
        found.setdefault(source_of(mask_id), []).append(mask_id)
    return dict(sorted(found.items()))


def require_sources(words: Iterable[str], known: Iterable[str], option: str) -> list[str]:
    """Names of sources; the beginning of one will do where it fits one only.

    Raises:
        UsageError: a word that is none.
    """
    names = sorted(known)
    found = []
    for word in words:
        fitting = [name for name in names if name == word] or [name for name in names if name.startswith(word)]
        if len(fitting) != 1:
            got = f"it may be {' or '.join(fitting)}" if fitting else None
            raise UsageError(explain(f'{option}: there is no source "{word}"', got=got, do=nearest(word, names)))
        found.append(fitting[0])
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Copies:
    """Which samples share an image, as an audit found them."""

    table: str | None
    """Name of the derived table; None where the collection was not audited."""
    groups: dict[str, str]
    """Sample to its group, which bears the name of its least sample; only samples that have copies."""

    def unit(self, mask_id: str) -> str:
        """What must never be torn apart: the mask's image, with all its copies."""
        sample = sample_of(mask_id)
        return self.groups.get(sample, sample)


def find_copies(collection: Collection) -> Copies:
    """Read the groups that an audit left.

    Raises:
        StoreCorrupt: the table is damaged.
    """
    folder = find_derived(collection.folder, DUPLICATES)
    if folder is None:
        return Copies(table=None, groups={})
    members: dict[int, set[str]] = {}
    for row in (
        read_derived_table(folder, DUPLICATES).select(["mask_id", "other_mask_id", "level", "group"]).to_pylist()
    ):
        if row["level"] in ONE_IMAGE:
            members.setdefault(row["group"], set()).update((sample_of(row["mask_id"]), sample_of(row["other_mask_id"])))
    groups = {sample: min(samples) for samples in members.values() for sample in samples}
    return Copies(table=folder.name, groups=groups)
