"""Pretraining: goes on to the bit from its last snapshot, and what it made is a SAM."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from hqdata.errors import UsageError
from hqdata.training.mini import pretrain as module
from hqdata.training.mini.drawn import Picture
from hqdata.training.mini.pretrain import judge, pretrain, share_at
from hqdata.training.mini.recipe import MINI, Pretraining
from hqdata.training.sam import SAM_MINI, FrozenSam, find_sam
from hqdata.training.size import SamSize
from hqdata.training.snapshot import newest_snapshot

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


def test_every_weight_is_learned_once(pictures: list[Picture], tmp_path: Path) -> None:
    sam = pretrain(pictures, tmp_path, replace(RECIPE, steps=1), size=TINY)
    found = newest_snapshot(tmp_path, pytest.fail)
    assert found is not None
    by_muon, by_adam = ({key.rpartition(".")[0] for key in found.tensors[word]} for word in ("muon", "adam"))
    linear = {f"{name}.weight" for name, part in sam.network.named_modules() if isinstance(part, torch.nn.Linear)}
    assert by_muon == linear
    assert by_adam == {name for name, _ in sam.network.named_parameters()} - linear


def test_an_old_torch_is_told(pictures: list[Picture], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.optim, "Muon")
    with pytest.raises(UsageError, match=r"torch 2\.9 or newer"):
        pretrain(pictures, tmp_path, RECIPE, size=TINY)


@pytest.mark.parametrize(("step", "expected"), [(0, 0.5), (1, 1.0), (2, 1.0), (4, 0.5), (6, 0.0)])
def test_the_learning_rate_rises_and_falls(step: int, expected: float) -> None:
    assert share_at(step, RECIPE) == pytest.approx(expected)


def test_sam_mini_is_a_sam(pictures: list[Picture]) -> None:
    """On pictures that it never saw, over all of their masks: most are of scenes, and half of those are tiny."""
    sam = find_sam(SAM_MINI)
    assert sam.size == MINI
    means = judge(sam, pictures)
    assert means["box"] >= 0.75
    assert means["points"] >= 0.55
    assert means["mask"] >= 0.65
    means = judge(sam, [one for one in pictures if not one.scene])
    assert means["box"] >= 0.8
    assert means["points"] >= 0.75
    assert means["mask"] >= 0.8
