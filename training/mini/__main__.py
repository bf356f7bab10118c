"""Make sam-mini anew: draw its pictures, pretrain it, write its weights and say how good it is."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from hqdata.errors import HQDataError
from hqdata.fetch.progress import SILENT
from hqdata.training.mini.drawn import draw_pictures, read_pictures
from hqdata.training.mini.pretrain import judge, pretrain
from hqdata.training.mini.recipe import MINI, Pretraining
from hqdata.training.sam import save_sam

_EVERY = 50
SCENES = "scenes"
SORTS = (("pictures of one object", False), (SCENES, True))
"""Of pictures: what they are called, whether they show many objects."""
LEAST = (0, 256, 1024)
"""Pixels on the canvas of the smallest mask that counts: all, a token's, four tokens'."""


def main() -> None:
    """Run ``python -m hqdata.training.mini --out FOLDER``; the same command goes on after any end."""
    options = argparse.ArgumentParser(prog="python -m hqdata.training.mini", description=__doc__)
    options.add_argument("--out", type=Path, required=True, help="folder for pictures, snapshots and weights")
    options.add_argument("--workers", type=int, default=2, help="processes that draw")
    options.add_argument("--scenes", type=int, default=Pretraining().scenes, help="drawn pictures of many objects")
    options.add_argument("--objects", type=int, default=Pretraining().objects, help="drawn pictures of one object")
    options.add_argument("--steps", type=int, default=Pretraining().steps, help="steps of the pretraining")
    given = options.parse_args()
    recipe = replace(Pretraining(), scenes=given.scenes, objects=given.objects, steps=given.steps)
    # Sums do not depend on how many cores there are.
    torch.set_num_threads(1)
    held, train = given.out / "held.tar", given.out / "train.tar"
    out = sys.stdout.write
    out("drawing pictures\n")
    own = range(recipe.held)
    draw_pictures(held, own, own, given.workers, SILENT)
    rest = [range(recipe.held, recipe.held + count) for count in (recipe.scenes, recipe.objects)]
    draw_pictures(train, rest[0], rest[1], given.workers, SILENT)
    tell = _teller(recipe, out)
    sam = pretrain(read_pictures(train), given.out / "steps", recipe, on_step=tell, warn=_warn)
    path = given.out / f"{MINI.name}.safetensors"
    save_sam(sam, path)
    pictures = read_pictures(held)
    out("mean IoU with held-out coarse masks, by prompt\n")
    sorts = {word: [one for one in pictures if one.scene == scene] for word, scene in SORTS}
    for word, some in {"all": pictures, **sorts}.items():
        for least in LEAST if word == SCENES else LEAST[:1]:
            said = ", ".join(f"{kind} {mean:.3f}" for kind, mean in judge(sam, some, least).items())
            out(f"{word}, masks of {least} pixels or more: {said}\n")
    out(f"{path} written\n")


def _teller(recipe: Pretraining, out: Callable[[str], int]) -> Callable[[int, float], None]:
    """Say the mean loss of every few steps."""
    losses: list[float] = []

    def tell(step: int, loss: float) -> None:
        losses.append(loss)
        if step % _EVERY == 0:
            out(f"step {step} of {recipe.steps}, loss {sum(losses) / len(losses):.4f}\n")
            sys.stdout.flush()
            losses.clear()

    return tell


def _warn(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    try:
        main()
    except HQDataError as error:
        sys.exit(f"hqdata: {error}")
