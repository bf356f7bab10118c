"""The one gate through which image bytes become pixels: JPEG, PNG and BMP, one frame, whole, within the pixel budget.

Every failure is a :class:`~hqdata.errors.DecodeError` whose reason is a word of :data:`hqdata.schema.REASONS`; no
warning of Pillow gets out.
"""

import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageFile

from hqdata.arrays import UInt8Array
from hqdata.errors import DecodeError, HQDataError, explain
from hqdata.limits import DEFAULT, Limits
from hqdata.sources.grey_png import read_grey_png
from hqdata.sources.segments import jpeg_segments, png_chunks

SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "BMP": ".bmp"}
_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_PNG_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"
_BMP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}
_QUIET = threading.RLock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """An image whose every byte of pixel data went through the decoder."""

    image: Image.Image
    size: tuple[int, int]
    """Width and height in the file."""
    mode: str
    """Pillow's name of the file's pixel format."""
    format: str
    """``JPEG``, ``PNG`` or ``BMP``, by content."""
    depth: int
    """Bits a channel in the file; Pillow shows 16-bit colour as 8-bit."""

    @property
    def suffix(self) -> str:
        """``.jpg``, ``.png`` or ``.bmp``."""
        return SUFFIXES[self.format]


def open_image(data: bytes, limits: Limits = DEFAULT, *, pixels: bool = True) -> Decoded:
    """Decode an image wholly.

    Args:
        data: encoded JPEG, PNG or BMP. Of a JPEG with further frames (MPO), the first is taken.
        limits: ``image_pixels`` is checked from the header, before anything is decoded.
        pixels: False to only check an image, nearly twice as fast: a JPEG's coefficients are all read, which is where
            errors show, but its pixels are made at an eighth of the size and without colour.

    Raises:
        DecodeError: empty_file, not_an_image, too_many_pixels, animated, truncated or corrupt.
        HQDataError: Pillow was told to accept truncated images.
    """
    kind, image = open_header(data, limits)
    size, mode = image.size, image.mode
    if kind == "PNG":
        _check_whole_png(data, image)
    elif kind == "JPEG" and not pixels and _has_common_sampling(image):
        image.draft("L" if mode == "RGB" else None, (max(1, size[0] // 8), max(1, size[1] // 8)))
    try:
        # A misplaced animation chunk is the one thing of which Pillow warns as late as here.
        with quiet() if kind == "PNG" and b"acTL" in data else nullcontext():
            image.load()
    except MemoryError:
        raise
    except Exception as error:
        raise DecodeError(_blame(data, kind, error), _words(error)) from error
    depth = data[24] if kind == "PNG" else 8
    return Decoded(image=image, size=size, mode=mode, format=kind, depth=depth)


def open_header(data: bytes, limits: Limits = DEFAULT) -> tuple[str, Image.Image]:
    """Read an image's header with Pillow; pixels are not decoded yet.

    Returns:
        Format (``JPEG``, ``PNG`` or ``BMP``) and the image.

    Raises:
        DecodeError: empty_file, not_an_image, too_many_pixels, truncated or corrupt.
        HQDataError: Pillow was told to accept truncated images.
    """
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        raise HQDataError(
            explain("PIL.ImageFile.LOAD_TRUNCATED_IMAGES is set", expected=False, got=True, do="do not set it")
        )
    kind = _kind(data)
    if kind == "PNG" and len(data) >= 24:
        _check_pixels(struct.unpack_from(">II", data, 16), limits)
    try:
        with quiet():
            image = Image.open(BytesIO(data), formats=(kind,))
    except Image.DecompressionBombError as error:
        raise DecodeError("too_many_pixels", _words(error)) from error
    except MemoryError:
        raise
    except Exception as error:
        raise DecodeError(_blame(data, kind, error), _words(error)) from error
    _check_pixels(image.size, limits)
    return kind, image


@contextmanager
def quiet() -> Iterator[None]:
    """Silence Pillow's warnings; they go to a process-wide filter list, hence the lock."""
    with _QUIET, warnings.catch_warnings():
        # Pillow warns of big images from 89 megapixels on; the limit that counts is checked by `_check_pixels`.
        warnings.simplefilter("ignore")
        yield


def to_rgb(image: Image.Image) -> UInt8Array:
    """Turn a decoded image into RGB.

    Grey is repeated, palettes are expanded, CMYK is converted, 16-bit grey is divided by 257 and rounded; alpha is
    dropped, the colours under it stay as they are.

    Args:
        image: as :func:`open_image` gives it.

    Returns:
        ``uint8[H, W, 3]``, contiguous and writable.

    Raises:
        DecodeError: unsupported_mode.
    """
    if image.mode == "RGB":
        return np.array(image)
    if image.mode == "RGBA":
        return np.ascontiguousarray(np.asarray(image)[:, :, :3])
    if image.mode in {"P", "CMYK"}:
        return np.array(opaque(image).convert("RGB"))
    if image.mode in {"1", "L", "LA", "I;16"}:
        grey = _grey(image)
        return np.ascontiguousarray(np.broadcast_to(grey[:, :, None], (*grey.shape, 3)))
    raise DecodeError("unsupported_mode", image.mode)


def to_grey(image: Image.Image) -> UInt8Array:
    """Luminance of a decoded image (ITU-R BT.601, as Pillow's), ``uint8[H, W]``; see :func:`to_rgb`."""
    return np.asarray(image if image.mode == "L" else Image.fromarray(to_rgb(image)).convert("L"))


def _grey(image: Image.Image) -> UInt8Array:
    """Channel 0 of a grey image of any depth, ``uint8[H, W]``."""
    if image.mode == "I;16":
        return scale_16bit(np.asarray(image))
    if image.mode == "LA":
        return np.asarray(image)[:, :, 0]
    return np.asarray(image if image.mode == "L" else image.convert("L"))


def scale_16bit(values: np.ndarray[Any, np.dtype[np.uint16]]) -> UInt8Array:
    """Divide 16-bit values by 257 and round: 0 to 65535 become 0 to 255, same shape.

    >>> scale_16bit(np.array([0, 128, 129, 257, 65535], np.uint16)).tolist()
    [0, 0, 1, 1, 255]
    """
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)


def opaque(image: Image.Image) -> Image.Image:
    """The image without its transparency entry, which makes Pillow warn when a palette is expanded."""
    if "transparency" not in image.info:
        return image
    image = image.copy()
    del image.info["transparency"]
    return image


def decode_mask_bytes(data: bytes, limits: Limits = DEFAULT) -> UInt8Array:
    """Decode a stored mask.

    Returns:
        ``uint8[H, W]``, 0 to 255, writable.

    Raises:
        DecodeError: what :func:`open_image` raises, or unsupported_mode if it is not 8-bit grey.
    """
    plain = read_grey_png(data, limits)
    if plain is not None:
        return plain
    decoded = open_image(data, limits)
    if decoded.image.mode != "L":
        raise DecodeError("unsupported_mode", f"a stored mask is 8-bit grey, this one is {decoded.image.mode}")
    return np.array(decoded.image)


def decode_16bit_colour(data: bytes) -> np.ndarray[Any, np.dtype[np.uint16]]:
    """Decode a 16-bit PNG with several channels at its own depth, which Pillow does not.

    Returns:
        ``uint16[H, W, 4]``, RGBA; grey is repeated, a missing alpha is 65535.
    """
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16 or pixels.ndim != 3:
        raise DecodeError("corrupt", "not a 16-bit PNG with several channels")
    code = cv2.COLOR_BGRA2RGBA if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGBA
    return np.asarray(cv2.cvtColor(pixels, code), dtype=np.uint16)


def image_flags(decoded: Decoded) -> frozenset[str]:
    """Words of :data:`hqdata.schema.FLAGS` that describe the image's pixel format."""
    mode = decoded.mode
    flags = {
        "image_grey": mode in {"1", "L", "LA", "I;16"},
        "image_cmyk": mode == "CMYK",
        "image_16bit": decoded.depth == 16,
        "image_alpha": mode in {"LA", "RGBA"},
        "image_palette": mode == "P",
    }
    return frozenset(flag for flag, holds in flags.items() if holds)


def _kind(data: bytes) -> str:
    """Format by the first bytes."""
    if not data:
        raise DecodeError("empty_file", "0 bytes")
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(_PNG_MAGIC):
        return "PNG"
    if data.startswith(b"BM") and (len(data) < 18 or int.from_bytes(data[14:18], "little") in _BMP_HEADERS):
        return "BMP"
    if len(data) > 1 and (_PNG_MAGIC.startswith(data) or data == b"\xff\xd8"):
        raise DecodeError("truncated", f"{len(data)} bytes")
    raise DecodeError("not_an_image", f"starts with {data[:12]!r}")


def _check_pixels(size: tuple[int, ...], limits: Limits) -> None:
    width, height = size
    if width * height > limits.image_pixels:
        raise DecodeError("too_many_pixels", f"{width}x{height}, the limit is {limits.image_pixels:,} pixels")


def _check_whole_png(data: bytes, image: Image.Image) -> None:
    """Refuse what Pillow would accept: several frames, a missing end."""
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        raise DecodeError("animated", f"{frames} frames")
    if not _has_end(data):
        raise DecodeError("truncated", "the PNG has no IEND chunk")


def _has_common_sampling(image: Image.Image) -> bool:
    """Whether a JPEG's components are sampled 1, 2 or 4 times; others may fail only at full size."""
    return all({across, down} <= {1, 2, 4} for _, across, down, _ in getattr(image, "layer", [(0, 0, 0, 0)]))


def _has_end(data: bytes) -> bool:
    return data.endswith(_PNG_END) or any(kind == b"IEND" for kind, _, _ in png_chunks(data))


def _blame(data: bytes, kind: str, error: Exception) -> str:
    """``truncated`` if the file ends early, else ``corrupt``."""
    if "truncated" in str(error).lower():
        return "truncated"
    if kind == "PNG":
        whole = _has_end(data)
    elif kind == "BMP":
        whole = len(data) >= max(54, int.from_bytes(data[2:6], "little"))
    else:
        # Inside a scan FF D9 is always the end; before it, the end of a thumbnail also looks like that.
        scan = next((end for marker, _, end in jpeg_segments(data) if marker == 0xDA), len(data))
        whole = data.find(b"\xff\xd9", scan) >= 0
    return "corrupt" if whole else "truncated"


def _words(error: Exception) -> str:
    """First line of an error's message, without the address of the buffer that Pillow puts in."""
    text = str(error).partition("\n")[0].partition(" <_io")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
