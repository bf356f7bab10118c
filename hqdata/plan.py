"""What a build will do, before it does it: which form of each source, which archives, which samples, which shards.

A plan reads listings, never pixels. It is a pure function of the recipe, the manifests and the files at hand.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata
from itertools import groupby
from pathlib import Path

from PIL import features

from hqdata.catalog import Catalog, manifest_digest
from hqdata.errors import ChecksumMismatch, explain
from hqdata.fetch.archive import open_container, stamp_of
from hqdata.fsio.digest import digest_of
from hqdata.limits import Limits
from hqdata.manifest import Archive, Source
from hqdata.recipe import Draw, Recipe, Take
from hqdata.schema import Reject
from hqdata.shard import ContainerRef, ShardSpec
from hqdata.sources.layout import Candidate
from hqdata.sources.listing import Listed
from hqdata.sources.locate import ArchiveFolder, Located, Locator, Published, Route
from hqdata.sources.normalize import MaskRules
from hqdata.sources.pairs import Opened, list_pairs
from hqdata.sources.record import RecordRules
from hqdata.sources.tars import Held, TarFact, draw_images, find_tars, refuse_whole


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveFact:
    """An archive as it was used."""

    name: str
    owner: str
    size: int
    sha256: str
    verified: str
    """``published`` (the manifest's hash), ``locked`` (the user's lock file's), ``first use`` (nobody publishes one),
    or ``unverified`` (it differs, and the user allowed it)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcePlan:
    """One source of a plan."""

    source: Source
    take: Take
    form: str
    packed: str
    """``archives``, ``folder``, or ``tars`` of a draw."""
    archives: tuple[ArchiveFact, ...]
    """None for a draw: its tars are read in part, so that no hash of them is known."""
    containers: tuple[ContainerRef, ...]
    candidates: tuple[Candidate, ...]
    rejects: tuple[Reject, ...]
    rules: MaskRules | RecordRules
    tars: tuple[TarFact, ...] = ()
    """Of a draw."""
    listed: tuple[Listed, ...] = ()
    """Of a draw: what it takes, and from which tar."""
    missing: tuple[str, ...] = ()
    """Names of the tars that a draw chose and that are not at hand."""

    def pairs(self) -> Counter[str]:
        """Candidates by part."""
        return Counter(candidate.part for candidate in self.candidates)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A whole build, planned."""

    recipe: Recipe
    sources: tuple[SourcePlan, ...]
    absent: tuple[Take, ...]
    """Takes of which nothing is at hand (only with ``--partial``)."""
    shards: tuple[ShardSpec, ...]

    @property
    def digest(self) -> str:
        """Digest of all that decides the collection's bytes; names the folder of an unfinished build."""
        return digest_of([manifest_digest(self.recipe), [spec.stamped for spec in self.shards]])


def library_versions() -> tuple[tuple[str, str], ...]:
    """Versions of the libraries that decide a collection's bytes."""
    codecs = {name: features.version(name) or "" for name in ("jpg", "libjpeg_turbo", "zlib")}
    packages = {name: metadata.version(name) for name in ("hqdata", "pillow", "pyarrow", "numpy")}
    return tuple(sorted({**packages, **codecs}.items()))


def find_routes(
    recipe: Recipe, catalog: Catalog, folder: ArchiveFolder, published: Published, prefer: str
) -> list[Route]:
    """Choose the form of every source of a recipe."""
    locator = Locator(catalog, folder, published)
    routes = []
    for take in recipe.take:
        source = catalog.source(take.source)
        if take.draw:
            routes.append(find_tars(source, take, take.draw, folder))
            continue
        refuse_whole(source, catalog.recipes.values())
        routes.append(locator.route(source, list(take.parts), prefer))
    return routes


def check_archive(
    located: Located, folder: ArchiveFolder, published: Published, locked: Published, *, unverified: bool
) -> ArchiveFact:
    """Hold an archive's bytes against the published or locked hash.

    Raises:
        ChecksumMismatch: they differ and ``unverified`` is off.
    """
    archive, path = located.archive, located.path
    size, sha256 = path.stat().st_size, folder.sha256(path)
    verified = "first use"
    for word, source in (("published", published), ("locked", locked)):
        expected_size, expected = source(located.owner, archive)
        if expected is None and expected_size is None:
            continue
        verified = word
        if expected_size not in {None, size} or expected not in {None, sha256}:
            verified = "unverified"
            if not unverified:
                raise ChecksumMismatch(
                    explain(
                        f"{path} is not the {word} {located.owner}/{archive.name}",
                        expected=f"{expected_size or 'any number of'} bytes, sha256 {expected}",
                        got=f"{size} bytes, sha256 {sha256}",
                        did="nothing was built",
                        do="fetch it again, or build all the same with --unverified (the index will say so)",
                    )
                )
        break
    return ArchiveFact(name=archive.name, owner=located.owner, size=size, sha256=sha256, verified=verified)


def plan_source(
    take: Take, route: Route, facts: dict[Path, ArchiveFact], folder: ArchiveFolder, limits: Limits
) -> SourcePlan:
    """List a source's containers and pair their members."""
    opened, refs = [], []
    for number, located in enumerate(route.found):
        path = located.path if located.is_folder else folder.readable(located.path)
        container = open_container(path, limits)
        label = route.form.name if located.is_folder else located.archive.name
        opened.append(Opened(archive=located.archive.name, label=label, container=container, number=number))
        fact = facts.get(located.path)
        stamp = stamp_of(path, container.members) if located.is_folder else (fact.sha256 if fact else "")
        refs.append(ContainerRef(path=path, stamp=stamp, label=label, sha256=fact.sha256 if fact else None))
    listing = list_pairs(route.source, route.form, route.parts, opened)
    return SourcePlan(
        source=route.source,
        take=take,
        form=route.form.name,
        packed="folder" if any(located.is_folder for located in route.found) else "archives",
        archives=tuple(facts[located.path] for located in route.found if not located.is_folder),
        containers=tuple(refs),
        candidates=listing.candidates,
        rejects=listing.rejects,
        rules=MaskRules(
            coding=route.form.mask_coding or route.source.mask_coding, frame=route.source.mask_frame or "unknown"
        ),
    )


def plan_draw(take: Take, draw: Draw, route: Route, limits: Limits, held: Held | None = None) -> SourcePlan:
    """List the tars of a draw and rank their images; ``held`` stands in for tars that are gone."""
    drawn = draw_images(route.source, route.form, take, draw, route.found, limits, held)
    containers = [
        ContainerRef(
            path=located.path,
            stamp=held.stamp if held and located.is_folder else stamp_of(located.path, ()),
            label=located.archive.name,
            sha256=None,
            listed=False,
            held=located.is_folder,
        )
        for located in route.found
    ]
    return SourcePlan(
        source=route.source,
        take=take,
        form=route.form.name,
        packed="tars",
        archives=(),
        containers=tuple(containers),
        candidates=drawn.candidates,
        rejects=tuple(sorted({*drawn.rejects, *route.rejects})),
        rules=RecordRules(masks=draw.masks, per_image=draw.per_image, seed=draw.seed, single=draw.single),
        tars=drawn.facts,
        listed=drawn.listed,
        missing=tuple(archive.name for archive in route.missing),
    )


def make_shards(sources: Iterable[SourcePlan], limits: Limits) -> tuple[ShardSpec, ...]:
    """Cut each source's candidates into shards of bounded bytes and rows; a shard of a draw reads one tar only."""
    versions = library_versions()
    shards = []
    for source in sources:
        pieces = [source.candidates]
        if source.take.draw:
            pieces = [tuple(piece) for _, piece in groupby(source.candidates, lambda item: item.image.container)]
        groups = (group for piece in pieces for group in _cut(piece, limits))
        for number, group in enumerate(groups):
            shards.append(
                ShardSpec(
                    name=f"{source.source.name}-{number:05d}",
                    candidates=group,
                    containers=source.containers,
                    rules=source.rules,
                    limits=limits,
                    manifest_digest=manifest_digest(source.source),
                    versions=versions,
                )
            )
    return tuple(sorted(shards, key=lambda spec: spec.name))


def _cut(candidates: Sequence[Candidate], limits: Limits) -> Iterable[tuple[Candidate, ...]]:
    group: list[Candidate] = []
    held = 0
    for candidate in candidates:
        if group and (held + candidate.size > limits.shard_bytes or len(group) == limits.shard_rows):
            yield tuple(group)
            group, held = [], 0
        group.append(candidate)
        held += candidate.size
    if group:
        yield tuple(group)


def published_by(catalog_archive: Archive) -> tuple[int | None, str | None]:
    """Size and sha256 that a manifest publishes."""
    return catalog_archive.size, catalog_archive.sha256
