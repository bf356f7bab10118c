"""Every manifest and recipe at hand: the packaged ones, and those of ``--manifests`` folders, which add or override."""

import tomllib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from hqdata.errors import ManifestError, explain
from hqdata.fsio.digest import digest_of
from hqdata.manifest import Archive, Form, Source
from hqdata.recipe import Recipe, recipe_of_source
from hqdata.strict import load_strict, nearest

MAX_TOML_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """Sources and recipes by name."""

    sources: dict[str, Source]
    recipes: dict[str, Recipe]

    def source(self, name: str) -> Source:
        """Return a source; an unknown name is a :class:`ManifestError` that names the nearest one."""
        if name not in self.sources:
            raise ManifestError(explain(f'no source is called "{name}"', do=nearest(name, list(self.sources))))
        return self.sources[name]

    def recipe(self, name: str) -> Recipe:
        """Return a recipe by its own name, or the recipe of a whole source by the source's name."""
        if name in self.recipes:
            return self.recipes[name]
        if name in self.sources and self.sources[name].parts:
            return recipe_of_source(self.sources[name])
        known = [*self.recipes, *(source.name for source in self.sources.values() if source.parts)]
        raise ManifestError(explain(f'no recipe is called "{name}"', do=nearest(name, known)))

    def archives(self, source: Source, form: Form) -> tuple[Archive, ...]:
        """Archives of a form, with those of a bundle looked up there."""
        return tuple(self._resolve(archive, source.name) for archive in form.archives)

    def _resolve(self, archive: Archive, source: str) -> Archive:
        if archive.bundle is None:
            return archive
        for candidate in self.source(archive.bundle).archives:
            if candidate.name == archive.name:
                return replace(candidate, bundle=archive.bundle)
        raise ManifestError(explain(f"{source}: bundle {archive.bundle} has no archive {archive.name}"))

    def owner(self, archive: Archive, source: str) -> str:
        """Name under which an archive is kept: its bundle's, else its source's."""
        return archive.bundle or source

    def check(self) -> None:
        """Resolve every reference between manifests, so that a bad one is found before a build starts."""
        for source in self.sources.values():
            for form in source.forms:
                self.archives(source, form)
        for recipe in self.recipes.values():
            for take in recipe.take:
                source = self.source(take.source)
                unknown = sorted(set(take.parts) - set(source.parts))
                if unknown:
                    raise ManifestError(
                        explain(
                            f"recipe {recipe.name}: {take.source} has no part {unknown}", expected=list(source.parts)
                        )
                    )
            for reading in recipe.readings:
                self.recipe(reading.recipe)


def manifest_digest(item: Source | Recipe) -> str:
    """Digest of all that a manifest or recipe says."""
    return digest_of(asdict(item))


def load_catalog(folders: Iterable[Path] = ()) -> Catalog:
    """Read the packaged manifests, then each folder's ``sources/*.toml`` and ``recipes/*.toml`` over them.

    Raises:
        ManifestError: a file that is no TOML, has unknown keys, or names something that does not exist.
    """
    sources: dict[str, Source] = {}
    recipes: dict[str, Recipe] = {}
    roots: list[Traversable] = [resources.files("hqdata.manifests")]
    for folder in folders:
        if not folder.is_dir():
            raise ManifestError(
                explain(f"no manifest folder at {folder}", do="give a folder with sources/ or recipes/")
            )
        roots.append(folder)
    for root in roots:
        for path, table in _tables(root / "sources"):
            source = load_strict(Source, table, path)
            sources[_checked_name(source.name, path)] = source
        for path, table in _tables(root / "recipes"):
            recipe = load_strict(Recipe, table, path)
            recipes[_checked_name(recipe.name, path)] = recipe
    catalog = Catalog(sources=dict(sorted(sources.items())), recipes=dict(sorted(recipes.items())))
    catalog.check()
    return catalog


def _tables(folder: Traversable) -> list[tuple[str, dict[str, Any]]]:
    """Path and content of every TOML of a folder, sorted by name."""
    if not folder.is_dir():
        return []
    tables = []
    for item in sorted(folder.iterdir(), key=lambda item: item.name):
        if not item.name.endswith(".toml"):
            continue
        with item.open("rb") as stream:
            raw = stream.read(MAX_TOML_BYTES + 1)
        if len(raw) > MAX_TOML_BYTES:
            raise ManifestError(explain(f"{item}: too large for a manifest", expected=f"<= {MAX_TOML_BYTES:,} bytes"))
        try:
            tables.append((str(item), tomllib.loads(raw.decode())))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ManifestError(explain(f"{item} is not TOML", got=error)) from error
    return tables


def _checked_name(name: str, path: str) -> str:
    if Path(path).stem != name:
        raise ManifestError(explain(f"{path}: name and file name differ", expected=Path(path).stem, got=name))
    return name
