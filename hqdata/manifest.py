"""What is known of one public source: terms, citation, archives with mirrors and hashes, layouts, counts, errata.

A manifest is one TOML in ``manifests/sources/``. It describes; it never runs. What nobody has published is written as
``"unknown"`` and read as None.
"""

import re
from dataclasses import dataclass, field
from typing import Literal

from hqdata.errors import ManifestError, explain

Kind = Literal["pairs", "sa1b", "coco", "lvis", "video", "bundle", "weights"]
"""How the source's files become samples. ``bundle`` and ``weights`` hold archives only."""
Coding = Literal["grey", "alpha", "instances"]
Frame = Literal["stored", "displayed"]
ErratumKind = Literal["wrong_mask", "mislabelled", "unlabelled", "extra_file", "removed", "mismatch"]

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Under which terms the source may be used."""

    licence: str | None
    summary: str
    """What a user has to know before downloading, in a sentence or two."""
    url: str | None
    redistribution: Literal["allowed", "forbidden"] | None
    accept: bool = True
    """Whether the user is asked once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """One file as it is published."""

    name: str
    size: int | None = None
    """Bytes, if published."""
    sha256: str | None = None
    """Hex digest, if published; else the first download is locked into the user's lock file."""
    mirrors: tuple[str, ...] = ()
    """In order of preference: ``https://...``, ``hf://...``, ``drive:ID``; ``page:URL`` is for people only."""
    bundle: str | None = None
    """Name of the bundle manifest that describes this archive in full."""
    note: str = ""

    def __post_init__(self) -> None:
        """Refuse names that are paths and digests that are none."""
        if "/" in self.name or "\\" in self.name or self.name.startswith(".") or not self.name.isprintable():
            raise ManifestError(explain("an archive's name is a plain file name", got=repr(self.name)))
        if self.sha256 is not None and not _SHA256.fullmatch(self.sha256):
            raise ManifestError(explain(f"{self.name}: sha256", expected="64 hex digits", got=repr(self.sha256)))


