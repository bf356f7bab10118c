"""Degraded masks: what each kind costs, which strengths the levels of the ladder take on drawn masks, and a picture.

    python benchmarks/degrade.py [--masks 40] [--repeats 7] [--picture docs/pictures/degrade.png]

Printed first: milliseconds of one 1024 x 1024 mask on one thread, ragged and with holes, at three strengths. Then, for
drawn masks of some sources, the tables of docs/degrade.md: strength over the diagonal, mean IoU in brackets. Everything
is drawn by hqdata; figures of real masks will differ, and are to be solved for on them.
"""

import argparse
import statistics
import time
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hqdata.arrays import UInt8Array
from hqdata.demo.draw import draw
from hqdata.masks.boundary import boundary_iou
from hqdata.masks.degrade import KINDS, LADDER, STRENGTHS, Solved, degrade, rng_of, solve

SEED = 0
STYLES = {"dis": "intricate", "thinobject": "thin", "duts": "salient", "fss": "icon"}
"""Drawn sources whose levels are printed, and the kind of drawing."""


def ragged(side: int) -> UInt8Array:
    """A ragged blob with holes and thin lines: ``uint8[side, side]``, 0 and 255."""
    rng = np.random.default_rng(0)
    noise = cv2.GaussianBlur(rng.standard_normal((side, side)).astype(np.float32), (0, 0), side / 25)
    y, x = np.mgrid[:side, :side]
    mask = (noise / noise.std() * 0.12 + 0.3 - np.hypot(y - side / 2, x - side / 2) / side > 0).astype(np.uint8)
    for _ in range(12):
        ends = rng.integers(0, side, 4).tolist()
        cv2.line(mask, ends[:2], ends[2:], 1, int(rng.integers(1, 6)))
    return mask * np.uint8(255)


def cost(mask: UInt8Array, kind: str, strength: float, repeats: int) -> float:
    """Median milliseconds of one call."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        degrade(mask, kind, strength, rng_of(SEED, "a#0"))
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times[1:])


def print_costs(repeats: int) -> None:
    mask, strengths = ragged(1024), (0.002, 0.01, 0.03)
    print("milliseconds at 1024 x 1024 at strengths", *(f"{strength:.1%}" for strength in strengths))
    for kind in KINDS:
        row = [cost(mask, kind, strength, repeats) for strength in (strengths if kind in STRENGTHS else (0,))]
        print(f"  {kind:<10}", *(f"{value:7.2f}" for value in row))


def drawn(style: str, count: int) -> list[tuple[str, UInt8Array]]:
    return [
        (f"{style}/all/{number:04d}#0", draw(STYLES[style], np.random.default_rng([44, number]), style=style).mask)
        for number in range(count)
    ]


def print_tables(count: int) -> None:
    for style in STYLES:
        masks = drawn(style, count)
        print(
            f"\n{style}, {count} drawn masks\n\n| kind | {' | '.join(map(str, LADDER))} |\n|---|{'---|' * len(LADDER)}"
        )
        for kind in STRENGTHS:
            cells = [cell(solve(masks, kind, level, SEED)) for level in LADDER]
            print(f"| `{kind}` | {' | '.join(cells)} |")


def cell(solved: Solved) -> str:
    if solved.converged:
        return f"{100 * solved.strength:.2f} % ({solved.iou:.3f})"
    return f"least {solved.least:.2f}" if solved.least > solved.target else f"jumps to {solved.boundary_iou:.2f}"


# -- the picture

OBJECTS = (("intricate", "dis", "windmill", 3, 0.42), ("salient", "duts", "cat", 3, 1.0))
"""Kind, style, subject and seed of the drawings; side of the part that is shown, over the image's short side."""
TILE, GAP, NOTE = 150, 8, 34
TOP, HEAD, WHOLE = 44, 346, 240
BESIDE = 150
PAPER, INK, FAINT, FRAME = (255, 255, 255), (30, 30, 34), (105, 105, 110), (205, 205, 208)
KEPT, LOST, ADDED = (160, 162, 166), (213, 94, 0), (0, 114, 178)
"""Colours that can be told apart with any kind of colour vision (Okabe and Ito)."""
SOFT = 28
"""Pixels across the part that shows soft edges."""


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def picture(path: Path) -> None:
    block = len(LADDER) * (TILE + GAP) + 3 * GAP
    size = BESIDE + len(OBJECTS) * block - 3 * GAP, HEAD + len(STRENGTHS) * (TILE + NOTE + GAP)
    page = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(page)
    pen.text((GAP, GAP), "Masks degraded to four levels of boundary IoU (drawn by hqdata)", fill=INK, font=font(22))
    legend(pen, GAP, TOP + 30)
    for number, (kind, style, subject, seed, share) in enumerate(OBJECTS):
        mask = draw(kind, np.random.default_rng(seed), style=style, subject=subject).mask
        column(page, BESIDE + number * block, mask, share)
    for row, kind in enumerate(STRENGTHS):
        y = HEAD + row * (TILE + NOTE + GAP)
        pen.text((GAP, y), kind, fill=INK, font=font(20))
        paragraph(pen, (GAP, y + 28), KINDS[kind], BESIDE - 3 * GAP)
    path.parent.mkdir(parents=True, exist_ok=True)
    page.quantize(96, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path}: {page.width} x {page.height}, {path.stat().st_size:,} bytes")


def legend(pen: ImageDraw.ImageDraw, x: int, y: int) -> None:
    for colour, text in ((KEPT, "kept"), (LOST, "lost"), (ADDED, "added")):
        pen.rectangle((x, y, x + 18, y + 18), fill=colour)
        pen.text((x + 26, y), text, fill=INK, font=font(16))
        y += 28


