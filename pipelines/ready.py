"""Ready plans of splits: which splits a study needs, one TOML each in ``pipelines/splits/``, or the user's own.

Run one as ``hqdata split ready leave-one-out --from hqseg-44k --out splits``. A plan is a list of requests
(:class:`hqdata.analysis.splits.request.Request`); ``each`` makes one of them for every combination of values:

    [[split]]
    name = "without-{source}"
    without = ["{source}"]
    each.source = ["*"]        # every source of the collection
"""

import itertools
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from hqdata.analysis.related import Progress, silent
from hqdata.analysis.splits.create import create_split
from hqdata.analysis.splits.request import Request
from hqdata.catalog import Catalog
from hqdata.errors import HQDataError, ManifestError, QueryError, UsageError, explain
from hqdata.store.reader import Collection
from hqdata.store.split import SUFFIX, Split
from hqdata.strict import load_strict, nearest

Role = Literal["data", "control"]
EVERY = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One request of a plan, before ``each`` is spelt out."""

    of: Role
    """Which collection it is made of."""
    each: Mapping[str, Sequence[Any]]
    """Values by the word that stands for them in braces."""
    table: Mapping[str, Any]
    """Fields of the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a study needs, in the order in which it is made: later splits may refer to earlier ones by their files."""

    name: str
    title: str
    why: str
    entries: tuple[Entry, ...]

    @property
    def roles(self) -> tuple[Role, ...]:
        """Collections that it takes."""
        return tuple(role for role in ("data", "control") if any(entry.of == role for entry in self.entries))


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """A plan as the TOML writes it."""

    title: str
    why: str
    split: tuple[dict[str, Any], ...] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one request."""

    name: str
    splits: tuple[Split, ...]
    """Empty where it could not be met."""
    problem: str | None


def ready_plans() -> dict[str, Plan]:
    """Plans that come with hqdata, by name."""
    folder = resources.files("hqdata.pipelines") / "splits"
    names = sorted(item.name for item in folder.iterdir() if item.name.endswith(".toml"))
    return {name.removesuffix(".toml"): parse_plan((folder / name).read_text(encoding="utf-8"), name) for name in names}


def load_plan(name: str) -> Plan:
    """A plan by its name, or the user's own from a TOML file.

    Raises:
        UsageError: neither.
        ManifestError: the file is malformed.
    """
    path = Path(name)
    if path.suffix == ".toml":
        if not path.is_file():
            raise UsageError(explain(f"{path} is no file", expected="a plan of splits in TOML"))
        return parse_plan(path.read_text(encoding="utf-8"), path.name)
    plans = ready_plans()
    if name not in plans:
        raise UsageError(explain(f'there is no plan "{name}"', do=nearest(name, list(plans))))
    return plans[name]


def parse_plan(text: str, where: str) -> Plan:
    """Read a plan; that its requests make sense is seen when it is spelt out.

    Raises:
        ManifestError: malformed, an unknown key, or a word in ``each`` that is not used.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ManifestError(explain(f"{where} is no TOML", got=error)) from error
    # A list of tables is checked by each of them.
    file = load_strict(_File, {**table, "split": []}, where)
    entries = []
    for number, item in enumerate(table.get("split", []), start=1):
        place = f"{where}: split {number}"
        fields = dict(item)
        of, each = fields.pop("of", "data"), fields.pop("each", {})
        if of not in {"data", "control"}:
            raise ManifestError(explain(f"{place}: of", expected="data | control", got=repr(of)))
        if not isinstance(each, dict) or not all(isinstance(values, list) and values for values in each.values()):
            raise ManifestError(explain(f"{place}: each", expected="lists of values by name", got=each))
        unused = [word for word in each if f"{{{word}}}" not in str(fields.get("name", ""))]
        if unused:
            raise ManifestError(explain(f"{place}: the name does not tell {', '.join(unused)} apart", got=fields))
        entries.append(Entry(of=of, each=each, table=fields))
    if not entries:
        raise ManifestError(explain(f"{where} asks for no split", expected="one or more [[split]]"))
    return Plan(name=where.removesuffix(".toml"), title=file.title, why=file.why, entries=tuple(entries))


def spell_out(entry: Entry, collection: Collection, where: str) -> Iterator[Request]:
    """Requests of an entry: one for each combination of the values of ``each``.

    Raises:
        ManifestError, UsageError: a request that there cannot be.
    """
    values = {
        word: sorted(collection.index["sources"]) if list(given) == [EVERY] else list(given)
        for word, given in entry.each.items()
    }
    for combination in itertools.product(*values.values()):
        words = dict(zip(values, combination, strict=True))
        table = {key: _filled(value, words) for key, value in entry.table.items()}
        yield load_strict(Request, table, f"{where}: {table.get('name')}")


def _filled(value: Any, words: Mapping[str, Any]) -> Any:
    """A value with the words in braces replaced; a text that is nothing but one becomes the word's own value."""
    if isinstance(value, list):
        return [_filled(item, words) for item in value]
    if isinstance(value, dict):
        return {_filled(key, words): _filled(item, words) for key, item in value.items()}
    if not isinstance(value, str):
        return value
    if value[1:-1] in words and value == f"{{{value[1:-1]}}}":
        return words[value[1:-1]]
    for word, text in words.items():
        value = value.replace(f"{{{word}}}", str(text))
    return value


def make_ready(
    plan: Plan,
    collections: Mapping[Role, Collection],
    folder: Path,
    catalog: Catalog,
    *,
    workers: int = 1,
    progress: Progress = silent,
    replace: bool = False,
) -> tuple[Outcome, ...]:
    """Make the splits of a plan; one that cannot be made does not keep the others from being made.

    Args:
        plan: what to make.
        collections: for every role of the plan.
        folder: gets the files.
        catalog: manifests at hand.
        workers: processes.
        progress: is told of each stage.
        replace: whether other splits of these names may be overwritten.

    Raises:
        UsageError: a collection is missing.
        ManifestError: a request that there cannot be; nothing was written.
    """
    for role in plan.roles:
        if role not in collections:
            option = {"data": "--from", "control": "--control"}[role]
            raise UsageError(explain(f"plan {plan.name} needs a collection ({role})", do=f"name it: {option} DIR"))
    asked = [
        (entry.of, request) for entry in plan.entries for request in spell_out(entry, collections[entry.of], plan.name)
    ]
    made: list[Outcome] = []
    for of, request in asked:
        splits: tuple[Split, ...] = ()
        problem = None
        try:
            splits = create_split(
                collections[of], request, folder, catalog, workers=workers, progress=progress, replace=replace
            )
        except (UsageError, QueryError) as error:
            problem = str(error)
        except HQDataError as error:
            # What a later split refers to may be one that could not be made.
            if not any(outcome.problem and f"{outcome.name}{SUFFIX}" in str(error) for outcome in made):
                raise
            problem = str(error)
        made.append(Outcome(name=request.name, splits=splits, problem=problem))
    return tuple(made)
