"""The packaged manifests against literal tables: what is published stays so, what is unknown stays unknown."""

from collections.abc import Iterator

import pytest

from hqdata.catalog import Catalog, load_catalog
from hqdata.manifest import Archive, Form, Source

REAL = {
    "big": ("pairs", {"all": 150}),
    "coco": ("coco", {"val": 5000}),
    "coift": ("pairs", {"all": 280}),
    "dis5k": ("pairs", {"tr": 3000, "vd": 470, "te1": 500, "te2": 500, "te3": 500, "te4": 500}),
    "dut-omron": ("pairs", {"all": 5168}),
    "duts": ("pairs", {"tr": 10553, "te": 5019}),
    "ecssd": ("pairs", {"all": 1000}),
    "fss1000": ("pairs", {"all": 10000}),
    "hq-sam-b": ("weights", {}),
    "hq-sam-h": ("weights", {}),
    "hq-sam-l": ("weights", {}),
    "hq-sam-tiny": ("weights", {}),
    "hq-ytvis": ("video", {"train": None, "val": None, "test": None}),
    "hrsod": ("pairs", {"all": 287}),
    "hrsod-full": ("pairs", {"train": None, "test": None}),
    "lvis": ("lvis", {"val": None}),
    "msra10k": ("pairs", {"all": 10000}),
    "sa1b": ("sa1b", {"all": 11185362}),
    "sam-b": ("weights", {}),
    "sam-h": ("weights", {}),
    "sam-l": ("weights", {}),
    "samhq": ("bundle", {}),
    "thinobject5k": ("pairs", {"train": 4748, "val": None, "test": 500}),
    "uvo": ("coco", {"frames": None}),
}

RECIPES = {
    "hqseg-44k": (
        44320,
        {
            ("dis5k", "tr"): 3000,
            ("thinobject5k", "train"): 4748,
            ("fss1000", "all"): 10000,
            ("duts", "tr"): 10553,
            ("duts", "te"): 5019,
            ("ecssd", "all"): 1000,
            ("msra10k", "all"): 10000,
        },
    ),
    "hqseg-44k-omron": (
        33916,
        {
            ("dis5k", "tr"): 3000,
            ("thinobject5k", "train"): 4748,
            ("fss1000", "all"): 10000,
            ("dut-omron", "all"): 5168,
            ("ecssd", "all"): 1000,
            ("msra10k", "all"): 10000,
        },
    ),
    "hq-eval": (
        1537,
        {
            ("dis5k", "vd"): 470,
            ("coift", "all"): 280,
            ("hrsod", "all"): 287,
            ("thinobject5k", "test"): 500,
        },
    ),
}

PUBLISHED = {
    ("samhq", "DIS5K.zip"): (3529707387, "881e4668606548c4ed4e3cf429d65962ae5c7710d97d99759889b2ebd95a03f0"),
    ("samhq", "cascade_psp.zip"): (1365490019, "5191a51fa482d997a9e5234b12fbcacaf7979af70be489496f2ac8c611e9b46a"),
    ("samhq", "thin_object_detection.zip"): (
        2445237905,
        "133b9916eee3b9a38d87c8cbdc556962d42c36ec9e9fe9bb42b2ceebbe7200d2",
    ),
    ("dis5k", "DIS5K.zip"): (5666215233, "d2a0b8d094f80ea266efcf0740e7528d695019a4ec108b34bd5966cc11aa39fe"),
    ("sam-b", "sam_vit_b_01ec64.pth"): (375042383, "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912"),
    ("sam-l", "sam_vit_l_0b3195.pth"): (1249524607, "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622"),
    ("sam-h", "sam_vit_h_4b8939.pth"): (2564550879, "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e"),
    ("hq-sam-l", "sam_hq_vit_l.pth"): (1254865805, "e1a6c385d62bf005ded91a54d5ec55c985cfc4103ef89c08d90f39f04934c343"),
    ("hq-sam-h", "sam_hq_vit_h.pth"): (2570940653, "a7ac14a085326d9fa6199c8c698c4f0e7280afdbb974d2c4660ec60877b45e35"),
}

