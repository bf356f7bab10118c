"""Masks of one image for some boxes, by a frozen SAM alone and by heads added to it.

An image is encoded once, for the base and all heads, and always alone; boxes are decoded one at a time. So the masks of
a box do not depend on what else is asked for. Everything is float32, TF32 off.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from hqdata.arrays import BoolArray, UInt8Array
from hqdata.training.decoder import decode, sam_masks
from hqdata.training.encoder import Features
from hqdata.training.fit import Box, Fit
from hqdata.training.precision import plain_float32
from hqdata.training.prompts import Prompts
from hqdata.training.sam import FrozenSam
from hqdata.training.variants.outputs import Outputs

BASE = "base"
"""What stands in the place of a run for the frozen SAM alone."""
SAM_PLAIN = "sam_plain"
"""Output of the frozen SAM alone: its single mask."""
HEAD_OUTPUTS = ("head", "sum", "sam_inside")
"""Outputs of a head; see :class:`~hqdata.training.variants.outputs.Outputs`."""
OUTPUTS = (SAM_PLAIN, *HEAD_OUTPUTS)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predicted:
    """One mask."""

    run: str
    """Name of the head, or :data:`BASE`."""
    output: str
    """One of :data:`OUTPUTS`."""
    mask: BoolArray
    """``bool[H, W]``, at the image's size."""


class Predictor:
    """Predicts masks in one image, which is encoded once, when the first box is asked about.

    Args:
        sam: the frozen base; it says on which device everything is computed.
        heads: modules of :mod:`hqdata.training.variants`, in evaluation mode, on the same device, by the name that
            their masks get.
        fit: how the image comes onto the canvas.
        image: ``uint8[H, W, 3]``, RGB.
        outputs: which to predict, of :data:`OUTPUTS`.
    """

    def __init__(
        self,
        sam: FrozenSam,
        heads: Mapping[str, nn.Module],
        fit: Fit,
        image: UInt8Array,
        *,
        outputs: Collection[str] = OUTPUTS,
    ) -> None:
        self._sam, self._fit, self._image = sam, fit, image
        self._heads: Mapping[str, Any] = heads
        self._outputs = [output for output in HEAD_OUTPUTS if output in outputs]
        self._plain = SAM_PLAIN in outputs

    def masks(self, box: Box) -> list[Predicted]:
        """Masks of one box, in pixels of the canvas, as ``fit.box`` gives it.

        Returns:
            The base first, then the heads in order, each with its outputs in the order of :data:`OUTPUTS`. An output
            that a head does not have is not among them.
        """
        with torch.inference_mode(), plain_float32():
            return [
                Predicted(run=run, output=output, mask=(self._fit.logits(low)[0, 0] > 0).cpu().numpy())
                for run, output, low in self._logits(box)
                if low is not None
            ]

    @cached_property
    def _features(self) -> Features:
        return self._sam.encode(self._fit.image(self._image)[None])

    def _logits(self, box: Box) -> Iterator[tuple[str, str, Tensor | None]]:
        """Run, output and logits ``[1, 1, S, S]``."""
        sam, features = self._sam, self._features
        prompt = sam.prompt(Prompts(boxes=torch.tensor([box], device=features.final.device)))
        if self._plain:
            masks, _ = sam_masks(sam.decoder, decode(sam.decoder, features, prompt))
            yield BASE, SAM_PLAIN, masks[:, :1]
        for run, head in self._heads.items() if self._outputs else ():
            made: Outputs = head.predict(sam, features, prompt)
            yield from ((run, output, getattr(made, output)) for output in self._outputs)
