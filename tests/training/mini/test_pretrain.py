"""Pretraining: goes on to the bit from its last snapshot, and what it made is a SAM."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from hqdata.errors import UsageError
from hqdata.training.mini import pretrain as module
from hqdata.training.mini.drawn import Picture
from hqdata.training.mini.pretrain import judge, learning_rate_at, pretrain
from hqdata.training.mini.recipe import MINI, Pretraining
from hqdata.training.sam import SAM_MINI, FrozenSam, find_sam
from hqdata.training.size import SamSize

TINY = SamSize(
    name="tiny",
    width=16,
    depth=2,
    heads=2,
    global_blocks=(1,),
    image=64,
    window=2,
    channels=16,
    decoder_mlp=16,
    iou_width=8,
)
RECIPE = Pretraining(steps=6, batch=2, masks=(2, 2), warm_up=2)


def weights(sam: FrozenSam) -> dict[str, torch.Tensor]:
    return dict(sam.network.state_dict())


class Stopped(Exception):
    pass


def test_it_goes_on_to_the_bit(pictures: list[Picture], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SAVE_EVERY", 2)
    losses: dict[str, list[float]] = {"whole": [], "parts": []}
    whole = pretrain(pictures, tmp_path / "a", RECIPE, size=TINY, on_step=lambda _, loss: losses["whole"].append(loss))

    def stop(step: int, loss: float) -> None:
        if step == 5:
            raise Stopped
        losses["parts"].append(loss)

    with pytest.raises(Stopped):
        pretrain(pictures, tmp_path / "b", RECIPE, size=TINY, on_step=stop)
    parts = pretrain(pictures, tmp_path / "b", RECIPE, size=TINY, on_step=lambda _, loss: losses["parts"].append(loss))
    assert losses["parts"] == losses["whole"][:4] + losses["whole"][4:]
    assert all(torch.equal(value, weights(parts)[key]) for key, value in weights(whole).items())
    assert not any(weight.requires_grad for weight in parts.network.parameters())


def test_another_recipe_does_not_go_on(pictures: list[Picture], tmp_path: Path) -> None:
    pretrain(pictures, tmp_path, replace(RECIPE, steps=1), size=TINY)
    with pytest.raises(UsageError, match="another pretraining"):
        pretrain(pictures, tmp_path, RECIPE, size=TINY)


@pytest.mark.parametrize(("step", "expected"), [(0, 0.5), (1, 1.0), (2, 1.0), (4, 0.5), (6, 0.0)])
def test_the_learning_rate_rises_and_falls(step: int, expected: float) -> None:
    assert learning_rate_at(step, replace(RECIPE, learning_rate=1.0)) == pytest.approx(expected)


def test_sam_mini_is_a_sam(pictures: list[Picture]) -> None:
    """On pictures that it never saw. On scenes, of masks as large as one of its tokens or larger."""
    sam = find_sam(SAM_MINI)
    assert sam.size == MINI
    objects, scenes = ([one for one in pictures if one.scene == scene] for scene in (False, True))
    means = judge(sam, objects)
    assert means["box"] >= 0.8
    assert means["points"] >= 0.75
    assert means["mask"] >= 0.8
    means = judge(sam, scenes, least=256)
    assert means["box"] >= 0.7
    assert means["points"] >= 0.55
    assert means["mask"] >= 0.65
