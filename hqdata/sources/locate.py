"""Which file or folder on disk is which archive: by sha256, else by a ``SOURCE/`` sub-folder, else by its members.

A file's name alone never decides: ECSSD's archive is called ``images.zip``, and so are others. It only breaks a tie
between archives whose members already fit.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hqdata.catalog import Catalog
from hqdata.errors import ArchiveError, HQDataError, explain
from hqdata.fetch.archive import container_kind, inflate, open_container
from hqdata.fetch.member import Member
from hqdata.fetch.progress import SILENT, Progress
from hqdata.fsio.digest import digest_of, sha256_file
from hqdata.limits import Limits
from hqdata.manifest import Archive, Form, PartLayout, Source
from hqdata.schema import Reject
from hqdata.sources.layout import MemberRef, compile_pattern, pair_members

_DEPTH = 2
Published = Callable[[str, Archive], tuple[int | None, str | None]]
"""Size and sha256 that an archive must have, by owner: the manifest's, else the lock file's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """An archive of a form, found."""

    archive: Archive
    owner: str
    path: Path
    is_folder: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The form that a source is built from, what was found of it and what is missing."""

    source: Source
    form: Form
    parts: tuple[str, ...]
    found: tuple[Located, ...]
    missing: tuple[Archive, ...]
    rejects: tuple[Reject, ...] = ()
    """Files that have an archive's name and are something else."""


class ArchiveFolder:
    """The files of ``--archives``: listed once, hashed and opened only where a question needs it."""

    def __init__(self, root: Path, limits: Limits, spool: Path, progress: Progress = SILENT) -> None:
        self.root, self.limits, self._spool, self._progress = root, limits, spool, progress
        self._hashes: dict[Path, str] = {}
        self._members: dict[Path, tuple[Member, ...] | None] = {}
        self.damaged: dict[Path, str] = {}

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """Files of the folder and of its sub-folders, sorted."""
        if not self.root.is_dir():
            return ()
        found = []
        for depth in range(1, _DEPTH + 1):
            for path in self.root.glob("/".join("*" * depth)):
                if path.is_file() and not path.name.startswith(".") and not path.name.endswith((".part", ".json")):
                    found.append(path)
        return tuple(sorted(found))

    def sha256(self, path: Path) -> str:
        """Hash a file, once."""
        if path not in self._hashes:
            self._progress.start(f"checking {path.name}", path.stat().st_size)
            try:
                self._hashes[path] = sha256_file(path, self._progress.advance)
            finally:
                self._progress.finish()
        return self._hashes[path]

    def readable(self, path: Path) -> Path:
        """The path itself, or the plain tar that a tar.gz was inflated to."""
        if container_kind(path) != "tar.gz":
            return path
        state = path.stat()
        target = self._spool / f"{digest_of([str(path), state.st_size, state.st_mtime_ns])[:16]}.tar"
        return target if target.exists() else inflate(path, target, self.limits)

    def members(self, path: Path) -> tuple[Member, ...] | None:
        """Members of a file or folder; None if it is no archive or a damaged one."""
        if path not in self._members:
            try:
                self._members[path] = open_container(self.readable(path), self.limits).members
            except HQDataError as error:
                self._members[path] = None
                self.damaged[path] = str(error)
        return self._members[path]


def fitting_pairs(
    archives: Sequence[str], parts: Sequence[PartLayout], archive: str | None, members: Sequence[Member]
) -> int:
    """Count what fits an archive's share of the parts' patterns: pairs, or images or masks where it holds one side.

    Args:
        archives: names of all archives of the form.
        parts: parts that are wanted.
        archive: the archive in question; None for a folder that stands for all.
        members: what is in the file or folder.
    """
    refs = [MemberRef(0, member) for member in members]
    total = 0
    for layout in parts:
        sides = [
            archive is None or side == archive or (side is None and archives[0] == archive)
            for side in (layout.image_archive, layout.mask_archive)
        ]
        if not any(sides):
            continue
        pairing = pair_members(layout, refs if sides[0] else (), refs if sides[1] else ())
        wanted = [pair for pair in pairing.pairs.values() if all(pair[i] for i in range(2) if sides[i])]
        total += len(wanted)
    return total


