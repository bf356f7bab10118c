"""The fused attention against the official one: equal numbers, and never a tensor as large as the attention matrix."""

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from hqdata.training.attention import attend
from tests.training.oracles import oracle_sam, shake

# height, width, channels, heads
SHAPES = {
    "window of B": (14, 14, 128, 2),
    "window of H, whose heads have 80 channels": (14, 14, 160, 2),
    "odd and not square": (5, 7, 24, 3),
    "one token": (1, 1, 16, 2),
    "global": (32, 32, 64, 1),
}


def official(height: int, width: int, channels: int, heads: int) -> Any:
    """Positions move logits by several units, as in trained blocks."""
    block = oracle_sam("modeling.image_encoder").Attention(
        channels, num_heads=heads, use_rel_pos=True, input_size=(height, width)
    )
    shake(block)
    with torch.no_grad():
        block.rel_pos_h *= 20
        block.rel_pos_w *= 20
    return block.requires_grad_(False)


def tokens(height: int, width: int, channels: int, batch: int = 2) -> torch.Tensor:
    return torch.randn(batch, height, width, channels, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("pad_values", [True, False])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_equals_the_official_attention(shape: tuple[int, int, int, int], pad_values: bool) -> None:
    block, given = official(*shape), tokens(*shape[:3])
    torch.testing.assert_close(attend(block, given, pad_values=pad_values), block(given), rtol=0, atol=1e-5)


def test_positions_matter_in_these_tests() -> None:
    block, given = official(14, 14, 128, 2), tokens(14, 14, 128)
    with_positions = block(given)
    block.rel_pos_h.zero_()
    assert (block(given) - with_positions).abs().max() > 0.1


def test_half_precision_is_as_near_as_the_official_one() -> None:
    block, given = official(14, 14, 128, 2), tokens(14, 14, 128)
    exact = block(given)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        ours, theirs = attend(block, given), block(given)
    assert (ours - exact).abs().mean() < 1.1 * (theirs - exact).abs().mean()


class Largest(TorchDispatchMode):
    """Notes the largest tensor that any operation returns."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = 0

    def __torch_dispatch__(self, function: Any, _: Any, arguments: Any = (), options: Any = None) -> Any:
        result = function(*arguments, **(options or {}))
        for one in result if isinstance(result, tuple | list) else [result]:
            if isinstance(one, torch.Tensor):
                self.numbers = max(self.numbers, one.untyped_storage().nbytes() // one.element_size())
        return result


def test_nothing_is_as_large_as_the_attention_matrix() -> None:
    block, given = official(32, 32, 64, 2), tokens(32, 32, 64, batch=1)
    matrix = 2 * (32 * 32) ** 2
    with torch.no_grad(), Largest() as ours:
        attend(block, given)
    with torch.no_grad(), Largest() as theirs:
        block(given)
    assert theirs.numbers == matrix
    assert ours.numbers < matrix / 8
