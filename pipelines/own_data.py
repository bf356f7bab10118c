"""A user's own images and masks become a collection of one source.

Run it as ``hqdata build --images DIR --masks DIR --name NAME --out DIR``.
"""

import re
from pathlib import Path

from hqdata.build import Built, build_collection
from hqdata.errors import UsageError, explain
from hqdata.manifest import Archive, Coding, Form, Frame, Part, PartLayout, Source, Terms
from hqdata.pipelines.recipe import Options, require_intact
from hqdata.plan import Plan, make_shards, plan_source
from hqdata.recipe import recipe_of_source
from hqdata.sources.locate import ArchiveFolder, Located, Route

IMAGE_PATTERNS: tuple[str, ...] = ("{stem}.jpg", "{stem}.png", "{stem}.bmp")
MASK_PATTERNS: tuple[str, ...] = ("{stem}.png", "{stem}.bmp", "{stem}.jpg")


def build_own(
    images: Path,
    masks: Path,
    name: str,
    out: Path,
    options: Options,
    *,
    image_pattern: str | None = None,
    mask_pattern: str | None = None,
    coding: Coding = "grey",
    frame: Frame | None = None,
) -> Built:
    """Pair images and masks by their names below two folders (which may be one) and build them.

    Args:
        images: folder of images; sub-folders become part of the names.
        masks: folder of masks.
        name: the source's name in every sample id; a to z, 0 to 9, and -.
        out: the collection's folder.
        options: workers, limits, replace, progress.
        image_pattern: such as ``{stem}_im.jpg``; default: any JPEG, PNG or BMP.
        mask_pattern: such as ``{stem}_gt.png``; default: any PNG, BMP or JPEG of the image's name.
        coding: how masks are coded.
        frame: the frame that masks were drawn in, where images carry an orientation tag.
    """
    for folder in (images, masks):
        if not folder.is_dir():
            raise UsageError(explain(f"no folder at {folder}", do="give folders of images and masks"))
    source = own_source(name, images == masks, image_pattern, mask_pattern, coding, frame)
    located = [
        Located(archive=archive, owner=name, path=path, is_folder=True)
        for archive, path in zip(source.forms[0].archives, (images, masks), strict=True)
    ]
    route = Route(source=source, form=source.forms[0], parts=("all",), found=tuple(located), missing=())
    recipe = recipe_of_source(source)
    archives = ArchiveFolder(images, options.limits, out.parent)
    planned = plan_source(recipe.take[0], route, {}, archives, options.limits)
    plan = Plan(recipe=recipe, sources=(planned,), absent=(), shards=make_shards([planned], options.limits))
    rows = options.progress("samples")
    rows.start(f"building {name}", len(planned.candidates))
    try:
        built = build_collection(
            plan, out, workers=options.workers, partial=True, replace=options.replace, on_rows=rows.advance
        )
    finally:
        rows.finish()
    require_intact(out, options)
    return built


def own_source(
    name: str,
    together: bool,
    image_pattern: str | None,
    mask_pattern: str | None,
    coding: Coding,
    frame: Frame | None,
) -> Source:
    """Manifest of a user's own folders."""
    flat = together and not mask_pattern and not image_pattern
    images = (image_pattern,) if image_pattern else IMAGE_PATTERNS[: 1 if flat else None]
    masks = (mask_pattern,) if mask_pattern else MASK_PATTERNS[: 1 if flat else None]
    layout = PartLayout(
        part="all",
        images=tuple(_any_depth(pattern) for pattern in images),
        masks=tuple(_any_depth(pattern) for pattern in masks),
        image_archive="images",
        mask_archive="masks",
        anchored=True,
    )
    archives = (Archive(name="images"), Archive(name="masks"))
    return Source(
        name=name,
        title=name,
        kind="pairs",
        use=("train",),
        homepage=None,
        terms=Terms(licence=None, summary="your own data", url=None, redistribution=None, accept=False),
        citation="",
        parts={"all": Part(title=name, count=None)},
        forms=(Form(name="own", archives=archives, parts=(layout,)),),
        mask_coding=coding,
        mask_frame=frame,
    )


def _any_depth(pattern: str) -> str:
    """Let ``{stem}`` run over sub-folders."""
    return re.sub(r"\{stem\}", "{stem:.+}", pattern)
