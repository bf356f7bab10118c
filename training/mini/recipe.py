"""Every number of sam-mini: its size, what it saw, how it was pretrained."""

from dataclasses import dataclass

from hqdata.training.size import SamSize

MINI = SamSize(
    name="sam-mini",
    width=128,
    depth=6,
    heads=2,
    global_blocks=(2, 5),
    image=320,
    window=10,
    channels=64,
    decoder_heads=2,
    decoder_mlp=128,
    iou_width=64,
)
"""1.6 million weights. A step of an HQ-SAM head on it takes 21 ms at batch 4 on two cores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pretraining:
    """How a SAM is pretrained on SA-1B-like pictures."""

    seed: int = 0
    scenes: int = 2400
    """Drawn pictures of many objects."""
    objects: int = 600
    """Drawn pictures of one object."""
    held: int = 120
    """Further pictures of either sort, which are never trained on."""
    steps: int = 9_000
    """The learning rate rises linearly and falls as a half cosine over them."""
    warm_up: int = 250
    """Steps of the rise."""
    batch: int = 4
    """Crops of a step: few, with many masks each, because an image costs ten times what a prompt does."""
    masks: tuple[int, int] = (4, 16)
    """Fewest and most of a crop; one with fewer repeats them, each time with another prompt."""
    muon_rate: float = 5e-3
    """Muon's learning rate at its height."""
    adam_rate: float = 2e-3
    """AdamW's."""
    weight_decay: float = 0.05
    focal: float = 20.0
    """Weight of the focal loss against those of Dice and cross-entropy."""
    gamma: float = 2.0
    clip: float = 1.0
    """Largest norm of a step's gradient."""
