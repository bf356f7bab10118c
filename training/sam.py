"""A frozen SAM: the package's classes in any size, official checkpoints, features and encoded prompts of a batch."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn import functional

from hqdata.catalog import Catalog
from hqdata.errors import ManifestError, UsageError, explain
from hqdata.fsio.atomic import write_bytes
from hqdata.strict import load_strict, nearest
from hqdata.training.checkpoint import CheckpointError, Weights, check_fits, read_weights
from hqdata.training.encoder import Features, encode
from hqdata.training.package import modeling
from hqdata.training.prompts import Encoded, Prompts, encode_prompts
from hqdata.training.size import SIZES, SamSize

MEAN = (123.675, 116.28, 103.53)
"""Of red, green and blue, 0 to 255, in the images that SAM was pretrained on."""
STD = (58.395, 57.12, 57.375)
SAM_MINI = "sam-mini"
"""Name of the small SAM that comes with this package: drawn data, for demos and tests."""
SIZE_KEY = "sam_size"
"""Where safetensors that :func:`save_sam` wrote say their size."""


class FrozenSam(nn.Module):
    """A SAM none of whose weights is ever trained. Gradients pass through its decoder, to what a variant adds."""

    def __init__(self, network: Any, size: SamSize, *, sha256: str | None = None, published: str | None = None) -> None:
        super().__init__()
        self.network = network.eval().requires_grad_(False)
        """The package's ``Sam``; its state dict has the keys of the official checkpoints."""
        self.size = size
        self.sha256 = sha256
        """Of the file that the weights came from; None for weights of our own making."""
        self.published = published
        """Source of the catalog that publishes that file."""

    @property
    def decoder(self) -> Any:
        """The package's ``MaskDecoder``."""
        return self.network.mask_decoder

    @torch.no_grad()
    def encode(
        self, images: Tensor, *, sizes: Tensor | None = None, precision: torch.dtype = torch.float32
    ) -> Features:
        """Encode images, normalised and padded at the bottom and the right with the mean colour, as the official code.

        Args:
            images: ``[B, 3, H, W]`` of any type, RGB, 0 to 255, H and W at most ``size.image``.
            sizes: ``int64[B, 2]``, height and width of images that fill only a part of that; the rest is padding.
            precision: what the encoder's matrix products are computed in; features are float32 whatever it is.

        Raises:
            UsageError: larger images.
        """
        device = self.network.pixel_mean.device
        with torch.autocast(device.type, dtype=precision, enabled=precision != torch.float32):
            return encode(self.network.image_encoder, self.canvas(images.to(device), sizes), early=self.size.early)

    def canvas(self, images: Tensor, sizes: Tensor | None = None) -> Tensor:
        """Images as the encoder takes them, ``float32[B, 3, S, S]``; see :meth:`encode`."""
        height, width = images.shape[-2:]
        side = self.size.image
        if max(height, width) > side:
            raise UsageError(
                explain(f"images are too large for {self.size.name}", expected=side, got=f"{width} x {height}")
            )
        normal = (images.float() - self.network.pixel_mean) / self.network.pixel_std
        if sizes is not None:
            rows, columns = (torch.arange(length, device=images.device) for length in (height, width))
            ends = sizes.to(images.device)[..., None]
            within = (rows < ends[:, 0])[:, :, None] & (columns < ends[:, 1])[:, None, :]
            normal = normal * within[:, None]
        return functional.pad(normal, (0, side - width, 0, side - height))

    @torch.no_grad()
    def prompt(self, prompts: Prompts) -> Encoded:
        """Encode prompts; see :class:`~hqdata.training.prompts.Prompts`."""
        return encode_prompts(self.network.prompt_encoder, prompts)


def new_sam(size: SamSize, seed: int) -> FrozenSam:
    """Make a SAM with random weights, as torch and the package draw them, from a seed and nothing else."""
    with seeded(seed):
        return FrozenSam(_network(size), size)


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Let modules draw their first weights from a seed; the global generator is as before afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def load_sam(path: Path, size: SamSize | str | None = None, catalog: Catalog | None = None) -> FrozenSam:
    """Load an official SAM checkpoint, or one that :func:`save_sam` wrote.

    Args:
        path: the file.
        size: what it must be, a word of :data:`~hqdata.training.size.SIZES` or a size; None for what the file is.
        catalog: where published hashes stand; the packaged one by default.

    Raises:
        UsageError: no such file or size.
        ChecksumMismatch, CheckpointError: see :func:`~hqdata.training.checkpoint.read_weights` and ``check_fits``.
    """
    return sam_of(read_weights(path, catalog), size)


