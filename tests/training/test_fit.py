"""The canvas, against the official code: its resize, boxes and postprocessing; and the released evaluation's squash."""

import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from hqdata.errors import UsageError
from hqdata.training.fit import PROTOCOLS, Fit, Protocol
from tests.training.oracles import TINY, oracle_sam, random_sam

SIDE = TINY.image
SIZES = ((300, 400), (400, 300), (128, 128), (97, 61), (50, 40), (37, 1000), (1, 1))
"""Heights and widths: shrunk, enlarged, as they are, with halves to be rounded, and extreme ones."""


def transform() -> Any:
    """The official ``ResizeLongestSide``, with the two functions of torchvision that it needs."""
    names = ("torchvision", "torchvision.transforms", "torchvision.transforms.functional")
    stubs = {name: ModuleType(name) for name in names}
    stubs[names[-1]].__dict__.update(
        to_pil_image=Image.fromarray,
        resize=lambda image, size: image.resize(size[::-1], Image.Resampling.BILINEAR),
    )
    with pytest.MonkeyPatch.context() as patch:
        for name, stub in stubs.items():
            patch.setitem(sys.modules, name, stub)
        return oracle_sam("utils.transforms").ResizeLongestSide(SIDE)


def fit_of(protocol: Protocol, size: tuple[int, int]) -> Fit:
    return Fit(protocol=protocol, side=SIDE, height=size[0], width=size[1])


def noise(*shape: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(shape).integers(0, 256, shape, np.uint8)


def blob(height: int, width: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A soft disc that touches the bottom."""
    y, x = np.mgrid[:height, :width]
    distance = np.hypot((y - 0.8 * height) / height, (x - 0.4 * width) / width)
    return np.clip((0.3 - distance) * 4000, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("size", SIZES)
def test_native_images_are_those_of_the_official_code(size: tuple[int, int]) -> None:
    wanted = transform().apply_image(noise(*size, 3))
    found = fit_of("native", size).image(noise(*size, 3))
    assert np.array_equal(found.permute(1, 2, 0).numpy(), wanted)
    assert fit_of("native", size).inside == wanted.shape[:2]


def test_a_side_is_never_nothing() -> None:
    """The official code fails there."""
    assert min(transform().get_preprocess_shape(2000, 3, SIDE)) == 0
    assert fit_of("native", (2000, 3)).image(noise(2000, 3, 3)).shape == (3, SIDE, 1)


@pytest.mark.parametrize("size", [(300, 400), (97, 61), (50, 40)])
def test_native_boxes_are_those_of_the_official_code(size: tuple[int, int]) -> None:
    greys = blob(*size)
    rows, columns = np.nonzero(greys > 127)
    box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    wanted = transform().apply_boxes(box[None], size)[0]
    assert fit_of("native", size).box(greys) == pytest.approx(tuple(wanted), abs=1e-12)


@pytest.mark.parametrize("size", SIZES)
def test_native_logits_are_those_of_the_official_code(size: tuple[int, int]) -> None:
    low = torch.randn(2, 1, TINY.mask_side, TINY.mask_side, generator=torch.Generator().manual_seed(0))
    fit = fit_of("native", size)
    wanted = random_sam().network.postprocess_masks(low, fit.inside, size)
    assert torch.equal(fit.logits(low), wanted)


@pytest.mark.parametrize("size", SIZES)
def test_paper_is_one_interpolation_of_the_whole(size: tuple[int, int]) -> None:
    fit, image, greys = fit_of("paper", size), noise(*size, 3), blob(*size)

    def squashed(pixels: np.ndarray[Any, Any]) -> torch.Tensor:
        return functional.interpolate(torch.tensor(pixels, dtype=torch.float32)[None], (SIDE, SIDE), mode="bilinear")[0]

    # The released code turns the floats into an array of uint8.
    assert np.array_equal(fit.image(image).numpy(), squashed(image.transpose(2, 0, 1)).numpy().astype(np.uint8))
    low = torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    assert torch.equal(fit.logits(low), functional.interpolate(low, size, mode="bilinear", align_corners=False))
    assert fit.box(greys) == released_box(squashed(greys[None])[0])


def released_box(mask: torch.Tensor) -> tuple[float, ...] | None:
    """``masks_to_boxes`` of the released code, for one mask."""
    there = mask > 128
    if not there.any():
        return None
    y, x = torch.meshgrid(torch.arange(float(SIDE)), torch.arange(float(SIDE)), indexing="ij")
    lowest = [torch.where(there, places, 1e8).min().item() for places in (x, y)]
    highest = [(there * places).max().item() for places in (x, y)]
    return (*lowest, *highest)


BOXES = {
    "one pixel, enlarged 4 times": (32, 32, [(8, 4)], (16.0, 32.0, 20.0, 36.0), (16.0, 32.0, 19.0, 35.0)),
    "as it is": (128, 128, [(3, 5), (9, 7)], (5.0, 3.0, 8.0, 10.0), (5.0, 3.0, 7.0, 9.0)),
    "squashed: wide images are not stretched alike": (64, 128, [(10, 20)], (20.0, 10.0, 21.0, 11.0), (20, 20, 20, 21)),
    "the last pixel": (32, 32, [(31, 31)], (124.0, 124.0, 128.0, 128.0), (124.0, 124.0, 127.0, 127.0)),
    "nothing": (32, 32, [], None, None),
    "lost in the squash": (512, 512, [(101, 101)], (25.25, 25.25, 25.5, 25.5), None),
}


@pytest.mark.parametrize("case", BOXES)
def test_boxes(case: str) -> None:
    height, width, pixels, native, paper = BOXES[case]
    greys = np.zeros((height, width), np.uint8)
    for pixel in pixels:
        greys[pixel] = 255
    assert fit_of("native", (height, width)).box(greys) == native
    assert fit_of("paper", (height, width)).box(greys) == paper


@pytest.mark.parametrize(("grey", "native", "paper"), [(127, False, False), (128, True, False), (129, True, True)])
def test_what_is_foreground(grey: int, native: bool, paper: bool) -> None:
    greys = np.full((SIDE, SIDE), grey, np.uint8)
    found = [fit_of(protocol, greys.shape).box(greys) is not None for protocol in ("native", "paper")]
    assert found == [native, paper]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_arrays_that_nobody_may_write_to_are_read(protocol: Protocol) -> None:
    image, greys = noise(20, 30, 3), blob(20, 30)
    image.flags.writeable = greys.flags.writeable = False
    fit = fit_of(protocol, (20, 30))
    fit.image(image), fit.box(greys)


def test_an_unknown_protocol() -> None:
    with pytest.raises(UsageError, match="native or paper"):
        fit_of("squash", (3, 3))  # type: ignore[arg-type]
