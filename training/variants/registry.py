"""The variants by name: what ``hqdata train --variant`` takes."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from hqdata.errors import UsageError, explain
from hqdata.strict import nearest
from hqdata.training.size import SamSize
from hqdata.training.variants.hq_sam import HQHead


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One way to adapt a frozen SAM."""

    name: str
    title: str
    make: Callable[[SamSize, int], nn.Module]
    """From the SAM's size and a seed to what is added. ``forward(sam, features, encoded)`` gives the logits that are
    trained, ``predict(sam, features, encoded, multimask=False)`` everything that is scored."""

    def trained(self, size: SamSize) -> int:
        """Count the weights that are trained on a SAM of some size."""
        with torch.device("meta"):
            return weights_of(self.make(size, 0))


def weights_of(head: nn.Module) -> int:
    """Count the weights of a head that are trained."""
    return sum(one.numel() for one in head.parameters() if one.requires_grad)


VARIANTS: dict[str, Variant] = {
    variant.name: variant
    for variant in (Variant(name="hq-sam", title="HQ-SAM: one token, one MLP, a feature fused of three", make=HQHead),)
}


def find_variant(name: str) -> Variant:
    """Look a variant up; UsageError names the nearest one."""
    if name not in VARIANTS:
        raise UsageError(explain(f'no variant is called "{name}"', do=nearest(name, list(VARIANTS))))
    return VARIANTS[name]
