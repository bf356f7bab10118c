"""Where a training step's time goes, and its head beside the published decoder.

    python benchmarks/train.py [--size sam-mini vit_b ...] [--recipe fixed] [--batch 4] [--micro 4] [--steps 20]
                               [--rounds 9] [--threads 2] [--workers 0] [--device cpu] [--precision fp32] [--out FILE]

For each size:

- a step: seconds of waiting for data, encoder, head (prompts encoded, forward, loss, backward, update) and the rest,
  and images a second; one thing after the other, as ``hqdata train`` takes steps on a CPU, and with the next batch
  prepared meanwhile, as on a GPU. Means, because waits for data come in bursts, beside the median step. On a GPU also
  with one batch from memory over and over, and the peak of the GPU's memory.
- the head alone: prompts encoded, forward, loss and backward of the images that are in flight at a time, as one batch;
  beside ``MaskDecoderHQ`` of the package ``segment-anything-hq`` (skipped where that is missing), called once an image
  with the same weights, prompts and loss; and beside the same after a call of SAM's own decoder, whose masks the
  released loop throws away. The ways take turns; the median counts.

Without options: ViT-B, L and H in bf16 on a GPU, the largest of 32, 16, 8, 4 images in flight that fits; sam-mini on a
CPU. Weights are random. Pictures are drawn, in HQSeg-44K's mix of sizes; their files stay in memory. Only steps are in
the hours of a full recipe: no snapshots, no evaluation.
"""

import argparse
import importlib
import importlib.util
import itertools
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

import hqdata
from hqdata.demo.draw import Kind, draw
from hqdata.demo.items import jpeg, png
from hqdata.pipelines.own_data import build_own
from hqdata.pipelines.recipe import Options
from hqdata.store.reader import Collection
from hqdata.training.ahead import one_ahead
from hqdata.training.batches import Batch, batches
from hqdata.training.encoder import Features
from hqdata.training.losses import mask_loss, unsure_points
from hqdata.training.mini.recipe import MINI
from hqdata.training.parallel import CUDA, Team, device_of
from hqdata.training.precision import PRECISIONS
from hqdata.training.prompting import draw_prompts
from hqdata.training.prompts import Prompts
from hqdata.training.recipe import PRESETS
from hqdata.training.sam import FrozenSam, new_sam
from hqdata.training.size import SIZES
from hqdata.training.trainer import Trainer
from hqdata.training.variants.hq_sam import HQHead
from hqdata.training.visits import visits_of

MODELS = {MINI.name: MINI, **SIZES}
KINDS: tuple[Kind, ...] = (*["salient"] * 9, *["icon"] * 3, *["thin"] * 2, "intricate")
"""Of 15 pictures. HQSeg-44K: 60 % DUTS, MSRA10K and ECSSD, 23 % FSS-1000, 11 % ThinObject-5K, 7 % DIS5K."""
LARGE = 3000
"""Long side of an intricate picture: DIS5K's have 2,000 to 6,000 pixels."""
PARTS = ("data", "encoder", "head")
OURS = "ours, one batch"
ONCE = "published decoder, once an image"
TWICE = "the same after SAM's own, as released"
WAYS = {
    "step": "a step, one thing after the other",
    "ahead": "a step, the next batch prepared meanwhile",
    "from_memory": "a step, data from memory",
}
"""Of taking steps; ``hqdata train`` takes the first on a CPU, the second on a GPU."""


