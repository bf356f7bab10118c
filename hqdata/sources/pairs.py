"""From the containers of one source to its candidates: lists, ids, flattened names, errata, missing partners."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hqdata.fetch.containers import Container
from hqdata.manifest import Form, PartLayout, Source
from hqdata.schema import Reject
from hqdata.sources.layout import (
    Candidate,
    Key,
    MemberRef,
    listed_stems,
    pair_members,
    reject,
    unflatten,
)

_MASK_OPTIONAL = {"unlabelled"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An archive or folder of a source, opened; ``number`` is its place in the plan's list of containers."""

    archive: str
    """The archive's name in the manifest; empty for a folder that stands for all of them."""
    label: str
    """How rejects name it."""
    container: Container
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Candidates and rejects of one source."""

    candidates: tuple[Candidate, ...]
    rejects: tuple[Reject, ...]


def list_pairs(source: Source, form: Form, parts: Sequence[str], opened: Sequence[Opened]) -> Listing:
    """Pair the members of the wanted parts; candidates come sorted by sample id.

    Args:
        source: manifest of the source.
        form: the form at hand.
        parts: wanted parts.
        opened: the form's archives, or one folder that stands for them.
    """
    layouts = [layout for layout in form.parts if layout.part in parts]
    candidates: list[Candidate] = []
    rejects: set[Reject] = set()
    for layout in layouts:
        found = _Part(source, form, layout, opened).listing()
        candidates.extend(found.candidates)
        rejects.update(found.rejects)
    used = {(ref.container, ref.member.name) for c in candidates for ref in (c.image, c.mask) if ref}
    labels = {item.number: item.label for item in opened}
    taken = {(labels[number], name) for number, name in used}
    kept, doubles = _unique(candidates, labels)
    rejects = {row for row in rejects if (row.archive, row.member) not in taken}
    return Listing(candidates=tuple(kept), rejects=tuple(sorted({*rejects, *doubles})))


def _unique(candidates: list[Candidate], labels: Mapping[int, str]) -> tuple[list[Candidate], list[Reject]]:
    """Keep the first candidate of each id, by member name; the others are rejects."""
    kept: dict[str, Candidate] = {}
    doubles = []
    for candidate in sorted(candidates, key=lambda c: (c.sample_id, c.image.member.name)):
        first = kept.setdefault(candidate.sample_id, candidate)
        if first is not candidate:
            where = labels[candidate.image.container]
            detail = f"{first.image.member.name} is taken for {candidate.sample_id}"
            name = candidate.image.member.name
            doubles.append(reject(candidate.source, where, name, "pair", "duplicate_id", detail))
    return list(kept.values()), doubles


class _Part:
    """One part of one form."""

    def __init__(self, source: Source, form: Form, layout: PartLayout, opened: Sequence[Opened]) -> None:
        self.source, self.form, self.layout = source, form, layout
        self.images = _side(opened, layout.image_archive)
        self.masks = _side(opened, layout.mask_archive)
        self.labels = {item.number: item.label for item in opened}
        self.rejects: list[Reject] = []
        self.errata: dict[str, list[str]] = {}
        for erratum in source.errata:
            if erratum.part == layout.part:
                for stem in erratum.stems:
                    self.errata.setdefault(unicodedata.normalize("NFC", stem), []).append(erratum.kind)

    def listing(self) -> Listing:
        pairing = pair_members(self.layout, self.images.refs, self.masks.refs)
        listed, elsewhere = self._lists(pairing.pairs)
        for ref, reason, detail in pairing.strays:
            if not self._is_list(ref):
                self._reject(ref, reason, detail)
        names = self._names([key[0] for key in pairing.pairs if len(key) == 1])
        candidates = []
        for key, (image, mask) in pairing.pairs.items():
            if listed is not None and key[-1] not in listed:
                if key[-1] not in elsewhere:
                    for side in (image, mask):
                        self._reject(side, "unlisted", "in no list of the form")
                continue
            candidate = self._candidate(key, image, mask, names)
            if candidate:
                candidates.append(candidate)
        if listed is not None:
            self._reject_absent(listed, {key[-1] for key in pairing.pairs})
        return Listing(candidates=tuple(candidates), rejects=tuple(self.rejects))

    def _candidate(
        self, key: Key, image: MemberRef | None, mask: MemberRef | None, names: Mapping[str, Key]
    ) -> Candidate | None:
        stem = "/".join(names.get(key[0], key) if len(key) == 1 else key)
        errata = tuple(sorted(self.errata.get(stem, ())))
        if image is None:
            self._reject(mask, "missing_image", "")
            return None
        if mask is None and not _MASK_OPTIONAL.intersection(errata):
            self._reject(image, "missing_mask", "")
            return None
        unmapped = bool(self.layout.names) and key[0] not in names
        return Candidate(
            sample_id=f"{self.source.name}/{self.layout.part}/{stem}",
            source=self.source.name,
            part=self.layout.part,
            image=image,
            mask=mask,
            flags=("name_unmapped",) if unmapped else (),
            errata=errata,
        )

    def _names(self, stems: Sequence[str]) -> dict[str, Key]:
        return unflatten(stems, self.layout.names) if self.layout.names else {}

    def _reject(self, ref: MemberRef | None, reason: str, detail: str) -> None:
        if ref is not None:
            label = self.labels[ref.container]
            self.rejects.append(reject(self.source.name, label, ref.member.name, "pair", reason, detail))

    def _is_list(self, ref: MemberRef) -> bool:
        return any(layout.list and _ends_with(ref.member.name, layout.list) for layout in self.form.parts)

    def _lists(self, pairs: Mapping[Key, object]) -> tuple[set[str] | None, set[str]]:
        """Stems that the part's list holds (None without list), and those of the form's other lists."""
        if self.layout.list is None or not pairs:
            return None, set()
        own: set[str] | None = None
        elsewhere: set[str] = set()
        for layout in self.form.parts:
            if layout.list is None:
                continue
            stems = self._read_list(layout.list)
            if layout.part == self.layout.part:
                own = stems
            elif stems is not None:
                elsewhere |= stems
        return own, elsewhere

    def _read_list(self, pattern: str) -> set[str] | None:
        for side in (self.images, self.masks):
            for ref in side.refs:
                if _ends_with(ref.member.name, pattern):
                    return set(listed_stems(side.container.read(ref.member).decode("utf-8-sig", "replace")))
        detail = "not there"
        if pattern == self.layout.list:
            detail += f": every file is taken for part {self.layout.part}"
        label = self.labels[self.images.number]
        self.rejects.append(reject(self.source.name, label, pattern, "list", "listed_absent", detail))
        return None

    def _reject_absent(self, listed: set[str], present: set[str]) -> None:
        label = self.labels[self.images.number]
        for stem in sorted(listed - present):
            row = reject(self.source.name, label, stem, "list", "listed_absent", f"named in {self.layout.list}")
            self.rejects.append(row)


def _ends_with(name: str, tail: str) -> bool:
    return name == tail or name.endswith("/" + tail)


@dataclass(frozen=True, slots=True)
class _Side:
    """Members that hold one side of a part, and where they lie."""

    number: int
    container: Container
    refs: tuple[MemberRef, ...]


def _side(opened: Sequence[Opened], archive: str | None) -> _Side:
    """Side held by the named archive, or by the only container."""
    chosen = next((item for item in opened if archive is None or item.archive in {"", archive}), opened[0])
    refs = tuple(MemberRef(chosen.number, member) for member in chosen.container.members)
    return _Side(chosen.number, chosen.container, refs)
