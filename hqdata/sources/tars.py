"""The tars of a draw: which files on disk they are, and which of their images the draw takes.

Tars are listed by their headers, one after the other, and never unpacked or read through; of the millions of images
that they may hold no more are kept in memory than the draw takes. For a tar that is gone, an earlier draw may stand in:
it holds all of it that a larger draw can take.
"""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hqdata.errors import ArchiveError, HQDataError, ManifestError, UsageError, explain
from hqdata.fetch.containers import Tar, first_names
from hqdata.fetch.member import Member
from hqdata.limits import Limits
from hqdata.manifest import AnnotationLayout, Archive, Form, PartLayout, Source
from hqdata.recipe import Draw, Recipe, Take
from hqdata.schema import Reject
from hqdata.sources.draw import choose_tars, eligible, lowest
from hqdata.sources.layout import Candidate, MemberRef, compile_pattern, pair_members, reject
from hqdata.sources.listing import Listed
from hqdata.sources.locate import ArchiveFolder, Located, Route

_LOOKED_AT = 8
"""Members at the start of a tar that are looked at to know it."""

_Pair = tuple[MemberRef, MemberRef]


@dataclass(frozen=True, slots=True, kw_only=True)
class TarFact:
    """One tar as a draw found it."""

    name: str
    size: int
    whole: bool
    images: int
    """Images with a record."""
    taken: int
    """Those that the draw takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldTar:
    """What an earlier draw holds of one of its tars."""

    fact: TarFact
    listed: tuple[Listed, ...]
    rejects: tuple[Reject, ...]
    """Of the tar, and of members that took no part in the draw."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An earlier draw, in a collection. A tar that it stands in for is a :class:`Located` with that folder as path."""

    stamp: str
    """Digest of the collection's index."""
    tars: Mapping[str, HeldTar]
    """By name."""

    def whole(self, name: str) -> bool:
        """Whether a tar ended as it should, so that no other copy of it has more to offer."""
        return self.tars[name].fact.whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What a draw takes from the tars at hand."""

    candidates: tuple[Candidate, ...]
    """Sorted by tar, then by id."""
    listed: tuple[Listed, ...]
    """The same as a listing, and the doubles."""
    rejects: tuple[Reject, ...]
    facts: tuple[TarFact, ...]
    """One for each tar, in the order given."""


def drawn_form(source: Source, take: Take) -> Form:
    """The form that a draw takes from: the first whose archives are a family that holds the part.

    Raises:
        ManifestError: there is none.
    """
    for form in source.forms:
        if form.family and {layout.part for layout in form.annotated} >= take.parts.keys():
            return form
    parts = ", ".join(take.parts)
    got = "no form with a family of archives"
    raise ManifestError(explain(f"nothing can be drawn from part {parts} of {source.name}", got=got))


def refuse_whole(source: Source, recipes: Iterable[Recipe]) -> None:
    """Refuse to take all of a source that is only ever drawn from.

    Raises:
        UsageError: it is one; names the recipes that draw from it.
    """
    if any(form.family for form in source.forms):
        names = [recipe.name for recipe in recipes for take in recipe.take if take.source == source.name and take.draw]
        do = f"take a draw: {', '.join(sorted(names)) or 'a recipe with [take.draw]'}"
        raise UsageError(explain(f"{source.title} is drawn from, never taken whole", do=do))


def find_tars(source: Source, take: Take, draw: Draw, folder: ArchiveFolder) -> Route:
    """Look for the tars of a draw; a name alone never decides, the first members must fit the layout.

    Raises:
        ArchiveError: two files may be the same tar.
    """
    form = drawn_form(source, take)
    assert form.family is not None  # noqa: S101 - drawn_form says so
    layout = _layout(form, take)
    found, missing, rejects = [], [], []
    for name in choose_tars(eligible(source, form.family, draw), draw):
        archive = Archive(name=name)
        paths = [path for path in folder.files if path.name == name]
        fitting = [path for path in paths if _looks_right(path, layout)]
        if len(fitting) > 1:
            raise ArchiveError(
                explain(f"two files may be {name}", got=", ".join(map(str, fitting)), do="keep the whole one only")
            )
        if fitting:
            found.append(Located(archive=archive, owner=source.name, path=fitting[0], is_folder=False))
            continue
        missing.append(archive)
        if paths:
            rejects.append(reject(source.name, name, "", "list", "bad_archive", "does not begin like one of its tars"))
    return Route(
        source=source,
        form=form,
        parts=tuple(take.parts),
        found=tuple(found),
        missing=tuple(missing),
        rejects=tuple(rejects),
    )


def _layout(form: Form, take: Take) -> PartLayout:
    """The part's layout, records in the place of masks."""
    (part,) = take.parts
    annotated: AnnotationLayout = next(item for item in form.annotated if item.part == part)
    return PartLayout(part=part, images=annotated.images, masks=(annotated.annotations,))


def _looks_right(path: Path, layout: PartLayout) -> bool:
    patterns = [compile_pattern(text).regex for text in (*layout.images, *layout.masks)]
    return any(regex.fullmatch(name) for name in first_names(path, _LOOKED_AT) for regex in patterns)


