"""Frozen SAMs: the official classes and keys, no torchvision, files that come back as they were, seeds."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from hqdata.errors import UsageError
from hqdata.training import package
from hqdata.training.checkpoint import CheckpointError
from hqdata.training.sam import SIZE_KEY, FrozenSam, load_sam, new_sam, save_sam
from hqdata.training.size import SIZES
from tests.training.oracles import TINY, oracle_sam, random_images, random_sam


def run(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    ).stdout


def test_torchvision_is_absent_or_works() -> None:
    """One that does not fit torch breaks transformers and others, and not where one would look."""
    if importlib.util.find_spec("torchvision") is None:
        return
    import torchvision

    assert torchvision.ops.nms(torch.tensor([[0.0, 0, 1, 1]]), torch.tensor([1.0]), 0.5).tolist() == [0]


def test_nothing_needs_torchvision_or_the_package_itself() -> None:
    code = (
        "import sys; sys.modules['torchvision'] = None\n"
        "from hqdata.training.size import SamSize\n"
        "from hqdata.training.sam import new_sam\n"
        "import hqdata.training.losses, hqdata.training.variants.hq_sam_file\n"
        "new_sam(SamSize(name='s', width=8, depth=1, heads=1, global_blocks=(0,), image=32, channels=16), 0)\n"
        "print('segment_anything' in sys.modules)"
    )
    assert run(code).strip() == "False"


def test_without_the_package_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"hqdata\[train\]"):
        package.modeling.__wrapped__()


@pytest.mark.parametrize("name", SIZES)
def test_keys_and_shapes_are_those_of_the_official_checkpoints(name: str) -> None:
    from hqdata.training.sam import _network

    with torch.device("meta"):
        ours, theirs = _network(SIZES[name]), getattr(oracle_sam("build_sam"), f"build_sam_{name}")()
    assert shapes(ours) == shapes(theirs)
    assert [type(one).__name__ for one in ours.modules()] == [type(one).__name__ for one in theirs.modules()]
    eps = [[one.eps for one in net.modules() if hasattr(one, "eps")] for net in (ours, theirs)]
    assert eps[0] == eps[1]


def shapes(network: torch.nn.Module) -> dict[str, torch.Size]:
    return {key: value.shape for key, value in network.state_dict().items()}


@pytest.mark.parametrize(("name", "early"), [("vit_b", 2), ("vit_l", 5), ("vit_h", 7)])
def test_the_early_feature_is_the_first_global_block(name: str, early: int) -> None:
    assert SIZES[name].early == early


def same(one: FrozenSam, other: FrozenSam) -> bool:
    states = [sam.network.state_dict() for sam in (one, other)]
    return states[0].keys() == states[1].keys() and all(
        torch.equal(states[0][key], states[1][key]) for key in states[0]
    )


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_a_sam_comes_back_as_it_was(tmp_path: Path, suffix: str) -> None:
    sam, path = random_sam(), tmp_path / f"mini.{suffix}"
    if suffix == "pth":
        torch.save(sam.network.state_dict(), path)
    else:
        save_sam(sam, path)
    back = load_sam(path, TINY if suffix == "pth" else None)
    assert same(back, sam)
    assert back.size == TINY
    images = random_images(2)
    assert torch.equal(back.encode(images).final, sam.encode(images).final)


def test_the_same_weights_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        save_sam(random_sam(), tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_nothing_of_it_is_trained(tmp_path: Path) -> None:
    save_sam(random_sam(), tmp_path / "mini.safetensors")
    for sam in (random_sam(), load_sam(tmp_path / "mini.safetensors")):
        assert not any(one.requires_grad for one in sam.parameters())
        assert not sam.encode(random_images(1)).early.requires_grad
        assert not sam.network.training
        assert not any(one.is_meta for one in [*sam.parameters(), *sam.buffers()])


def test_first_weights_depend_on_the_seed_alone() -> None:
    before = torch.random.get_rng_state()
    one, again, other = new_sam(TINY, 1), new_sam(TINY, 1), new_sam(TINY, 2)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert same(one, again)
    assert not same(one, other)


def like(size: str) -> dict[str, torch.Tensor]:
    """Just enough of a checkpoint to be taken for one of that size."""
    blocks = {f"image_encoder.blocks.{index}.norm1.weight": torch.ones(1) for index in range(SIZES[size].depth)}
    return {"image_encoder.pos_embed": torch.ones(1, 1, 1, SIZES[size].width), **blocks}


def test_a_b_is_known_where_an_l_is_wanted(tmp_path: Path) -> None:
    torch.save(like("vit_b"), tmp_path / "weights.pth")
    with pytest.raises(CheckpointError, match=r"(?s)does not fit vit_l.*this is a vit_b") as caught:
        load_sam(tmp_path / "weights.pth", "vit_l")
    assert "image_encoder.pos_embed [1, 1, 1, 768] for [1, 64, 64, 1024]" in str(caught.value)


def test_an_hq_sam_is_known_where_a_sam_is_wanted(tmp_path: Path) -> None:
    state = random_sam().network.state_dict()
    torch.save({**state, "mask_decoder.hf_token.weight": torch.zeros(1, 32)}, tmp_path / "weights.pth")
    with pytest.raises(CheckpointError, match="this is an HQ-SAM"):
        load_sam(tmp_path / "weights.pth", TINY)


def test_the_size_is_found_where_none_is_asked_for(tmp_path: Path) -> None:
    torch.save(like("vit_h"), tmp_path / "weights.pth")
    with pytest.raises(CheckpointError, match="does not fit vit_h"):
        load_sam(tmp_path / "weights.pth")


def test_a_size_that_nobody_knows_is_an_error(tmp_path: Path) -> None:
    torch.save(random_sam().network.state_dict(), tmp_path / "weights.pth")
    with pytest.raises(CheckpointError, match="no SAM checkpoint of a known size"):
        load_sam(tmp_path / "weights.pth")
    with pytest.raises(UsageError, match='did you mean "vit_l"'):
        load_sam(tmp_path / "weights.pth", "vit-l")


@pytest.mark.parametrize(
    "stated",
    ["no JSON", "[]", "{}", '{"name": "x"}', json.dumps({"name": "x", "width": 8, "depth": 1, "heads": 3})],
)
def test_a_stated_size_that_cannot_be_is_an_error(tmp_path: Path, stated: Any) -> None:
    safetensors.torch.save_file({"a": torch.zeros(1)}, tmp_path / "a.safetensors", {SIZE_KEY: stated})
    with pytest.raises(CheckpointError, match="no size that can be"):
        load_sam(tmp_path / "a.safetensors")
