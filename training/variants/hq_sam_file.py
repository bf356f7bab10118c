"""Files of HQ-SAM: published checkpoints, those of the released training code, and ours for the published package."""

from dataclasses import replace
from pathlib import Path

import torch

from hqdata.catalog import Catalog
from hqdata.errors import explain
from hqdata.fsio.atomic import atomic_file
from hqdata.training.checkpoint import CheckpointError, Weights, check_fits, read_weights
from hqdata.training.sam import FrozenSam, sam_of
from hqdata.training.size import SamSize
from hqdata.training.variants.hq_sam import HQHead

DECODER = "mask_decoder."
"""Where the keys of a whole HQ-SAM have the decoder, and in it the head."""


def load_samhq(
    path: Path, size: SamSize | str | None = None, catalog: Catalog | None = None
) -> tuple[FrozenSam, HQHead]:
    """Load a whole HQ-SAM, such as the published ``sam_hq_vit_l.pth``: SAM and head in one file.

    Raises:
        UsageError, ChecksumMismatch, CheckpointError: see :func:`~hqdata.training.sam.load_sam`.
    """
    weights = read_weights(path, catalog)
    base, added = _parted(weights)
    sam = sam_of(base, size)
    return sam, _head_of(added, sam.size)


def load_head(path: Path, sam: FrozenSam, catalog: Catalog | None = None) -> HQHead:
    """Load the head of a file alone: a whole HQ-SAM, or the decoder that the released training code writes.

    Raises:
        UsageError, ChecksumMismatch: see :func:`~hqdata.training.checkpoint.read_weights`.
        CheckpointError: the file holds no head, one for a SAM of another size, or one trained on other weights.
    """
    weights = read_weights(path, catalog)
    if not any(key.startswith(DECODER) for key in weights.tensors):
        weights = replace(weights, tensors={DECODER + key: value for key, value in weights.tensors.items()})
    base, added = _parted(weights)
    head = _head_of(added, sam.size)
    own = sam.network.state_dict()
    others = [key for key, value in base.tensors.items() if key not in own or not torch.equal(value, own[key].cpu())]
    if others:
        raise CheckpointError(
            explain(
                f"{path} was trained on another SAM",
                expected=f"the weights of this {sam.size.name}",
                got=f"{len(others)} tensors differ, {others[0]} first",
                do="give the SAM that it was trained on",
            )
        )
    return head


def export_samhq(sam: FrozenSam, head: HQHead, path: Path) -> None:
    """Write a whole HQ-SAM as a ``.pth`` that the ``segment-anything-hq`` package loads.

    The same weights give the same bytes. The package reads no other kind of file; what is written holds tensors only,
    and loads with ``weights_only=True``.
    """
    state = dict(sam.network.state_dict()) | {DECODER + key: value for key, value in head.state_dict().items()}
    # A copy of each, because torch writes the whole memory that a view is part of.
    tensors = {key: value.detach().cpu().clone(memory_format=torch.contiguous_format) for key, value in state.items()}
    with atomic_file(path) as stream:
        try:
            torch.save(tensors, stream)
        except RuntimeError as error:
            # torch speaks of an unexpected position where the file could not be written.
            if isinstance(error.__context__, OSError):
                raise error.__context__ from error
            raise


def _parted(weights: Weights) -> tuple[Weights, Weights]:
    """A file's tensors without those of the head, under SAM's keys; and those of the head, under the head's own."""
    added = {key: value for key, value in weights.tensors.items() if key.split(".")[1:2] in _PARTS}
    base = {key: value for key, value in weights.tensors.items() if key not in added}
    own = {key.removeprefix(DECODER): value for key, value in added.items()}
    return replace(weights, tensors=base), replace(weights, tensors=own)


_PARTS = [[part] for part in ("hf_token", "hf_mlp", "compress_vit_feat", "embedding_encoder", "embedding_maskfeature")]


def _head_of(added: Weights, size: SamSize) -> HQHead:
    if not added.tensors:
        what = f"{added.path} holds no HQ-SAM head"
        raise CheckpointError(explain(what, expected="hf_token.weight and more", do="give an HQ-SAM"))
    with torch.device("meta"):
        head = HQHead(size, seed=0)
    check_fits(added, head.state_dict(), f"an HQ-SAM head for {size.name}")
    head.load_state_dict(added.tensors, assign=True)
    return head
