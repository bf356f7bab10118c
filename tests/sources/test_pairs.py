"""From listed members to candidates: ids, list files, errata, and a reason for whatever is no candidate."""

from dataclasses import dataclass
from typing import Any

import pytest

from hqdata.errors import DecodeError
from hqdata.fetch.member import Member
from hqdata.manifest import Archive, Erratum, Form, Part, PartLayout, Source, Terms
from hqdata.sources.pairs import Listing, Opened, list_pairs


@dataclass
class Held:
    """A container in memory."""

    files: dict[str, bytes]

    @property
    def members(self) -> tuple[Member, ...]:
        return tuple(Member(name, len(content)) for name, content in sorted(self.files.items()))

    def read(self, member: Member) -> bytes:
        if self.files[member.name] == b"broken":
            raise DecodeError("corrupt_member", member.name)
        return self.files[member.name]


def source(*layouts: PartLayout, errata: tuple[Erratum, ...] = (), archives: tuple[str, ...] = ("a.zip",)) -> Source:
    form = Form(name="official", archives=tuple(Archive(name=name) for name in archives), parts=layouts)
    return Source(
        name="tiny",
        title="Tiny",
        kind="pairs",
        use=("train",),
        homepage=None,
        terms=Terms(licence=None, summary="", url=None, redistribution=None),
        citation="",
        parts={layout.part: Part(title="", count=None) for layout in layouts},
        forms=(form,),
        errata=errata,
    )


def layout(part: str = "all", **changes: Any) -> PartLayout:
    plain: dict[str, Any] = {"images": ("im/{stem}.jpg",), "masks": ("gt/{stem}.png",)}
    return PartLayout(part=part, **(plain | changes))


def erratum(kind: Any, *stems: str) -> Erratum:
    return Erratum(kind=kind, part="all", stems=stems, note="", reference="")


def listing(of: Source, *containers: dict[str, bytes] | list[str], parts: tuple[str, ...] = ("all",)) -> Listing:
    """List a source whose archives hold these members, in the form's order."""
    opened = []
    for number, (archive, held) in enumerate(zip(of.forms[0].archives, containers, strict=False)):
        files = held if isinstance(held, dict) else dict.fromkeys(held, b"x")
        opened.append(Opened(archive=archive.name, label=archive.name, container=Held(files), number=number))
    return list_pairs(of, of.forms[0], parts, opened)


def ids(found: Listing) -> list[str]:
    return [candidate.sample_id for candidate in found.candidates]


def rejected(found: Listing) -> list[tuple[str, str]]:
    return [(row.member, row.reason) for row in found.rejects]


def test_pairs_become_candidates_sorted_by_id() -> None:
    found = listing(source(layout()), ["im/b.jpg", "gt/b.png", "im/B.jpg", "gt/B.png", "im/1#é.jpg", "gt/1#é.png"])
    assert ids(found) == ["tiny/all/1#é", "tiny/all/B", "tiny/all/b"]
    assert rejected(found) == []
    first = found.candidates[0]
    assert (first.source, first.part, first.flags, first.errata, first.size) == ("tiny", "all", (), (), 2)
    assert first.mask is not None
    assert (first.image.member.name, first.mask.member.name) == ("im/1#é.jpg", "gt/1#é.png")


def test_a_missing_partner_is_a_reject_on_either_side() -> None:
    found = listing(source(layout()), ["im/1.jpg", "gt/1.png", "im/2.jpg", "gt/3.png"])
    assert ids(found) == ["tiny/all/1"]
    assert rejected(found) == [("gt/3.png", "missing_image"), ("im/2.jpg", "missing_mask")]


def test_rejects_name_source_archive_and_stage() -> None:
    found = listing(source(layout()), ["im/1.jpg", "gt/1.png", "im/notes.txt"])
    (row,) = found.rejects
    assert (row.source, row.archive, row.stage, row.reason) == ("tiny", "a.zip", "pair", "stray")


def test_images_and_masks_may_lie_in_two_archives() -> None:
    two = layout(image_archive="images.zip", mask_archive="masks.zip")
    of = source(two, archives=("images.zip", "masks.zip"))
    found = listing(of, ["im/1.jpg", "im/2.jpg", "gt/9.png"], ["gt/1.png", "gt/3.png", "gt/odd.txt", "im/9.jpg"])
    (candidate,) = found.candidates
    assert candidate.mask is not None
    assert (candidate.image.container, candidate.mask.container) == (0, 1)
    assert [(row.archive, row.member, row.reason) for row in found.rejects] == [
        ("images.zip", "im/2.jpg", "missing_mask"),
        ("masks.zip", "gt/3.png", "missing_image"),
        ("masks.zip", "gt/odd.txt", "stray"),
    ]


