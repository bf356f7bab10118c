"""Files of HQ-SAM: the official package loads ours and gives the same masks; we load theirs."""

from pathlib import Path
from typing import Any

import pytest
import torch

from hqdata.training.checkpoint import CheckpointError
from hqdata.training.sam import FrozenSam
from hqdata.training.size import SamSize
from hqdata.training.variants.hq_sam import HQHead
from hqdata.training.variants.hq_sam_file import export_samhq, load_head, load_samhq
from tests.training.oracles import TINY, oracle_samhq, random_images, random_prompts, random_sam, shake

THIN = SamSize(name="thin", width=32, depth=2, heads=2, global_blocks=(1,))
"""Of the published sizes in all but the encoder's width and depth, so that the package's own loader can build it."""


def head_of(size: SamSize = TINY, seed: int = 0) -> HQHead:
    head = HQHead(size, seed)
    shake(head, seed)
    return head


def equal(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    states = one.state_dict(), other.state_dict()
    return states[0].keys() == states[1].keys() and all(
        torch.equal(states[0][key], states[1][key]) for key in states[0]
    )


def test_the_official_package_loads_an_export_and_gives_the_same_masks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sam, head = random_sam(THIN), head_of(THIN)
    export_samhq(sam, head, tmp_path / "export.pth")
    build = oracle_samhq("build_sam")._build_sam
    theirs = build(THIN.width, THIN.depth, THIN.heads, list(THIN.global_blocks), checkpoint=tmp_path / "export.pth")
    assert "All keys matched" in capsys.readouterr().out
    image = random_images(1, THIN)
    prompts = random_prompts("box", 2, THIN, image=torch.zeros(2, dtype=torch.int64))
    with torch.no_grad():
        ours = head.predict(sam, sam.encode(image), sam.prompt(prompts), multimask=True)
        record = {"image": image[0].float(), "original_size": image.shape[2:], "boxes": prompts.boxes}
        for wanted, alone in ((ours.head, True), (ours.sum, False)):
            (found,) = theirs([record], multimask_output=True, hq_token_only=alone)
            torch.testing.assert_close(found["low_res_logits"], wanted, rtol=0, atol=1e-5)
            torch.testing.assert_close(found["iou_predictions"], ours.iou, rtol=0, atol=1e-5)


def test_an_export_comes_back_as_it_was(tmp_path: Path) -> None:
    sam, head = random_sam(), head_of()
    export_samhq(sam, head, tmp_path / "export.pth")
    back, back_head = load_samhq(tmp_path / "export.pth", TINY)
    assert equal(back.network, sam.network)
    assert equal(back_head, head)
    assert all(one.requires_grad and not one.is_meta for one in back_head.parameters())
    assert equal(load_head(tmp_path / "export.pth", sam), head)


def test_the_same_weights_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one.pth", "other.pth"):
        export_samhq(random_sam(), head_of(), tmp_path / name)
    assert (tmp_path / "one.pth").read_bytes() == (tmp_path / "other.pth").read_bytes()


def test_an_export_holds_no_more_than_its_weights(tmp_path: Path) -> None:
    sam, head = random_sam(), head_of()
    large = torch.zeros(1_000_000)
    large[:32] = head.hf_token.weight.detach()[0]
    head.hf_token.weight = torch.nn.Parameter(large[:32].view(1, 32))
    export_samhq(sam, head, tmp_path / "export.pth")
    assert (tmp_path / "export.pth").stat().st_size < 1_000_000


def decoder_only(sam: FrozenSam, head: HQHead) -> dict[str, Any]:
    """What the released training code writes after each epoch: the decoder without a prefix."""
    return {**sam.decoder.state_dict(), **head.state_dict()}


def test_a_decoder_of_the_released_training_code_loads(tmp_path: Path) -> None:
    sam, head = random_sam(), head_of()
    torch.save(decoder_only(sam, head), tmp_path / "epoch_11.pth")
    assert equal(load_head(tmp_path / "epoch_11.pth", sam), head)


def test_a_head_of_another_sam_is_refused(tmp_path: Path) -> None:
    torch.save(decoder_only(random_sam(seed=1), head_of()), tmp_path / "epoch_11.pth")
    with pytest.raises(CheckpointError, match="trained on another SAM"):
        load_head(tmp_path / "epoch_11.pth", random_sam(seed=2))


@pytest.mark.parametrize("loader", ["load_samhq", "load_head"])
def test_a_plain_sam_has_no_head(tmp_path: Path, loader: str) -> None:
    sam = random_sam()
    torch.save(sam.network.state_dict(), tmp_path / "sam.pth")
    with pytest.raises(CheckpointError, match="holds no HQ-SAM head"):
        load_samhq(tmp_path / "sam.pth", TINY) if loader == "load_samhq" else load_head(tmp_path / "sam.pth", sam)


def test_half_a_head_is_named(tmp_path: Path) -> None:
    sam, head = random_sam(), head_of()
    state = decoder_only(sam, head)
    del state["hf_mlp.layers.0.bias"]
    state["compress_vit_feat.0.weight"] = torch.zeros(48, 32, 2, 2)
    torch.save(state, tmp_path / "epoch_11.pth")
    with pytest.raises(CheckpointError) as caught:
        load_head(tmp_path / "epoch_11.pth", sam)
    assert "1 missing: hf_mlp.layers.0.bias" in str(caught.value)
    assert "compress_vit_feat.0.weight [48, 32, 2, 2] for [32, 32, 2, 2]" in str(caught.value)
