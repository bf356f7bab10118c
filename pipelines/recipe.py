"""A recipe becomes a collection: find the archives, fetch what is missing, pair, normalize, write, verify.

Run it as ``hqdata build RECIPE --out DIR``, or from Python::

    from hqdata.pipelines.recipe import Options, build_recipe
    build_recipe("hqseg-44k", Path("hqseg-44k"), Options(archives=Path("archives")))
"""

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from hqdata.build import Built, build_collection, recover
from hqdata.catalog import Catalog, load_catalog
from hqdata.errors import ArchiveError, StoreCorrupt, explain
from hqdata.fetch.lockfile import Lock
from hqdata.fetch.mirrors import fetch_file
from hqdata.fetch.progress import Progress, SilentProgress
from hqdata.fetch.terms import Ask
from hqdata.home import accepted_terms, default_archives, lock_file
from hqdata.limits import DEFAULT, Limits
from hqdata.manifest import Archive, Source
from hqdata.pipelines.drawn import (
    NO_CHOICE,
    PASS,
    DrawOptions,
    drop_tars,
    fetch_tars,
    redraw,
    require_tars,
    require_useful,
    wanted_tars,
)
from hqdata.pipelines.held import require_kept, stand_in
from hqdata.plan import ArchiveFact, Plan, check_archive, find_routes, make_shards, plan_draw, plan_source, published_by
from hqdata.recipe import Recipe
from hqdata.sources.locate import ArchiveFolder, Route
from hqdata.sources.tars import Held
from hqdata.store.verify import verify