def test_one_folder_stands_for_all_archives() -> None:
    of = source(layout(image_archive="images.zip", mask_archive="masks.zip"), archives=("images.zip", "masks.zip"))
    whole = Opened(archive="", label="tiny/", container=Held({"im/1.jpg": b"1", "gt/1.png": b"2"}), number=7)
    found = list_pairs(of, of.forms[0], ["all"], [whole])
    (candidate,) = found.candidates
    assert candidate.mask is not None
    assert (candidate.image.container, candidate.mask.container) == (7, 7)


THIN = source(layout("train", list="list/train.txt"), layout("val", list="list/val.txt"))
FOUR = ["im/a.jpg", "gt/a.png", "im/b.jpg", "gt/b.png", "im/c.jpg", "gt/c.png", "im/d.jpg", "gt/d.png"]


@pytest.mark.parametrize(
    ("lists", "candidates", "rejects"),
    [
        ({"train": b"a\nb", "val": b"c\nd"}, ["a", "b"], []),
        ({"train": b"im/b.jpg\r\na.jpg\r\n", "val": b"c\nd"}, ["a", "b"], []),
        ({"train": b"\xef\xbb\xbfa\nb", "val": b"c\nd"}, ["a", "b"], []),
        ({"train": b"a\nz", "val": b"b\nc\nd"}, ["a"], [("z", "listed_absent")]),
        ({"train": b"a", "val": b"b\nc"}, ["a"], [("gt/d.png", "unlisted"), ("im/d.jpg", "unlisted")]),
        ({"train": b"", "val": b"a\nb\nc\nd"}, [], []),
        ({"val": b"c\nd"}, ["a", "b", "c", "d"], [("list/train.txt", "listed_absent")]),
        ({"train": b"a\nb\nc\nd"}, ["a", "b", "c", "d"], [("list/val.txt", "listed_absent")]),
    ],
    ids=[
        "plain",
        "with folder and suffix",
        "byte order mark",
        "absent",
        "unlisted",
        "empty",
        "no list",
        "no other list",
    ],
)
def test_a_list_says_what_belongs_to_a_part(
    lists: dict[str, bytes], candidates: list[str], rejects: list[tuple[str, str]]
) -> None:
    files = dict.fromkeys(FOUR, b"x") | {f"list/{name}.txt": text for name, text in lists.items()}
    found = listing(THIN, {f"ThinObject5K/{name}": content for name, content in files.items()}, parts=("train",))
    assert ids(found) == [f"tiny/train/{stem}" for stem in candidates]
    assert [(name.removeprefix("ThinObject5K/"), reason) for name, reason in rejected(found)] == rejects


def test_a_missing_list_says_what_follows_from_it() -> None:
    found = listing(THIN, {**dict.fromkeys(FOUR, b"x"), "list/train.txt": b"a"}, parts=("train", "val"))
    details = {row.detail for row in found.rejects if row.member == "list/val.txt"}
    assert "not there: every file is taken for part val" in details
    assert not any("for part train" in detail for detail in details)


def test_both_parts_share_one_folder_of_files() -> None:
    files = dict.fromkeys(FOUR, b"x") | {"list/train.txt": b"a\nb", "list/val.txt": b"d"}
    found = listing(THIN, files, parts=("train", "val"))
    assert ids(found) == ["tiny/train/a", "tiny/train/b", "tiny/val/d"]
    assert rejected(found) == [("gt/c.png", "unlisted"), ("im/c.jpg", "unlisted")]


def test_a_list_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(DecodeError, match=r"list/train\.txt"):
        listing(THIN, {**dict.fromkeys(FOUR, b"x"), "list/train.txt": b"broken"}, parts=("train",))


OFFICIAL = layout(images=("{class}/{n:[0-9]+}.jpg",), masks=("{class}/{n:[0-9]+}.png",))
FLAT = layout(
    images=("fss_all/{stem}.jpg",), masks=("fss_all/{stem}.png",), names=("{class}_{n:[0-9]+}", "{n:[0-9]+}_{class}")
)
UNLABELLED = erratum("unlabelled", "bamboo_slip/2")


