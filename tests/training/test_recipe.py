"""Recipes: what the presets say, how they are changed, what is refused."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from hqdata.errors import UsageError
from hqdata.training.recipe import PRESETS, Recipe, Traps, load_recipe, recipe_of

RELEASED = PRESETS["released"]


def test_released_is_what_the_paper_and_the_released_code_say() -> None:
    table = asdict(RELEASED)
    assert table.pop("traps") == dict.fromkeys(asdict(Traps()), True)
    assert table == {
        "preset": "released",
        "iterations": 16_620,
        "epochs": None,
        "batch": 32,
        "group": 4,
        "learning_rate": 0.001,
        "drop_at": 10 / 12,
        "drop_to": 0.1,
        "smallest_scale": 0.1,
        "largest_scale": 2.0,
        "flip": 0.5,
        "prompts": ("box", "points", "mask"),
        "points": 10,
        "prompt_from": "read",
        "loss_points": 12_544,
    }


def test_fixed_is_released_without_traps() -> None:
    assert replace(RELEASED, preset="fixed", traps=Traps()) == PRESETS["fixed"]
    assert not any(asdict(PRESETS["mini"].traps).values())


# recipe, masks: steps
STEPS: dict[str, tuple[list[str], int, int]] = {
    "the released schedule": ([], 44_320, 16_620),
    "iterations, whatever the split": ([], 10, 16_620),
    "12 epochs are the same": (["epochs=12"], 44_320, 16_620),
    "of what the paper's text lists": (["epochs=12"], 33_916, 12_719),
    "the last batch reaches into another epoch": (["epochs=1"], 33, 2),
    "an exact fit": (["epochs=1"], 64, 2),
    "less than a batch": (["epochs=1"], 3, 1),
}


@pytest.mark.parametrize("case", STEPS)
def test_steps(case: str) -> None:
    changes, masks, steps = STEPS[case]
    assert load_recipe("released", changes).steps(masks) == steps


# changes, steps: first step of the lower learning rate
DROPS = [([], 16_620, 13_850), ([], 12, 10), ([], 1_200, 1_000), ([], 13, 11), ([], 1, 1), (["drop_at=1.0"], 7, 7)]


@pytest.mark.parametrize(("changes", "steps", "drop"), [*DROPS, (["drop_at=0.3"], 10, 3), (["drop_at=0.7"], 10, 7)])
def test_the_learning_rate_drops_once(changes: list[str], steps: int, drop: int) -> None:
    recipe = load_recipe("released", changes)
    rates = [recipe.learning_rate_at(step, steps) for step in range(steps)]
    assert rates == [1e-3] * drop + [1e-4] * (steps - drop)


def test_the_learning_rate_is_that_of_torch_as_released() -> None:
    """``StepLR(optimizer, 10)``, asked once an epoch."""
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.Adam([weight], lr=1e-3)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 10)
    for epoch in range(12):
        assert RELEASED.learning_rate_at(1385 * epoch, 16_620) == schedule.get_last_lr()[0]
        assert RELEASED.learning_rate_at(1385 * epoch + 1384, 16_620) == schedule.get_last_lr()[0]
        optimizer.step()
        schedule.step()


# change: what differs from the preset then
CHANGES: dict[str, dict[str, Any]] = {
    "batch=8": {"batch": 8},
    "epochs=3": {"epochs": 3, "iterations": None},
    "learning_rate = 3e-4": {"learning_rate": 3e-4},
    "largest_scale=1": {"largest_scale": 1.0},
    "prompts=box": {"prompts": ("box",)},
    "prompts=points, box": {"prompts": ("points", "box")},
    'prompts=["mask"]': {"prompts": ("mask",)},
    "traps.empty_crops=false": {"traps": Traps(**{**asdict(RELEASED.traps), "empty_crops": False})},
}


@pytest.mark.parametrize("change", CHANGES)
def test_changes(change: str) -> None:
    assert load_recipe("released", [change]) == replace(RELEASED, **CHANGES[change])


def test_changes_add_up() -> None:
    recipe = load_recipe("fixed", ["traps.pad_128=true", "batch=8", "traps.above_128=true", "batch=16"])
    assert recipe == replace(PRESETS["fixed"], batch=16, traps=Traps(pad_128=True, above_128=True))
    assert recipe.traps.above == 128


@pytest.mark.parametrize("recipe", [*PRESETS.values(), load_recipe("mini", ["epochs=2", "traps.pad_128=true"])])
def test_a_recipe_is_plain_values_and_back(recipe: Recipe) -> None:
    table = recipe.to_dict()
    assert recipe_of(json.loads(json.dumps(table))) == recipe
    assert None not in table.values()


def test_a_file_states_its_preset_and_what_differs(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('preset = "released"\nepochs = 6\nprompts = ["box"]\n\n[traps]\npad_128 = false\n', "utf-8")
    wanted = replace(
        RELEASED, iterations=None, epochs=6, prompts=("box",), traps=replace(RELEASED.traps, pad_128=False)
    )
    assert load_recipe(path) == load_recipe(str(path)) == wanted
    assert load_recipe(path, ["iterations=5"]) == replace(wanted, iterations=5, epochs=None)


# changes of `released`: part of the error
REFUSED: dict[str, tuple[list[str], str]] = {
    "an unknown key": (["bach=8"], 'unknown key "bach"\n.*did you mean "batch"'),
    "an unknown trap": (["traps.empty_crop=true"], 'unknown key "empty_crop"\n.*did you mean "empty_crops"'),
    "a text for a number": (["batch=many"], "batch has the wrong type\n.*expected: int"),
    "a truth for a number": (["batch=true"], "batch has the wrong type"),
    "a fraction for a whole number": (["batch=1.5"], "batch has the wrong type"),
    "traps that are none": (["traps=all"], r"cannot be read\n.*traps\.key=value"),
    "no value": (["batch"], "cannot be read\n.*key=value"),
    "another preset": (["preset=fixed"], "the preset is no change"),
    "two lengths": (["epochs=3", "iterations=5"], "iterations or epochs, one of the two"),
    "no length": (['iterations="unknown"'], "iterations or epochs, one of the two"),
    "no iteration": (["iterations=0"], "iterations makes no sense\n.*1 or more"),
    "an empty batch": (["batch=0"], "batch makes no sense"),
    "groups that do not fit": (["batch=6"], "batch makes no sense\n.*a multiple of the group of 4\n.*6"),
    "scales out of order": (["smallest_scale=3.0"], "smallest_scale, largest_scale makes? no sense"),
    "a scale of 0": (["smallest_scale=0.0"], "smallest_scale, largest_scale makes? no sense"),
    "a scale without end": (["largest_scale=inf"], "smallest_scale, largest_scale makes? no sense"),
    "no number": (["learning_rate=nan"], "learning_rate makes no sense"),
    "a chance above 1": (["flip=1.5"], "flip makes no sense"),
    "a drop after the end": (["drop_at=1.5"], "drop_at makes no sense"),
    "an unknown prompt": (["prompts=boxes"], 'no kind of prompt is called "boxes"\n.*did you mean "box"'),
    "a prompt twice": (["prompts=box,box"], "prompts makes? no sense"),
    "no prompt": (["prompts=[]"], "prompts makes? no sense"),
    "no points": (["points=0"], "points makes? no sense"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_makes_no_sense_is_refused(case: str) -> None:
    changes, message = REFUSED[case]
    with pytest.raises(UsageError, match=f"(?s){message}"):
        load_recipe("released", changes)


def test_groups_matter_under_their_trap_only() -> None:
    assert load_recipe("fixed", ["batch=6"]).batch == 6


# file: part of the error
FILES = {
    "no TOML": ("batch: 3", "is no TOML file"),
    "no preset": ("batch = 8", "states the preset it starts from\n.*released"),
    "another preset": ('preset = "relased"', "states the preset it starts from"),
    "a preset that is no word": ('preset = ["mini"]', "states the preset it starts from"),
    "an unknown key": ('preset = "fixed"\nbach = 3', 'mine.toml: unknown key "bach"'),
    "two lengths": ('preset = "fixed"\nepochs = 3\niterations = 5', "mine.toml: .*one of the two"),
}


@pytest.mark.parametrize("case", FILES)
def test_files_that_are_refused(case: str, tmp_path: Path) -> None:
    text, message = FILES[case]
    (tmp_path / "mine.toml").write_text(text, "utf-8")
    with pytest.raises(UsageError, match=f"(?s){message}"):
        load_recipe(tmp_path / "mine.toml")


def test_a_name_that_is_none() -> None:
    with pytest.raises(UsageError, match=r'no recipe is called "relesed"(?s:.*)did you mean "released"'):
        load_recipe("relesed")