_ARCHIVE_SUFFIXES = {".zip", ".tar", ".gz", ".tgz", ".7z", ".rar"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Choices of a build; the defaults are those of the command line."""

    archives: Path | None = None
    """Folder that holds archives or unpacked sources, and that fetched ones go to; None: the user's own."""
    manifests: tuple[Path, ...] = ()
    accepted: tuple[str, ...] = ()
    prefer: str | None = None
    partial: bool = False
    unverified: bool = False
    replace: bool = False
    offline: bool = False
    workers: int = 1
    limits: Limits = DEFAULT
    draw: DrawOptions = NO_CHOICE
    ask: Ask | None = None
    progress: Callable[[str], Progress] = field(default=lambda _unit: SilentProgress())

    @property
    def folder(self) -> Path:
        """Folder of archives."""
        return self.archives or default_archives()


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """A recipe against the files at hand."""

    recipe: Recipe
    catalog: Catalog
    folder: ArchiveFolder
    routes: tuple[Route, ...]
    held: Mapping[str, Held]
    """By source: the draw of the finished collection that stands in for tars that are gone."""

    def missing(self) -> list[tuple[str, Archive]]:
        """Archives to be fetched: owner and archive, each once; without those of draws."""
        found: dict[tuple[str, str], tuple[str, Archive]] = {}
        for take, route in zip(self.recipe.take, self.routes, strict=True):
            if take.draw:
                continue
            for archive in route.missing:
                owner = self.catalog.owner(archive, route.source.name)
                found[owner, archive.name] = (owner, archive)
        return [found[key] for key in sorted(found)]

    def drawn(self) -> list[Route]:
        """Routes of draws: their tars come from the user's links, and a draw goes without those that do not come."""
        return [route for take, route in zip(self.recipe.take, self.routes, strict=True) if take.draw]

    def wanted(self) -> list[str]:
        """Tars of draws that are to be fetched."""
        return [name for route in self.drawn() for name in wanted_tars(route, self.held.get(route.source.name))]

    def owners(self) -> list[Source]:
        """Sources of the recipe, and the bundles that they are taken from: whose terms apply."""
        names = [route.source.name for route in self.routes]
        names += [self.catalog.owner(a, r.source.name) for r in self.routes for a in r.missing]
        names += [located.owner for route in self.routes for located in route.found]
        return [self.catalog.source(name) for name in dict.fromkeys(names)]


def build_recipe(name: str, out: Path, options: Options) -> Built:
    """Build a recipe, or a whole source by its own name, into ``out``, and verify it.

    Tars that are fetched to be deleted come a few at a time, each time extending the collection.

    Raises:
        HQDataError: see its text; nothing half-made is left under ``out``.
    """
    built, more = _build_once(name, out, options)
    while more:
        built, more = _build_once(name, out, replace(options, replace=True))
    return built


def _build_once(name: str, out: Path, options: Options) -> tuple[Built, bool]:
    """Fetch and build; also tells whether more tars are to be fetched for it."""
    with spool_folder(out) as spool:
        situation = survey(name, options, spool, out)
        if situation.drawn() and recover(out):
            situation = survey(name, options, spool, out)
        accepted_terms().require(situation.owners(), options.accepted, options.ask)
        tars: list[Path] = []
        if not options.partial:
            fetched = fetch_missing(situation, options) if situation.missing() else []
            tars = _fetch_tars(situation, options)
            if fetched + tars:
                situation = survey(name, options, spool, out)
                require_useful(tars, situation.wanted())
        require_tars(situation.drawn(), options.folder)
        built = _build(situation, out, options)
    lock_first_uses(built, options)
    if options.draw.drop:
        drop_tars(situation.drawn(), out)
    return built, options.draw.in_passes and bool(tars) and bool(situation.wanted())


def _build(situation: Situation, out: Path, options: Options) -> Built:
    """Plan, build, verify."""
    plan = make_plan(situation, options)
    if options.replace:
        require_kept(situation.drawn(), out)
    if situation.held:
        # A flipped bit must not pass from one collection to the next, there to get a digest of its own.
        require_intact(out, options)
    rows = options.progress("samples")
    rows.start(f"building {situation.recipe.name}", sum(len(spec.candidates) for spec in plan.shards))
    try:
        built = build_collection(
            plan,
            out,
            workers=options.workers,
            partial=options.partial,
            replace=options.replace,
            grow=options.draw.in_passes and bool(situation.held),
            on_rows=rows.advance,
        )
    finally:
        rows.finish()
    if built.fresh or not situation.held:
        require_intact(out, options)
    return built


def _fetch_tars(situation: Situation, options: Options) -> list[Path]:
    """Fetch the tars of draws from the user's links, where there are any."""
    if options.draw.links is None or options.offline:
        return []
    return fetch_tars(
        situation.drawn(),
        options.draw.links,
        options.folder,
        options.limits,
        options.progress("B"),
        held=situation.held,
        most=PASS if options.draw.in_passes else None,
    )


@contextlib.contextmanager
def spool_folder(out: Path) -> Iterator[Path]:
    """Folder beside ``out`` for inflated archives; made when first used, removed at the end."""
    spool = out.with_name(f".{out.name}.spool")
    try:
        yield spool
    finally:
        shutil.rmtree(spool, ignore_errors=True)


def survey(name: str, options: Options, spool: Path, out: Path) -> Situation:
    """Choose forms and find archives; nothing is fetched or written."""
    catalog = load_catalog(options.manifests)
    recipe = redraw(catalog.recipe(name), options.draw)
    folder = ArchiveFolder(options.folder, options.limits, spool, options.progress("B"))
    prefer = options.prefer or recipe.prefer
    routes, held = stand_in(recipe, find_routes(recipe, catalog, folder, known_hash, prefer), out)
    return Situation(recipe=recipe, catalog=catalog, folder=folder, routes=tuple(routes), held=held)


def known_hash(owner: str, archive: Archive) -> tuple[int | None, str | None]:
    """Size and sha256 that an archive must have: the manifest's, else the lock file's."""
    size, sha256 = published_by(archive)
    return (size, sha256) if sha256 else locked_hash(owner, archive)


def locked_hash(owner: str, archive: Archive) -> tuple[int | None, str | None]:
    """Size and sha256 in the user's lock file."""
    lock = lock_file().get(owner, archive.name)
    return (lock.size, lock.sha256) if lock else (None, None)


def fetch_missing(situation: Situation, options: Options) -> list[Path]:
    """Fetch every archive that the chosen forms lack.

    Raises:
        ArchiveError: ``offline``; names what is missing, and files that looked like it but are damaged.
        DownloadError: a mirror list came to its end.
    """
    missing = situation.missing()
    if missing and options.offline:
        names = ", ".join(f"{owner}/{archive.name}" for owner, archive in missing)
        suspects = [path for path in situation.folder.damaged if path.suffix.lower() in _ARCHIVE_SUFFIXES]
        damaged = "\n".join(f"  {situation.folder.damaged[path]}" for path in suspects)
        raise ArchiveError(
            explain(
                f"archives are missing: {names}" + (f"\nfiles that could not be read:\n{damaged}" if damaged else ""),
                got=f"nothing that fits in {options.folder}",
                do="put them there, run without --offline, or build what is there with --partial",
            )
        )
    return [fetch_archive(owner, archive, options) for owner, archive in missing]


def fetch_archive(owner: str, archive: Archive, options: Options) -> Path:
    """Fetch one archive into ``ARCHIVES/OWNER/NAME`` and lock it if nobody publishes its hash."""
    size, sha256 = known_hash(owner, archive)
    fetched = fetch_file(
        f"{owner}/{archive.name}",
        archive.mirrors,
        options.folder / owner / archive.name,
        size=size,
        sha256=sha256,
        limits=options.limits,
        progress=options.progress("B"),
    )
    if archive.sha256 is None:
        lock_file().put(owner, archive.name, Lock(size=fetched.size, sha256=fetched.sha256))
    return fetched.path


def make_plan(situation: Situation, options: Options) -> Plan:
    """List, check and pair what is at hand."""
    facts: dict[Path, ArchiveFact] = {}
    folder = situation.folder
    drawn = situation.drawn()
    for route in situation.routes:
        for located in route.found:
            if not located.is_folder and located.path not in facts and route not in drawn:
                facts[located.path] = check_archive(
                    located, folder, _published, locked_hash, unverified=options.unverified
                )
    pairs = list(zip(situation.recipe.take, situation.routes, strict=True))
    sources = [
        plan_draw(take, take.draw, route, options.limits, situation.held.get(take.source))
        if take.draw
        else plan_source(take, route, facts, folder, options.limits)
        for take, route in pairs
        if route.found
    ]
    return Plan(
        recipe=situation.recipe,
        sources=tuple(sources),
        absent=tuple(take for take, route in pairs if not route.found),
        shards=make_shards(sources, options.limits),
    )


def _published(_owner: str, archive: Archive) -> tuple[int | None, str | None]:
    return published_by(archive)


def require_intact(out: Path, options: Options) -> None:
    """Verify a collection that was just published.

    Raises:
        StoreCorrupt: the disk does not hold what was written.
    """
    bar = options.progress("B")
    bar.start(f"verifying {out.name}", sum(path.stat().st_size for path in out.iterdir()))
    try:
        problems = verify(out, on_bytes=bar.advance)
    finally:
        bar.finish()
    if problems:
        raise StoreCorrupt(explain(f"{out} does not verify", got=f"{problems[0].file} {problems[0].what}"))


def lock_first_uses(built: Built, options: Options) -> None:
    """Lock archives that were used for the first time, once a whole collection came out of them."""
    if options.partial or built.index["shortfall"]:
        return
    for source in built.index["sources"].values():
        for fact in source["archives"]:
            if fact["verified"] == "first use":
                lock_file().put(fact["owner"], fact["name"], Lock(size=fact["size"], sha256=fact["sha256"]))
