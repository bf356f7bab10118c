"""HQ-SAM against the official package's ``MaskDecoderHQ``: keys, shapes, counts, outputs, gradients, first weights."""

from typing import Any

import pytest
import torch
from torch import Tensor

from hqdata.training.encoder import Features
from hqdata.training.prompts import Prompts
from hqdata.training.sam import FrozenSam
from hqdata.training.size import SIZES, SamSize
from hqdata.training.variants.hq_sam import HQHead
from tests.training.oracles import (
    KINDS,
    TINY,
    official_decoder,
    official_prompts,
    oracle_samhq,
    random_prompts,
    random_sam,
    rows,
)

TOLERANCE = 1e-5


def head_like(decoder: Any, size: SamSize) -> HQHead:
    """Our head with an official decoder's weights."""
    head = HQHead(size, seed=0)
    names = set(head.state_dict())
    head.load_state_dict({key: value for key, value in decoder.state_dict().items() if key in names})
    return head


def official(sam: FrozenSam, decoder: Any, features: Features, prompts: Prompts, image: int, **how: bool) -> Any:
    """Mask and predicted IoU of the rows that belong to an image, one image at a time as the package does it."""
    encoder = official_prompts(sam)
    chosen = [row for row, of in enumerate(image_of(prompts)) if of == image]
    sparse, dense = encoder(**rows(prompts, chosen))
    one = slice(image, image + 1)
    early = features.early[one].unsqueeze(0)
    return decoder(features.final[one], encoder.get_dense_pe(), sparse, dense, **how, interm_embeddings=early)


def image_of(prompts: Prompts) -> list[int]:
    assert prompts.image is not None
    return prompts.image.tolist()


class Case:
    """A SAM, an official HQ decoder, our head with its weights, features of two images."""

    def __init__(self, size: SamSize = TINY) -> None:
        self.sam = random_sam(size)
        self.decoder = official_decoder(self.sam)
        self.head = head_like(self.decoder, size)
        generator = torch.Generator().manual_seed(4)
        early = torch.randn(2, size.grid, size.grid, size.width, generator=generator)
        self.features = Features(early=early, final=early[..., : size.channels].permute(0, 3, 1, 2))

    def official(self, prompts: Prompts, **how: bool) -> tuple[Tensor, Tensor]:
        """All rows, image after image."""
        found = [official(self.sam, self.decoder, self.features, prompts, image, **how) for image in range(2)]
        masks, iou = zip(*found, strict=True)
        return torch.cat(masks), torch.cat(iou)

    def gradients(self, module: torch.nn.Module, result: Tensor) -> dict[str, Tensor]:
        """Of a fixed mixture of all logits, for the weights of the head."""
        weights = torch.randn(result.shape, generator=torch.Generator().manual_seed(3)) / result.numel() ** 0.5
        names = set(self.head.state_dict())
        held = {key: one for key, one in module.named_parameters() if key in names}
        found = torch.autograd.grad((result * weights).sum(), list(held.values()), retain_graph=True)
        return dict(zip(held, found, strict=True))


@pytest.fixture(scope="module")
def case() -> Case:
    return Case()


def outputs(case: Case, prompts: Prompts, multimask: bool) -> dict[str, tuple[Tensor, Tensor]]:
    """Ours and the official one, by name."""
    ours = case.head.predict(case.sam, case.features, case.sam.prompt(prompts), multimask=multimask)
    alone, _ = case.official(prompts, multimask_output=multimask, hq_token_only=True)
    added, iou = case.official(prompts, multimask_output=multimask, hq_token_only=False)
    assert ours.sum is not None
    assert ours.sam_inside is not None
    return {
        "head": (ours.head, alone),
        "sum": (ours.sum, added),
        "sam_inside": (ours.sam_inside, added - alone),
        "iou": (ours.iou, iou),
    }


def assert_equal(case: Case, prompts: Prompts, multimask: bool = False, *, gradients_by_norm: bool = False) -> None:
    """All outputs; gradients of what can be trained on, in each number or by their norm."""
    found = outputs(case, prompts, multimask)
    far = {name: (mine - theirs).abs().max().item() for name, (mine, theirs) in found.items()}
    for name in ("head", "sum"):
        ours, theirs = (case.gradients(of, one) for of, one in zip((case.head, case.decoder), found[name], strict=True))
        for key, wanted in theirs.items():
            gap = ours[key] - wanted
            far[f"{name}: {key}"] = float(gap.norm() / wanted.norm() if gradients_by_norm else gap.abs().max())
    assert {name: gap for name, gap in far.items() if not gap < TOLERANCE} == {}


