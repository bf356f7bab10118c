"""The real manifests and recipes, restated for drawn archives: their counts, sizes, hashes, terms; the same layouts."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import tomli_w

from hqdata.catalog import Catalog
from hqdata.demo.spec import EVALUATION, Spec
from hqdata.fsio.atomic import write_bytes
from hqdata.fsio.digest import sha256_file
from hqdata.manifest import Archive, Erratum, Form, Part, Source, Terms
from hqdata.recipe import Recipe, Take
from hqdata.strict import UNKNOWN

DEMO_SOURCES = ("dis5k", "duts", "ecssd", "fss1000", "msra10k", "thinobject5k")
_LOST = {"mismatch"}
TERMS = Terms(
    licence="Apache-2.0",
    summary="Drawn by hqdata; not the real dataset.",
    url=None,
    redistribution="allowed",
    accept=False,
)

Mirrors = Callable[[str, str], tuple[str, ...]]
"""Mirrors of an archive, by owner and name."""


def restate(
    catalog: Catalog, specs: Sequence[Spec], packed: Iterable[Path], folder: Path, mirrors: Mirrors = lambda *_: ()
) -> None:
    """Write ``folder/sources`` and ``folder/recipes`` for drawn items.

    Args:
        catalog: the real manifests.
        specs: what was drawn.
        packed: the archives, each in a folder named after its owner.
        folder: where to write.
        mirrors: where the archives can be fetched.
    """
    facts = {(path.parent.name, path.name): path for path in packed if path.is_file()}
    counts = Counter((s.source, s.part) for s in specs if s.erratum not in _LOST and not _removed(s))
    stems = {(s.source, s.part, s.stem) for s in specs}
    names = {source for source, _ in counts}
    for name in sorted({*names, "samhq"}):
        source = _source(catalog.source(name), counts, stems, facts, mirrors)
        _write(folder / "sources" / f"{name}.toml", source)
    for recipe in catalog.recipes.values():
        if {take.source for take in recipe.take} <= names:
            _write(folder / "recipes" / f"{recipe.name}.toml", _recipe(recipe, counts))
    demo = Recipe(
        name="demo",
        title="Demo: drawn stand-ins of the six sources of HQSeg-44K",
        summary="Drawn by hqdata, packed in the archive layouts of the real sources, with errata, copies and faults.",
        take=tuple(Take(source=name, parts=_training_parts(counts, name)) for name in DEMO_SOURCES if name in names),
        synthetic=True,
    )
    _write(folder / "recipes" / "demo.toml", demo)


def restate_drawn(catalog: Catalog, tars: int, scenes: int, folder: Path) -> None:
    """Write SA-1B's manifest and the recipe ``sa1b-44k`` for drawn tars: three quarters of their scenes are drawn.

    Args:
        catalog: the real manifests.
        tars: how many were packed, numbered from 0.
        scenes: how many they hold together.
        folder: as of :func:`restate`.
    """
    source = catalog.source("sa1b")

    def form(item: Form) -> Form:
        family = item.family and replace(item.family, count=tars, size=None, evaluation=())
        annotated = tuple(replace(layout, count=scenes) for layout in item.annotated)
        return replace(item, family=family, annotated=annotated, open=())

    drawn = replace(
        source,
        title=f"{source.title} (drawn stand-in)",
        terms=TERMS,
        parts={key: Part(title=f"{part.title} (drawn)", count=scenes) for key, part in source.parts.items()},
        forms=tuple(form(item) for item in source.forms),
        errata=(),
        open=(),
        synthetic=True,
    )
    recipe = catalog.recipe("sa1b-44k")
    take = tuple(
        replace(t, parts=dict.fromkeys(t.parts, scenes * 3 // 4), draw=t.draw and replace(t.draw, tars=tars))
        for t in recipe.take
    )
    title = f"{recipe.title} (drawn stand-in)"
    _write(folder / "sources" / "sa1b.toml", drawn)
    _write(folder / "recipes" / "sa1b-44k.toml", replace(recipe, take=take, title=title, synthetic=True))


def _removed(spec: Spec) -> bool:
    """Whether an item has no mask and no erratum that gives it an empty one."""
    return spec.source == "dut-omron" and spec.erratum == "unlabelled"


def _training_parts(counts: Counter[tuple[str, str]], source: str) -> dict[str, int | None]:
    return {
        part: count
        for (name, part), count in sorted(counts.items())
        if name == source and (name, part) not in EVALUATION
    }


def _source(
    source: Source,
    counts: Counter[tuple[str, str]],
    stems: set[tuple[str, str, str]],
    facts: dict[tuple[str, str], Path],
    mirrors: Mirrors,
) -> Source:
    def restated(archive: Archive) -> Archive:
        if archive.bundle:
            return archive
        path = facts.get((source.name, archive.name))
        known = {"size": path.stat().st_size, "sha256": sha256_file(path)} if path else {"size": None, "sha256": None}
        return replace(archive, **known, mirrors=mirrors(source.name, archive.name), note="drawn")

    def form(item: Form) -> Form:
        parts = [replace(part, count=counts[source.name, part.part]) for part in item.parts]
        kept = tuple(part for part in parts if part.count)
        return replace(item, archives=tuple(restated(a) for a in item.archives), parts=kept, open=())

    def packed(item: Form) -> bool:
        # Without a hash a bundle's archive is known by its members, and a source's own archive may pass for it.
        return all((archive.bundle, archive.name) in facts for archive in item.archives if archive.bundle)

    def erratum(item: Erratum) -> Erratum:
        held = tuple(stem for stem in item.stems if (source.name, item.part, stem) in stems)
        return replace(item, stems=held)

    parts = {
        key: Part(title=f"{part.title} (drawn)", count=counts[source.name, key]) for key, part in source.parts.items()
    }
    return replace(
        source,
        title=f"{source.title} (drawn stand-in)",
        terms=TERMS,
        parts={key: part for key, part in parts.items() if part.count},
        forms=tuple(form(item) for item in source.forms if packed(item)),
        archives=tuple(restated(archive) for archive in source.archives),
        errata=tuple(item for item in map(erratum, source.errata) if item.stems),
        open=(),
        synthetic=True,
    )


def _recipe(recipe: Recipe, counts: Counter[tuple[str, str]]) -> Recipe:
    take = tuple(replace(t, parts={part: counts[t.source, part] for part in t.parts}) for t in recipe.take)
    return replace(recipe, take=take, title=f"{recipe.title} (drawn stand-in)", synthetic=True)


def _write(path: Path, item: Source | Recipe) -> None:
    write_bytes(path, tomli_w.dumps(_plain(asdict(item))).encode())


def _plain(value: Any) -> Any:
    """Values that TOML can hold: None is written as "unknown", as in every manifest."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return UNKNOWN if value is None else value
