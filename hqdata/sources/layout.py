"""A form's layout against the members at hand: which image and which mask make which sample.

Patterns match the end of a path, so an archive may have any top folder. Whatever lies among the source's files and does
not become part of a pair is a reject; files outside the layout's folders belong to something else and are left alone.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from hqdata.errors import ManifestError, explain
from hqdata.fetch.member import Member, valid_name
from hqdata.manifest import PartLayout
from hqdata.schema import Reject

_CAPTURE = re.compile(r"\{(\w+)(?::((?:[^{}]|\{[^{}]*\})+))?\}")
_SUFFIXES = {"jpg": "jpe?g"}
_SYSTEM_FILES = {".ds_store", "thumbs.db", "desktop.ini"}

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MemberRef:
    """A member and the position of its container in the plan's list."""

    container: int
    member: Member


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A pair that the layout promises; its bytes have not been read."""

    sample_id: str
    source: str
    part: str
    image: MemberRef
    mask: MemberRef | None
    flags: tuple[str, ...] = ()
    errata: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of both members."""
        return self.image.member.size + (self.mask.member.size if self.mask else 0)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A layout pattern, compiled; captures by name, in order."""

    text: str
    regex: re.Pattern[str]
    names: tuple[str, ...]
    folder: str
    """Literal folder at the pattern's start, with a closing slash; empty if it starts with a capture."""


def compile_pattern(text: str, *, anchored: bool = False) -> Pattern:
    r"""Compile ``folder/{stem}.jpg``; suffixes match in any case, and ``.jpg`` matches ``.jpeg`` too.

    >>> compile_pattern("im/{stem}.jpg").regex.match("DIS5K/DIS-TR/im/1#A.b.JPG")["stem"]
    '1#A.b'
    """
    pieces, names, position = [], [], 0
    for match in _CAPTURE.finditer(text):
        pieces.append(re.escape(text[position : match.start()]))
        pieces.append(f"(?P<{match[1]}>{match[2] or '[^/]+'})")
        names.append(match[1])
        position = match.end()
    if not names:
        raise ManifestError(explain(f"pattern {text!r} captures nothing", do="write {stem} where names differ"))
    stem, dot, suffix = text[position:].rpartition(".")
    if dot:
        pieces.append(f"{re.escape(stem)}\\.(?i:{_SUFFIXES.get(suffix.lower(), re.escape(suffix))})")
    else:
        pieces.append(re.escape(text[position:]))
    literal = text[: text.index("{")]
    folder = literal[: literal.rfind("/") + 1]
    root = "(?P<_root>)" if anchored else "(?P<_root>(?:.*/)?)"
    try:
        regex = re.compile(root + "".join(pieces), re.DOTALL)
    except re.error as error:
        raise ManifestError(explain(f"pattern {text!r} is no pattern", got=error)) from error
    return Pattern(text, regex, tuple(names), folder)


@dataclass(slots=True)
class _Claims:
    """Members that fit one side (image or mask) of a layout, under one root."""

    root: str
    found: dict[Key, MemberRef] = field(default_factory=dict)
    rejects: list[tuple[MemberRef, str, str]] = field(default_factory=list)


_Fits = dict[str, list[tuple[Key, int, MemberRef]]]
"""Key, rank of the pattern and member, by root."""


def key_of(match: re.Match[str], names: Sequence[str]) -> Key:
    """Captures in the order of the names, in NFC."""
    return tuple(unicodedata.normalize("NFC", match[name]) for name in names)


def _fits(patterns: Sequence[Pattern], names: Sequence[str], members: Iterable[MemberRef]) -> _Fits:
    """Find the members that fit one side, by the root that they lie under."""
    by_root: _Fits = defaultdict(list)
    for ref in members:
        for rank, pattern in enumerate(patterns):
            match = pattern.regex.fullmatch(ref.member.name)
            if match and valid_name(ref.member.name) and not is_system_file(ref.member.name):
                by_root[match["_root"]].append((key_of(match, names), rank, ref))
                break
    return by_root


def _roots(images: _Fits, masks: _Fits) -> tuple[str, str]:
    """Choose where images and masks lie: under one root if that makes at least half the pairs, else each side's
    fullest; so that no image is given the mask that another folder holds under the same name.
    """

    def count(image_root: str, mask_root: str) -> int:
        held = [{key for key, _, _ in side.get(root, ())} for side, root in ((images, image_root), (masks, mask_root))]
        return len(held[0] & held[1])

    fullest = [min(side, key=lambda root: (-len(side[root]), root), default="") for side in (images, masks)]
    shared = min(images.keys() & masks.keys(), key=lambda root: (-count(root, root), root), default=None)
    if shared is not None and 2 * count(shared, shared) >= count(fullest[0], fullest[1]):
        return shared, shared
    return fullest[0], fullest[1]


def _claim(by_root: _Fits, root: str) -> _Claims:
    """Take the members under the root, the best one for each key; all others are rejects."""
    claims = _Claims(root)
    for other in sorted(by_root):
        if other != root:
            where = f'lies under "{other}", the layout\'s files under "{root}"'
            claims.rejects.extend((ref, "stray", where) for _, _, ref in by_root[other])
    ranks: dict[Key, int] = {}
    for key, rank, ref in sorted(by_root.get(root, ()), key=lambda item: (item[0], item[1], item[2].member.name)):
        if key not in claims.found:
            claims.found[key], ranks[key] = ref, rank
            continue
        kept = claims.found[key].member.name
        reason = "duplicate_id" if rank == ranks[key] else "second_mask"
        claims.rejects.append((ref, reason, f"{kept} is taken for it"))
    return claims