@pytest.mark.parametrize("multimask", [False, True])
@pytest.mark.parametrize("kinds", KINDS)
def test_equals_the_official_decoder(case: Case, kinds: str, multimask: bool) -> None:
    assert_equal(case, random_prompts(kinds, 2, image=torch.arange(2)), multimask)


def test_equals_the_official_decoder_with_several_prompts_an_image(case: Case) -> None:
    assert_equal(case, random_prompts("box + points", 5, image=torch.tensor([0, 0, 0, 1, 1])), multimask=True)


@pytest.mark.slow
@pytest.mark.parametrize("kinds", ["box", "points", "mask"])
def test_equals_the_official_decoder_at_the_size_of_b(kinds: str) -> None:
    """Bias gradients are sums over 131,072 pixels; the official ones are off by 1.1e-5 themselves, against float64."""
    size = SIZES["vit_b"]
    assert_equal(Case(size), random_prompts(kinds, 2, size, image=torch.arange(2)), gradients_by_norm=True)


def test_what_is_trained_is_the_head_of_what_is_scored(case: Case) -> None:
    prompts = case.sam.prompt(random_prompts("box", 2))
    trained = case.head(case.sam, case.features, prompts)
    assert torch.equal(trained, case.head.predict(case.sam, case.features, prompts).head)


def test_one_prompt_an_image_needs_no_numbers(case: Case) -> None:
    numbered = random_prompts("points", 2, image=torch.arange(2))
    plain = Prompts(points=numbered.points, labels=numbered.labels)
    one, other = (case.head(case.sam, case.features, case.sam.prompt(prompts)) for prompts in (numbered, plain))
    assert torch.equal(one, other)


def test_only_the_head_gets_gradients(case: Case) -> None:
    case.head(case.sam, case.features, case.sam.prompt(random_prompts("box", 2))).sum().backward()
    assert all(one.grad is not None for one in case.head.parameters())
    assert all(one.grad is None and not one.requires_grad for one in case.sam.parameters())
    case.head.zero_grad()


@pytest.mark.parametrize(("name", "count"), [("vit_b", 1_071_104), ("vit_l", 1_333_248), ("vit_h", 1_595_392)])
def test_keys_shapes_and_counts_of_the_published_sizes(name: str, count: int) -> None:
    size = SIZES[name]
    build = getattr(oracle_samhq("build_sam"), f"build_sam_{name}")
    with torch.device("meta"):
        head, whole = HQHead(size, seed=0), build()
    trained = {key: value.shape for key, value in whole.named_parameters() if value.requires_grad}
    assert {f"mask_decoder.{key}": value.shape for key, value in head.state_dict().items()} == trained
    assert sum(one.numel() for one in head.parameters()) == count


def test_first_weights_are_drawn_as_the_official_ones(case: Case) -> None:
    """The same distributions in the same order: of one seed, the very same numbers."""
    parts = oracle_samhq("modeling.mask_decoder_hq")
    wide, narrow = TINY.channels, TINY.channels // 8
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        token, mlp = torch.nn.Embedding(1, wide), parts.MLP(wide, wide, narrow, 3)
        first = torch.nn.ConvTranspose2d(TINY.width, wide, kernel_size=2, stride=2)
    head = HQHead(TINY, seed=5)
    assert torch.equal(head.hf_token.weight, token.weight)
    assert all(torch.equal(head.hf_mlp.state_dict()[key], value) for key, value in mlp.state_dict().items())
    assert torch.equal(head.compress_vit_feat[0].weight, first.weight)


def test_first_weights_depend_on_the_seed_alone() -> None:
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    one, same, other = HQHead(TINY, seed=7), HQHead(TINY, seed=7), HQHead(TINY, seed=8)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(value, same.state_dict()[key]) for key, value in one.state_dict().items())
    assert not torch.equal(one.hf_token.weight, other.hf_token.weight)
