"""The orientation tag: every field of every kind is set to 1, pixels stay, and all readers then agree."""

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageOps

from hqdata.errors import DecodeError
from hqdata.sources.orientation import neutralise, to_display, to_stored

PIXELS = np.random.default_rng(3).integers(0, 256, (16, 24, 3), np.uint8)
XMP = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description {} ></rdf:Description></rdf:RDF></x:xmpmeta>'
FORMS = {
    "double": 'tiff:Orientation="{}"',
    "single": "tiff:Orientation='{}'",
    "element": "><tiff:Orientation>{}</tiff:Orientation><a",
    "spaced": 'tiff:Orientation = " {} "',
}


def xmp(value, form="double"):
    return XMP.format(FORMS[form].format(value)).encode()


def tiff(value, order="<", kind=3, entries=1, data=None):
    """A TIFF structure with a Software entry, then the orientation entry."""
    value = struct.pack(order + {3: "Hxx", 4: "I", 1: "Bxxx"}[kind], value) if data is None else data
    head = (b"II*\x00" if order == "<" else b"MM\x00*") + struct.pack(order + "I", 8)
    software = struct.pack(order + "HHI", 0x0131, 2, 4) + b"abc\x00"
    orientation = struct.pack(order + "HHI", 0x0112, kind, entries) + value
    return head + struct.pack(order + "H", 2) + software[:12] + orientation + b"\x00" * 8


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def saved(kind, **options):
    stream = BytesIO()
    Image.fromarray(PIXELS).save(stream, kind, **options)
    return stream.getvalue()


JPEG, PNG = saved("JPEG", quality=95), saved("PNG")


def app1(content):
    return b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content


def jpeg(*contents):
    return JPEG[:2] + b"".join(map(app1, contents)) + JPEG[2:]


def png(*chunks):
    return PNG[:33] + b"".join(chunks) + PNG[33:]


def exif_segment(*args, **options):
    return b"Exif\x00\x00" + tiff(*args, **options)


def xmp_segment(*args):
    return b"http://ns.adobe.com/xap/1.0/\x00" + xmp(*args)


def itxt(text, packed=False):
    body = zlib.compress(text) if packed else text
    return chunk(b"iTXt", b"XML:com.adobe.xmp\x00" + bytes([packed, 0]) + b"\x00\x00" + body)


def profile(name, content):
    return b"Raw profile type " + name + b"\x00\n" + name + b"\n%8d\n" % len(content) + content.hex().encode() + b"\n"


def tagged(container, fields, value):
    """An image with the tag in EXIF, in XMP, or in both."""
    wanted = {"exif": {"exif"}, "xmp": {"xmp"}, "both": {"exif", "xmp"}}[fields]
    if container == "JPEG":
        parts = {"exif": exif_segment(value), "xmp": xmp_segment(value)}
        return jpeg(*[parts[name] for name in sorted(wanted)])
    parts = {"exif": chunk(b"eXIf", tiff(value)), "xmp": itxt(xmp(value))}
    return png(*[parts[name] for name in sorted(wanted)])


def upright(data):
    with Image.open(BytesIO(data)) as image:
        return np.asarray(ImageOps.exif_transpose(image))


def stored(data):
    with Image.open(BytesIO(data)) as image:
        return np.asarray(image)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("fields", ["exif", "xmp", "both"])
@pytest.mark.parametrize("container", ["JPEG", "PNG"])
def test_neutralised(container, fields, orientation):
    data = tagged(container, fields, orientation)
    assert (upright(data) == to_display(stored(data), orientation)).all()
    plain, found = neutralise(data)
    assert found == orientation
    assert len(plain) == len(data)
    assert (stored(plain) == stored(data)).all()
    assert (upright(plain) == stored(data)).all()
    assert neutralise(plain) == (plain, 1)
    assert plain == tagged(container, fields, 1)
    assert (plain is data) == (orientation == 1)


@pytest.mark.parametrize("container", ["JPEG", "PNG"])
def test_only_the_tags_bytes_change(container):
    data = tagged(container, "exif", 6)
    plain, _ = neutralise(data)
    changed = [place for place, (old, new) in enumerate(zip(data, plain, strict=True)) if old != new]
    place = data.index(tiff(6)) + 30
    end = data.index(tiff(6)) + len(tiff(6))
    assert changed[0] == place
    assert set(changed[1:]) <= (set() if container == "JPEG" else set(range(end, end + 4)))