class Locator:
    """Finds the archives of a recipe's sources below one folder."""

    def __init__(self, catalog: Catalog, folder: ArchiveFolder, published: Published) -> None:
        self.catalog, self.folder, self.published = catalog, folder, published

    def route(self, source: Source, parts: Sequence[str], prefer: str | None) -> Route:
        """Choose the form: the first complete one in order of preference, else the one to be fetched.

        A form whose archives are not what was published comes after one that nothing speaks against.

        Raises:
            ArchiveError: no form of the source has the wanted parts, or a file fits several sources.
        """
        forms = [form for form in source.forms if set(parts) <= {layout.part for layout in form.parts}]
        if not forms:
            raise ArchiveError(
                explain(
                    f"{source.title} cannot be built: no known form holds {', '.join(parts) or 'any part'}",
                    do=f"see `hqdata sources {source.name}` for what is known and open",
                )
            )
        forms.sort(key=lambda form: form.name != prefer)
        routes = [self._try(source, form, tuple(parts)) for form in forms]
        complete = [route for route in routes if not route.missing]
        sound = [route for route in complete if not any(self._is_another(item) for item in route.found)]
        return (sound or complete or [max(routes, key=lambda route: bool(route.found))])[0]

    def _is_another(self, located: Located) -> bool:
        """Whether a file is not the one that was published under the name it was found for."""
        size, sha256 = self.published(located.owner, located.archive)
        if located.is_folder or sha256 is None:
            return False
        return size not in {None, located.path.stat().st_size} or self.folder.sha256(located.path) != sha256

    def _try(self, source: Source, form: Form, parts: tuple[str, ...]) -> Route:
        layouts = [layout for layout in form.parts if layout.part in parts]
        archives = self.catalog.archives(source, form)
        names = [archive.name for archive in archives]
        needed = [archive for archive in archives if _needs(layouts, archive.name, names)]
        found = {archive.name: self._by_hash(source, archive) for archive in needed}
        if all(found.values()):
            return _route(source, form, parts, needed, found)
        folder = self._unpacked(source, archives, layouts)
        if folder is not None:
            whole = Archive(name="")
            located = Located(archive=whole, owner=source.name, path=folder, is_folder=True)
            return Route(source=source, form=form, parts=parts, found=(located,), missing=())
        for archive in needed:
            if found[archive.name] is None:
                found[archive.name] = self._by_members(source, form, layouts, archive, names)
        return _route(source, form, parts, needed, found)

    def _located(self, source: Source, archive: Archive, path: Path) -> Located:
        owner = self.catalog.owner(archive, source.name)
        return Located(archive=archive, owner=owner, path=path, is_folder=False)

    def _by_hash(self, source: Source, archive: Archive) -> Located | None:
        size, sha256 = self.published(self.catalog.owner(archive, source.name), archive)
        if sha256 is None:
            return None
        for path in self.folder.files:
            if size in {None, path.stat().st_size} and self.folder.sha256(path) == sha256:
                return self._located(source, archive, path)
        return None

    def _homes(self, source: Source, archives: Sequence[Archive]) -> list[Path]:
        """Sub-folders that belong to the source or to the bundle that its archives come from."""
        owners = [source, *(self.catalog.source(a.bundle) for a in archives if a.bundle)]
        names = {_plain(name) for owner in owners for name in (owner.name, *owner.aliases)}
        if not self.folder.root.is_dir():
            return []
        return [path for path in sorted(self.folder.root.iterdir()) if path.is_dir() and _plain(path.name) in names]

    def _unpacked(self, source: Source, archives: Sequence[Archive], layouts: Sequence[PartLayout]) -> Path | None:
        """The source's own sub-folder, or the whole folder, where it holds the layout unpacked."""
        candidates = self._homes(source, archives)
        if self._is_telling(source, layouts):
            candidates.append(self.folder.root)
        names = [archive.name for archive in archives]
        for path in candidates:
            members = self.folder.members(path) if path.is_dir() else None
            if members and any(fitting_pairs(names, [layout], None, members) for layout in layouts):
                return path
        return None

    def _is_telling(self, source: Source, layouts: Sequence[PartLayout]) -> bool:
        """Whether the layouts name folders that no other source uses; many use images/ and masks/."""
        others = [o for o in self.catalog.sources.values() if o.name != source.name]
        taken = {_folders(layout) for other in others for form in other.forms for layout in form.parts}
        own = {_folders(layout) for layout in layouts}
        return all(all(pair) for pair in own) and not own & taken

    def _by_members(
        self, source: Source, form: Form, layouts: Sequence[PartLayout], archive: Archive, names: Sequence[str]
    ) -> Located | None:
        homes = self._homes(source, [archive])
        own = [path for path in self.folder.files if path.parent in homes]
        loose = [path for path in self.folder.files if path.parent == self.folder.root]
        for paths, checked in ((own, False), (loose, True)):
            fits = [(path, self._fit(path, layouts, archive, names)) for path in paths]
            ranked = sorted((fit, path) for path, fit in fits if fit is not None)
            if not ranked:
                continue
            best = [path for fit, path in ranked if fit == ranked[0][0]]
            if len(best) > 1:
                raise ArchiveError(_ambiguous(f"{source.name}'s {archive.name}", [str(path) for path in best], source))
            if checked:
                self._check_rivals(best[0], source, form, ranked[0][0])
            return self._located(source, archive, best[0])
        return None

    def _fit(
        self, path: Path, layouts: Sequence[PartLayout], archive: Archive, names: Sequence[str]
    ) -> tuple[bool, bool] | None:
        """How well a file fits: (another count than expected, another name); None if its members do not fit."""
        members = self.folder.members(path)
        count = fitting_pairs(names, layouts, archive.name, members) if members else 0
        if not count:
            return None
        expected = sum(layout.count or 0 for layout in layouts)
        return count != expected, path.name.lower() != archive.name.lower()

    def _check_rivals(self, path: Path, source: Source, form: Form, fit: tuple[bool, bool]) -> None:
        """Refuse a file that archives of other sources fit as well."""
        rivals = []
        for other in self.catalog.sources.values():
            for rival in other.forms:
                archives = self.catalog.archives(other, rival)
                names = [archive.name for archive in archives]
                for archive in archives:
                    wanted = [layout for layout in rival.parts if _needs([layout], archive.name, names)]
                    found = self._fit(path, wanted, archive, names) if wanted else None
                    if found is not None and found <= fit and (other.name, rival.name) != (source.name, form.name):
                        rivals.append(f"{other.name} ({rival.name})")
        rivals = [rival for rival in rivals if not rival.startswith(f"{source.name} ")]
        if rivals:
            raise ArchiveError(_ambiguous(str(path), [f"{source.name} ({form.name})", *rivals], source))


