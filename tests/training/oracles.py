"""Code that we did not write, to compare with: the official SAM and HQ-SAM packages, loaded without their ``__init__``,
and the steps of the released training.

The packages' own import torchvision, which the tests do without. ``timm`` is stubbed: only the TinyViT needs it.
"""

import importlib
import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from hqdata.arrays import UInt8Array
from hqdata.training.jitter import Crop
from hqdata.training.prompts import Prompts
from hqdata.training.sam import FrozenSam, new_sam
from hqdata.training.size import SamSize

TINY = SamSize(
    name="tiny",
    width=32,
    depth=4,
    heads=2,
    global_blocks=(1, 3),
    image=128,
    window=3,
    channels=32,
    mask_channels=8,
    decoder_heads=4,
    decoder_mlp=48,
    iou_width=24,
)
"""A grid of 8, so that windows of 3 need padding."""


@cache
def package(name: str, command: str) -> Any:
    """A package under a private name, whose submodules can be imported; skips where it is not installed."""
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        pytest.skip(f"{name} is not installed: {command}")
    root = ModuleType(f"_oracle_{name}")
    root.__path__ = [str(Path(found.origin).parent)]
    sys.modules[root.__name__] = root
    return root


def oracle_sam(module: str) -> Any:
    """A module of the official SAM package, such as ``build_sam``."""
    root = package("segment_anything", "pip install segment-anything")
    return importlib.import_module(f"{root.__name__}.{module}")


def oracle_samhq(module: str) -> Any:
    """A module of the official HQ-SAM package, such as ``build_sam``."""
    root = package("segment_anything_hq", "pip install --no-deps segment-anything-hq")
    stubs = {name: ModuleType(name) for name in ("timm", "timm.models", "timm.models.layers", "timm.models.registry")}
    stubs["timm.models.layers"].__dict__.update(DropPath=object, to_2tuple=None, trunc_normal_=None)
    stubs["timm.models.registry"].__dict__.update(register_model=lambda function: function)
    with pytest.MonkeyPatch.context() as patch:
        for name, stub in stubs.items():
            patch.setitem(sys.modules, name, stub)
        return importlib.import_module(f"{root.__name__}.{module}")


def released_sizes(height: int, width: int, scale: float) -> list[int]:
    """Height and width of a resized image, as the released ``LargeScaleJitter`` computes them."""
    size = torch.tensor([height, width])
    scaled = (torch.tensor([scale]) * torch.tensor(1024)).round()
    ratio = torch.minimum(scaled / size[0], scaled / size[1])
    sizes: list[int] = (size * ratio).round().long().tolist()
    return sizes


def torch_resized(pixels: UInt8Array, crop: Crop) -> np.ndarray:
    """The released code's resizing: whole, in floats, then cropped."""
    tensor = torch.from_numpy(np.array(pixels, ndmin=3)).float()
    tensor = tensor.permute(2, 0, 1) if pixels.ndim == 3 else tensor
    whole = functional.interpolate(tensor[None], crop.whole, mode="bilinear")[0].permute(1, 2, 0).numpy()
    cut = whole[crop.top : crop.top + crop.height, crop.left : crop.left + crop.width]
    return cut if pixels.ndim == 3 else cut[..., 0]


def shake(module: torch.nn.Module, seed: int = 0) -> None:
    """Add noise to every weight, so that none is 0 or 1 as when fresh, but numbers stay of the order of one."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for one in module.parameters():
            inputs = one[0].numel() if one.ndim > 1 else 1
            one.add_(torch.randn(one.shape, generator=generator), alpha=0.3 / (inputs + 9) ** 0.5)


def random_sam(size: SamSize = TINY, seed: int = 0) -> FrozenSam:
    sam = new_sam(size, seed)
    shake(sam, seed)
    return sam


def random_images(count: int, size: SamSize = TINY, seed: int = 0) -> torch.Tensor:
    """``uint8[count, 3, S, S - 16]``, so that there is a side to pad."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, size.image, size.image - 16), generator=generator, dtype=torch.uint8)


def official_prompts(sam: FrozenSam) -> Any:
    """The official ``PromptEncoder`` of a SAM's size and weights."""
    size = sam.size
    encoder = oracle_samhq("modeling").PromptEncoder(
        embed_dim=size.channels,
        image_embedding_size=(size.grid, size.grid),
        input_image_size=(size.image, size.image),
        mask_in_chans=size.mask_channels,
    )
    encoder.load_state_dict(sam.network.prompt_encoder.state_dict())
    return encoder.requires_grad_(False)


def official_decoder(sam: FrozenSam, seed: int = 0, name: str = "MaskDecoderHQ") -> Any:
    """The official decoder of a SAM's size and weights; what HQ-SAM adds to it is random."""
    size, parts = sam.size, oracle_samhq("modeling")
    transformer = parts.TwoWayTransformer(
        depth=size.decoder_depth,
        embedding_dim=size.channels,
        mlp_dim=size.decoder_mlp,
        num_heads=size.decoder_heads,
    )
    torch.manual_seed(seed)
    decoder = getattr(parts, name)(
        num_multimask_outputs=3,
        transformer=transformer,
        transformer_dim=size.channels,
        iou_head_depth=3,
        iou_head_hidden_dim=size.iou_width,
        **({"vit_dim": size.width} if name == "MaskDecoderHQ" else {}),
    )
    shake(decoder, seed)
    decoder.load_state_dict(sam.decoder.state_dict(), strict=False)
    for key, weight in decoder.named_parameters():
        weight.requires_grad_(key not in sam.decoder.state_dict())
    return decoder


def rows(prompts: Prompts, chosen: slice) -> dict[str, Any]:
    """Some rows of prompts that are all of one kind, as the official encoder takes them."""
    points = None if prompts.points is None else (prompts.points[chosen], prompts.labels[chosen])
    boxes = None if prompts.boxes is None else prompts.boxes[chosen]
    masks = None if prompts.masks is None else prompts.masks[chosen]
    return {"points": points, "boxes": boxes, "masks": masks}


def random_prompts(kinds: str, count: int, size: SamSize = TINY, seed: int = 0, **more: Any) -> Prompts:
    """Prompts of some kinds, such as ``box + mask``; of points two are foreground and one background."""
    generator = torch.Generator().manual_seed(seed)

    def places(points: int) -> torch.Tensor:
        return size.image * torch.rand(count, points, 2, generator=generator)

    given: dict[str, Any] = {}
    if "box" in kinds:
        given["boxes"] = places(2).sort(dim=1).values.flatten(1)
    if "points" in kinds:
        given |= {"points": places(3), "labels": torch.tensor([1, 0, 1]).expand(count, 3)}
    elif "point" in kinds:
        given |= {"points": places(1), "labels": torch.ones(count, 1, dtype=torch.int64)}
    if "mask" in kinds:
        given["masks"] = 5 * torch.randn(count, 1, size.mask_side, size.mask_side, generator=generator)
    return Prompts(**given, **more)


KINDS = ("box", "point", "points", "mask", "box + points", "box + mask", "points + mask", "box + points + mask")
