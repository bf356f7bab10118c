"""Jitter against the released code's steps, run by torch on the whole image, and against Pillow's resizing."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from hqdata.arrays import UInt8Array
from hqdata.training.jitter import TRIES, Canvas, Crop, crop_of, jitter, resize_plainly, resize_smoothly
from hqdata.training.recipe import PRESETS, Recipe, Traps
from tests.training.oracles import released_sizes, torch_resized

RELEASED, FIXED = PRESETS["released"], PRESETS["fixed"]
SIDE = 64


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(height: int, width: int, seed: int = 0) -> UInt8Array:
    return np.random.default_rng([seed, height]).integers(0, 256, (height, width, 3), np.uint8)


def block(height: int, width: int, *, rows: slice, columns: slice) -> UInt8Array:
    mask = np.zeros((height, width), np.uint8)
    mask[rows, columns] = 255
    return mask


def soft(height: int, width: int) -> UInt8Array:
    """A disc with an edge several pixels wide."""
    y, x = np.mgrid[:height, :width]
    distance = np.hypot(y - height / 2, x - width / 2)
    return np.clip((min(height, width) / 3 - distance) * 40 + 128, 0, 255).astype(np.uint8)


def at(recipe: Recipe, scale: float, *, flip: float = 0.0) -> Recipe:
    """Without chance in scale and flip."""
    return replace(recipe, smallest_scale=scale, largest_scale=scale, flip=flip)


# height, width, scale: height and width of the resized image on a canvas of 64
SIZES = {
    "landscape": (300, 400, 1.0, (48, 64)),
    "portrait": (400, 300, 1.0, (64, 48)),
    "enlarged": (30, 40, 2.0, (96, 128)),
    "reduced": (300, 400, 0.1, (4, 6)),
    "square": (100, 100, 0.5, (32, 32)),
    "the side is rounded first": (100, 100, 0.492, (31, 31)),
    "a line keeps a row": (2, 400, 0.1, (1, 6)),
}


@pytest.mark.parametrize("case", SIZES)
def test_sizes(case: str) -> None:
    height, width, scale, whole = SIZES[case]
    assert crop_of(height, width, SIDE, scale, 0, 0).whole == whole


def test_sizes_are_the_released_ones() -> None:
    rng = np.random.default_rng(0)
    for height, width in rng.integers(100, 5000, (500, 2)).tolist():
        scale = float(rng.uniform(0.1, 2))
        assert [*crop_of(height, width, 1024, scale, 0, 0).whole] == released_sizes(height, width, scale)


# room above and left: down, right: top, left
OFFSETS = [(0.0, 0.0, 0, 0), (0.999, 0.999, 32, 64), (0.5, 0.5, 16, 32), (0.999, 0.0, 32, 0)]


@pytest.mark.parametrize(("down", "right", "top", "left"), OFFSETS)
def test_crops_lie_anywhere_in_their_room(down: float, right: float, top: int, left: int) -> None:
    crop = crop_of(30, 40, SIDE, 2.0, down, right)
    assert crop == Crop(whole=(96, 128), top=top, left=left, height=64, width=64)


def test_offsets_are_uniform_to_the_last() -> None:
    places = torch.rand(4000, generator=generator(), dtype=torch.float64).tolist()
    counts = np.bincount([crop_of(10, 20, 16, 1.25, 0, place).left for place in places])
    assert len(counts) == 20 - 16 + 1
    assert np.abs(counts - 800).max() < 5 * np.sqrt(800)


@pytest.mark.parametrize("scale", [0.1, 0.37, 0.5, 1.0, 1.3, 1.99, 2.0])
@pytest.mark.parametrize(("height", "width"), [(45, 60), (60, 45), (301, 211), (3, 90)])
def test_released_pixels_are_those_of_torch(height: int, width: int, scale: float) -> None:
    crop = crop_of(height, width, 128, scale, 0.3, 0.8)
    image, mask = noise(height, width), noise(height, width, seed=1)[..., 0]
    ours, theirs = resize_plainly(image, crop), torch_resized(image, crop)
    # Lost fractions: a level apart where torch's blend is a hair from a whole number.
    assert ((ours - theirs > -1.001) & (ours - theirs < 0.001)).all()
    assert (ours != theirs.astype(np.uint8)).mean() < 0.01
    assert np.abs(resize_plainly(mask, crop) - torch_resized(mask, crop)).max() < 0.501


@pytest.mark.parametrize("grey", [0, 1, 37, 128, 255])
@pytest.mark.parametrize("scale", [0.1, 0.37, 1.3])
def test_flat_areas_stay_as_they_are(grey: int, scale: float) -> None:
    image = np.full((30, 40, 3), grey, np.uint8)
    crop = crop_of(30, 40, 128, scale, 0, 0)
    for resized in (resize_plainly(image, crop), resize_smoothly(image, crop)):
        assert (resized == grey).all()


@pytest.mark.parametrize("scale", [0.1, 0.37, 1.0, 1.3, 2.0])
@pytest.mark.parametrize(("height", "width"), [(45, 60), (301, 211), (3, 90), (1, 1)])
def test_fixed_pixels_are_those_of_pillow(height: int, width: int, scale: float) -> None:
    image = noise(height, width)
    crop = crop_of(height, width, 128, scale, 0.3, 0.8)
    whole = np.asarray(Image.fromarray(image).resize(crop.whole[::-1], Image.Resampling.BILINEAR))
    cut = whole[crop.top : crop.top + crop.height, crop.left : crop.left + crop.width]
    ours = resize_smoothly(image, crop)
    # Pillow rounds between its two passes, and takes the cheaper one first.
    assert np.abs(ours.astype(int) - cut).max() <= 1
    assert (ours != cut).mean() < 0.3


def test_antialiasing_is_the_difference() -> None:
    """Stripes a pixel wide: without antialiasing they come out as stripes or flat, with it as their mean."""
    stripes = np.repeat(np.array([[0, 255] * 200], np.uint8), 300, axis=0)
    crop = crop_of(300, 400, SIDE, 0.5, 0, 0)
    assert np.ptp(resize_smoothly(stripes, crop)[:, 1:-1].astype(int)) <= 32
    assert np.abs(resize_smoothly(stripes, crop)[:, 1:-1] - 127.5).max() <= 17
    assert np.ptp(resize_plainly(stripes[:, :399], crop_of(300, 399, SIDE, 0.5, 0, 0)).astype(int)) > 100


def released_canvas(image: UInt8Array, mask: UInt8Array, scale: float, down: float, right: float) -> list[Tensor]:
    crop = crop_of(*mask.shape, SIDE, scale, down, right)
    pad = (0, SIDE - crop.width, 0, SIDE - crop.height)
    cut = torch.from_numpy(torch_resized(image, crop)).permute(2, 0, 1)
    greys = torch.from_numpy(torch_resized(mask, crop))[None]
    return [functional.pad(cut, pad, value=128), functional.pad(greys, pad, value=0)]


@pytest.mark.parametrize("seed", range(12))
def test_a_released_canvas_is_that_of_the_released_steps(seed: int) -> None:
    image, mask = noise(90, 120, seed), soft(90, 120)
    mask[:, 70:] = 0
    drawn = generator(seed)
    flip = torch.rand(1, generator=drawn, dtype=torch.float64).item() < 0.5
    scale, down, right = torch.rand(3, generator=drawn, dtype=torch.float64).tolist()
    scale = 0.1 + scale * (2.0 - 0.1)
    turned = (np.ascontiguousarray(one[:, ::-1]) if flip else one for one in (image, mask))
    wanted_image, wanted_mask = released_canvas(*turned, scale, down, right)
    got = jitter(image, mask, RELEASED, SIDE, generator(seed))
    assert (got.image != wanted_image.to(torch.uint8)).float().mean() < 0.01
    assert (got.image.float() - wanted_image).abs().max() < 1.001
    assert (got.mask.float() - wanted_mask).abs().max() < 0.501
    assert (got.size, got.tries) == ((SIDE, SIDE), 1)
    assert got.scale == pytest.approx(scale, abs=1e-12)


def test_both_sides_are_mirrored_half_of_the_time() -> None:
    image, mask = noise(48, SIDE), block(48, SIDE, rows=slice(None), columns=slice(0, 20))
    seen = []
    for seed in range(100):
        got = jitter(image, mask, at(FIXED, 1.0, flip=0.5), SIDE, generator(seed))
        mirrored = bool(got.mask[0, 0, 63])
        wanted = image[:, ::-1] if mirrored else image
        assert np.array_equal(got.image[:, :48].permute(1, 2, 0).numpy(), wanted)
        assert got.mask[0, :48].sum() == mask.sum(dtype=np.int64)
        seen.append(mirrored)
    assert 30 < sum(seen) < 70


@pytest.mark.parametrize("recipe", [RELEASED, FIXED], ids=["released", "fixed"])
def test_the_mask_that_prompts_are_drawn_from_is_jittered_like_the_other(recipe: Recipe) -> None:
    """The same mask given as both comes out as both."""
    mask = block(60, 90, rows=slice(10, 40), columns=slice(5, 30))
    for seed in range(30):
        got = jitter(noise(60, 90), mask, recipe, SIDE, generator(seed), mask.copy())
        assert len(got.pixels) == 5
        assert torch.equal(got.prompted, got.mask)


# trap, padding of the image, what is no padding
PADDING = [(False, 0, (48, 64)), (True, 128, (64, 64))]


@pytest.mark.parametrize(("trap", "grey", "size"), PADDING)
@pytest.mark.parametrize("plain", [False, True])
def test_padding(trap: bool, grey: int, size: tuple[int, int], plain: bool) -> None:
    recipe = replace(at(FIXED, 1.0), traps=Traps(pad_128=trap, plain_bilinear=plain))
    got = jitter(noise(48, 64), np.full((48, 64), 255, np.uint8), recipe, SIDE, generator())
    assert (got.image[:, 48:] == grey).all()
    assert np.array_equal(got.image[:, :48].permute(1, 2, 0).numpy(), noise(48, 64))
    assert (got.mask[:, 48:] == 0).all()
    assert (got.mask[:, :48] == 255).all()
    assert got.size == size


def foreground(canvas: Canvas) -> int:
    return int((canvas.mask > 127).sum())


CORNER = block(60, 60, rows=slice(0, 6), columns=slice(0, 6))


def test_crops_without_foreground_are_drawn_anew_or_trained_on() -> None:
    """A small object in a corner: at twice the canvas most crops miss it."""
    fixed = [jitter(noise(60, 60), CORNER, at(FIXED, 2.0), SIDE, generator(seed)) for seed in range(60)]
    released = [jitter(noise(60, 60), CORNER, at(RELEASED, 2.0), SIDE, generator(seed)) for seed in range(60)]
    assert min(map(foreground, fixed)) >= 10
    assert {canvas.tries for canvas in released} == {1}
    assert sum(foreground(canvas) == 0 for canvas in released) > 40
    again = [seed for seed, canvas in enumerate(fixed) if canvas.tries > 1]
    missed = [seed for seed, canvas in enumerate(released) if foreground(canvas) < 10]
    assert again == missed


def test_what_is_drawn_first_is_kept_where_it_will_do() -> None:
    """Redrawing changes no visit that needs none: with and without the trap they are the same."""
    kept = replace(FIXED, traps=Traps(empty_crops=True))
    for seed in range(30):
        one, other = (jitter(noise(60, 60), CORNER, recipe, SIDE, generator(seed)) for recipe in (FIXED, kept))
        if one.tries == 1:
            assert torch.equal(one.image, other.image)
            assert torch.equal(one.mask, other.mask)
            assert one.scale == other.scale


def test_after_many_tries_the_whole_image_is_taken() -> None:
    """At a tenth of the canvas an object of 6 x 6 in 60 never has 10 pixels; the whole image has it as it is."""
    got = jitter(noise(60, 60), CORNER, at(FIXED, 0.1), SIDE, generator())
    assert (got.tries, got.scale, got.size) == (TRIES + 1, 1.0, (SIDE, SIDE))
    assert foreground(got) == 36


def test_scales_are_drawn_anew_with_the_crops() -> None:
    got = [jitter(noise(60, 60), CORNER, FIXED, SIDE, generator(seed)) for seed in range(40)]
    scales = [canvas.scale for canvas in got if 1 < canvas.tries <= TRIES]
    assert len(scales) > 3
    assert len({*scales}) == len(scales)


# mask: tries of the fixed recipe, whose crops here are the whole image
FEW = {
    "an empty mask stays empty": (np.zeros((64, 64), np.uint8), 1, 0),
    "one that is nowhere above 127": (np.full((64, 64), 127, np.uint8), 1, 0),
    "ten pixels will do": (block(64, 64, rows=slice(0, 2), columns=slice(0, 5)), 1, 10),
    "nine never will": (block(64, 64, rows=slice(0, 3), columns=slice(0, 3)), TRIES + 1, 9),
    "a single grey pixel of 128": (block(64, 64, rows=slice(3, 4), columns=slice(3, 4)) // 2 + 1, TRIES + 1, 1),
}


@pytest.mark.parametrize("case", FEW)
def test_masks_of_few_pixels(case: str) -> None:
    mask, tries, pixels = FEW[case]
    got = jitter(noise(64, 64), mask, at(FIXED, 1.0), SIDE, generator())
    assert (got.tries, foreground(got)) == (tries, pixels)


def test_foreground_is_counted_as_prompts_count_it() -> None:
    mask = np.full((64, 64), 128, np.uint8)
    mask[:2, :5] = 255
    mask[:5, 5] = 0
    above = replace(at(FIXED, 1.0), points=11, traps=Traps(above_128=True))
    assert jitter(noise(64, 64), mask, replace(above, traps=Traps()), SIDE, generator()).tries == 1
    assert jitter(noise(64, 64), mask, above, SIDE, generator()).tries == TRIES + 1


@pytest.mark.parametrize("recipe", [RELEASED, FIXED], ids=["released", "fixed"])
def test_a_grey_pixel_is_an_image(recipe: Recipe) -> None:
    for seed in range(5):
        got = jitter(np.full((1, 1, 3), 77, np.uint8), np.full((1, 1), 200, np.uint8), recipe, SIDE, generator(seed))
        height = min(SIDE, round(got.scale * SIDE))
        assert (got.image[:, :height, :height] == 77).all()
        assert (got.mask[:, :height, :height] == 200).all()


@pytest.mark.parametrize("recipe", [RELEASED, FIXED], ids=["released", "fixed"])
def test_24_megapixels_stay_in_bounds(recipe: Recipe) -> None:
    """Neither path makes floats of the whole image, nor the resized image whole."""
    if not Path("/proc/self/status").is_file():
        pytest.skip("how much memory a process has had is read from /proc/self/status, which is not here")
    # Not `getrusage`: a child is handed the most that its parent had.
    code = (
        "import re, numpy as np, torch\n"
        "from hqdata.training.jitter import jitter\n"
        "from hqdata.training.recipe import load_recipe\n"
        f"recipe = load_recipe('{recipe.preset}', ['smallest_scale=2'])\n"
        "image, mask = np.full((4000, 6000, 3), 99, np.uint8), np.full((4000, 6000), 255, np.uint8)\n"
        "def most(): return int(re.search(r'VmHWM:\\s+(\\d+) kB', open('/proc/self/status').read())[1])\n"
        "before = most()\n"
        "got = jitter(image, mask, recipe, 1024, torch.Generator().manual_seed(1))\n"
        "print((most() - before) // 1024, int((got.image == 99).all(0).sum()))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    # Flipping and Pillow's four bytes a pixel make two copies of 72 and 96 MB.
    assert int(found[0]) < 300
    assert int(found[1]) == 1024 * 1024
