"""The decode gate: what it accepts becomes exact pixels, everything else one named reason, and no warning gets out."""

import struct
import warnings
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageFile

from hqdata.errors import DecodeError, HQDataError
from hqdata.limits import Limits
from hqdata.schema import FLAGS, REASONS
from hqdata.sources.decode import decode_mask_bytes, image_flags, open_image, to_rgb

GREY = np.array([[0, 50, 100], [150, 200, 255]], np.uint8)
COLOUR = np.dstack([GREY, 255 - GREY, GREY // 2])


def encoded(array, kind="PNG", mode=None, **options):
    image = array if isinstance(array, Image.Image) else Image.fromarray(array)
    stream = BytesIO()
    (image.convert(mode) if mode else image).save(stream, kind, **options)
    return stream.getvalue()


def chunk(kind, data=b""):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*chunks):
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def raw_png(width, height, depth, colour, rows):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    packed = zlib.compress(b"".join(b"\x00" + row for row in rows))
    return png(chunk(b"IHDR", header), chunk(b"IDAT", packed), chunk(b"IEND"))


def palette_image():
    image = Image.fromarray(np.array([[0, 1], [2, 1]], np.uint8), "L").convert("P")
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    image.putdata([0, 1, 2, 1])
    return image


NOISE = np.random.default_rng(5).integers(0, 256, (48, 64, 3), np.uint8)
BASE_JPEG = encoded(NOISE, "JPEG", quality=90)
BASE_PNG = encoded(NOISE)
BASE_BMP = encoded(NOISE, "BMP")


@pytest.mark.parametrize(
    ("data", "kind", "suffix"), [(BASE_JPEG, "JPEG", ".jpg"), (BASE_PNG, "PNG", ".png"), (BASE_BMP, "BMP", ".bmp")]
)
@pytest.mark.parametrize("pixels", [True, False])
def test_formats(data, kind, suffix, pixels):
    decoded = open_image(data, pixels=pixels)
    assert (decoded.format, decoded.suffix, decoded.size) == (kind, suffix, (64, 48))
    if pixels:
        assert (to_rgb(decoded.image) == np.asarray(Image.open(BytesIO(data)))).all()


HUGE = struct.pack(">IIBBBBB", 20000, 20000, 8, 2, 0, 0, 0)
FRAMES = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
REFUSED = {
    "zero bytes": (b"", "empty_file"),
    "html": (b"<!DOCTYPE html><html><body>404</body></html>", "not_an_image"),
    "text that starts like a BMP": (b"BMW is a make of car, not a bitmap", "not_an_image"),
    "gif": (encoded(GREY, "GIF"), "not_an_image"),
    "tiff": (encoded(GREY, "TIFF"), "not_an_image"),
    "bomb": (png(chunk(b"IHDR", HUGE), chunk(b"IDAT", b"\x00")), "too_many_pixels"),
    "bomb without pixels": (png(chunk(b"IHDR", HUGE)), "too_many_pixels"),
    "apng": (encoded(FRAMES[0], save_all=True, append_images=FRAMES[1:]), "animated"),
    "png without IEND": (BASE_PNG[:-12], "truncated"),
    "png short of two bytes": (BASE_PNG[:-2], "truncated"),
    "png magic cut": (BASE_PNG[:5], "truncated"),
    "png header cut": (BASE_PNG[:20], "truncated"),
    "png cut before its pixels": (BASE_PNG[:35], "truncated"),
    "bmp cut": (BASE_BMP[:-1], "truncated"),
    "bmp cut, its header in accord": (b"BM" + struct.pack("<I", 5000) + BASE_BMP[6:5000], "truncated"),
    "bmp magic": (b"BM\x00", "truncated"),
    "png with a wrong header checksum": (BASE_PNG[:29] + b"\x00\x00\x00\x00" + BASE_PNG[33:], "corrupt"),
    "png with text for pixels": (
        png(chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)), chunk(b"IDAT", b"no zlib"), chunk(b"IEND")),
        "corrupt",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("pixels", [True, False])
def test_refused(name, pixels):
    data, reason = REFUSED[name]
    with pytest.raises(DecodeError) as caught:
        open_image(data, pixels=pixels)
    assert caught.value.reason == reason
    assert reason in REASONS


def test_bomb_is_small():
    assert len(REFUSED["bomb"][0]) <= 60


@pytest.mark.parametrize("data", [BASE_JPEG, BASE_PNG, BASE_BMP], ids=["jpeg", "png", "bmp"])
@pytest.mark.parametrize("tenth", range(10))
@pytest.mark.parametrize("pixels", [True, False])
def test_cut_at_ten_points(data, tenth, pixels):
    cut = max(4, len(data) * tenth // 10)
    with pytest.raises(DecodeError) as caught:
        open_image(data[:cut], pixels=pixels)
    assert caught.value.reason == "truncated"


def test_jpeg_with_bytes_after_its_end():
    decoded = open_image(BASE_JPEG + b"\x00" * 7 + b"camera notes")
    assert (to_rgb(decoded.image) == to_rgb(open_image(BASE_JPEG).image)).all()


def test_png_with_bytes_after_its_end():
    assert (to_rgb(open_image(BASE_PNG + b"tail").image) == NOISE).all()


def test_check_gives_the_verdict_of_a_full_decode():
    rng = np.random.default_rng(11)
    verdicts = set()
    for progressive in (False, True):
        data = encoded(NOISE, "JPEG", quality=70, progressive=progressive)
        for _ in range(150):
            bad = bytearray(data[: rng.integers(len(data) // 2, len(data) + 1)])
            for at in rng.integers(2, len(bad), 3):
                bad[at] = rng.integers(256)
            seen = []
            for pixels in (True, False):
                try:
                    open_image(bytes(bad), pixels=pixels)
                    seen.append("fine")
                except DecodeError as error:
                    seen.append(error.reason)
            assert seen[0] == seen[1]
            verdicts.add(seen[0])
    assert {"fine", "truncated"} <= verdicts


def test_limit_counts_not_pillows(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 3000)
    assert open_image(BASE_JPEG, Limits(image_pixels=3072)).size == (64, 48)
    with pytest.raises(DecodeError, match="64x48, the limit is 3,071 pixels") as caught:
        open_image(BASE_JPEG, Limits(image_pixels=3071))
    assert caught.value.reason == "too_many_pixels"
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(DecodeError) as caught:
        open_image(BASE_JPEG)
    assert caught.value.reason == "too_many_pixels"


def test_truncated_images_must_be_refused_by_pillow(monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(HQDataError, match="LOAD_TRUNCATED_IMAGES"):
        open_image(BASE_JPEG)


def test_corrupt_exif_does_not_warn():
    # One directory entry whose data lie outside the segment.
    tiff = b"II*\x00\x08\x00\x00\x00\x01\x00" + struct.pack("<HHII", 0x0131, 2, 9000, 5000) + b"\x00" * 4
    exif = b"Exif\x00\x00" + tiff
    data = BASE_JPEG[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + BASE_JPEG[20:]
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        Image.open(BytesIO(data))
    assert raised
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert open_image(data).size == (64, 48)


def test_misplaced_animation_chunk_does_not_warn():
    late = BASE_PNG[:-12] + 2 * chunk(b"acTL", b"\x00" * 8) + BASE_PNG[-12:]
    with pytest.warns(UserWarning, match="Invalid APNG"):
        Image.open(BytesIO(late)).load()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (to_rgb(open_image(late).image) == NOISE).all()


def test_jpeg_that_lacks_only_its_end_marker_is_truncated():
    assert BASE_JPEG.endswith(b"\xff\xd9")
    with pytest.raises(DecodeError) as caught:
        open_image(BASE_JPEG[:-2])
    assert caught.value.reason == "truncated"


def test_mpo_is_its_first_frame():
    first, second = Image.fromarray(NOISE), Image.fromarray(255 - NOISE)
    data = encoded(first, "MPO", save_all=True, append_images=[second])
    with Image.open(BytesIO(data)) as image:
        assert image.format == "MPO"
        expected = np.asarray(image)
    decoded = open_image(data)
    assert decoded.format == "JPEG"
    assert (to_rgb(decoded.image) == expected).all()


def sixteen(values, colour):
    rows = [np.array(row, ">u2").tobytes() for row in values]
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    return raw_png(len(values[0]) // channels, len(values), 16, colour, rows)


CMYK = Image.fromarray(np.array([[[0, 255, 255, 0], [255, 0, 0, 0]]], np.uint8), "CMYK")
FLAT = Image.new("RGB", (16, 16), (200, 100, 50))
TRANSLUCENT = np.array([[[10, 20, 30, 0], [40, 50, 60, 128]]], np.uint8)
PIXELS = {
    "grey": (encoded(GREY), [[[0] * 3, [50] * 3, [100] * 3], [[150] * 3, [200] * 3, [255] * 3]], {"image_grey"}),
    "one bit": (encoded(Image.fromarray(GREY[:1] > 60)), [[[0] * 3, [0] * 3, [255] * 3]], {"image_grey"}),
    "grey and alpha": (
        encoded(Image.fromarray(np.array([[[7, 0], [9, 255]]], np.uint8), "LA")),
        [[[7] * 3, [9] * 3]],
        {"image_grey", "image_alpha"},
    ),
    "colour": (encoded(COLOUR[:1, :2]), [[[0, 255, 0], [50, 205, 25]]], set()),
    "colour bmp": (encoded(COLOUR[:1, :2], "BMP"), [[[0, 255, 0], [50, 205, 25]]], set()),
    "alpha": (encoded(TRANSLUCENT), [[[10, 20, 30], [40, 50, 60]]], {"image_alpha"}),
    "palette": (
        encoded(palette_image()),
        [[[10, 20, 30], [40, 50, 60]], [[70, 80, 90], [40, 50, 60]]],
        {"image_palette"},
    ),
    "palette with alphas": (
        encoded(palette_image(), transparency=b"\x00\x80\xff"),
        [[[10, 20, 30], [40, 50, 60]], [[70, 80, 90], [40, 50, 60]]],
        {"image_palette"},
    ),
    "16-bit grey": (sixteen([[0, 128, 129, 65535]], 0), [[[0] * 3, [0] * 3, [1] * 3, [255] * 3]],
                    {"image_grey", "image_16bit"}),
    "16-bit colour": (sixteen([[0, 257, 65535]], 2), [[[0, 1, 255]]], {"image_16bit"}),
}  # fmt: skip


@pytest.mark.parametrize("name", PIXELS)
def test_to_rgb(name):
    data, expected, flags = PIXELS[name]
    decoded = open_image(data)
    pixels = to_rgb(decoded.image)
    assert pixels.tolist() == expected
    assert (pixels.dtype, pixels.flags.c_contiguous, pixels.flags.writeable) == (np.uint8, True, True)
    assert image_flags(decoded) == flags
    assert flags <= FLAGS.keys()


def test_cmyk_jpeg():
    decoded = open_image(encoded(Image.merge("CMYK", [Image.new("L", (16, 16), v) for v in (0, 255, 255, 0)]), "JPEG"))
    assert image_flags(decoded) == {"image_cmyk"}
    red = to_rgb(decoded.image)
    assert red.shape == (16, 16, 3)
    assert np.abs(red.astype(int) - [255, 0, 0]).max() <= 4


def test_grey_jpeg():
    decoded = open_image(encoded(Image.new("L", (16, 16), 90), "JPEG"))
    assert image_flags(decoded) == {"image_grey"}
    assert (to_rgb(decoded.image) == 90).all()


def test_unsupported_mode():
    with pytest.raises(DecodeError, match="unsupported_mode"):
        to_rgb(Image.new("F", (2, 2)))


def test_stored_mask():
    mask = decode_mask_bytes(encoded(GREY))
    assert mask.tolist() == GREY.tolist()
    assert mask.flags.writeable
    with pytest.raises(DecodeError, match="unsupported_mode"):
        decode_mask_bytes(encoded(COLOUR))