def draw_images(
    source: Source,
    form: Form,
    take: Take,
    draw: Draw,
    tars: Sequence[Located],
    limits: Limits,
    held: Held | None = None,
) -> Drawn:
    """Rank the images of the tars at hand and take the lowest; which masks they have does not matter yet.

    So draws by different mask rules are of the same images. An image whose masks turn out not to satisfy the rule
    becomes a reject, and no other image takes its place.

    Args:
        source: manifest of the source.
        form: its form with a family of archives.
        take: the part and how many images of it.
        draw: the seed.
        tars: at hand, sorted by name; those in a folder are gone, and ``held`` knows them.
        limits: of members and names.
        held: an earlier draw of this seed and size.
    """
    layout = _layout(form, take)
    known = held.tars if held else {}
    listing = _Listing(source, layout, tars, limits, known)
    images = lowest(listing.images(), draw.seed, take.count or 0)
    labels = [tar.archive.name for tar in tars]
    prefix = f"{source.name}/{layout.part}"

    def listed(stem: str, pair: _Pair, *, taken: bool) -> Listed:
        image, record = (ref.member for ref in pair)
        tar = labels[pair[0].container]
        return Listed(tar, f"{prefix}/{stem}", image.name, image.size, record.name, record.size, taken)

    rows = [listed(stem, pair, taken=True) for stem, pair in images.taken.items()]
    for stem, pair in images.doubles:
        first = labels[images.taken[stem][0].container]
        listing.reject(pair[0], "duplicate_id", f"the same name is taken from {first}")
        rows.append(listed(stem, pair, taken=False))
    errata = _errata(source, layout.part)
    candidates = [
        Candidate(
            sample_id=f"{prefix}/{stem}",
            source=source.name,
            part=layout.part,
            image=image,
            mask=record,
            errata=tuple(errata.get(stem, ())),
        )
        for stem, (image, record) in images.taken.items()
    ]
    candidates.sort(key=lambda candidate: (candidate.image.container, candidate.sample_id))
    taken = Counter(candidate.image.container for candidate in candidates)
    facts = [
        TarFact(
            name=name,
            size=known[name].fact.size if tar.is_folder else tar.path.stat().st_size,
            whole=number in listing.whole,
            images=listing.counts.get(number, 0),
            taken=taken[number],
        )
        for number, (name, tar) in enumerate(zip(labels, tars, strict=True))
    ]
    return Drawn(
        candidates=tuple(candidates),
        listed=tuple(sorted(rows)),
        rejects=tuple(sorted(listing.rejects)),
        facts=tuple(facts),
    )


def _errata(source: Source, part: str) -> dict[str, list[str]]:
    """Known faults by stem, sorted."""
    known: dict[str, list[str]] = defaultdict(list)
    for erratum in sorted(source.errata, key=lambda erratum: erratum.kind):
        for stem in erratum.stems if erratum.part == part else ():
            known[unicodedata.normalize("NFC", stem)].append(erratum.kind)
    return known


@dataclass(slots=True)
class _Listing:
    """Goes through tars one by one and remembers what was wrong with them."""

    source: Source
    layout: PartLayout
    tars: Sequence[Located]
    limits: Limits
    held: Mapping[str, HeldTar]
    rejects: set[Reject] = field(default_factory=set)
    counts: dict[int, int] = field(default_factory=dict)
    """Images with a record, by number of the tar."""
    whole: set[int] = field(default_factory=set)
    """Numbers of tars that end as they should."""

    def images(self) -> Iterator[tuple[str, _Pair]]:
        """Stem, image and record of every image that has one."""
        for number, located in enumerate(self.tars):
            if located.is_folder:
                yield from self._held_images(number, self.held[located.archive.name])
                continue
            tar = self._open(number, located)
            if tar is None:
                continue
            refs = [MemberRef(number, member) for member in tar.members]
            pairing = pair_members(self.layout, refs, refs)
            for ref, reason, detail in pairing.strays:
                self.reject(ref, reason, detail)
            for key, (image, record) in pairing.pairs.items():
                if image is not None and record is not None:
                    self.counts[number] = self.counts.get(number, 0) + 1
                    yield key[0], (image, record)
                elif image is not None:
                    self.reject(image, "missing_mask", "")
                elif record is not None:
                    self.reject(record, "missing_image", "")

    def _held_images(self, number: int, tar: HeldTar) -> Iterator[tuple[str, _Pair]]:
        """The same of a tar that is gone, as far as an earlier draw took them."""
        self.counts[number] = tar.fact.images
        if tar.fact.whole:
            self.whole.add(number)
        self.rejects |= set(tar.rejects)
        for row in tar.listed:
            image, record = Member(row.image, row.image_bytes), Member(row.record, row.record_bytes)
            yield row.sample_id.rpartition("/")[2], (MemberRef(number, image), MemberRef(number, record))

    def _open(self, number: int, located: Located) -> Tar | None:
        """The tar, listed; None where it cannot be."""
        name, problem, reason = located.archive.name, "", "bad_archive"
        tar = None
        try:
            tar = Tar(located.path, self.limits, whole=False)
            problem, reason = tar.cut, "truncated"
        except (HQDataError, OSError) as error:
            problem = str(error)
        if problem:
            # Where the file lies is no part of a collection.
            detail = problem.partition("\n")[0].replace(str(located.path), name)
            self.rejects.add(reject(self.source.name, name, "", "list", reason, detail))
        else:
            self.whole.add(number)
        return tar

    def reject(self, ref: MemberRef, reason: str, detail: str) -> None:
        """Remember a member that takes no part."""
        label = self.tars[ref.container].archive.name
        self.rejects.add(reject(self.source.name, label, ref.member.name, "pair", reason, detail))
