"""The dataset card (``README.md``) of an export for the Hub, and its ``LICENSE.md``.

The metadata block follows https://github.com/huggingface/hub-docs/blob/main/datasetcard.md and is written by
``huggingface_hub`` and ``datasets`` themselves.
"""

from collections.abc import Iterable, Sequence

from hqdata.export.release import Release
from hqdata.schema import FLAGS, REASONS
from hqdata.store.terms import SourceTerms

SYNTHETIC = "SYNTHETIC: these images and masks were drawn by hqdata; they are not the real datasets."
TAGS = ("segmentation", "segment-anything", "sam", "hq-sam", "masks", "hqdata")
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def card_text(release: Release) -> str:
    """The whole ``README.md``."""
    note = [f"**{SYNTHETIC}**"] if release.synthetic else []
    blocks = [
        f"---\n{_metadata(release)}---",
        f"# {release.title}",
        *note,
        *_about(release),
        *_content(release),
        *_vocabulary(release),
        *_terms(release),
        *_rebuild(release),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def terms_text(release: Release) -> str:
    """``LICENSE.md``: the terms of each source; an export has none of its own."""
    note = [f"**{SYNTHETIC}**"] if release.synthetic else []
    intro = "The images and masks belong to their sources, each under its own terms; hqdata adds none."
    return "\n\n".join(["# Terms of the sources", *note, intro, *map(_source, release.selection.kept)]) + "\n"


def _metadata(release: Release) -> str:
    """The YAML block."""
    from datasets import DatasetInfo, Features  # noqa: PLC0415 - slow to import
    from datasets.info import DatasetInfosDict  # noqa: PLC0415
    from datasets.utils.metadata import MetadataConfigs  # noqa: PLC0415
    from huggingface_hub import DatasetCardData  # noqa: PLC0415

    data = DatasetCardData(
        license="other",
        license_name="terms-of-the-sources",
        license_link="LICENSE.md",
        pretty_name=release.title,
        size_categories=[next((word for most, word in _SIZES if release.samples.rows < most), "1M<n<10M")],
        task_categories=["image-segmentation", "mask-generation"],
        tags=[*TAGS, *(["synthetic"] if release.synthetic else [])],
    )
    infos, configs = DatasetInfosDict(), MetadataConfigs()
    for config in release.configs:
        infos[config.name] = DatasetInfo(
            config_name=config.name,
            features=Features.from_arrow_schema(config.schema),
            splits=[
                {"name": split.name, "num_bytes": split.nbytes, "num_examples": split.rows} for split in config.splits
            ],
            download_size=sum(file.bytes for file in config.files),
            dataset_size=sum(split.nbytes for split in config.splits),
        )
        paths = {split.name: f"{config.folder}/{split.name}-*" for split in config.splits}
        if config is not release.samples:
            paths = {split.name: split.files[0].name for split in config.splits}
        configs[config.name] = {"data_files": [{"split": name, "path": path} for name, path in paths.items()]}
    infos.to_dataset_card_data(data)
    configs.to_dataset_card_data(data)
    for row in data["configs"]:
        if row["config_name"] == "default":
            row["default"] = True
    return str(data.to_yaml()) + "\n"


def _about(release: Release) -> Iterable[str]:
    yield release.summary
    yield (
        f"{release.samples.rows:,} images with masks from {len(release.selection.kept)} public sources, brought to one "
        "form by hqdata: image bytes are the sources' own (a neutralised orientation tag aside), single masks are "
        "8-bit grey in the image's own size and order. **Foreground is above 127**; soft edges are kept."
    )
    first = release.samples.splits[0].name
    where = release.repo or "path/of/this/folder"
    yield (
        "```python\nfrom datasets import load_dataset\n\n"
        f'rows = load_dataset("{where}", split="{first}")\n'
        'rows[0]["image"], rows[0]["mask"]  # PIL images\n```'
    )
    yield (
        "No orientation tag is left in any image, so every reader gives the same pixels. A mask is null only where "
        "`masks` holds COCO run-length codes instead."
    )


def _content(release: Release) -> Iterable[str]:
    yield "## Content"
    split_of = {part: split.name for split in release.samples.splits for part in split.parts}
    rows = [
        (source, part, split_of[source, part], f"{count:,}") for (source, part), count in release.counts.parts.items()
    ]
    yield _table(("source", "part", "split", "samples"), [*rows, ("**total**", "", "", f"{release.samples.rows:,}")])
    if release.index["shortfall"]:
        yield "**Partial**: the collection holds fewer samples than its recipe counts."
    if release.index["unverified"]:
        yield "**Unverified**: built from archives whose hash differs from the published one."
    if release.selection.left_out:
        yield "### Left out"
        yield "The recipe takes these sources, too; they are not in this export:"
        yield _list(f"**{item.name}** ({item.title}): {item.statement}" for item in release.selection.left_out)
    yield "### Tables"
    yield _table(
        ("config", "rows", "what"),
        [(f"`{config.name}`", f"{config.rows:,}", config.description) for config in release.configs],
    )
    yield (
        "`croissant.json` describes every column (Croissant 1.1), `hqdata.json` lists every file with its sha256, "
        "`LICENSE.md` has the terms."
    )


def _vocabulary(release: Release) -> Iterable[str]:
    counts = release.counts
    if counts.flags:
        yield "### Flags"
        yield _table(("flag", "samples", "meaning"), [(f"`{k}`", f"{n:,}", FLAGS[k]) for k, n in counts.flags.items()])
    if counts.errata:
        yield "### Errata"
        yield "Known faults of the sources, marked in the column `errata`, never removed:"
        yield _table(("kind", "samples"), [(f"`{kind}`", f"{number:,}") for kind, number in counts.errata.items()])
    if counts.rejects:
        yield "### Rejects"
        yield "Members of the archives that did not become samples, each in the config `rejects`:"
        yield _table(
            ("reason", "number", "meaning"), [(f"`{k}`", f"{n:,}", REASONS[k]) for k, n in counts.rejects.items()]
        )


def _terms(release: Release) -> Iterable[str]:
    yield "## Sources, terms and citations"
    yield "Each source keeps its own terms. Please cite the sources that you use."
    for item in release.selection.kept:
        yield _source(item)
        if item.name in release.selection.allowed:
            yield "Nobody has stated whether it may be redistributed; whoever exported this states to have the right."
        if item.citation:
            yield f"```bibtex\n{item.citation}\n```"


def _source(item: SourceTerms) -> str:
    facts = [
        f"licence: {item.licence or 'unknown'}",
        f"redistribution: {item.redistribution or 'unknown'}",
        "drawn by hqdata; not the real dataset" if item.synthetic else item.summary,
        f"terms: {item.url}" if item.url else "",
        f"homepage{' of the real one' if item.synthetic else ''}: {item.homepage}" if item.homepage else "",
        f"taken from: {', '.join(item.bundles)}" if item.bundles else "",
    ]
    return f"### {item.title} (`{item.name}`)\n\n" + _list(fact for fact in facts if fact)


def _rebuild(release: Release) -> Iterable[str]:
    yield "## Built with hqdata"
    build = f"hqdata build {release.name}"
    if release.synthetic:
        yield "`hqdata demo` draws the archives and writes the manifests that describe them."
        build += " --archives DRAWN/archives --manifests DRAWN/manifests"
    elif not release.packaged:
        build = f"hqdata build --images IMAGES --masks MASKS --name {release.name}"
    yield f"```console\n$ {build} --out DIR\n$ {release.command}\n```"
    versions = ", ".join(f"{name} {version}" for name, version in sorted(release.index["versions"].items()))
    facts = [
        f"recipe `{release.name}`, digest `{release.index['recipe']['digest']}`",
        f"content digest of these rows: `{release.content_digest}`",
        f"content digest of the collection: `{release.index['content_digest']}`",
        f"built with {versions}",
    ]
    yield _list(facts)
    yield (
        "The content digest is the sha256 over the sorted rows (sample_id, image_sha256, pixels_sha256), each value "
        "followed by a line feed: the same images and masks give the same digest, however they were packed."
    )


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