SINGLE_FIELDS = {
    "little short": (jpeg(exif_segment(6, "<")), 6),
    "big short": (jpeg(exif_segment(6, ">")), 6),
    "little long": (jpeg(exif_segment(8, "<", 4)), 8),
    "big long": (jpeg(exif_segment(8, ">", 4)), 8),
    "byte, which Pillow does not take for a number": (jpeg(exif_segment(6, "<", 1)), 1),
    "two values": (jpeg(exif_segment(0, entries=2, data=struct.pack("<HH", 3, 7))), 3),
    "two values, the first of them 1": (jpeg(exif_segment(0, entries=2, data=struct.pack("<HH", 1, 7))), 1),
    "rational out of line": (jpeg(exif_segment(0, kind=5, data=struct.pack("<I", 8))), 1),
    "zero": (jpeg(exif_segment(0)), 1),
    "nine": (jpeg(exif_segment(9)), 1),
    "xmp double quotes": (jpeg(xmp_segment(6, "double")), 6),
    "xmp single quotes": (jpeg(xmp_segment(6, "single")), 6),
    "xmp element": (jpeg(xmp_segment(6, "element")), 6),
    "xmp spaced": (jpeg(xmp_segment(6, "spaced")), 6),
    "xmp two digits": (jpeg(xmp_segment("12", "double")), 1),
    "exif first": (jpeg(xmp_segment(6), exif_segment(3)), 3),
    "exif 1 before xmp": (jpeg(xmp_segment(6), exif_segment(1)), 1),
    "exif 0 before xmp": (jpeg(xmp_segment(6), exif_segment(0)), 1),
    "second exif segment is none": (jpeg(b"Exif\x00\x00" + b"II*\x00\x08\x00\x00\x00\x00\x00", exif_segment(6)), 1),
    "exif over two segments": (jpeg(exif_segment(6)[:30], b"Exif\x00\x00" + exif_segment(6)[30:]), 6),
    "exif named twice": (jpeg(b"Exif\x00\x00" + exif_segment(5)), 5),
    "png exif big": (png(chunk(b"eXIf", tiff(7, ">"))), 7),
    "png exif behind the pixels": (PNG[:-12] + chunk(b"eXIf", tiff(7)) + PNG[-12:], 7),
    "png exif in plain text": (png(chunk(b"tEXt", b"exif\x00" + tiff(4))), 4),
    "png xmp in plain text": (png(chunk(b"tEXt", b"XML:com.adobe.xmp\x00" + xmp(4))), 4),
    "png xmp single quotes": (png(itxt(xmp(4, "single"))), 4),
}


@pytest.mark.parametrize("name", SINGLE_FIELDS)
def test_single_fields(name):
    data, expected = SINGLE_FIELDS[name]
    plain, found = neutralise(data)
    assert found == expected
    assert len(plain) == len(data)
    assert plain != data
    assert neutralise(plain)[0] is plain
    assert (upright(plain) == stored(data)).all()
    for field in (b"Orientation>6<", b"Orientation='6'", b'Orientation="6"', b'Orientation="12"'):
        assert field not in plain


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [3, 4])
def test_orientation_1_stays_as_it_is(order, kind):
    data = jpeg(exif_segment(1, order, kind))
    assert neutralise(data)[0] is data


def ztxt(text):
    key, _, value = text.partition(b"\x00")
    return chunk(b"zTXt", key + b"\x00\x00" + zlib.compress(value))


DROPPED = {
    "compressed xmp": (itxt(xmp(6), packed=True), 6),
    "hexadecimal exif": (chunk(b"tEXt", profile(b"exif", exif_segment(6))), 6),
    "compressed hexadecimal exif": (ztxt(profile(b"exif", exif_segment(8))), 8),
    "hexadecimal APP1, which Pillow does not read": (chunk(b"tEXt", profile(b"APP1", exif_segment(6))), 1),
}


