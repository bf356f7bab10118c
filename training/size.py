"""The sizes of a SAM: B, L and H as published, and any smaller one of the same classes."""

from dataclasses import dataclass

from hqdata.errors import UsageError, explain


@dataclass(frozen=True, slots=True, kw_only=True)
class SamSize:
    """Every number that a SAM is built from. The defaults are those that B, L and H share.

    >>> SIZES["vit_l"].grid, SIZES["vit_l"].early, SIZES["vit_l"].mask_side
    (64, 5, 256)
    """

    name: str
    width: int
    """Channels of the encoder's blocks."""
    depth: int
    """Blocks of the encoder."""
    heads: int
    """Attention heads of a block."""
    global_blocks: tuple[int, ...]
    """Blocks that attend to the whole image, by index; the others attend within windows."""
    image: int = 1024
    """Side of the square canvas that is encoded, in pixels."""
    patch: int = 16
    """Side of the square that becomes one token, in pixels."""
    window: int = 14
    """Side of an attention window, in tokens."""
    mlp_ratio: int = 4
    """Hidden channels of an encoder block's MLP over its channels."""
    channels: int = 256
    """Channels of the neck's output, of prompts and of the decoder."""
    mask_channels: int = 16
    """Hidden channels of the mask prompt's encoding."""
    decoder_depth: int = 2
    """Two-way blocks of the decoder."""
    decoder_heads: int = 8
    decoder_mlp: int = 2048
    """Hidden channels of a decoder block's MLP."""
    iou_width: int = 256
    """Hidden channels of the head that predicts IoU."""

    def __post_init__(self) -> None:
        """Refuse numbers that do not divide as the classes need it."""
        numbers = {name: getattr(self, name) for name in _NUMBERS}
        bad = sorted(name for name, value in numbers.items() if value < 1)
        if bad:
            raise UsageError(explain(f"size {self.name}: {', '.join(bad)}", expected="1 or more"))
        for whole, part in _DIVIDES:
            if numbers[whole] % part(self):
                raise UsageError(
                    explain(f"size {self.name}: {whole}", expected=f"a multiple of {part(self)}", got=numbers[whole])
                )
        blocks = self.global_blocks
        if not blocks or list(blocks) != sorted({index for index in blocks if 0 <= index < self.depth}):
            expected = f"indices of the {self.depth} blocks, rising"
            raise UsageError(explain(f"size {self.name}: global_blocks", expected=expected, got=list(blocks)))

    @property
    def grid(self) -> int:
        """Side of the encoder's output, in tokens."""
        return self.image // self.patch

    @property
    def early(self) -> int:
        """Block whose output is the early feature: the first that attends to the whole image."""
        return self.global_blocks[0]

    @property
    def mask_side(self) -> int:
        """Side of mask prompts and of predicted logits, in pixels."""
        return 4 * self.grid


_NUMBERS = (
    *("width", "depth", "heads", "image", "patch", "window", "mlp_ratio", "channels", "mask_channels"),
    *("decoder_depth", "decoder_heads", "decoder_mlp", "iou_width"),
)
_DIVIDES = (
    ("image", lambda size: size.patch),
    ("width", lambda size: size.heads),
    # The decoder attends over half its channels and upscales to an eighth of them.
    ("channels", lambda size: max(8, 2 * size.decoder_heads)),
    ("mask_channels", lambda _: 4),
)

SIZES: dict[str, SamSize] = {
    size.name: size
    for size in (
        SamSize(name="vit_b", width=768, depth=12, heads=12, global_blocks=(2, 5, 8, 11)),
        SamSize(name="vit_l", width=1024, depth=24, heads=16, global_blocks=(5, 11, 17, 23)),
        SamSize(name="vit_h", width=1280, depth=32, heads=16, global_blocks=(7, 15, 23, 31)),
    )
}
"""The published sizes, by the names that the official code gives them."""