def find_sam(place: str | Path, catalog: Catalog | None = None) -> FrozenSam:
    """Load a SAM by name or file.

    Args:
        place: :data:`SAM_MINI`, whose weights come with this package, or the path of a checkpoint.
        catalog: where published hashes stand; the packaged one by default.

    Raises:
        UsageError, ChecksumMismatch, CheckpointError: see :func:`load_sam`.
    """
    if str(place) != SAM_MINI:
        return load_sam(Path(place), catalog=catalog)
    with resources.as_file(resources.files("hqdata.training.mini") / f"{SAM_MINI}.safetensors") as path:
        return load_sam(path, catalog=catalog)


def sam_of(weights: Weights, size: SamSize | str | None = None) -> FrozenSam:
    """Make a SAM of weights that were read; see :func:`load_sam`."""
    wanted = _size_of(weights, size)
    with torch.device("meta"):
        network = _network(wanted)
    check_fits(weights, network.state_dict(), wanted.name, do=_advice(weights, wanted))
    network.load_state_dict(weights.tensors, assign=True)
    # What is not stored was made on the meta device as well.
    network.pixel_mean, network.pixel_std = (torch.tensor(one).view(-1, 1, 1) for one in (MEAN, STD))
    return FrozenSam(network, wanted, sha256=weights.sha256, published=weights.published)


def save_sam(sam: FrozenSam, path: Path) -> None:
    """Write safetensors that :func:`load_sam` reads, size included. The same weights give the same bytes."""
    tensors = {key: value.detach().cpu().contiguous() for key, value in sam.network.state_dict().items()}
    note = {SIZE_KEY: json.dumps(asdict(sam.size), sort_keys=True)}
    write_bytes(path, safetensors.torch.save(tensors, note))


def _size_of(weights: Weights, size: SamSize | str | None) -> SamSize:
    if isinstance(size, SamSize):
        return size
    if size is not None:
        if size not in SIZES:
            raise UsageError(explain(f'no SAM is called "{size}"', do=nearest(size, list(SIZES))))
        return SIZES[size]
    if SIZE_KEY in weights.metadata:
        try:
            return load_strict(SamSize, json.loads(weights.metadata[SIZE_KEY]), SIZE_KEY)
        except (ManifestError, UsageError, ValueError, AttributeError, TypeError) as error:
            raise CheckpointError(explain(f"{weights.path} states no size that can be", got=error)) from error
    found = _nearest_size(weights)
    if found is None:
        expected = f"a SAM of size {', '.join(SIZES)}, or one that hqdata wrote"
        what = f"{weights.path} is no SAM checkpoint of a known size"
        raise CheckpointError(explain(what, expected=expected, do=_advice(weights)))
    return found


def _nearest_size(weights: Weights) -> SamSize | None:
    """Published size with the file's channels and number of blocks."""
    position = weights.tensors.get("image_encoder.pos_embed")
    width = position.shape[-1] if position is not None and position.ndim else 0
    names = {key.split(".")[2] for key in weights.tensors if key.startswith("image_encoder.blocks.")}
    return next((size for size in SIZES.values() if (size.width, size.depth) == (width, len(names))), None)


def _advice(weights: Weights, wanted: SamSize | None = None) -> str:
    """What may be wrong with a checkpoint that does not fit what is wanted, or no size at all."""
    found = _nearest_size(weights)
    if wanted is not None and found is not None and found != wanted:
        return f"this is a {found.name}: give a {wanted.name}, or ask for {found.name}"
    if any("hf_token" in key for key in weights.tensors):
        return "this is an HQ-SAM, SAM and head in one: give the plain SAM"
    return "give an official checkpoint; hqdata sources lists them"


def _network(size: SamSize) -> Any:
    """The package's ``Sam``, put together as its ``build_sam`` does."""
    parts = modeling()
    encoder = parts.ImageEncoderViT(
        depth=size.depth,
        embed_dim=size.width,
        img_size=size.image,
        mlp_ratio=size.mlp_ratio,
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
        num_heads=size.heads,
        patch_size=size.patch,
        qkv_bias=True,
        use_rel_pos=True,
        global_attn_indexes=size.global_blocks,
        window_size=size.window,
        out_chans=size.channels,
    )
    prompts = parts.PromptEncoder(
        embed_dim=size.channels,
        image_embedding_size=(size.grid, size.grid),
        input_image_size=(size.image, size.image),
        mask_in_chans=size.mask_channels,
    )
    transformer = parts.TwoWayTransformer(
        depth=size.decoder_depth,
        embedding_dim=size.channels,
        mlp_dim=size.decoder_mlp,
        num_heads=size.decoder_heads,
    )
    decoder = parts.MaskDecoder(
        num_multimask_outputs=3,
        transformer=transformer,
        transformer_dim=size.channels,
        iou_head_depth=3,
        iou_head_hidden_dim=size.iou_width,
    )
    return parts.Sam(encoder, prompts, decoder, pixel_mean=list(MEAN), pixel_std=list(STD))
