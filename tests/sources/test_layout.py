"""Patterns against members: which image and which mask make which sample, and what is left over."""

import unicodedata
from collections.abc import Sequence

import pytest

from hqdata.errors import ManifestError
from hqdata.fetch.member import Member
from hqdata.manifest import PartLayout
from hqdata.sources.layout import (
    Key,
    MemberRef,
    compile_pattern,
    is_system_file,
    listed_stems,
    pair_members,
    reject,
    unflatten,
)

BESIDE = PartLayout(part="all", images=("{stem}.jpg",), masks=("{stem}.png",))
DIS = PartLayout(part="tr", images=("DIS-TR/im/{stem}.jpg",), masks=("DIS-TR/gt/{stem}.png",))
FSS = PartLayout(part="all", images=("{class}/{n:[0-9]+}.jpg",), masks=("{class}/{n:[0-9]+}.png",))
SIDES = PartLayout(part="all", images=("images/{stem}.jpg",), masks=("masks/{stem}.png",))
DUTS = PartLayout(part="tr", images=("im/{stem}.jpg",), masks=("gt/{stem}.png", "gt/{stem}.jpg"))

Names = Sequence[str]
Pairs = dict[Key, tuple[str | None, str | None]]


def pair(layout: PartLayout, images: Names, masks: Names | None = None) -> tuple[Pairs, list[tuple[str, str]]]:
    """Names of the pairs by key, and (name, reason) of what is left over."""
    image_refs = [MemberRef(0, Member(name, 1)) for name in images]
    mask_refs = image_refs if masks is None else [MemberRef(1, Member(name, 1)) for name in masks]
    found = pair_members(layout, image_refs, mask_refs)
    pairs = {
        key: (image.member.name if image else None, mask.member.name if mask else None)
        for key, (image, mask) in found.pairs.items()
    }
    return pairs, [(ref.member.name, reason) for ref, reason, _ in found.strays]


@pytest.mark.parametrize(
    ("pattern", "name", "captures"),
    [
        ("im/{stem}.jpg", "im/1.jpg", {"stem": "1"}),
        ("im/{stem}.jpg", "DIS5K/DIS-TR/im/1#A#b.c d.jpg", {"stem": "1#A#b.c d"}),
        ("im/{stem}.jpg", "im/1.JPG", {"stem": "1"}),
        ("im/{stem}.jpg", "im/1.jpeg", {"stem": "1"}),
        ("im/{stem}.jpg", "im/1.JPEG", {"stem": "1"}),
        ("im/{stem}.png", "im/1.PnG", {"stem": "1"}),
        ("im/{stem}.jpg", "im/1.jpg.jpg", {"stem": "1.jpg"}),
        ("{class}/{n:[0-9]+}.png", "fewshot_data/ab_wheel/10.png", {"class": "ab_wheel", "n": "10"}),
        ("images/{stem:[0-9]{4}}.jpg", "images/0001.jpg", {"stem": "0001"}),
        ("{stem}_mask.png", "x/a_mask.png", {"stem": "a"}),
        ("im/{stem}", "im/1", {"stem": "1"}),
        ("im/{stem}.jpg", "im/1.png", None),
        ("im/{stem}.jpg", "im/1xjpg", None),
        ("im/{stem}.jpg", "im/.jpg", None),
        ("im/{stem}.jpg", "im/sub/1.jpg", None),
        ("im/{stem}.jpg", "trim/1.jpg", None),
        ("im/{stem}.jpg", "IM/1.jpg", None),
        ("im/{stem}.jpg", "im/1.jpg\n", None),
        ("{class}/{n:[0-9]+}.png", "ab_wheel/x.png", None),
        ("images/{stem:[0-9]{4}}.jpg", "images/00011.jpg", None),
        ("a.b/{stem}.jpg", "axb/1.jpg", None),
    ],
)
def test_a_pattern_matches_the_end_of_a_path(pattern: str, name: str, captures: dict[str, str] | None) -> None:
    match = compile_pattern(pattern).regex.fullmatch(name)
    assert (match and {key: value for key, value in match.groupdict().items() if key != "_root"}) == captures


@pytest.mark.parametrize(("name", "fits"), [("im/1.jpg", True), ("top/im/1.jpg", False)])
def test_an_anchored_pattern_matches_the_whole_path(name: str, fits: bool) -> None:
    assert bool(compile_pattern("im/{stem}.jpg", anchored=True).regex.fullmatch(name)) is fits


@pytest.mark.parametrize("pattern", ["im/1.jpg", "{stem}/{stem}.jpg", "{stem:[}.jpg", "{stem:(}.jpg", "{_root}.jpg"])
def test_a_pattern_that_is_none_is_an_error_of_the_manifest(pattern: str) -> None:
    with pytest.raises(ManifestError):
        compile_pattern(pattern)


