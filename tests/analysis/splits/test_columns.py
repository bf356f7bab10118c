"""Words for columns that can be matched."""

import pytest

from hqdata.analysis.splits.columns import MATCHABLE, resolve_columns
from hqdata.errors import UsageError


@pytest.mark.parametrize(
    ("word", "column"),
    [
        ("area", "area_rel"),
        ("area_rel", "area_rel"),
        ("area_1024", "area_1024"),
        ("thin_share", "thin_share_1024"),
        ("components", "components_1024"),
        ("border", "border_rel"),
        ("border_sides", "border_sides_1024"),
        ("width_max", "width_max_rel"),
        ("sharpness", "sharpness_1024"),
        ("soft_width", "soft_width_rel"),
    ],
)
def test_words(word: str, column: str) -> None:
    assert resolve_columns([word]) == (column,)


def test_order_is_kept_and_a_column_comes_once() -> None:
    words = ["thin_share", "area", "components_1024", "area_rel", "area_1024"]
    assert resolve_columns(words) == ("thin_share_1024", "area_rel", "components_1024", "area_1024")


def test_all_that_can_be_matched_mean_the_same_at_every_resolution() -> None:
    assert {name.rpartition("_")[2] for name in MATCHABLE} == {"rel", "1024"}
    assert resolve_columns(MATCHABLE) == MATCHABLE
    assert not {"dominant_points_1024", "soft_px", "mask_phash", "jpeg_quality", "width"} & {*MATCHABLE}


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("aera", 'no column "aera"\n.*did you mean "area"'),
        ("area_frac_rel", 'no column "area_frac_rel"\n.*did you mean "area_rel"'),
        ("thin_share_rel", 'no column "thin_share_rel"\n.*did you mean "thin_share'),
        ("xyz", 'no column "xyz"\n.*one of: area, band_share, border'),
        ("", 'no column ""'),
        ("area_px", "area_px: it is counted in the image's own pixels.*\n.*match area_rel or area_1024"),
        ("polygon", "polygon_px: it is counted in the image's own pixels.*\n.*choose one of: area_rel"),
        ("rle_bytes", "rle_bytes: its values depend on the image's resolution"),
        ("dominant_points", "dominant_points_1024: its values depend on the image's resolution"),
        ("jpeg_quality", "jpeg_quality: it is measured neither relative to the image nor at 1024"),
        ("image_phash", "image_phash: it is measured neither relative to the image nor at 1024"),
        ("mask_id", "mask_id: it names the mask or its image"),
        ("width", "width: it names the mask or its image"),
    ],
)
def test_words_that_cannot_be_matched(word: str, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        resolve_columns(["area", word])