UNPUBLISHED = {
    ("big", "BIG-drive.zip"),
    ("coift", "COIFT.zip"),
    ("dis5k", "DIS5K-drive.zip"),
    ("dut-omron", "DUT-OMRON-image.zip"),
    ("dut-omron", "pixelwiseGT-new-PNG.zip"),
    ("duts", "DUTS-TE.zip"),
    ("duts", "DUTS-TR.zip"),
    ("ecssd", "ground_truth_mask.zip"),
    ("ecssd", "images.zip"),
    ("fss1000", "fewshot_data.zip"),
    ("hq-sam-b", "sam_hq_vit_b.pth"),
    ("hq-sam-tiny", "sam_hq_vit_tiny.pth"),
    ("hq-ytvis", "hq-ytvis-annotations.zip"),
    ("hrsod", "HRSOD.zip"),
    ("hrsod-full", "HRSOD-drive.zip"),
    ("msra10k", "MSRA10K_Imgs_GT.zip"),
    ("thinobject5k", "ThinObject5K.zip"),
}

ERRATA = {
    ("duts", "tr"): (
        "wrong_mask",
        ("ILSVRC2014_train_00023530", "n01532829_13482", "n04442312_17818"),
        True,
    ),
    ("duts", "te"): ("extra_file", ("ILSVRC2012_test_00036002", "sun_bcogaqperiljqupq"), True),
    ("dut-omron", "all"): (
        "removed",
        ("img_561715398", "sun_bqfgwnmzhjwuphdi", "sun_bswlalhygmnrhvuw", "sun_buaqzytduodbufcb"),
        True,
    ),
    ("fss1000", "all"): ("unlabelled", ("bamboo_slip/7",), False),
    ("msra10k", "all"): ("mislabelled", ("97915",), False),
    ("sa1b", "all"): ("mismatch", ("sa_000014.tar", "sa_000016.tar", "sa_000017.tar", "sa_000019.tar"), False),
}

DRIVE = {
    ("big", "BIG-drive.zip"): ("1cLQvy1giJTSrHV4FGzXgadBgI0zNtIxN", "1yXP-PDyBD1BIvr7wJ6aLSRMO9UQqo8V5"),
    ("coift", "COIFT.zip"): ("1SapWK3yX2utscH8e-cJzQivp_Qp7IBQf",),
    ("dis5k", "DIS5K-drive.zip"): ("1O1eIuXX1hlGsV7qx4eSkjH231q7G1by1",),
    ("fss1000", "fewshot_data.zip"): ("16TgqOeI_0P41Eh3jWQlxlRXG9KIqtMgI",),
    ("hrsod", "HRSOD.zip"): ("1dLZTzQuDEuBICKtaRB03i1Mx9hOssxC4",),
    ("hrsod-full", "HRSOD-drive.zip"): ("1bmDGlkzqHoduNigi_GO4Qy9sA9sIaZcY",),
    ("thinobject5k", "ThinObject5K.zip"): ("1yUSNCOPwbkEyrQYr5d2OtNjRMEbuQp7O",),
}

FORMS = {
    "big": ["official"],
    "coco": [],
    "coift": ["official", "bundle"],
    "dis5k": ["official", "bundle", "bundle-full"],
    "dut-omron": ["official"],
    "duts": ["official", "bundle"],
    "ecssd": ["official", "bundle"],
    "fss1000": ["official", "bundle"],
    "hq-ytvis": ["official"],
    "hrsod": ["official", "bundle"],
    "hrsod-full": ["official"],
    "lvis": [],
    "msra10k": ["official", "bundle"],
    "sa1b": ["official"],
    "thinobject5k": ["official", "bundle"],
    "uvo": [],
}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


def real_sources(catalog: Catalog) -> dict[str, Source]:
    return {name: source for name, source in catalog.sources.items() if not source.synthetic}


def own_archives(catalog: Catalog) -> Iterator[tuple[tuple[str, str], Archive]]:
    """Archives that a manifest describes itself, with those of a bundle left to the bundle's manifest."""
    for name, source in real_sources(catalog).items():
        for archive in (*source.archives, *(archive for form in source.forms for archive in form.archives)):
            if archive.bundle is None:
                yield (name, archive.name), archive


def captures(pattern: str) -> list[str]:
    """Names that a pattern captures; a capture's expression may hold braces of its own.

    >>> captures("{class}/{n:[0-9]{4}}.jpg")
    ['class', 'n']
    """
    names, depth, start = [], 0, 0
    for place, char in enumerate(pattern):
        if char == "{":
            depth += 1
            start = place if depth == 1 else start
        elif char == "}":
            depth -= 1
            assert depth >= 0, f"unbalanced braces: {pattern}"
            if depth == 0:
                names.append(pattern[start + 1 : place].split(":", 1)[0])
    assert depth == 0, f"unbalanced braces: {pattern}"
    return names


def real_forms(catalog: Catalog) -> Iterator[tuple[str, Form]]:
    for name, source in real_sources(catalog).items():
        for form in source.forms:
            yield name, form


