"""Image and mask become one pair: every coding rule, every orientation, every disagreement, and the real files."""

import hashlib
import itertools
import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from hqdata.errors import DecodeError
from hqdata.limits import DEFAULT, Limits
from hqdata.schema import FLAGS
from hqdata.sources.decode import decode_mask_bytes, open_image, to_rgb
from hqdata.sources.mask_coding import encode_mask
from hqdata.sources.normalize import MaskRules, normalize_pair, pixels_digest
from hqdata.sources.orientation import to_display, to_stored

REAL = Path(__file__).parents[2].parent / "shared" / "data"
GREY, INSTANCES, ALPHA = MaskRules(), MaskRules(coding="instances"), MaskRules(coding="alpha")


def encoded(array, kind="PNG", mode=None, **options):
    image = array if isinstance(array, Image.Image) else Image.fromarray(np.asarray(array, np.uint8), mode)
    stream = BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def picture(height, width, kind="PNG", tag=1, **options):
    pixels = np.random.default_rng(height * 100 + width).integers(0, 256, (height, width, 3), np.uint8)
    return encoded(pixels, kind, **tag_option(tag), **options)


def tag_option(tag):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = tag
    return {"exif": exif} if tag != 1 else {}


def raw_png(width, depth, colour, rows, palette=None):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, len(rows), depth, colour, 0, 0, 0)
    parts = [chunk(b"IHDR", header)]
    if palette:
        parts.append(chunk(b"PLTE", bytes(itertools.chain(*palette))))
    parts.append(chunk(b"IDAT", zlib.compress(b"".join(b"\x00" + bytes(row) for row in rows))))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b"")


