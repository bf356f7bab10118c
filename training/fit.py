"""How an image and its masks come onto SAM's square canvas, and how logits come back: the two protocols of scores.

``native`` is SAM's own way: the longest side is resized to the canvas's, as Pillow does it, the rest is padding at the
bottom and the right; logits are upsampled to the canvas, the padding is cut off, and what is left is resized to the
image. A box is the truth's, from its first foreground pixel to the one after its last, scaled to the canvas.

``paper`` is what the released training code of HQ-SAM evaluates with: image and mask are squashed to the square,
bilinearly and without antialiasing, the image's fractions of grey levels are dropped; the box is that of the squashed
mask above 128 and ends *at* its last foreground pixel; logits are resized straight to the image.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from hqdata.arrays import BoolArray, UInt8Array
from hqdata.errors import UsageError, explain

Protocol = Literal["native", "paper"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)
Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels of the canvas."""
_ABOVE = 128
"""What the released code takes for foreground is above this; everything else here is above 127."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """From one image to the canvas and back.

    Args:
        protocol: one of :data:`PROTOCOLS`.
        side: of the canvas, in pixels: ``SamSize.image``.
        height: of the image, in pixels.
        width: of the image, in pixels.

    Raises:
        UsageError: there is no such protocol.
    """

    protocol: Protocol
    side: int
    height: int
    width: int

    def __post_init__(self) -> None:
        """Refuse an unknown protocol."""
        if self.protocol not in PROTOCOLS:
            raise UsageError(explain(f'no protocol is called "{self.protocol}"', expected=" or ".join(PROTOCOLS)))

    @property
    def inside(self) -> tuple[int, int]:
        """Height and width of the image on the canvas; the rest is padding.

        >>> Fit(protocol="native", side=1024, height=300, width=400).inside
        (768, 1024)
        """
        if self.protocol == "paper":
            return self.side, self.side
        scale = self.side / max(self.height, self.width)
        # As ResizeLongestSide rounds; Python's round() takes halves to even.
        return max(1, int(self.height * scale + 0.5)), max(1, int(self.width * scale + 0.5))

    def image(self, pixels: UInt8Array) -> Tensor:
        """Bring an image onto the canvas.

        Args:
            pixels: ``uint8[H, W, 3]``, RGB.

        Returns:
            ``uint8[3, h, w]``, of the size ``inside``.
        """
        height, width = self.inside
        if self.protocol == "native":
            resized = Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR)
            return torch.from_numpy(np.array(resized)).permute(2, 0, 1)
        # A conversion to uint8 drops fractions, as the released code's does.
        return self._squash(torch.from_numpy(pixels.copy()).permute(2, 0, 1)).to(torch.uint8)

    def box(self, greys: UInt8Array) -> Box | None:
        """Box of a mask ``uint8[H, W]``, 0 to 255; None where it has no foreground."""
        if self.protocol == "paper":
            found = _bounds(self._squash(torch.from_numpy(greys.copy())[None])[0].numpy() > _ABOVE)
            return found and (float(found[0]), float(found[1]), float(found[2]), float(found[3]))
        found = _bounds(greys > 127)
        if found is None:
            return None
        down, across = self.inside[0] / self.height, self.inside[1] / self.width
        return found[0] * across, found[1] * down, (found[2] + 1) * across, (found[3] + 1) * down

    def logits(self, low: Tensor) -> Tensor:
        """Bring logits to the image's size.

        Args:
            low: ``float32[P, 1, S, S]`` at ``SamSize.mask_side``.

        Returns:
            ``float32[P, 1, H, W]``; foreground is above 0.
        """
        if self.protocol == "native":
            height, width = self.inside
            low = _bilinear(low, (self.side, self.side))[..., :height, :width]
        return _bilinear(low, (self.height, self.width))

    def _squash(self, pixels: Tensor) -> Tensor:
        """``[C, H, W]`` to ``float32[C, side, side]``."""
        return _bilinear(pixels[None].float(), (self.side, self.side))[0]


def _bilinear(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    return functional.interpolate(pixels, size, mode="bilinear", align_corners=False)


def _bounds(mask: BoolArray) -> tuple[int, int, int, int] | None:
    """First and last column and row with foreground, as x0, y0, x1, y1; None where there is none."""
    across, down = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    return (int(across[0]), int(down[0]), int(across[-1]), int(down[-1])) if len(across) else None