def test_every_source_has_its_kind_parts_and_counts(catalog: Catalog) -> None:
    found = {
        name: (source.kind, {part: item.count for part, item in source.parts.items()})
        for name, source in real_sources(catalog).items()
    }
    assert found == REAL


def test_every_source_has_its_forms(catalog: Catalog) -> None:
    found = {name: [form.name for form in catalog.source(name).forms] for name in FORMS}
    assert found == FORMS


@pytest.mark.parametrize("name", sorted(REAL))
def test_every_real_source_has_terms_and_citation(catalog: Catalog, name: str) -> None:
    source = catalog.source(name)
    assert source.terms.accept
    assert source.terms.summary.strip()
    assert source.citation.strip().startswith("@")
    assert source.citation.count("{") == source.citation.count("}")
    for field in ("author", "title", "year"):
        assert f"  {field}" in source.citation
    assert source.homepage is not None
    assert source.homepage.startswith(("http://", "https://"))


def test_redistribution_is_forbidden_where_stated_and_allowed_nowhere(catalog: Catalog) -> None:
    found = {name: source.terms.redistribution for name, source in real_sources(catalog).items()}
    assert {name for name, word in found.items() if word == "forbidden"} == {"dis5k", "samhq"}
    assert "allowed" not in found.values()


def test_only_the_audit_source_is_in_no_use(catalog: Catalog) -> None:
    assert [name for name, source in real_sources(catalog).items() if not source.use] == ["hrsod-full"]


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_recipe_takes_and_sum(catalog: Catalog, name: str) -> None:
    total, takes = RECIPES[name]
    recipe = catalog.recipe(name)
    assert {(take.source, part): n for take in recipe.take for part, n in take.parts.items()} == takes
    assert recipe.count == total == sum(takes.values())
    assert recipe.prefer == "bundle"
    for (source, part), count in takes.items():
        assert catalog.source(source).parts[part].count == count


def test_the_two_readings_name_each_other(catalog: Catalog) -> None:
    assert [reading.recipe for reading in catalog.recipe("hqseg-44k").readings] == ["hqseg-44k-omron"]
    assert [reading.recipe for reading in catalog.recipe("hqseg-44k-omron").readings] == ["hqseg-44k"]


def test_published_sizes_and_digests(catalog: Catalog) -> None:
    found = {key: (archive.size, archive.sha256) for key, archive in own_archives(catalog) if archive.sha256}
    assert found == PUBLISHED


def test_what_is_unpublished_stays_unknown(catalog: Catalog) -> None:
    unknown = {key for key, archive in own_archives(catalog) if archive.sha256 is None}
    assert unknown == UNPUBLISHED
    assert {key for key, archive in own_archives(catalog) if archive.size is None} == UNPUBLISHED


def test_the_bundle_is_7_34_gb(catalog: Catalog) -> None:
    sizes = [archive.size for archive in catalog.source("samhq").archives]
    assert sum(sizes) == 7340435311
    assert round(sum(sizes) / 1e9, 2) == 7.34


def test_an_archive_name_means_one_file_within_a_source(catalog: Catalog) -> None:
    keys = [(source, name.casefold()) for (source, name), _ in own_archives(catalog)]
    assert len(keys) == len(set(keys))


def test_drive_ids(catalog: Catalog) -> None:
    found = {
        key: tuple(mirror.removeprefix("drive:") for mirror in archive.mirrors if mirror.startswith("drive:"))
        for key, archive in own_archives(catalog)
    }
    assert {key: ids for key, ids in found.items() if ids} == DRIVE


def test_mirrors_are_of_a_known_kind_and_people_come_last(catalog: Catalog) -> None:
    for key, archive in own_archives(catalog):
        kinds = [mirror.split(":", 1)[0] for mirror in archive.mirrors]
        assert kinds, key
        assert set(kinds) <= {"http", "https", "hf", "drive", "page"}, key
        first_page = kinds.index("page") if "page" in kinds else len(kinds)
        assert set(kinds[first_page:]) <= {"page"}, key


@pytest.mark.parametrize("name", ["sam-b", "sam-l", "sam-h"])
def test_sam_checkpoints_are_pinned_to_a_revision(catalog: Catalog, name: str) -> None:
    (archive,) = catalog.source(name).archives
    revision = "d401202bc7a12ffcf56557bd3f2c38d1a154f4e8"
    path = f"pretrained_checkpoint/{archive.name}"
    assert archive.mirrors == (
        f"https://huggingface.co/sam-hq-team/sam-hq-training/resolve/{revision}/{path}",
        f"hf://sam-hq-team/sam-hq-training@{revision}/{path}",
    )


