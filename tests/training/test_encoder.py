"""One pass of the encoder against the official HQ-SAM package, which returns both features."""

from functools import partial
from typing import Any

import pytest
import torch

from hqdata.errors import UsageError
from hqdata.training.sam import MEAN, STD, FrozenSam
from hqdata.training.size import SIZES, SamSize
from tests.training.oracles import TINY, oracle_samhq, random_images, random_sam


def official(sam: FrozenSam) -> Any:
    """The official HQ-SAM's ``Sam`` with the same encoder; it normalises and pads."""
    size, parts = sam.size, oracle_samhq("modeling")
    encoder = parts.ImageEncoderViT(
        depth=size.depth,
        embed_dim=size.width,
        img_size=size.image,
        mlp_ratio=size.mlp_ratio,
        norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
        num_heads=size.heads,
        patch_size=size.patch,
        qkv_bias=True,
        use_rel_pos=True,
        global_attn_indexes=size.global_blocks,
        window_size=size.window,
        out_chans=size.channels,
    )
    encoder.load_state_dict(sam.network.image_encoder.state_dict())
    return parts.Sam(encoder, torch.nn.Identity(), torch.nn.Identity(), list(MEAN), list(STD)).requires_grad_(False)


def compare(sam: FrozenSam, images: torch.Tensor, tolerance: float) -> None:
    ours, theirs = sam.encode(images), official(sam)
    final, inner = theirs.image_encoder(torch.stack([theirs.preprocess(image) for image in images]))
    torch.testing.assert_close(ours.final, final, rtol=0, atol=tolerance)
    torch.testing.assert_close(ours.early, inner[0], rtol=0, atol=tolerance)


def test_features_equal_the_official_ones() -> None:
    compare(random_sam(), random_images(3), 1e-5)


def test_a_whole_canvas_is_not_padded() -> None:
    sam = random_sam()
    images = torch.rand(1, 3, TINY.image, TINY.image) * 255
    compare(sam, images, 1e-5)


def test_images_come_in_any_type() -> None:
    sam, images = random_sam(), random_images(1)
    assert torch.equal(sam.encode(images).final, sam.encode(images.double()).final)


@pytest.mark.slow
def test_features_of_a_real_b_equal_the_official_ones() -> None:
    compare(random_sam(SIZES["vit_b"]), random_images(1, SIZES["vit_b"]), 1e-5)


def test_half_precision_gives_float32_near_the_exact() -> None:
    sam, images = random_sam(), random_images(2)
    exact, rough = sam.encode(images), sam.encode(images, precision=torch.bfloat16)
    assert rough.final.dtype == rough.early.dtype == torch.float32
    assert 0 < (rough.final - exact.final).abs().mean() < 0.05 * exact.final.abs().mean()


@pytest.mark.parametrize(("height", "width"), [(129, 64), (64, 129)])
def test_larger_images_are_refused(height: int, width: int) -> None:
    with pytest.raises(UsageError, match=f"{width} x {height}"):
        random_sam().encode(torch.zeros(1, 3, height, width))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": 100}, "a multiple of 16"),
        ({"heads": 3}, "a multiple of 3"),
        ({"channels": 36}, "a multiple of 8"),
        ({"channels": 8, "decoder_heads": 8}, "a multiple of 16"),
        ({"mask_channels": 6}, "a multiple of 4"),
        ({"depth": 0}, "1 or more"),
        ({"global_blocks": ()}, "indices of the 4 blocks"),
        ({"global_blocks": (3, 1)}, "indices of the 4 blocks"),
        ({"global_blocks": (1, 4)}, "indices of the 4 blocks"),
    ],
)
def test_sizes_that_cannot_be_built_are_refused(change: dict[str, Any], message: str) -> None:
    facts = {name: getattr(TINY, name) for name in TINY.__slots__}
    with pytest.raises(UsageError, match=message):
        SamSize(**{**facts, **change})


def test_what_lies_beyond_an_image_s_size_is_padding() -> None:
    """Whatever it holds: as if the image came without it."""
    sam = random_sam()
    side = sam.size.image
    images = torch.randint(0, 256, (2, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    sizes = torch.tensor([[side - 40, side], [side, 24]])
    found = sam.encode(images, sizes=sizes)
    for row, (height, width) in enumerate(sizes.tolist()):
        alone = sam.encode(images[row : row + 1, :, :height, :width])
        assert torch.allclose(found.final[row], alone.final[0], atol=1e-5)
        assert torch.allclose(found.early[row], alone.early[0], atol=1e-5)