@pytest.mark.parametrize(
    ("layout", "names", "pairs"),
    [
        (BESIDE, ["1.jpg", "1.png"], {("1",): ("1.jpg", "1.png")}),
        (BESIDE, ["a/b/1.JPEG", "a/b/1.PNG"], {("1",): ("a/b/1.JPEG", "a/b/1.PNG")}),
        (DIS, ["D/DIS-TR/im/1#.jpg", "D/DIS-TR/gt/1#.png"], {("1#",): ("D/DIS-TR/im/1#.jpg", "D/DIS-TR/gt/1#.png")}),
        (FSS, ["bus/1.jpg", "bus/1.png", "cat/1.jpg", "cat/1.png"],
         {("bus", "1"): ("bus/1.jpg", "bus/1.png"), ("cat", "1"): ("cat/1.jpg", "cat/1.png")}),
        (SIDES, ["images/1.jpg", "masks/2.png"], {("1",): ("images/1.jpg", None), ("2",): (None, "masks/2.png")}),
        (SIDES, ["images/images/1.jpg", "masks/masks/1.png"], {("1",): ("images/images/1.jpg", "masks/masks/1.png")}),
        (SIDES, ["other/1.jpg"], {}),
        (SIDES, [], {}),
    ],
    ids=["beside", "upper case", "two folders", "classes", "no partner", "a top folder each", "nothing fits", "empty"],
)  # fmt: skip
def test_equal_captures_are_a_pair(layout: PartLayout, names: list[str], pairs: Pairs) -> None:
    assert pair(layout, names) == (pairs, [])


def test_captures_pair_by_name_whatever_their_order() -> None:
    layout = PartLayout(part="all", images=("{class}/{n:[0-9]+}.jpg",), masks=("{n:[0-9]+}_{class}.png",))
    assert pair(layout, ["x/bus/1.jpg", "x/1_bus.png"])[0] == {("bus", "1"): ("x/bus/1.jpg", "x/1_bus.png")}


def test_patterns_of_one_part_capture_the_same_names() -> None:
    layout = PartLayout(part="all", images=("{class}/{n}.jpg",), masks=("{stem}.png",))
    with pytest.raises(ManifestError, match="captures other names"):
        pair(layout, ["bus/1.jpg", "1.png"])


@pytest.mark.parametrize(
    ("names", "pairs", "strays"),
    [
        (
            ["a/im/1.jpg", "a/im/2.jpg", "a/gt/1.png", "a/gt/2.png", "b/im/3.jpg", "b/gt/3.png"],
            {("1",): ("a/im/1.jpg", "a/gt/1.png"), ("2",): ("a/im/2.jpg", "a/gt/2.png")},
            ["b/gt/3.png", "b/im/3.jpg"],
        ),
        (
            ["a/im/1.jpg", "a/im/2.jpg", "a/im/3.jpg", "b/im/1.jpg", "b/gt/1.png"],
            {("1",): ("b/im/1.jpg", "b/gt/1.png")},
            ["a/im/1.jpg", "a/im/2.jpg", "a/im/3.jpg"],
        ),
        (
            ["a/im/1.jpg", "a/im/2.jpg", "a/gt/1.png", "b/im/1.jpg", "b/gt/1.png", "b/gt/2.png"],
            {("1",): ("a/im/1.jpg", "a/gt/1.png"), ("2",): ("a/im/2.jpg", None)},
            ["b/gt/1.png", "b/gt/2.png", "b/im/1.jpg"],
        ),
        (
            [*(f"a/im/{n}.jpg" for n in "123"), *(f"b/gt/{n}.png" for n in "123"), "c/im/1.jpg", "c/gt/1.png"],
            {(n,): (f"a/im/{n}.jpg", f"b/gt/{n}.png") for n in "123"},
            ["c/gt/1.png", "c/im/1.jpg"],
        ),
    ],
    ids=["the fuller folder", "the folder with both sides", "one folder for both sides", "a folder for each side"],
)  # fmt: skip
def test_one_top_folder_is_taken_and_the_others_are_strays(names: list[str], pairs: Pairs, strays: list[str]) -> None:
    layout = PartLayout(part="all", images=("im/{stem}.jpg",), masks=("gt/{stem}.png",))
    for order in (names, names[::-1]):
        assert pair(layout, order) == (pairs, [(name, "stray") for name in strays])


@pytest.mark.parametrize(
    ("layout", "names", "kept", "left"),
    [
        (BESIDE, ["1.jpeg", "1.jpg", "1.png"], ("1.jpeg", "1.png"), [("1.jpg", "duplicate_id")]),
        (BESIDE, ["1.JPG", "1.jpg", "1.PNG", "1.png"], ("1.JPG", "1.PNG"),
         [("1.jpg", "duplicate_id"), ("1.png", "duplicate_id")]),
        (DUTS, ["im/1.jpg", "gt/1.jpg", "gt/1.png"], ("im/1.jpg", "gt/1.png"), [("gt/1.jpg", "second_mask")]),
        (DUTS, ["im/1.jpg", "gt/1.jpg"], ("im/1.jpg", "gt/1.jpg"), []),
    ],
)  # fmt: skip
def test_one_member_is_taken_for_a_key(
    layout: PartLayout, names: list[str], kept: tuple[str, str], left: list[tuple[str, str]]
) -> None:
    for order in (names, names[::-1]):
        assert pair(layout, order) == ({("1",): kept}, left)


