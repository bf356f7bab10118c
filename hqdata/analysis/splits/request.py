"""What can be asked of a split. One record holds every choice, so that a split can be made again from its file."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from hqdata.analysis.findings import LEVELS
from hqdata.errors import UsageError, explain
from hqdata.masks.degrade import KINDS, STRENGTHS
from hqdata.store.split import SAM
from hqdata.strict import nearest

EXCLUDED: dict[str, str] = {
    "errata": "samples with a known fault in their source",
    "duplicates": "all but the best of the samples that share an image",
    "leaks": "samples that share something with an evaluation collection",
    "suspects": "masks that the audit is certain about: empty, full, reported as faulty",
}
"""What an audit can be asked to leave out."""
ALL = "all"
SERIOUS = ("pair", "image", "object", "background")
"""Levels of leaks that count: all but equal masks on different images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A split as it was asked for. The steps are taken in the order of the fields.

    Other splits and collections (``size_of``, ``to``, ``image_scale_to``) and attached files are paths relative to the
    folder that the split is written to.

    Raises:
        UsageError: choices that contradict each other, or words that there are not.
    """

    name: str
    seed: int = 0
    """Of every draw."""
    sql: str | None = None
    """A SELECT over the collection's tables that returns ``mask_id``."""
    attach: dict[str, str] = field(default_factory=dict)
    """Own tables for it: name to file."""
    only: tuple[str, ...] = ()
    """Sources to take, all if empty."""
    exclude_audit: tuple[str, ...] = ()
    """Words of :data:`EXCLUDED`."""
    leak_levels: tuple[str, ...] = SERIOUS
    """Which leaks ``exclude_audit`` means: words of :data:`hqdata.analysis.findings.LEVELS`."""
    against: tuple[str, ...] = ()
    """Evaluation collections (names that the audit knows them by); all that were audited if empty."""
    allow_leaks: tuple[str, ...] = ()
    """Evaluation collections whose very samples may be in the split, or ``all``; recorded in it."""
    without: tuple[str, ...] = ()
    """Sources to leave out, with the copies that other sources hold of their images."""
    without_random: tuple[str, ...] = ()
    """Control of ``without``: keeps these sources and leaves out as many random masks of the others."""
    keep_copies: bool = False
    """Whether ``without`` leaves copies of the images in other sources where they are."""
    best: float | None = None
    """Share of the masks with the highest values of ``by``."""
    worst: float | None = None
    """Share of the masks with the lowest values of ``by``."""
    by: str | None = None
    """A column of the statistics."""
    within_source: bool = False
    """Whether ``best`` and ``worst`` take their share of each source."""
    image_scale_to: str | None = None
    """Split or collection to whose image sizes images and masks are reduced when they are read."""
    match: tuple[str, ...] = ()
    """Columns whose distribution is to be that of ``to``."""
    to: str | None = None
    """Split or collection to match."""
    bins: int = 5
    """Quantile bins of each matched column."""
    joint: bool = False
    """Whether every two columns are to go together as they do in ``to``, too."""
    balance: float = 0.1
    """Largest standardised mean difference that is accepted."""
    size: int | None = None
    """Number of masks; smaller ones lie within larger ones of the same seed."""
    size_of: str | None = None
    """Split whose number of masks is taken."""
    stratify: tuple[str, ...] = ()
    """``source`` or columns, ``COLUMN:BINS``, whose shares a smaller size keeps."""
    per_source: int | Literal["smallest"] | None = None
    """Masks of each source; as many as the smallest source has."""
    halves: bool = False
    """Whether to make two splits, NAME-a and NAME-b, of random halves."""
    weights: dict[str, float] = field(default_factory=dict)
    """Share of each source among the masks that are drawn in training; the other sources share the rest by size."""
    degrade: str | None = None
    """``KIND:STRENGTH``, or ``KIND`` with ``to_biou``; ``binary``; ``sam:NAME``."""
    to_biou: float | None = None
    """Mean boundary IoU of the degraded masks against the originals, to be reached in each source."""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        _name(self.name)
        self._shares()
        for option, words, known in (
            ("--exclude-audit", self.exclude_audit, list(EXCLUDED)),
            ("--leak-levels", self.leak_levels, list(LEVELS)),
        ):
            for word in words:
                if word not in known:
                    raise UsageError(explain(f'{option}: there is no "{word}"', do=nearest(word, known)))
        for one, other in (
            ("best", "worst"),
            ("size", "size_of"),
            ("size", "per_source"),
            ("size_of", "per_source"),
            ("per_source", "stratify"),
            ("without", "without_random"),
            ("match", "per_source"),
            ("match", "stratify"),
        ):
            if getattr(self, one) and getattr(self, other):
                raise UsageError(explain(f"{_option(one)} and {_option(other)} contradict each other", do="choose one"))
        for one, other in (
            ("match", "to"),
            ("to", "match"),
            ("joint", "match"),
            ("attach", "sql"),
            ("to_biou", "degrade"),
            ("within_source", "by"),
        ):
            if getattr(self, one) and not getattr(self, other):
                raise UsageError(explain(f"{_option(one)} needs {_option(other)}"))
        if self.stratify and not (self.size or self.size_of):
            raise UsageError(explain("--stratify needs --size or --size-of", do="say how many masks to take"))
        if (self.by is None) != (self.best is None and self.worst is None):
            raise UsageError(explain("--by COLUMN goes with --best SHARE or --worst SHARE, and they with it"))
        both = sorted({*self.only} & {*self.without, *self.without_random})
        if both:
            raise UsageError(explain(f"{', '.join(both)} both wanted (--only) and left out", do="choose one"))
        self.degradation()

    def _shares(self) -> None:
        """Hold numbers to their ranges."""
        for option in ("best", "worst", "to_biou"):
            value = getattr(self, option)
            if value is not None and not 0 < value < 1:
                raise UsageError(explain(f"{_option(option)} {value:g}", expected="a share above 0 and below 1"))
        for option in ("size", "per_source", "bins"):
            value = getattr(self, option)
            if isinstance(value, int) and value < 1:
                raise UsageError(explain(f"{_option(option)} {value}", expected="1 or more"))
        if not 0 < self.balance <= 1:
            raise UsageError(explain(f"--balance {self.balance:g}", expected="above 0, at most 1"))
        if any(not 0 <= value <= 1 for value in self.weights.values()) or sum(self.weights.values()) > 1 + 1e-9:
            raise UsageError(
                explain("--weights are shares of a whole", expected="0 to 1 each, at most 1 in all", got=self.weights)
            )

    def degradation(self) -> tuple[str, float | None, str | None] | None:
        """Kind, strength (None where it is to be solved) and name of materialised masks; None without degradation.

        Raises:
            UsageError: no such kind, or a strength where there is none.
        """
        if self.degrade is None:
            return None
        kind, colon, rest = self.degrade.partition(":")
        if kind not in {*KINDS, SAM}:
            raise UsageError(explain(f'--degrade: there is no kind "{kind}"', do=nearest(kind, [*KINDS, SAM])))
        if kind == SAM:
            if not rest or self.to_biou is not None:
                what = "--degrade sam takes masks that a model made beforehand"
                raise UsageError(explain(what, expected="--degrade sam:NAME, without --to-biou", got=self.degrade))
            return kind, None, rest
        if kind not in STRENGTHS:
            if colon or self.to_biou is not None:
                raise UsageError(explain(f"--degrade {kind} has no strength", do=f"say --degrade {kind}"))
            return kind, 0.0, None
        if bool(colon) == (self.to_biou is not None):
            expected = f"--degrade {kind}:STRENGTH, or --degrade {kind} --to-biou LEVEL"
            raise UsageError(explain(f"--degrade {kind} needs a strength or a level", expected=expected))
        if not colon:
            return kind, None, None
        try:
            strength = float(rest)
        except ValueError:
            strength = -1.0
        if not 0 <= strength <= 1:
            raise UsageError(explain(f"--degrade {self.degrade}", expected="a share of the diagonal, 0 to 1", got=rest))
        return kind, strength, None

    def facts(self) -> dict[str, Any]:
        """Every choice that is not the default, as plain JSON."""
        plain = {item.name: item for item in fields(self)}
        found = {}
        for name, value in asdict(self).items():
            item = plain[name]
            default = item.default_factory() if callable(item.default_factory) else item.default
            if value != default:
                found[name] = list(value) if isinstance(value, tuple) else value
        return found


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _name(name: str) -> None:
    """A name becomes part of file names."""
    plain = name.replace("-", "").replace("_", "").replace(".", "")
    if not plain.isalnum() or not plain.isascii() or name.startswith(("-", ".")) or len(name) > 100:
        raise UsageError(
            explain(f"{name!r} cannot name a split", expected="up to 100 letters, digits, - _ . not beginning with - .")
        )