@dataclass(frozen=True, slots=True, kw_only=True)
class PartLayout:
    """Where the files of one part lie in a form, and how image and mask are paired.

    Patterns match the end of a member's path, so that any top folder is accepted; ``{stem}``, ``{class}`` and ``{n}``
    capture, ``{stem:REGEX}`` captures less. Image and mask with equal captures are a pair.
    """

    part: str
    images: tuple[str, ...]
    """Patterns, best first: where two members fit one sample, the earlier pattern wins."""
    masks: tuple[str, ...]
    image_archive: str | None = None
    """Archive that holds the images, where the form has several."""
    mask_archive: str | None = None
    anchored: bool = False
    """Whether patterns match whole paths instead of their ends."""
    beside: tuple[str, ...] = ()
    """Patterns of files that belong to the source but are neither image nor mask, such as stored prompts."""
    list: str | None = None
    """Member that lists the file names (with or without extension) which belong to the part."""
    names: tuple[str, ...] = ()
    """Rules that map a flattened ``{stem}`` back to captures, tried in order; the first that fits is taken."""
    count: int | None = None
    """Samples of this part in this form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationLayout:
    """Where images and annotation records of a many-mask source lie."""

    part: str
    images: tuple[str, ...]
    annotations: str
    """Pattern of the JSON file, or of one JSON file an image (SA-1B)."""
    image_archive: str | None = None
    annotation_archive: str | None = None
    count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Archives named by a running number, each complete by itself, whose addresses come in a user's file of links."""

    first: str
    """Name of the first one; the digits count up."""
    count: int
    size: int | None = None
    """About how many bytes each has."""
    evaluation: tuple[str, ...] = ()
    """Those that no training draw takes from."""

    def __post_init__(self) -> None:
        """Refuse names without one running number, and evaluation archives that are none."""
        if not re.fullmatch(r"[^/\\0-9.][^/\\0-9]*[0-9]+[^/\\0-9]*", self.first):
            raise ManifestError(explain("a family's first name holds one number", got=repr(self.first)))
        unknown = sorted(set(self.evaluation) - set(self.names))
        if unknown:
            raise ManifestError(explain(f"the family of {self.first} has no {', '.join(unknown)}"))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all its archives.

        >>> Family(first="sa_000000.tar", count=3).names
        ('sa_000000.tar', 'sa_000001.tar', 'sa_000002.tar')
        """
        digits = next(re.finditer("[0-9]+", self.first))
        width, start = len(digits[0]), int(digits[0])
        head, tail = self.first[: digits.start()], self.first[digits.end() :]
        return tuple(f"{head}{number:0{width}d}{tail}" for number in range(start, start + self.count))


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One way in which the source is packed."""

    name: str
    title: str = ""
    archives: tuple[Archive, ...] = ()
    parts: tuple[PartLayout, ...] = ()
    annotated: tuple[AnnotationLayout, ...] = ()
    family: Family | None = None
    mask_coding: Coding | None = None
    """Where this form codes its masks in another way than the source."""
    open: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Erratum:
    """A known fault of the source; a column of the samples it touches, never a silent removal."""

    kind: ErratumKind
    part: str
    stems: tuple[str, ...]
    note: str
    reference: str
    may_reject: bool = False
    """Whether the fault may keep the file from becoming a sample, which then does not count as a shortfall."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A split of the source, as its authors named it."""

    title: str
    count: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A public dataset (or a bundle, or model weights)."""

    name: str
    title: str
    kind: Kind
    use: tuple[Literal["train", "evaluate", "control", "weights", "bundle"], ...]
    homepage: str | None
    terms: Terms
    citation: str
    summary: str = ""
    aliases: tuple[str, ...] = ()
    """Other names of the folder that a user may keep it in."""
    mask_coding: Coding = "grey"
    mask_frame: Frame | None = None
    """The frame in which masks were drawn where images carry an orientation tag."""
    parts: dict[str, Part] = field(default_factory=dict)
    forms: tuple[Form, ...] = ()
    archives: tuple[Archive, ...] = ()
    """Of bundles and weights, which have no forms."""
    errata: tuple[Erratum, ...] = ()
    open: tuple[str, ...] = ()
    """Questions that nobody has answered in public."""
    synthetic: bool = False
    """Drawn by hqdata; every page that shows it says so."""

    def __post_init__(self) -> None:
        """Check the names that become ids and file names, and that forms and errata name parts that exist."""
        for name in (self.name, *self.parts):
            if not _NAME.fullmatch(name):
                raise ManifestError(explain(f"{self.name}: bad name", expected="a-z, 0-9 and -", got=repr(name)))
        for form in self.forms:
            if not all(layout.images and layout.masks for layout in form.parts):
                raise ManifestError(explain(f"{self.name}: form {form.name} has a part without patterns"))
            held = {archive.name for archive in form.archives}
            for part in (*(item.part for item in form.parts), *(item.part for item in form.annotated)):
                self._check_part(part, f"form {form.name}")
            named = {name for item in form.parts for name in (item.image_archive, item.mask_archive)}
            named |= {name for item in form.annotated for name in (item.image_archive, item.annotation_archive)}
            for wanted in sorted(named - held - {None}, key=str):
                raise ManifestError(
                    explain(f"{self.name}: form {form.name} has no archive {wanted}", expected=sorted(held))
                )
        for erratum in self.errata:
            self._check_part(erratum.part, "an erratum")

    def _check_part(self, part: str, where: str) -> None:
        if part not in self.parts:
            raise ManifestError(explain(f"{self.name}: {where} names part {part!r}", expected=sorted(self.parts)))

    def form(self, name: str) -> Form:
        """Return the form of that name."""
        for form in self.forms:
            if form.name == name:
                return form
        names = [form.name for form in self.forms]
        raise ManifestError(explain(f"{self.name} has no form {name!r}", expected=names or "no form at all"))