def deep(values, colour=0):
    rows = np.asarray(values, ">u2")
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    return raw_png(rows.shape[1] // channels, 16, colour, [row.tobytes() for row in rows])


def palette_png(index, colours):
    return raw_png(len(index[0]), 8, 3, index, colours)


BLACK, WHITE, RED, DARK = (0, 0, 0), (255, 255, 255), (255, 0, 0), (1, 1, 1)
HARD = [[0, 255, 0], [255, 255, 0]]
SOFT = [[0, 255, 127], [128, 255, 3]]
RE = "mask_reencoded"

# mask bytes, rules, expected values, expected flags; bytes are kept where mask_reencoded is not among the flags
CODINGS = {
    "hard": (encoded(HARD), GREY, HARD, set()),
    "hard bmp": (encoded(HARD, "BMP"), GREY, HARD, set()),
    "soft": (encoded(SOFT), GREY, SOFT, {"mask_soft"}),
    "threshold below": (encoded([[127, 2]]), GREY, [[127, 2]], {"mask_soft", "empty_mask"}),
    "threshold above": (encoded([[128, 255]]), GREY, [[128, 255]], {"mask_soft", "full_mask"}),
    "empty": (encoded([[0, 0]]), GREY, [[0, 0]], {"empty_mask"}),
    "full": (encoded([[255, 255]]), GREY, [[255, 255]], {"full_mask"}),
    "0 and 1": (encoded([[0, 1]]), GREY, [[0, 255]], {"mask_01", RE}),
    "all 1": (encoded([[1, 1]]), GREY, [[255, 255]], {"mask_01", RE, "full_mask"}),
    "0 and 2 are levels": (encoded([[0, 2]]), GREY, [[0, 2]], {"mask_soft", "empty_mask"}),
    "transparency chunk": (encoded(HARD, transparency=0), GREY, HARD, {RE}),
    "one bit": (encoded(Image.fromarray(np.array(HARD) > 0)), GREY, HARD, {"mask_1bit", RE}),
    "one bit empty": (encoded(Image.new("1", (2, 1))), GREY, [[0, 0]], {"mask_1bit", RE, "empty_mask"}),
    "two bits": (raw_png(2, 2, 0, [[0b00110000]]), GREY, [[0, 255]], {RE}),
    "two bits, 0 and 1": (raw_png(2, 2, 0, [[0b00010000]]), GREY, [[0, 255]], {"mask_01", RE}),
    "four bits, 0 and 1": (raw_png(2, 4, 0, [[0x01]]), GREY, [[0, 255]], {"mask_01", RE}),
    "four bits, 0 and 2": (raw_png(2, 4, 0, [[0x02]]), GREY, [[0, 34]], {RE, "mask_soft", "empty_mask"}),
    "palette": (palette_png([[0, 1, 2]], [BLACK, WHITE, RED]), GREY, [[0, 255, 76]],
                {"mask_palette", RE, "mask_soft"}),
    "dark palette": (palette_png([[0, 1]], [BLACK, DARK]), GREY, [[0, 255]], {"mask_palette", "mask_01", RE}),
    "16-bit": (deep([[0, 128, 129, 32896, 65535]]), GREY, [[0, 0, 1, 128, 255]], {"mask_16bit", RE, "mask_soft"}),
    "16-bit 0 and 1": (deep([[0, 1]]), GREY, [[0, 255]], {"mask_16bit", "mask_01", RE}),
    "16-bit empty": (deep([[0, 0]]), GREY, [[0, 0]], {"mask_16bit", RE, "empty_mask"}),
    "16-bit low": (deep([[0, 255]]), GREY, [[0, 1]], {"mask_16bit", "mask_16bit_low", RE, "mask_soft", "empty_mask"}),
    "RGB": (encoded([[[0, 8, 0], [255, 247, 255]]]), GREY, [[0, 255]], {"mask_rgb", RE}),
    "RGB that differs": (encoded([[[0, 9, 0], [255, 255, 255]]]), GREY, [[0, 255]],
                         {"mask_rgb", "mask_channels_differ", RE}),
    "RGB 0 and 1": (encoded([[[0, 0, 0], [1, 1, 1]]]), GREY, [[0, 255]], {"mask_rgb", "mask_01", RE}),
    "RGB 16-bit": (deep([[0, 0, 0, 65535, 65535, 63479]], 2), GREY, [[0, 255]], {"mask_rgb", "mask_16bit", RE}),
    "RGB 16-bit that differs": (deep([[0, 0, 0, 65535, 65535, 63478]], 2), GREY, [[0, 255]],
                                {"mask_rgb", "mask_16bit", "mask_channels_differ", RE}),
    "RGB 16-bit 0 and 1": (deep([[0, 0, 0, 1, 1, 1]], 2), GREY, [[0, 255]], {"mask_rgb", "mask_16bit", "mask_01", RE}),
    "RGBA": (encoded([[[0, 0, 0, 255], [255, 255, 255, 0]]]), GREY, [[0, 255]], {"mask_rgb", RE}),
    "LA": (encoded([[[0, 255], [255, 0]]], mode="LA"), GREY, [[0, 255]], {"mask_rgb", RE}),
    "LA 16-bit": (deep([[0, 65535, 65535, 0]], 4), GREY, [[0, 255]], {"mask_rgb", "mask_16bit", RE}),
    "RGBA 16-bit": (deep([[65535, 0, 0, 65535, 0, 0, 0, 65535]], 6), GREY, [[255, 0]],
                    {"mask_rgb", "mask_16bit", "mask_channels_differ", RE}),
    "16-bit with transparency by alpha": (encoded(Image.fromarray(np.array([[0, 65535]], np.uint16)), transparency=0),
                                          ALPHA, [[0, 255]], {"mask_16bit", RE}),
    "RGBA by alpha": (encoded([[[9, 8, 7, 255], [6, 5, 4, 0]]]), ALPHA, [[255, 0]], {"mask_alpha", RE}),
    "RGBA 16-bit by alpha": (deep([[9, 8, 7, 65535, 6, 5, 4, 129]], 6), ALPHA, [[255, 1]],
                             {"mask_alpha", "mask_16bit", RE, "mask_soft"}),
    "LA by alpha": (encoded([[[9, 255], [8, 0]]], mode="LA"), ALPHA, [[255, 0]], {"mask_alpha", RE}),
    "palette by alpha": (encoded(Image.open(BytesIO(palette_png([[0, 1]], [RED, RED]))), transparency=b"\x00\xff"),
                         ALPHA, [[0, 255]], {"mask_alpha", RE}),
    "no alpha by alpha": (encoded(HARD), ALPHA, HARD, set()),
    "ids": (encoded([[0, 1, 7]]), INSTANCES, [[0, 255, 255]], {"mask_instances", RE}),
    "ids 0 and 255": (encoded([[0, 255]]), INSTANCES, [[0, 255]], {"mask_instances"}),
    "ids 0 and 255 with transparency": (encoded([[0, 255]], transparency=0), INSTANCES, [[0, 255]],
                                        {"mask_instances", RE}),
    "ids by palette index": (palette_png([[0, 1, 2]], [WHITE, BLACK, RED]), INSTANCES, [[0, 255, 255]],
                             {"mask_instances", RE}),
    "ids in RGB": (encoded([[[0, 0, 0], [0, 0, 3]]]), INSTANCES, [[0, 255]], {"mask_instances", RE}),
    "ids in RGBA": (encoded([[[0, 0, 0, 255], [0, 3, 0, 0]]]), INSTANCES, [[0, 255]], {"mask_instances", RE}),
    "ids in 16 bits": (deep([[0, 300]]), INSTANCES, [[0, 255]], {"mask_instances", RE}),
    "ids in RGB 16-bit": (deep([[0, 0, 0, 0, 0, 3]], 2), INSTANCES, [[0, 255]], {"mask_instances", RE}),
    "ids in LA": (encoded([[[0, 255], [3, 0]]], mode="LA"), INSTANCES, [[0, 255]], {"mask_instances", RE}),
}  # fmt: skip


@pytest.mark.parametrize("name", CODINGS)
def test_coding(name):
    mask, rules, expected, flags = CODINGS[name]
    height, width = np.shape(expected)
    image = picture(height, width)
    pair = normalize_pair(image, mask, rules, DEFAULT)
    values = decode_mask_bytes(pair.mask)
    assert values.tolist() == expected
    assert set(pair.flags) == flags
    assert pair.flags == tuple(sorted(flags))
    assert flags <= FLAGS.keys()
    assert (pair.mask is mask) == (RE not in flags)
    assert pair.mask_suffix == (".bmp" if "bmp" in name else ".png")
    assert pair.mask_sha256 == hashlib.sha256(mask).hexdigest()
    assert pair.pixels_sha256 == pixels_digest(np.array(expected, np.uint8))
    assert (pair.image is image, pair.image_suffix, pair.width, pair.height) == (True, ".png", width, height)


def test_grey_jpeg_mask():
    mask = encoded(np.repeat([[0, 90, 255]], 8, axis=0).repeat(8, axis=1), "JPEG", quality=95)
    expected = np.asarray(Image.open(BytesIO(mask)))
    pair = normalize_pair(picture(8, 24), mask, GREY, DEFAULT)
    assert pair.flags == ("mask_jpeg", "mask_reencoded", "mask_soft")
    assert np.array_equal(decode_mask_bytes(pair.mask), expected)
    assert pair.mask_suffix == ".png"


def test_colour_jpeg_mask():
    mask = encoded(np.full((8, 8, 3), 255), "JPEG")
    pair = normalize_pair(picture(8, 8), mask, GREY, DEFAULT)
    assert pair.flags == ("full_mask", "mask_jpeg", "mask_reencoded", "mask_rgb")


@pytest.mark.parametrize(
    ("mask", "rules"),
    [(encoded(Image.new("CMYK", (8, 8)), "JPEG"), GREY), (encoded(np.zeros((8, 8)), "JPEG"), INSTANCES)],
    ids=["cmyk", "instances in jpeg"],
)
def test_unsupported_masks(mask, rules):
    with pytest.raises(DecodeError) as caught:
        normalize_pair(picture(8, 8), mask, rules, DEFAULT)
    assert caught.value.reason == "unsupported_mode"
    assert caught.value.detail.startswith("mask: ")


def test_absent_mask():
    pair = normalize_pair(picture(2, 3), None, GREY, DEFAULT)
    assert pair.flags == ("empty_mask", "mask_absent")
    assert decode_mask_bytes(pair.mask).tolist() == [[0] * 3] * 2
    assert pair.mask_sha256 is None


def test_identity():
    image, mask = picture(2, 3, "JPEG"), encoded(HARD)
    pair = normalize_pair(image, mask, GREY, DEFAULT)
    assert pair.image_sha256 == hashlib.sha256(image).hexdigest()
    content = b"\x02\0\0\0\x03\0\0\0" + bytes([0, 255, 0, 255, 255, 0])
    assert pair.pixels_sha256 == hashlib.sha256(content).hexdigest()
    assert pair.image_suffix == ".jpg"


def test_sha256_are_of_the_original_bytes():
    image, mask = picture(2, 3, tag=6), encoded(HARD, **tag_option(6))
    pair = normalize_pair(image, mask, GREY, DEFAULT)
    assert pair.image_sha256 == hashlib.sha256(image).hexdigest() != hashlib.sha256(pair.image).hexdigest()
    assert pair.mask_sha256 == hashlib.sha256(mask).hexdigest()


def test_encoding_is_deterministic():
    values = np.random.default_rng(1).integers(0, 256, (40, 30), np.uint8)
    assert encode_mask(values) == encode_mask(values.copy())
    assert np.array_equal(decode_mask_bytes(encode_mask(values)), values)


IMAGES = {
    "grey": (encoded(HARD), {"image_grey"}),
    "16-bit": (deep([[0, 1, 2], [3, 4, 65535]]), {"image_grey", "image_16bit"}),
    "alpha": (encoded(np.zeros((2, 3, 4))), {"image_alpha"}),
    "palette": (palette_png([[0, 1, 0], [1, 0, 1]], [RED, BLACK]), {"image_palette"}),
    "cmyk": (encoded(Image.new("CMYK", (3, 2)), "JPEG"), {"image_cmyk"}),
    "bmp": (encoded(np.zeros((2, 3, 3)), "BMP"), set()),
}


@pytest.mark.parametrize("name", IMAGES)
def test_images_are_kept(name):
    image, flags = IMAGES[name]
    pair = normalize_pair(image, encoded(HARD), GREY, DEFAULT)
    assert pair.image is image
    assert set(pair.flags) == flags
    assert to_rgb(open_image(pair.image).image).shape == (2, 3, 3)


@pytest.mark.parametrize("shape", [(3, 2), (2, 4), (1, 1), (4, 6)])
def test_size_mismatch(shape):
    with pytest.raises(DecodeError) as caught:
        normalize_pair(picture(2, 3), encoded(np.zeros(shape)), GREY, DEFAULT)
    assert caught.value.reason == "size_mismatch"
    assert caught.value.detail == f"image 3x2, mask {shape[1]}x{shape[0]}"


FAULTS = {
    "empty image": (b"", encoded(HARD), "empty_file", "image: "),
    "empty mask": (picture(2, 3), b"", "empty_file", "mask: "),
    "html image": (b"<html></html>", encoded(HARD), "not_an_image", "image: "),
    "html mask": (picture(2, 3), b"<html></html>", "not_an_image", "mask: "),
    "cut image": (picture(16, 16, "JPEG")[:-300], encoded(HARD), "truncated", "image: "),
    "cut mask": (picture(2, 3), encoded(HARD)[:-1], "truncated", "mask: "),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_name_the_file(name):
    image, mask, reason, start = FAULTS[name]
    with pytest.raises(DecodeError) as caught:
        normalize_pair(image, mask, GREY, DEFAULT)
    assert caught.value.reason == reason
    assert caught.value.detail.startswith(start)


def test_limit_holds_for_both():
    limits = Limits(image_pixels=100)
    for image, mask in ((picture(11, 10), encoded(HARD)), (picture(2, 3), encoded(np.zeros((11, 10))))):
        with pytest.raises(DecodeError, match="too_many_pixels"):
            normalize_pair(image, mask, GREY, limits)


WIDE = np.random.default_rng(9).integers(0, 2, (4, 6)).astype(np.uint8) * 255


def turned_pair(kind, image_tag, mask, mask_tag=1, frame="unknown", shape=(4, 6)):
    """Pair of an image of ``shape`` as stored, and a mask file; with the pair's mask values."""
    image = picture(*shape, kind, image_tag)
    pair = normalize_pair(image, encoded(mask, **tag_option(mask_tag)), MaskRules(frame=frame), DEFAULT)
    assert (len(pair.image), pair.width, pair.height) == (len(image), shape[1], shape[0])
    assert (f"orientation_{image_tag}" in pair.flags) == (image_tag != 1)
    assert (RE in pair.flags) == ("mask_turned" in pair.flags)
    with Image.open(BytesIO(pair.mask)) as stored:
        assert stored.getexif().get(ExifTags.Base.Orientation, 1) == 1
    return set(pair.flags) & {"mask_turned", "orientation_ambiguous"}, decode_mask_bytes(pair.mask)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("tag", range(2, 9))
def test_tagged_image(kind, tag):
    shown = to_display(WIDE, tag)
    swaps = tag >= 5
    expected = {
        ("stored", "stored"): set(),
        ("stored", "unknown"): set() if swaps else {"orientation_ambiguous"},
        ("displayed", "displayed"): {"mask_turned"},
    }
    for (drawn, frame), flags in expected.items():
        found, values = turned_pair(kind, tag, WIDE if drawn == "stored" else shown, frame=frame)
        assert found == flags, (drawn, frame)
        assert np.array_equal(values, WIDE), (drawn, frame)
    found, values = turned_pair(kind, tag, shown, frame="unknown")
    assert found == ({"mask_turned"} if swaps else {"orientation_ambiguous"})
    assert np.array_equal(values, WIDE if swaps else shown)


@pytest.mark.parametrize("tag", range(2, 9))
def test_square_is_ambiguous(tag):
    square = WIDE[:, :4]
    found, values = turned_pair("JPEG", tag, square, shape=(4, 4))
    assert found == {"orientation_ambiguous"}
    assert np.array_equal(values, square)
    found, values = turned_pair("JPEG", tag, to_display(square, tag), frame="displayed", shape=(4, 4))
    assert found == {"mask_turned"}
    assert np.array_equal(values, square)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize(("image_tag", "mask_tag"), list(itertools.product(range(1, 9), range(2, 9))))
def test_tagged_mask(kind, image_tag, mask_tag):
    # The mask is drawn as the image is shown, then stored in the order that its own tag undoes.
    mask = to_stored(to_display(WIDE, image_tag), mask_tag)
    found, values = turned_pair(kind, image_tag, mask, mask_tag)
    assert found == ({"mask_turned"} if image_tag != mask_tag else set())
    assert np.array_equal(values, WIDE)


def test_tagged_mask_keeps_its_bytes_but_for_the_tag():
    mask = encoded(WIDE, **tag_option(6))
    pair = normalize_pair(picture(4, 6, tag=6), mask, GREY, DEFAULT)
    assert len(pair.mask) == len(mask)
    assert sum(old != new for old, new in zip(mask, pair.mask, strict=True)) <= 5


def test_raw_mask_where_only_that_fits():
    found, values = turned_pair("JPEG", 1, WIDE, mask_tag=6)
    assert (found, values.tolist()) == ({"orientation_ambiguous"}, WIDE.tolist())
    found, values = turned_pair("JPEG", 6, WIDE, frame="displayed")
    assert (found, values.tolist()) == ({"orientation_ambiguous"}, WIDE.tolist())


def test_stored_frame_does_not_turn():
    with pytest.raises(DecodeError, match="image 6x4, mask 4x6"):
        turned_pair("JPEG", 6, to_display(WIDE, 6), frame="stored")


def real_pair(image, mask, rules=GREY):
    if not image.is_file():
        pytest.skip(f"the real files are not here: {REAL}")
    return normalize_pair(image.read_bytes(), mask.read_bytes(), rules, DEFAULT)


def real_pairs(images, masks, pattern="*.jpg", most=None):
    if not images.is_dir():
        pytest.skip(f"the real files are not here: {REAL}")
    for image in sorted(images.glob(pattern))[:most]:
        mask = masks / f"{image.stem}.png"
        yield image.stem, mask.read_bytes(), normalize_pair(image.read_bytes(), mask.read_bytes(), GREY, DEFAULT)


def test_real_ecssd():
    pairs = {stem: pair for stem, _, pair in real_pairs(REAL / "ECSSD/images", REAL / "ECSSD/ground_truth_mask")}
    assert len(pairs) == 400
    assert not any("orientation" in flag or flag == RE for pair in pairs.values() for flag in pair.flags)
    greys = [stem for stem, pair in pairs.items() if "image_grey" in pair.flags]
    assert greys == ["0557"]


def test_real_duts():
    folder = REAL / "DUTS/DUTS-TR"
    for _, mask, pair in real_pairs(folder / "DUTS-TR-Image", folder / "DUTS-TR-Mask", most=200):
        if RE in pair.flags:
            assert "mask_rgb" in pair.flags
        else:
            assert pair.mask == mask
    for stem in ("ILSVRC2014_train_00023530", "n01532829_13482", "n04442312_17818"):
        pair = real_pair(folder / f"DUTS-TR-Image/{stem}.jpg", folder / f"DUTS-TR-Mask/{stem}.png")
        assert {"mask_rgb", "mask_soft", RE} <= set(pair.flags)
    stem = "n07768694_21801"
    pair = real_pair(folder / f"DUTS-TR-Image/{stem}.jpg", folder / f"DUTS-TR-Mask/{stem}.png")
    values = decode_mask_bytes(pair.mask)
    assert pair.flags == ("mask_soft",)
    assert np.bincount(values.ravel()).argmax() == 5
    assert 0 < (values > 127).mean() < 0.9 < (values > 0).mean()


def test_real_pascal_s():
    empty = set()
    for stem, mask, pair in real_pairs(REAL / "PASCAL-S/images", REAL / "PASCAL-S/masks"):
        assert pair.mask == mask
        empty |= {stem} if "empty_mask" in pair.flags else set()
    assert empty == {"359", "408", "424", "460", "622"}


def test_real_msra10k():
    folder = REAL / "MSRA10K/MSRA10K_Imgs_GT/Imgs"
    pairs = list(real_pairs(folder, folder))
    assert len(pairs) == 5
    assert all(pair.flags == () and pair.mask == mask for _, mask, pair in pairs)
    images, masks = REAL / "MSRA10K/SMD-demo/INPUT_IMG", REAL / "MSRA10K/SMD-demo/GROUND_TRUTH"
    with pytest.raises(DecodeError, match="size_mismatch: image 300x212, mask 400x283"):
        real_pair(images / "11987.jpg", masks / "11987.png")
    found = {path.stem: real_pair(path, masks / f"{path.stem}.png") for path in images.glob("*.jpg")
             if path.stem != "11987"}  # fmt: skip
    assert len(found) == 7
    assert found["126766"].flags == ("mask_soft",)
    assert [pair.flags for pair in found.values()].count(("mask_1bit", RE)) == 2


def test_real_fss():
    alpha = list(real_pairs(REAL / "FSS-1000/african_elephant", REAL / "FSS-1000/african_elephant"))
    assert len(alpha) == 5
    assert {pair.flags for _, _, pair in alpha} == {("mask_channels_differ", RE, "mask_rgb", "mask_soft")}
    folder = REAL / "FSS-1000/hkustcv_example_support"
    coded = list(real_pairs(folder / "image", folder / "label"))
    assert len(coded) == 5
    for _, mask, pair in coded:
        assert {"mask_01", "mask_rgb", RE} <= set(pair.flags)
        ones = np.asarray(Image.open(BytesIO(mask)))[:, :, 0]
        assert np.array_equal(decode_mask_bytes(pair.mask), ones * 255)


def test_real_dis5k():
    folder = REAL / "DIS5K/DIS-TE-sample"
    pairs = [pair for _, _, pair in real_pairs(folder / "im", folder / "gt")]
    assert len(pairs) == 3
    assert max(max(pair.width, pair.height) for pair in pairs) == 2748