@pytest.mark.parametrize(
    ("form", "name"),
    [(OFFICIAL, "fewshot_data/{c}/{n}"), (FLAT, "cascade_psp/fss_all/{c}_{n}"), (FLAT, "fss_all/{n}_{c}")],
)
def test_an_id_is_the_same_in_every_form(form: PartLayout, name: str) -> None:
    classes = ["bamboo_slip", "ak47"]
    names = [name.format(c=c, n=n) + suffix for c in classes for n in (1, 2, 10) for suffix in (".jpg", ".png")]
    names.remove(name.format(c="bamboo_slip", n=2) + ".png")
    found = listing(source(form, errata=(UNLABELLED,)), names)
    assert ids(found) == [f"tiny/all/{c}/{n}" for c in sorted(classes) for n in ("1", "10", "2")]
    assert rejected(found) == []
    without = [(c.sample_id, c.errata) for c in found.candidates if c.mask is None]
    assert without == [("tiny/all/bamboo_slip/2", ("unlabelled",))]


def test_a_name_that_no_rule_maps_is_kept_and_flagged() -> None:
    odd = [f"fss_all/{stem}{suffix}" for stem in ("x", "y_1") for suffix in (".jpg", ".png")]
    found = listing(source(FLAT), odd)
    assert [(c.sample_id, c.flags) for c in found.candidates] == [
        ("tiny/all/x", ("name_unmapped",)),
        ("tiny/all/y_1", ("name_unmapped",)),
    ]


def test_errata_are_a_column_of_the_samples_they_touch() -> None:
    errata = (erratum("wrong_mask", "1", "2"), erratum("mislabelled", "1"), erratum("removed", "cafe\u0301"))
    names = [f"{side}.{suffix}" for stem in ("1", "2", "3", "caf\u00e9")
             for side, suffix in ((f"im/{stem}", "jpg"), (f"gt/{stem}", "png"))]  # fmt: skip
    found = listing(source(layout(), errata=errata), names)
    assert {c.sample_id: c.errata for c in found.candidates} == {
        "tiny/all/1": ("mislabelled", "wrong_mask"),
        "tiny/all/2": ("wrong_mask",),
        "tiny/all/3": (),
        "tiny/all/caf\u00e9": ("removed",),
    }


@pytest.mark.parametrize(
    ("kind", "names", "candidates", "rejects"),
    [
        ("unlabelled", ["im/1.jpg"], [("tiny/all/1", False)], []),
        ("unlabelled", ["im/1.jpg", "gt/1.png"], [("tiny/all/1", True)], []),
        ("unlabelled", ["gt/1.png"], [], [("gt/1.png", "missing_image")]),
        ("wrong_mask", ["im/1.jpg"], [], [("im/1.jpg", "missing_mask")]),
    ],
)
def test_only_the_unlabelled_do_without_a_mask(
    kind: str, names: list[str], candidates: list[tuple[str, bool]], rejects: list[tuple[str, str]]
) -> None:
    found = listing(source(layout(), errata=(erratum(kind, "1"),)), names)
    assert [(c.sample_id, c.mask is not None) for c in found.candidates] == candidates
    assert rejected(found) == rejects


def test_a_member_that_one_part_takes_is_no_stray_of_another() -> None:
    of = source(layout("tr", images=("im/tr_{stem}.jpg",)), layout("te", images=("im/te_{stem}.jpg",)))
    found = listing(of, ["im/tr_1.jpg", "im/te_2.jpg", "gt/1.png", "gt/2.png"], parts=("tr", "te"))
    assert ids(found) == ["tiny/te/2", "tiny/tr/1"]
    assert rejected(found) == []


def test_two_layouts_that_claim_one_id_keep_the_first_member() -> None:
    of = source(*(layout(images=(f"{side}/{{stem}}.jpg",), masks=(f"{side}/{{stem}}.png",)) for side in "ba"))
    found = listing(of, ["a/1.jpg", "a/1.png", "b/1.jpg", "b/1.png", "b/2.jpg", "b/2.png"])
    assert [(c.sample_id, c.image.member.name) for c in found.candidates] == [
        ("tiny/all/1", "a/1.jpg"),
        ("tiny/all/2", "b/2.jpg"),
    ]
    assert rejected(found) == [("b/1.jpg", "duplicate_id")]
