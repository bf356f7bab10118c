"""The encoder's attention: the official code beside ours and what else a fused kernel could be given.

    python benchmarks/encoder.py [--size vit_b] [--image 512] [--batch 1] [--repeats 5] [--device cpu] [--half]

Printed for one block that attends to the whole image, one that attends within windows, and the whole encoder:
milliseconds (median; the ways take turns), the largest difference from the official output in float32, and on a GPU the
peak memory above the weights. Weights and images are random. ``--image`` is the canvas; the published sizes have 1024.

``official`` is the package's own code, ``whole bias`` a fused kernel with the bias as one tensor, ``ours`` what
training uses, ``ours, values as they are`` the same without padding the values to the queries' channels.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from hqdata.training.attention import attend
from hqdata.training.encoder import encode
from hqdata.training.package import modeling
from hqdata.training.sam import FrozenSam, new_sam
from hqdata.training.size import SIZES

Way = Callable[[Any, Tensor], Tensor]


def official(attention: Any, tokens: Tensor) -> Tensor:
    return attention(tokens)


def whole_bias(attention: Any, tokens: Tensor) -> Tensor:
    batch, height, width, channels = tokens.shape
    packed = attention.qkv(tokens).view(batch, height * width, 3, attention.num_heads, -1)
    query, key, value = packed.permute(2, 0, 3, 1, 4).unbind(0)
    flat = query.flatten(0, 1)
    empty = flat.new_zeros(len(flat), height * width, height * width)
    sides = (height, width)
    bias = modeling().image_encoder.add_decomposed_rel_pos(
        empty, flat, attention.rel_pos_h, attention.rel_pos_w, sides, sides
    )
    mixed = functional.scaled_dot_product_attention(
        query, key, value, attn_mask=bias.to(query.dtype).unflatten(0, (batch, -1))
    )
    return attention.proj(mixed.transpose(1, 2).reshape(batch, height, width, channels))


WAYS: dict[str, Way] = {
    "official": official,
    "whole bias": whole_bias,
    "ours": attend,
    "ours, values as they are": partial(attend, pad_values=False),
}


def random_sam(name: str, image: int, device: str) -> FrozenSam:
    """A SAM with random weights, positions included, which are 0 when fresh."""
    sam = new_sam(replace(SIZES[name], image=image), seed=0)
    generator = torch.Generator().manual_seed(0)
    for key, weight in sam.named_parameters():
        if "rel_pos" in key:
            weight.copy_(torch.randn(weight.shape, generator=generator))
    return sam.to(device)


def measure(title: str, calls: dict[str, Callable[[], Tensor]], exact: Tensor, given: argparse.Namespace) -> None:
    """Let the ways take turns, and print a row for each."""
    cuda = given.device.startswith("cuda")
    times: dict[str, list[float]] = {name: [] for name in calls}
    peaks: dict[str, int] = {}
    gaps: dict[str, float] = {}
    for _ in range(given.repeats + 1):
        for name, call in calls.items():
            if cuda:
                torch.cuda.reset_peak_memory_stats()
                torch.cuda.synchronize()
                before = torch.cuda.memory_allocated()
            start = time.perf_counter()
            result = call()
            if cuda:
                torch.cuda.synchronize()
                peaks[name] = torch.cuda.max_memory_allocated() - before
            times[name].append(1e3 * (time.perf_counter() - start))
            gaps[name] = (result - exact).abs().max().item()
    print(title)
    for name in calls:
        memory = f"{peaks[name] / 2**20:10,.0f} MiB" if cuda else ""
        print(f"  {name:<26}{statistics.median(times[name][1:]):10.1f} ms   {gaps[name]:.1e}{memory}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--size", default="vit_b", choices=SIZES)
    options.add_argument("--image", type=int, default=512)
    options.add_argument("--batch", type=int, default=1)
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument("--device", default="cpu")
    options.add_argument("--half", action="store_true", help="bfloat16 products")
    given = options.parse_args()
    sam = random_sam(given.size, given.image, given.device)
    size, encoder = sam.size, sam.network.image_encoder
    name = torch.cuda.get_device_name() if given.device.startswith("cuda") else f"{torch.get_num_threads()} CPU threads"
    kind = "bfloat16" if given.half else "float32"
    print(f"{size.name} at {size.image} px, batch {given.batch}, {kind}, {name}, torch {torch.__version__}")
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randn(given.batch, size.grid, size.grid, size.width, generator=generator).to(given.device)
    windows, _ = modeling().image_encoder.window_partition(tokens, size.window)
    canvas = torch.randn(given.batch, 3, size.image, size.image, generator=generator).to(given.device)
    of_size = {"whole image": (size.early, tokens), "windows": (size.early - 1, windows)}
    with torch.no_grad():
        for title, (index, part) in of_size.items():
            block = encoder.blocks[index].attn
            exact = block(part)
            with torch.autocast(given.device.split(":")[0], torch.bfloat16, enabled=given.half):
                measure(title, {name: partial(way, block, part) for name, way in WAYS.items()}, exact, given)
        exact = encoder(canvas)
        passes = {
            name: lambda way=way: encode(encoder, canvas, early=size.early, attention=way).final
            for name, way in WAYS.items()
        }
        with torch.autocast(given.device.split(":")[0], torch.bfloat16, enabled=given.half):
            measure("encoder", passes, exact, given)


if __name__ == "__main__":
    main()
