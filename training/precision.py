"""What is computed in which precision."""

import contextlib
from collections.abc import Iterator

import torch

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}
"""What the frozen encoder computes in. What is trained, and the loss, are float32 always."""


@contextlib.contextmanager
def plain_float32() -> Iterator[None]:
    """Compute matrix products and convolutions in float32 as it is, whatever the process has chosen."""
    products, convolutions = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(products)
        torch.backends.cudnn.allow_tf32 = convolutions