def test_two_spellings_of_one_name_claim_one_id() -> None:
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    names = [f"{composed}.jpg", f"{decomposed}.png", f"{decomposed}.jpg"]
    pairs, strays = pair(BESIDE, names)
    assert pairs == {(composed,): (f"{decomposed}.jpg", f"{decomposed}.png")}
    assert strays == [(f"{composed}.jpg", "duplicate_id")]
    assert all(unicodedata.is_normalized("NFC", part) for key in pairs for part in key)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("top/im/notes.txt", "stray"),
        ("top/im/1.gif", "stray"),
        ("top/gt/sub/1.png", "stray"),
        ("top/im/Thumbs.db", "system_file"),
        ("top/im/.DS_Store", "system_file"),
        ("top/im/._1.jpg", "system_file"),
        ("top/gt/desktop.ini", "system_file"),
        ("top/im/\udcff.jpg", "bad_name"),
        ("top/readme.txt", None),
        ("top/imx/1.jpg", None),
        ("top/im/1.prompts.json", None),
    ],
)
def test_what_lies_in_the_layouts_folders_and_fits_nothing_is_named(name: str, reason: str | None) -> None:
    layout = PartLayout(
        part="all", images=("im/{stem}.jpg",), masks=("gt/{stem}.png",), beside=("im/{stem}.prompts.json",)
    )
    pairs, strays = pair(layout, ["top/im/1.jpg", "top/gt/1.png", name])
    assert list(pairs) == [("1",)]
    assert strays == ([(name, reason)] if reason else [])


@pytest.mark.parametrize(
    ("name", "system"),
    [("__MACOSX/im/1.jpg", True), ("a/__MACOSX/1.jpg", True), (".hidden", True), ("a/THUMBS.DB", True),
     ("a/1.jpg", False), ("MACOSX/1.jpg", False), (".git/1.jpg", False), ("a.b", False)],
)  # fmt: skip
def test_files_of_an_operating_system_are_known(name: str, system: bool) -> None:
    assert is_system_file(name) is system


def test_a_mac_shadow_never_becomes_the_image() -> None:
    names = ["im/1.jpg", "gt/1.png", "__MACOSX/im/1.jpg", "__MACOSX/gt/1.png", "__MACOSX/im/2.jpg"]
    assert pair(DUTS, names)[0] == {("1",): ("im/1.jpg", "gt/1.png")}


@pytest.mark.parametrize(
    ("text", "stems"),
    [
        ("a\nb\n", ("a", "b")),
        ("masks/a.b.png\r\n  c.JPG  \n\n", ("a.b", "c")),
        ("a.b\n1.5cm\n", ("a.b", "1.5cm")),
        ("cafe\u0301.jpg", ("caf\u00e9",)),
        ("", ()),
    ],
)
def test_a_list_file_names_stems(text: str, stems: tuple[str, ...]) -> None:
    assert listed_stems(text) == stems


RULES = ["{class}_{n:[0-9]+}", "{class}-{n:[0-9]+}", "{n:[0-9]+}_{class}", "{class}{n:10|[1-9]}"]
TEN = range(1, 11)


@pytest.mark.parametrize("form", ["{c}_{n}", "{c}-{n}", "{n}_{c}", "{c}{n}"])
def test_flat_names_are_mapped_back_by_the_rule_that_fits(form: str) -> None:
    classes = ["bus", "ab_wheel", "ak47", "b2", "8_ball_x", "été"]
    keys = {form.format(c=name, n=n): (name, str(n)) for name in classes for n in TEN}
    assert unflatten(list(keys), RULES) == keys


@pytest.mark.parametrize(
    ("stems", "rules", "found"),
    [
        ([], RULES, {}),
        (["a_1", "b_1"], [], {}),
        (["a", "b"], RULES, {}),
        ([*(f"a_{n}" for n in range(98)), "odd", "odder"], RULES[:1], {}),
        (["caf\u00e9_1", "cafe\u0301_1"], RULES[:1], {}),
        ([*(f"a_{n}" for n in range(11)), "b_1"], RULES[:1], {}),
        ([*(f"a_{n}" for n in TEN), "b_1"], RULES[:1], {"b_1": ("b", "1")} | {f"a_{n}": ("a", f"{n}") for n in TEN}),
        ([*(f"a_{n}" for n in range(199)), "odd"], RULES[:1], {f"a_{n}": ("a", f"{n}") for n in range(199)}),
    ],
    ids=["no names", "no rules", "no fit", "too many odd", "one key twice", "uneven", "even enough", "one in 200 odd"],
)  # fmt: skip
def test_a_rule_has_to_fit_nearly_all_and_evenly(stems: list[str], rules: list[str], found: dict[str, Key]) -> None:
    assert unflatten(stems, rules) == found


def test_a_reject_is_always_valid_text() -> None:
    assert reject("s", "a.zip", "im/\udcff.jpg", "list", "bad_name").member == "im/\\udcff.jpg"
    assert reject("s", "a.zip", "im/é.jpg", "pair", "stray").member == "im/é.jpg"
