"""Masks of one image: the official model gives the same, and nothing depends on what else is asked for."""

import numpy as np
import pytest
import torch

from hqdata.training.encoder import Features
from hqdata.training.fit import PROTOCOLS, Fit
from hqdata.training.predict import BASE, OUTPUTS, Predicted, Predictor
from hqdata.training.prompts import Encoded, Prompts
from hqdata.training.sam import FrozenSam
from hqdata.training.variants.hq_sam import HQHead
from hqdata.training.variants.outputs import Outputs
from tests.training.oracles import TINY, random_sam, shake

SIZE = (90, 120)
BOX = (10.0, 20.5, 90.25, 80.0)
IMAGE = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)


def head_of(seed: int) -> HQHead:
    head = HQHead(TINY, seed)
    shake(head, seed)
    return head.eval().requires_grad_(False)


HEADS = {"one": head_of(1), "two": head_of(2)}


def fit_of(protocol: str = "native") -> Fit:
    return Fit(protocol=protocol, side=TINY.image, height=SIZE[0], width=SIZE[1])  # type: ignore[arg-type]


def keyed(made: list[Predicted]) -> dict[tuple[str, str], bytes]:
    return {(item.run, item.output): item.mask.tobytes() for item in made}


def test_the_base_is_the_official_sam() -> None:
    sam, fit = random_sam(), fit_of()
    (made,) = Predictor(sam, {}, fit, IMAGE).masks(BOX)
    record = {"image": fit.image(IMAGE).float(), "original_size": SIZE, "boxes": torch.tensor([BOX])}
    (wanted,) = sam.network([record], multimask_output=False)
    assert (made.run, made.output, made.mask.shape, made.mask.dtype) == (BASE, "sam_plain", SIZE, np.bool_)
    assert 0 < made.mask.mean() < 1
    assert np.array_equal(made.mask, wanted["masks"][0, 0].numpy())


def test_heads_give_every_output() -> None:
    sam, fit = random_sam(), fit_of()
    made = Predictor(sam, HEADS, fit, IMAGE).masks(BOX)
    names = [(BASE, "sam_plain")] + [(run, output) for run in HEADS for output in ("head", "sum", "sam_inside")]
    assert [(item.run, item.output) for item in made] == names
    with torch.no_grad():
        features, prompt = sam.encode(fit.image(IMAGE)[None]), sam.prompt(Prompts(boxes=torch.tensor([BOX])))
        for item in made[1:]:
            outputs = HEADS[item.run].predict(sam, features, prompt)
            wanted = fit.logits(getattr(outputs, item.output))[0, 0] > 0
            assert np.array_equal(item.mask, wanted.numpy())
    assert len(set(keyed(made).values())) == len(made)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nothing_depends_on_what_else_is_asked_for(protocol: str) -> None:
    sam, other = random_sam(), (0.0, 0.0, 128.0, 128.0)
    every = Predictor(sam, HEADS, fit_of(protocol), IMAGE)
    every.masks(other)
    together = keyed(every.masks(BOX))
    for run, output in together:
        heads = {run: HEADS[run]} if run in HEADS else {}
        alone = Predictor(sam, heads, fit_of(protocol), IMAGE, outputs=(output,)).masks(BOX)
        assert keyed(alone) == {(run, output): together[run, output]}


def test_an_image_is_encoded_once_and_only_if_a_box_comes() -> None:
    sam, passes = random_sam(), []
    sam.network.image_encoder.patch_embed.register_forward_hook(lambda *_: passes.append(1))
    predictor = Predictor(sam, HEADS, fit_of(), IMAGE)
    assert passes == []
    for _ in range(3):
        predictor.masks(BOX)
    assert passes == [1]


class OwnMask(torch.nn.Module):
    """A variant that trains SAM's own mask: it has one output."""

    def predict(self, sam: FrozenSam, features: Features, prompts: Encoded) -> Outputs:
        made = HEADS["one"].predict(sam, features, prompts)
        return Outputs(head=made.head, sam_inside=None, iou=made.iou)


def test_an_output_that_a_head_lacks_is_not_made_up() -> None:
    made = Predictor(random_sam(), {"own": OwnMask()}, fit_of(), IMAGE, outputs=OUTPUTS).masks(BOX)
    assert [(item.run, item.output) for item in made] == [(BASE, "sam_plain"), ("own", "head")]