def main() -> None:
    given = options()
    torch.set_num_threads(given.threads)
    gpu = given.device == CUDA
    facts = {
        "device": torch.cuda.get_device_name() if gpu else f"CPU, {given.threads} threads",
        "versions": {"hqdata": hqdata.__version__, "torch": torch.__version__, "python": platform.python_version()}
        | ({"cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()} if gpu else {}),
        **{name: getattr(given, name) for name in ("precision", "workers", "steps", "rounds")},
    }
    print(facts["device"], *(f"{name} {one}" for name, one in facts["versions"].items()), sep=", ")
    results = []
    with tempfile.TemporaryDirectory() as folder:
        samples = draw_collection(Path(folder), given.pictures)
        for name in given.size:
            results.append(largest(name, samples, given))
            report(results[-1], facts)
    if not torch.cuda.is_available():
        print("no GPU here: B, L and H in bf16, and the hours of their full recipe on one, are not measured")
    if given.out:
        given.out.write_text(json.dumps(facts | {"results": results}, indent=2) + "\n")


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", nargs="+", choices=MODELS)
    parser.add_argument("--recipe", choices=PRESETS, help="released, or mini for sam-mini")
    parser.add_argument("--batch", type=int, help="visits of a step; 32 on a GPU, else 4")
    parser.add_argument("--micro", type=int, help="images in flight at a time; the most that fit")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=9, help="of the head alone")
    parser.add_argument("--pictures", type=int, default=60)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--workers", type=int, help="processes that load data; as hqdata train has them")
    parser.add_argument("--device", choices=("auto", "cpu", CUDA), default="auto")
    parser.add_argument("--precision", choices=PRECISIONS, help="bf16 on a GPU, else fp32")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    given = parser.parse_args()
    given.device = device_of(given.device)
    gpu = given.device == CUDA
    given.size = given.size or ([*SIZES] if gpu else [MINI.name])
    given.batch = given.batch or (32 if gpu else 4)
    given.precision = given.precision or ("bf16" if gpu else "fp32")
    if given.workers is None:
        given.workers = max(1, min(8, len(os.sched_getaffinity(0)) - 1)) if gpu else 0
    return given


def draw_collection(folder: Path, pictures: int) -> Collection:
    """Draw pictures, and build them as one's own data."""
    for name in ("im", "gt"):
        (folder / name).mkdir()
    for number in range(pictures):
        kind = KINDS[number % len(KINDS)]
        drawing = draw(kind, np.random.default_rng(number))
        share = LARGE / max(drawing.mask.shape) if kind == "intricate" else 1
        image, mask = (cv2.resize(one, None, fx=share, fy=share) for one in (drawing.image, drawing.mask))
        (folder / "im" / f"{number:03d}.jpg").write_bytes(jpeg(image))
        (folder / "gt" / f"{number:03d}.png").write_bytes(png(mask))
    build_own(folder / "im", folder / "gt", "drawn", folder / "collection", Options())
    return Collection(folder / "collection")


def largest(name: str, samples: Collection, given: argparse.Namespace) -> dict[str, Any]:
    """Measure a size with as many images in flight as fit."""
    some = [count for count in ((32, 16, 8, 4) if given.device == CUDA else (4,)) if given.batch % count == 0]
    for micro in [given.micro] if given.micro else some or [given.batch]:
        try:
            return measure(name, samples, micro, given)
        except torch.cuda.OutOfMemoryError:
            print(f"{name}: {micro} images in flight do not fit")
        torch.cuda.empty_cache()
    return {"size": name, "fits": False}


def measure(name: str, samples: Collection, micro: int, given: argparse.Namespace) -> dict[str, Any]:
    preset = PRESETS[given.recipe or ("mini" if name == MINI.name else "released")]
    recipe, steps = replace(preset, batch=given.batch), preset.steps(len(samples))
    sam, team, gpu = new_sam(MODELS[name], 0), Team(device=torch.device(given.device)), given.device == CUDA
    head = HQHead(sam.size, 0)
    trainer = Trainer(sam, head, recipe, steps=steps, team=team, micro=micro, precision=given.precision)
    # Workers get ahead before the first step: what they prepared then is used up in these.
    warm = 4 if gpu or given.workers else 1
    load = partial(batches, samples, visits_of(samples, 0), recipe, sam.size, first=0)
    one = next(load(last=1)).pin()
    found: dict[str, Any] = {"size": name, "recipe": preset.preset, "batch": given.batch, "micro": micro}
    found |= {"fits": True, "visits": steps * preset.batch}
    if gpu:
        torch.cuda.reset_peak_memory_stats()
        found["from_memory"] = take_steps(trainer, itertools.repeat(one), given.steps, warm)
        found["peak_bytes"] = torch.cuda.max_memory_allocated()
    for key, way in (("step", iter), ("ahead", one_ahead)):
        made = load(last=warm + given.steps, workers=given.workers)
        found[key] = take_steps(trainer, way(batch.pin() for batch in made), given.steps, warm)
    return found | {"head": compare_heads(trainer, one, given.rounds)}


def take_steps(trainer: Trainer, source: Iterator[Batch], steps: int, warm: int) -> dict[str, float]:
    """Take ``warm`` steps, then those that are measured: seconds a step, images a second."""
    clock, whole, before = trainer.clock, [], {}
    for step in range(warm + steps):
        if step == warm:
            before = clock.seconds
        begun = time.perf_counter()
        with clock.on_host("data"):
            batch = next(source)
        trainer.gradients(batch)
        trainer.update(step)
        whole.append(time.perf_counter() - begun)
    mean, median = statistics.mean(whole[warm:]), statistics.median(whole[warm:])
    parts = {part: (clock.seconds[part] - before[part]) / steps for part in PARTS}
    parts |= {"rest": mean - sum(parts.values()), "mean": mean, "median": median}
    return parts | {"images_a_second": trainer.recipe.batch / mean}


def compare_heads(trainer: Trainer, batch: Batch, rounds: int) -> dict[str, Any]:
    """Seconds of the head's prompts, forward, loss and backward by way, and how far apart the results are."""
    sam, recipe, batch = trainer.sam, trainer.recipe, batch.to(trainer.team.device)
    drawn = draw_prompts(batch.masks, batch.choice, batch.order, batch.noise, recipe)
    few = batch.part(0, trainer.micro)
    prompts = drawn.part(slice(0, trainer.micro))
    words = [recipe.prompts[kind] for kind in drawn.kind[: trainer.micro].tolist()]
    features = sam.encode(few.images, sizes=few.sizes, precision=trainer.precision)
    ways: dict[str, tuple[Any, Callable[[], Tensor]]]
    ways = {OURS: (trainer.head, lambda: trainer.head(sam, features, sam.prompt(prompts)))}
    if decoder := published_decoder(trainer):
        for name in (ONCE, TWICE):
            ways[name] = (decoder, partial(one_by_one, sam, decoder, features, prompts, words, twice=name == TWICE))
    settle = torch.cuda.synchronize if trainer.team.device.type == CUDA else lambda: None
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    losses, gradients = {}, {}
    for _ in range(1 + rounds):
        for name, (module, way) in ways.items():
            module.zero_grad()
            settle()
            begun = time.perf_counter()
            logits = way()
            points = unsure_points(logits, few.candidates, recipe.loss_points)
            loss = mask_loss(logits, few.masks / 255, points).total
            loss.backward()
            settle()
            seconds[name].append(time.perf_counter() - begun)
            held = dict(module.named_parameters())
            losses[name] = loss.item()
            gradients[name] = torch.cat([held[key].grad.flatten() for key in trainer.weights])
    loss, gradient = losses[OURS], gradients[OURS]
    return {
        "images": len(few.visits),
        "seconds": {name: statistics.median(times[1:]) for name, times in seconds.items()},
        "loss": loss,
        "loss_gap": max(abs(one / loss - 1) for one in losses.values()),
        "gradient_gap": max(float((one - gradient).norm() / gradient.norm()) for one in gradients.values()),
    }


def one_by_one(
    sam: FrozenSam, decoder: Any, features: Features, prompts: Prompts, words: list[str], *, twice: bool
) -> Tensor:
    """Logits by the published decoder, an image at a time; if ``twice``, after SAM's own decoder, for nothing."""
    encoder, logits = sam.network.prompt_encoder, []
    for row, word in enumerate(words):
        one = slice(row, row + 1)
        with torch.no_grad():
            points = (prompts.points[one], prompts.labels[one]) if word == "points" else None
            boxes = prompts.boxes[one] if word == "box" else None
            sparse, dense = encoder(points=points, boxes=boxes, masks=prompts.masks[one] if word == "mask" else None)
            encoded = (features.final[one], encoder.get_dense_pe(), sparse, dense)
            if twice:
                sam.decoder(*encoded, multimask_output=False)
        early = [features.early[one]]
        logits.append(decoder(*encoded, multimask_output=False, hq_token_only=True, interm_embeddings=early)[0])
    return torch.cat(logits)


def published_decoder(trainer: Trainer) -> Any:
    """``MaskDecoderHQ`` with the trainer's weights, those of the head to be trained; None where it is missing."""
    found = importlib.util.find_spec("segment_anything_hq")
    if found is None or found.origin is None:
        return None
    # Under a name of our own: the package itself imports torchvision and timm.
    root = ModuleType("_published")
    root.__path__ = [str(Path(found.origin).parent / "modeling")]
    sys.modules[root.__name__] = root
    size, added = trainer.sam.size, trainer.head.state_dict()
    parts = [importlib.import_module(f"_published.{name}") for name in ("transformer", "mask_decoder_hq")]
    wide, heads = size.channels, size.decoder_heads
    decoder = parts[1].MaskDecoderHQ(
        transformer_dim=wide,
        transformer=parts[0].TwoWayTransformer(size.decoder_depth, wide, heads, size.decoder_mlp),
        iou_head_hidden_dim=size.iou_width,
        vit_dim=size.width,
    )
    decoder.load_state_dict({**trainer.sam.decoder.state_dict(), **added})
    for key, weight in decoder.named_parameters():
        weight.requires_grad_(key in added)
    return decoder.to(trainer.team.device)


def report(found: dict[str, Any], facts: dict[str, Any]) -> None:
    if not found["fits"]:
        return
    batch, how = found["batch"], f"{facts['precision']}, {facts['workers']} workers"
    print(f"\n{found['size']}, recipe {found['recipe']}, batch {batch}, {found['micro']} images in flight, {how}")
    for key, title in WAYS.items():
        if step := found.get(key):
            hours = found["visits"] / step["images_a_second"] / 3600
            print(f"  {title:<40}{step['mean']:9.4f} s   median {step['median']:.4f} s")
            for part in (*PARTS, "rest"):
                print(f"    {part:<38}{step[part]:9.4f} s {step[part] / step['mean']:7.1%}")
            print(f"    {step['images_a_second']:.3g} images/s; the recipe's {found['visits']:,}: {hours:.2f} h")
    if "peak_bytes" in found:
        print(f"    at most {found['peak_bytes'] / 2**30:.1f} GiB of the GPU's memory")
    head = found["head"]
    print(f"  the head alone, {head['images']} images")
    for name, seconds in head["seconds"].items():
        print(f"    {name:<38}{seconds:9.4f} s {seconds / head['seconds'][OURS]:7.2f} times ours")
    if len(head["seconds"]) == 1:
        print("    no published decoder here: pip install --no-deps segment-anything-hq")
    else:
        print(f"    losses differ by {head['loss_gap']:.0e} of ours, gradients by {head['gradient_gap']:.0e}")


if __name__ == "__main__":
    main()