def test_errata(catalog: Catalog) -> None:
    found = {
        (name, erratum.part): (erratum.kind, erratum.stems, erratum.may_reject)
        for name, source in real_sources(catalog).items()
        for erratum in source.errata
    }
    assert found == ERRATA
    assert sum(len(source.errata) for source in real_sources(catalog).values()) == len(ERRATA)
    assert all(erratum.reference for source in real_sources(catalog).values() for erratum in source.errata)


def test_images_and_masks_of_a_layout_capture_the_same_names(catalog: Catalog) -> None:
    for name, form in real_forms(catalog):
        for layout in form.parts:
            wanted = captures(layout.images[0])
            assert wanted, (name, form.name, layout.part)
            for pattern in (*layout.images, *layout.masks):
                assert captures(pattern) == wanted, (name, form.name, pattern)
        for layout in form.annotated:
            wanted = captures(layout.images[0])
            assert wanted, (name, form.name, layout.part)
            assert captures(layout.annotations) in (wanted, []), (name, form.name)


def test_forms_of_one_source_lead_to_the_same_captures(catalog: Catalog) -> None:
    for name, source in real_sources(catalog).items():
        final = set()
        for form in source.forms:
            for layout in form.parts:
                patterns = layout.names or layout.images
                final |= {tuple(sorted(captures(pattern))) for pattern in patterns}
        assert len(final) <= 1, (name, final)


def test_a_form_with_several_archives_says_which_holds_what(catalog: Catalog) -> None:
    for name, form in real_forms(catalog):
        if len(form.archives) > 1:
            for layout in form.parts:
                assert layout.image_archive is not None, (name, form.name, layout.part)
                assert layout.mask_archive is not None, (name, form.name, layout.part)


def test_a_form_never_states_another_count_than_its_part(catalog: Catalog) -> None:
    for name, form in real_forms(catalog):
        for layout in (*form.parts, *form.annotated):
            assert layout.count in (None, catalog.source(name).parts[layout.part].count), (name, form.name)


def test_the_bundle_holds_every_part_of_the_recipes_but_dut_omron(catalog: Catalog) -> None:
    for _, takes in RECIPES.values():
        for source, part in takes:
            if source != "dut-omron":
                assert part in {layout.part for layout in catalog.source(source).form("bundle").parts}


def test_masks_are_grey_but_for_instance_ids(catalog: Catalog) -> None:
    assert {source.mask_coding for source in real_sources(catalog).values()} == {"grey"}
    assert {source.mask_frame for source in real_sources(catalog).values()} == {None}
    coded = {(name, form.name): form.mask_coding for name, form in real_forms(catalog) if form.mask_coding}
    assert coded == {("hrsod", "official"): "instances"}


def test_fss_names_are_questioned_in_the_open(catalog: Catalog) -> None:
    bundle = catalog.source("fss1000").form("bundle")
    assert bundle.parts[0].names == (
        "{class}_{n:[0-9]+}",
        "{class}-{n:[0-9]+}",
        "{n:[0-9]+}_{class}",
        "{class}{n:10|[1-9]}",
    )
    assert len(bundle.open) == 2


DRAWS = {
    # recipe: (images, tars, skip, masks, per_image, evaluation)
    "sa1b-44k": (44320, 8, 0, "uniform", 1, False),
    "sa1b-44k-b": (44320, 8, 8, "uniform", 1, False),
    "sa1b-44k-c": (44320, 8, 16, "uniform", 1, False),
    "sa1b-eval": (1000, 2, 0, "uniform", 5, True),
}


@pytest.mark.parametrize("name", DRAWS)
def test_draws(catalog: Catalog, name: str) -> None:
    recipe = catalog.recipe(name)
    (take,) = recipe.take
    draw = take.draw
    assert draw is not None
    assert (recipe.count, draw.tars, draw.skip, draw.masks, draw.per_image, draw.evaluation) == DRAWS[name]
    assert (take.source, list(take.parts), draw.seed) == ("sa1b", ["all"], 44320)


def test_sa1b_is_a_family_of_a_thousand_tars(catalog: Catalog) -> None:
    family = catalog.source("sa1b").form("official").family
    assert family is not None
    assert (family.names[0], family.names[-1], len(family.names)) == ("sa_000000.tar", "sa_000999.tar", 1000)
    assert family.size is not None
    # The sum of 51 tars is on record, and 1,000 of them are about 11 TB.
    assert abs(family.size - 576155235091 / 51) < 1e7
    assert [name for name, form in real_forms(catalog) if form.family] == ["sa1b"]
