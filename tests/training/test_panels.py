"""Panels: what each of them shows, pixel for pixel, where they look closer, and colours that any eyes tell apart."""

from typing import Any

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from hqdata.training.panels import AGREE, EXTRA, MISSED, ZOOM, Made, draw_picture, zoom_window


def square(top: int, left: int, side: int = 6, size: tuple[int, int] = (40, 60)) -> Any:
    found = np.zeros(size, np.bool_)
    found[top : top + side, left : left + side] = True
    return found


WINDOWS = {
    "where one differs from the base": [square(5, 5), square(5, 5), square(30, 50)],
    "as much here as there": [square(5, 5), square(5, 25)],
    "where all are alike: from the truth": [square(30, 50), square(30, 50)],
    "where all are true: at its edge": [square(0, 0)],
    "without predictions": [],
}


@pytest.mark.parametrize("case", WINDOWS)
def test_window(case: str) -> None:
    masks, truth = WINDOWS[case], square(0, 0)
    left, top, width, height = zoom_window(truth, masks)
    assert (width, height) == (15, 10)
    base = masks[0] if masks else truth
    differs = np.any([one != base for one in masks], axis=0) if masks else np.zeros_like(truth)
    differs = differs if differs.any() else (base != truth) if (base != truth).any() else truth
    inside = differs[top : top + height, left : left + width].sum()
    most = max(differs[y : y + 10, x : x + 15].sum() for y in range(31) for x in range(46))
    assert inside == most > 0


def test_a_window_of_a_small_image() -> None:
    assert zoom_window(np.ones((3, 1), np.bool_), [np.zeros((3, 1), np.bool_)])[2:] == (1, 1)


def drawn() -> tuple[Any, Any, list[Made], Any]:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (120, 240, 3), np.uint8)
    truth, first, second = (square(*corner, size=(120, 240)) for corner in ((20, 30, 40), (30, 40, 40), (22, 30, 40)))
    made = [Made(name=f"m{n}", mask=one, iou=0.5, boundary_iou=0.25) for n, one in enumerate((first, second))]
    return image, truth, made, np.asarray(draw_picture(image, truth, made, "title", "note"))


def places(page: Any, panel: Any) -> list[tuple[int, int]]:
    """Corners at which a panel stands on a page, pixel for pixel."""
    first = (page[: -panel.shape[0] + 1, : -panel.shape[1] + 1] == panel[0, 0]).all(axis=2)
    return [
        (int(y), int(x))
        for y, x in zip(*np.nonzero(first), strict=True)
        if np.array_equal(page[y : y + panel.shape[0], x : x + panel.shape[1]], panel)
    ]


def test_panels_stand_side_by_side_at_native_resolution() -> None:
    image, truth, made, page = drawn()
    left, top, width, height = zoom_window(truth, [item.mask for item in made])
    window = image[top : top + height, left : left + width]
    ((y, _),) = places(page, image[:, 200:])
    ((below, x),) = places(page, np.kron(window, np.ones((ZOOM, ZOOM, 1), np.uint8)))
    assert below > y + image.shape[0]
    step = 240 + 8
    assert np.array_equal(page[y : y + 120, x : x + 240][top : top + height, left : left + width], window)
    for number, item in enumerate(made):
        panel = page[y : y + 120, x + (4 + number) * step :][:, :240].copy()
        framed = np.ones(truth.shape, np.bool_)
        framed[top : top + height, left : left + width] = False
        around = framed.copy()
        around[max(0, top - 3) : top + height + 3, max(0, left - 3) : left + width + 3] = False
        for where, colour in ((truth & item.mask, AGREE), (item.mask & ~truth, EXTRA), (truth & ~item.mask, MISSED)):
            shown = (panel == colour).all(axis=2)
            seen = ~framed | around
            assert np.array_equal(shown[seen], where[seen])


def test_a_picture_without_predictions_shows_image_and_truth() -> None:
    image, truth, _, full = drawn()
    page = np.asarray(draw_picture(image, truth, [], "title", "note"))
    assert page.shape[0] == full.shape[0]
    assert page.shape[1] == 8 + 2 * (240 + 8)
    assert len(places(page, image[:, 200:])) == 1


def test_wide_names_are_cut_and_any_letter_is_drawn() -> None:
    image, truth, made, page = drawn()
    other = draw_picture(image, truth, made, "\u9053/\u00e9t\u00e9/" + "x" * 500, "note\n")
    assert np.asarray(other).shape == page.shape


SEEN_AS = {
    "as most": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
"""Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB."""


@pytest.mark.parametrize("eyes", SEEN_AS)
def test_colours_of_differences_are_told_apart(eyes: str) -> None:
    colours = np.array([AGREE, EXTRA, MISSED]) / 255
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(SEEN_AS[eyes]).T, 0, 1)
    lab = rgb2lab(np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)[None])[0]
    apart = [deltaE_ciede2000(lab[one], lab[other]) for one in range(3) for other in range(one)]
    assert min(apart) > 20