def _ambiguous(what: str, choices: Sequence[str], source: Source) -> str:
    return explain(
        f"{what} cannot be told by its members",
        expected="one fit",
        got="; ".join(dict.fromkeys(choices)),
        do=f"put {source.title}'s files into a sub-folder called {source.name}/",
    )


def _needs(layouts: Sequence[PartLayout], archive: str, names: Sequence[str]) -> bool:
    """Whether the layouts take files from an archive; without a named one they take the form's first."""
    sides = {side or names[0] for layout in layouts for side in (layout.image_archive, layout.mask_archive)}
    return archive in sides


def _route(
    source: Source, form: Form, parts: tuple[str, ...], needed: Sequence[Archive], found: Mapping[str, Located | None]
) -> Route:
    return Route(
        source=source,
        form=form,
        parts=parts,
        found=tuple(located for located in (found[archive.name] for archive in needed) if located),
        missing=tuple(archive for archive in needed if found[archive.name] is None),
    )


def _folders(layout: PartLayout) -> tuple[str, str]:
    """Literal folders of a part's first patterns: images, masks."""
    return compile_pattern(layout.images[0]).folder, compile_pattern(layout.masks[0]).folder


def _plain(name: str) -> str:
    """Fold a folder name: ``FSS-1000`` and ``fss1000`` are the same."""
    return re.sub(r"[^a-z0-9]", "", name.lower())