def is_system_file(name: str) -> bool:
    """Whether an operating system left the file: AppleDouble, ``.DS_Store``, ``Thumbs.db``, anything hidden."""
    parts = name.split("/")
    return parts[-1].startswith(".") or parts[-1].lower() in _SYSTEM_FILES or "__MACOSX" in parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """What a layout makes of the members at hand."""

    pairs: dict[Key, tuple[MemberRef | None, MemberRef | None]]
    """Image and mask by key; None on one side where the partner is missing."""
    strays: tuple[tuple[MemberRef, str, str], ...]
    """Members that are part of no pair, with reason and detail."""


def pair_members(layout: PartLayout, image_members: Sequence[MemberRef], mask_members: Sequence[MemberRef]) -> Pairing:
    """Pair the members of one part.

    Args:
        layout: patterns of the part.
        image_members: members of the container that holds the images.
        mask_members: members of the container that holds the masks; may be the same.
    """
    image_patterns = [compile_pattern(text, anchored=layout.anchored) for text in layout.images]
    mask_patterns = [compile_pattern(text, anchored=layout.anchored) for text in layout.masks]
    names = _common_names([*image_patterns, *mask_patterns])
    image_fits, mask_fits = _fits(image_patterns, names, image_members), _fits(mask_patterns, names, mask_members)
    image_root, mask_root = _roots(image_fits, mask_fits)
    images, masks = _claim(image_fits, image_root), _claim(mask_fits, mask_root)
    taken = {*images.found.values(), *masks.found.values()}
    strays = [*images.rejects, *masks.rejects]
    seen = {ref for ref, _, _ in strays}
    beside = [compile_pattern(text).regex for text in layout.beside]
    for patterns, root, members in (
        (layout.images, images.root, image_members),
        (layout.masks, masks.root, mask_members),
    ):
        folders = {root + compile_pattern(text).folder for text in patterns}
        for ref in members:
            if ref in taken or ref in seen or not ref.member.name.startswith(tuple(folders)):
                continue
            if not taken or any(regex.fullmatch(ref.member.name) for regex in beside):
                continue
            seen.add(ref)
            strays.append((ref, *_stray_reason(ref.member.name)))
    pairs = {key: (images.found.get(key), masks.found.get(key)) for key in sorted({*images.found, *masks.found})}
    return Pairing(pairs=pairs, strays=tuple(sorted(strays, key=lambda item: item[0].member)))


def _common_names(patterns: Sequence[Pattern]) -> Key:
    """Names that all patterns of a part capture, in the order of the first one."""
    for pattern in patterns:
        if set(pattern.names) != set(patterns[0].names):
            raise ManifestError(
                explain(f"pattern {pattern.text!r} captures other names than {patterns[0].text!r}", got=pattern.names)
            )
    return patterns[0].names if patterns else ()


def _stray_reason(name: str) -> tuple[str, str]:
    if not valid_name(name):
        return "bad_name", repr(name)
    if is_system_file(name):
        return "system_file", ""
    return "stray", "fits no pattern of the layout"


def listed_stems(text: str) -> tuple[str, ...]:
    r"""Names of a list file: one a line, with or without folder and suffix.

    >>> listed_stems("masks/a.b.png\nc\n\n")
    ('a.b', 'c')
    """
    stems = []
    for line in text.splitlines():
        if name := line.strip():
            path = PurePosixPath(name)
            known = path.suffix.lower() in {".png", ".jpg", ".jpeg", ".bmp"}
            stems.append(unicodedata.normalize("NFC", path.stem if known else path.name))
    return tuple(stems)


def unflatten(stems: Sequence[str], rules: Sequence[str]) -> dict[str, Key]:
    """Map flattened names back to captures by the first rule that fits.

    A rule fits when it matches at least 99 % of the names and, of those it matches, no two give one key and no group
    (all captures but the last) is larger than ten times the smallest: a rule that cuts at a wrong place makes groups
    that are wildly uneven. FSS-1000 has ten images a class.

    Returns:
        Keys by stem; stems that the rule does not match are absent. Empty if no rule fits.
    """
    for rule in rules:
        pattern = compile_pattern(rule)
        matched = {
            stem: key_of(match, sorted(pattern.names)) for stem in stems if (match := pattern.regex.fullmatch(stem))
        }
        if len(matched) < 0.99 * len(stems) or len(set(matched.values())) < len(matched):
            continue
        groups = Counter(key[:-1] for key in matched.values())
        if groups and max(groups.values()) <= 10 * min(groups.values()):
            return matched
    return {}


def reject(source: str, archive: str, member: str, stage: str, reason: str, detail: str = "") -> Reject:
    """Make a reject whose text is valid Unicode whatever the member is called, or holds."""
    name, why = (text if valid_name(text) else _escaped(text) for text in (member, detail))
    return Reject(source=source, archive=archive, member=name, stage=stage, reason=reason, detail=why)


def _escaped(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
