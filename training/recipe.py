"""How a head is trained: every number of the schedule, the augmentation and the prompts, and each fault of the released
code behind a switch of its own.

What the paper (PAPER: "Segment Anything in High Quality", NeurIPS 2023) and the released code (github.com/SysCV/sam-hq,
folder ``train``) say of a number stands beside it.
"""

import dataclasses
import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from hqdata.errors import ManifestError, UsageError, explain
from hqdata.strict import load_strict, nearest
from hqdata.training.losses import POINTS

PROMPTS = ("box", "points", "mask")
"""Kinds of prompts that a head can be trained with."""
READ, ORIGINAL = "read", "original"
PROMPT_FROM = (READ, ORIGINAL)
"""The mask as the split reads it, which is trained on; or as it is stored, before the split made it worse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traps:
    """Faults of the released code, each on its own: True does as the released code, False what was meant."""

    prompt_masks_255: bool = False
    """Mask prompts hold 0 and 255, where SAM expects logits (``train.py``: the noisy mask becomes ``mask_inputs``)."""
    empty_crops: bool = False
    """A crop without foreground is trained on, with the box [1e8, 1e8, 0, 0] (``utils/misc.py``, ``masks_to_boxes``).
    Else a crop with fewer foreground pixels than ``Recipe.points`` is drawn anew."""
    points_by_group: bool = False
    """If one image of a group has fewer foreground pixels than points are wanted, none of the group gets points: the
    bare ``except`` of ``train.py`` catches the whole batch of a GPU. Else that one image gets none."""
    plain_bilinear: bool = False
    """Images and masks are resized without antialiasing (``F.interpolate`` in ``utils/dataloader.py``), which passes
    over most pixels at small scales. SAM's own ``ResizeLongestSide`` antialiases."""
    inclusive_boxes: bool = False
    """A box ends at its last foreground pixel instead of after it (``masks_to_boxes`` takes maxima of coordinates)."""
    above_128: bool = False
    """Prompts take foreground as > 128 instead of > 127 (``train.py`` and ``misc.py``)."""
    pad_128: bool = False
    """Images are padded with grey 128 instead of SAM's own padding, the mean colour (``utils/dataloader.py``)."""

    @property
    def above(self) -> int:
        """Prompts take a grey level above this as foreground."""
        return 128 if self.above_128 else 127


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a head is trained. Numbers that make no sense are refused when a recipe is made.

    Raises:
        UsageError: such numbers.
    """

    preset: str
    """Name of the entry of :data:`PRESETS` that this recipe started from."""
    iterations: int | None = None
    """Steps of the optimiser; None where ``epochs`` says. PAPER: 16.6K, which is 12 x 44,320 / 32 = 16,620."""
    epochs: int | None = None
    """Passes over the split; None where ``iterations`` says. PAPER, sec. 4.1: 12; ``train.py``: ``max_epoch_num``."""
    batch: int = 32
    """Visits of a step, over all processes. PAPER, sec. 4.1: 32; ``train.py``: 4 on each of 8 GPUs."""
    group: int = 4
    """Visits that share their fate under ``points_by_group``: the batch of one GPU in the released code."""
    learning_rate: float = 1e-3
    """Adam's. PAPER, sec. 4.1, and ``train.py``."""
    drop_at: float = 10 / 12
    """Share of the steps after which the learning rate drops. PAPER, sec. 4.1: after 10 of 12 epochs."""
    drop_to: float = 0.1
    """What it is multiplied by then. ``train.py``: ``StepLR``'s default gamma."""
    smallest_scale: float = 0.1
    """Large-scale jitter: longer side of the resized image over the canvas's side, at least. ``LargeScaleJitter``."""
    largest_scale: float = 2.0
    """At most. ``LargeScaleJitter``."""
    flip: float = 0.5
    """Chance that image and mask are mirrored. ``RandomHFlip``."""
    prompts: tuple[str, ...] = PROMPTS
    """Kinds of prompts, drawn uniformly for each visit; words of :data:`PROMPTS`. PAPER, sec. 4.1; ``train.py``."""
    points: int = 10
    """Foreground points of a prompt of that kind. ``train.py``: ``masks_sample_points``, always 10, none negative."""
    prompt_from: str = READ
    """Which mask prompts are drawn from, a word of :data:`PROMPT_FROM`; they differ where a split makes masks worse."""
    loss_points: int = POINTS
    """Points at which prediction and mask are compared. ``utils/loss_mask.py``: 112 x 112."""
    traps: Traps = field(default_factory=Traps)

    def __post_init__(self) -> None:
        """Refuse numbers that make no sense."""
        if (self.iterations is None) == (self.epochs is None):
            got = f"iterations {self.iterations}, epochs {self.epochs}"
            raise UsageError(explain("a recipe states how long: iterations or epochs, one of the two", got=got))
        for name in ("iterations", "epochs", "batch", "group", "points", "loss_points"):
            value = getattr(self, name)
            _require(value is None or value >= 1, name, "1 or more", value)
        _require(0 < self.learning_rate < math.inf, "learning_rate", "above 0, finite", self.learning_rate)
        _require(0 < self.drop_at <= 1, "drop_at", "above 0, at most 1", self.drop_at)
        _require(0 <= self.drop_to <= 1, "drop_to", "0 to 1", self.drop_to)
        _require(0 <= self.flip <= 1, "flip", "a chance, 0 to 1", self.flip)
        scales = (self.smallest_scale, self.largest_scale)
        rising = 0 < scales[0] <= scales[1] < math.inf
        _require(rising, "smallest_scale, largest_scale", "above 0 and in this order", scales)
        _require_prompts(self.prompts)
        _require(self.prompt_from in PROMPT_FROM, "prompt_from", " or ".join(PROMPT_FROM), self.prompt_from)
        if self.traps.points_by_group:
            _require(self.batch % self.group == 0, "batch", f"a multiple of the group of {self.group}", self.batch)

    def steps(self, masks: int) -> int:
        """Steps of the optimiser on a split of so many masks.

        >>> PRESETS["released"].steps(44_320), load_recipe("released", ["epochs=12"]).steps(44_320)
        (16620, 16620)
        """
        if self.iterations is not None:
            return self.iterations
        return -(-int(self.epochs or 0) * masks // self.batch)

    def learning_rate_at(self, step: int, steps: int) -> float:
        """Learning rate of a step, counted from 0, of so many.

        >>> [PRESETS["released"].learning_rate_at(step, 16_620) for step in (0, 13_849, 13_850)]
        [0.001, 0.001, 0.0001]
        """
        # 10 / 12 as a float is a little too large: 13,850 of 16,620 would come a step late.
        drop = Fraction(self.drop_at).limit_denominator(100_000)
        return self.learning_rate * (self.drop_to if step >= drop * steps else 1)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON or TOML, out of which :func:`recipe_of` makes an equal recipe; None is left out."""
        table = {name: value for name, value in dataclasses.asdict(self).items() if value is not None}
        return table | {"prompts": list(self.prompts)}


def load_recipe(name_or_path: str | Path, changes: Iterable[str] = ()) -> Recipe:
    """Load a preset or a TOML file, and change it.

    A file states ``preset``, the one it starts from, and what differs; ``[traps]`` is a table. Stating ``epochs``
    clears the preset's ``iterations``, and the other way round.

    Args:
        name_or_path: a word of :data:`PRESETS` or a file.
        changes: ``key=value``, value as in TOML, quotes left out: ``batch=8``, ``traps.empty_crops=false``,
            ``prompts=box,points``.

    Raises:
        UsageError: no such preset or file, an unknown key, a value of another type, or numbers that make no sense.
    """
    table, where = _base(name_or_path)
    return recipe_of(_over(table, _wanted(changes)), where)


def changed(recipe: Recipe, changes: Iterable[str]) -> Recipe:
    """Change a recipe; for ``changes`` and errors see :func:`load_recipe`."""
    return recipe_of(_over(recipe.to_dict(), _wanted(changes)), recipe.preset)


def recipe_of(table: Mapping[str, Any], where: str = "recipe") -> Recipe:
    """Make a recipe of plain values, as :meth:`Recipe.to_dict` gives them.

    Args:
        table: of all values, not of changes.
        where: what it is, for error messages.

    Raises:
        UsageError: an unknown or missing key, a value of another type, or numbers that make no sense.
    """
    floats = {item.name for item in dataclasses.fields(Recipe) if item.type is float}
    whole = {name: float(value) for name, value in table.items() if name in floats and type(value) is int}
    try:
        recipe = load_strict(Recipe, {**table, **whole}, where)
    except (ManifestError, UsageError) as error:
        text = str(error)
        raise UsageError(text if text.startswith(where) else f"{where}: {text}") from error
    if recipe.preset not in PRESETS:
        do = nearest(recipe.preset, [*PRESETS])
        raise UsageError(explain(f'{where}: no preset is called "{recipe.preset}"', do=do))
    return recipe


def _base(name_or_path: str | Path) -> tuple[dict[str, Any], str]:
    """Values of a preset, or of a file over those of its preset, and what to call them."""
    name, path = str(name_or_path), Path(name_or_path)
    if name in PRESETS:
        return PRESETS[name].to_dict(), name
    if not path.is_file():
        do = f"{nearest(name, [*PRESETS])} (or a TOML file)"
        raise UsageError(explain(f'no recipe is called "{name}", and no such file is there', do=do))
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(explain(f"{path} is no TOML file", got=error)) from error
    preset = table.get("preset")
    if not isinstance(preset, str) or preset not in PRESETS:
        expected = " | ".join(PRESETS)
        raise UsageError(explain(f"{path}: a recipe states the preset it starts from", expected=expected, got=preset))
    return _over(PRESETS[preset].to_dict(), table), str(path)


def _over(table: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Lay changes over a table. How long is stated in one way: the changes' way, if they state one."""
    kept = dict(table)
    if changes.keys() & _LENGTHS:
        kept = {name: value for name, value in kept.items() if name not in _LENGTHS}
    merged = {**kept, **changes}
    if isinstance(changes.get("traps"), Mapping):
        merged["traps"] = {**table.get("traps", {}), **changes["traps"]}
    return merged


_LENGTHS = {"iterations", "epochs"}


def _wanted(changes: Iterable[str]) -> dict[str, Any]:
    """Read ``key=value`` and ``traps.key=value``."""
    wanted: dict[str, Any] = {}
    for change in changes:
        key, equals, text = (part.strip() for part in change.partition("="))
        if not (key and equals and text) or key == "traps":
            what, expected = "a change of a recipe cannot be read", "key=value or traps.key=value"
            raise UsageError(explain(what, expected=expected, got=repr(change)))
        if key == "preset":
            raise UsageError(explain("the preset is no change", got=change, do="name the preset as the recipe"))
        value = _value(text)
        if key == "prompts" and isinstance(value, str):
            value = [word.strip() for word in value.split(",")]
        group, dot, name = key.partition(".")
        if dot and group == "traps":
            wanted.setdefault("traps", {})[name] = value
        else:
            wanted[key] = value
    return wanted


def _value(text: str) -> Any:
    """A value as TOML has it; what is none is a text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _require(holds: bool, name: str, expected: str, got: object) -> None:
    if not holds:
        raise UsageError(explain(f"a recipe's {name} makes no sense", expected=expected, got=got))


def _require_prompts(prompts: tuple[str, ...]) -> None:
    for word in prompts:
        if word not in PROMPTS:
            raise UsageError(explain(f'no kind of prompt is called "{word}"', do=nearest(word, [*PROMPTS])))
    _require(len({*prompts}) == len(prompts) > 0, "prompts", "each kind once, at least one", list(prompts))


_EVERY_TRAP = Traps(**{item.name: True for item in dataclasses.fields(Traps)})

PRESETS: dict[str, Recipe] = {
    recipe.preset: recipe
    for recipe in (
        Recipe(preset="released", iterations=16_620, traps=_EVERY_TRAP),
        Recipe(preset="fixed", iterations=16_620),
        Recipe(
            preset="mini",
            iterations=1_200,
            batch=4,
            smallest_scale=0.5,
            largest_scale=1.5,
            loss_points=56 * 56,
        ),
    )
}
"""``released``: what the released code does, every trap included; the default of studies that stand beside the paper.
``fixed``: the same without the traps. ``mini``: for the demo's small SAM on a CPU; its figures stand beside no others.
"""