def paragraph(pen: ImageDraw.ImageDraw, at: tuple[int, int], text: str, width: int) -> None:
    x, y = at
    line = ""
    for word in [*text.split(), ""]:
        longer = f"{line} {word}".strip()
        if word and pen.textlength(longer, font=font(14)) <= width:
            line = longer
            continue
        pen.text((x, y), line, fill=FAINT, font=font(14))
        line, y = word, y + 17


def column(page: Image.Image, x: int, mask: UInt8Array, share: float) -> None:
    """One object: the whole mask, its soft edges and what ``binary`` makes of them, and a row for each other kind."""
    part = busiest(mask, round(share * min(mask.shape)))
    overview(page, (x, TOP), mask, part)
    soft = busiest(np.where((mask > 20) & (mask < 235), 255, 0).astype(np.uint8), SOFT)
    hard = degrade(mask, "binary", 0, rng_of(SEED, "drawn#0"))
    pen = ImageDraw.Draw(page)
    for number, (pixels, text) in enumerate(((mask, "original, enlarged"), (hard, "binary"))):
        at = x + (2 + number) * (TILE + GAP), TOP
        grey = np.interp(pixels[soft], (0, 255), (255, KEPT[0])).astype(np.uint8)
        page.paste(tile(np.repeat(grey[..., None], 3, axis=2)), at)
        pen.text((at[0], at[1] + TILE + 4), text, fill=INK, font=font(14))
    for number, level in enumerate(LADDER):
        at = x + number * (TILE + GAP), HEAD
        pen.text((at[0], at[1] - 30), f"{level:g}", fill=INK, font=font(22))
        for kind in STRENGTHS:
            shown(page, at, mask, part, solve([("drawn#0", mask)], kind, level, SEED))
            at = at[0], at[1] + TILE + NOTE + GAP


def busiest(mask: UInt8Array, side: int) -> tuple[slice, slice]:
    """Rows and columns of the square with most of the mask's edge."""
    edge = cv2.morphologyEx((mask > 127).astype(np.float32), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    sums = cv2.boxFilter(edge, -1, (side, side), anchor=(0, 0), normalize=False, borderType=cv2.BORDER_CONSTANT)
    inside = sums[: mask.shape[0] - side + 1, : mask.shape[1] - side + 1]
    top, left = (int(place) for place in np.unravel_index(int(inside.argmax()), inside.shape))
    return slice(top, top + side), slice(left, left + side)


def overview(page: Image.Image, at: tuple[int, int], mask: UInt8Array, part: tuple[slice, slice]) -> None:
    """The whole mask, with a frame around the part that the tiles show."""
    x, y = at
    height, width = mask.shape
    scale = min(WHOLE / height, 1.9 * TILE / width)
    whole = Image.fromarray(np.interp(mask, (0, 255), (255, KEPT[0])).astype(np.uint8))
    whole = whole.resize((round(width * scale), round(height * scale)), Image.Resampling.BOX)
    page.paste(whole, at)
    pen = ImageDraw.Draw(page)
    pen.rectangle((x, y, x + whole.width - 1, y + whole.height - 1), outline=FRAME)
    rows, columns = part
    corners = (columns.start, rows.start, columns.stop, rows.stop)
    left, top, right, bottom = (round(scale * value) for value in corners)
    pen.rectangle((x + left, y + top, x + right, y + bottom), outline=INK, width=2)
    pen.text((x, y + WHOLE + 4), f"{width} x {height} pixels", fill=FAINT, font=font(14))


def shown(page: Image.Image, at: tuple[int, int], mask: UInt8Array, part: tuple[slice, slice], solved: Solved) -> None:
    """One tile with what was reached below it."""
    after = degrade(mask, solved.kind, solved.strength, rng_of(SEED, "drawn#0"))
    page.paste(tile(coloured(mask[part], after[part])), at)
    pen = ImageDraw.Draw(page)
    reached = boundary_iou(mask > 127, after > 127)
    note = f"at {100 * solved.strength:.2f} %"
    if not solved.converged:
        note = "the least it can do" if solved.least > solved.target else f"{note}, nearest"
    pen.text((at[0], at[1] + TILE + 3), f"{reached:.3f}", fill=INK, font=font(15))
    pen.text((at[0] + 46, at[1] + TILE + 4), note, fill=FAINT, font=font(13))


def coloured(before: UInt8Array, after: UInt8Array) -> UInt8Array:
    """What stayed, what was lost, what was added: ``uint8[H, W, 3]``."""
    painted = np.full((*before.shape, 3), 255, np.uint8)
    painted[(before > 127) & (after > 127)] = KEPT
    painted[(before > 127) & (after <= 127)] = LOST
    painted[(before <= 127) & (after > 127)] = ADDED
    return painted


def tile(pixels: UInt8Array) -> Image.Image:
    """Bring ``uint8[h, w, 3]`` to the size of a tile, pixels kept square."""
    fine = cv2.resize(pixels, (6 * TILE, 6 * TILE), interpolation=cv2.INTER_NEAREST)
    framed = Image.fromarray(cv2.resize(fine, (TILE, TILE), interpolation=cv2.INTER_AREA))
    ImageDraw.Draw(framed).rectangle((0, 0, TILE - 1, TILE - 1), outline=FRAME)
    return framed


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--masks", type=int, default=40)
    options.add_argument("--repeats", type=int, default=7)
    options.add_argument("--picture", type=Path)
    given = options.parse_args()
    cv2.setNumThreads(1)
    if given.picture:
        picture(given.picture)
        return
    print_costs(given.repeats)
    print_tables(given.masks)


if __name__ == "__main__":
    main()
