"""What a variant predicts, by the names that scores give them."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outputs:
    """Logits of P prompts, ``[P, 1, S, S]`` at ``SamSize.mask_side``; foreground is above 0."""

    head: Tensor
    """What the variant was trained to predict, alone."""
    sam_inside: Tensor | None
    """SAM's own mask in the presence of what the variant adds; None where SAM's mask is what is trained."""
    iou: Tensor
    """``[P, 1]``: the IoU that SAM predicts for its own mask."""

    @property
    def sum(self) -> Tensor | None:
        """Both added: what the published HQ-SAM shows unless told otherwise."""
        return None if self.sam_inside is None else self.sam_inside + self.head