@pytest.mark.parametrize("name", DROPPED)
def test_png_text_that_cannot_be_edited_is_dropped(name):
    text, expected = DROPPED[name]
    comment = chunk(b"tEXt", b"Comment\x00kept")
    plain, found = neutralise(png(text, comment))
    assert (plain, found) == (png(comment), expected)


def test_png_text_without_orientation_is_kept():
    for text in (itxt(xmp(1), packed=True), ztxt(profile(b"exif", exif_segment(1))), itxt(b"<x/>", packed=True)):
        data = png(text)
        assert neutralise(data)[0] is data


@pytest.mark.parametrize("data", [JPEG, PNG, saved("BMP"), b"", b"<html>", b"\xff\xd8\xff", b"\x89PNG", JPEG[:100]])
def test_untagged_bytes_are_the_same_object(data):
    assert neutralise(data) == (data, 1)
    assert neutralise(data)[0] is data


def test_unreadable_metadata_are_an_error():
    broken = b"Exif\x00\x00" + b"not a TIFF structure"
    whole = saved("JPEG", dpi=(72, 72))
    data = whole[:2] + app1(broken) + app1(xmp_segment(6)) + whole[2:]
    with pytest.raises(DecodeError) as caught:
        neutralise(data)
    assert caught.value.reason == "orientation_stuck"


def test_a_tag_that_stays_is_an_error(monkeypatch):
    monkeypatch.setattr("hqdata.sources.orientation._apply", lambda data, *_: data)
    with pytest.raises(DecodeError) as caught:
        neutralise(tagged("JPEG", "exif", 6))
    assert caught.value.reason == "orientation_stuck"


def test_pixels_of_any_damage_never_crash():
    rng = np.random.default_rng(2)
    for container in ("JPEG", "PNG"):
        data = tagged(container, "both", 6)
        for _ in range(300):
            bad = bytearray(data)
            for at in rng.integers(2, min(len(data), 400), 4):
                bad[at] = rng.integers(256)
            try:
                plain, found = neutralise(bytes(bad))
            except DecodeError:
                continue
            assert found in range(1, 9)
            assert len(plain) == len(bad)


def test_every_reader_agrees(tmp_path):
    import cv2
    import datasets
    import skimage.io

    for container in ("JPEG", "PNG"):
        data = tagged(container, "both", 6)
        expected = stored(data)
        plain, _ = neutralise(data)
        path = tmp_path / f"image.{container.lower()}"
        for content, agree in ((data, False), (plain, True)):
            path.write_bytes(content)
            decoded = datasets.Image().decode_example({"bytes": content, "path": None})
            assert (np.array_equal(np.asarray(decoded), expected)) == agree
            assert np.array_equal(upright(content), expected) == agree
        assert np.array_equal(skimage.io.imread(path), expected)
        opened = cv2.imread(str(path))
        assert opened.shape == expected.shape
        assert np.abs(opened[:, :, ::-1].astype(int) - expected).max() <= 3


TABLE = {
    1: [[1, 2, 3], [4, 5, 6]],
    2: [[3, 2, 1], [6, 5, 4]],
    3: [[6, 5, 4], [3, 2, 1]],
    4: [[4, 5, 6], [1, 2, 3]],
    5: [[1, 4], [2, 5], [3, 6]],
    6: [[4, 1], [5, 2], [6, 3]],
    7: [[6, 3], [5, 2], [4, 1]],
    8: [[3, 6], [2, 5], [1, 4]],
}


@pytest.mark.parametrize("orientation", TABLE)
def test_turns(orientation):
    array = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)
    turned = to_display(array, orientation)
    assert turned.tolist() == TABLE[orientation]
    assert (turned.dtype, turned.flags.c_contiguous) == (np.uint8, True)
    assert to_stored(turned, orientation).tolist() == array.tolist()
    image = Image.fromarray(PIXELS)
    image.getexif()[0x0112] = orientation
    assert np.array_equal(to_display(PIXELS, orientation), np.asarray(ImageOps.exif_transpose(image)))
    assert np.array_equal(to_stored(to_display(PIXELS, orientation), orientation), PIXELS)


@pytest.mark.parametrize("orientation", [0, 9, -1])
def test_turns_refuse_other_numbers(orientation):
    with pytest.raises(ValueError, match="1 to 8"):
        to_display(PIXELS, orientation)
