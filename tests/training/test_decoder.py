"""Prompts and decoder against the official ones, kind by kind, then batches that the official ones cannot take."""

import pytest
import torch

from hqdata.training.decoder import chosen, decode, sam_masks
from hqdata.training.encoder import Features
from hqdata.training.prompts import ABSENT, NOT_A_POINT, Encoded, Prompts
from hqdata.training.sam import FrozenSam
from tests.training.oracles import (
    KINDS,
    official_decoder,
    official_prompts,
    random_images,
    random_prompts,
    random_sam,
    rows,
)

Masks = tuple[torch.Tensor, torch.Tensor]


@pytest.fixture(scope="module")
def sam() -> FrozenSam:
    return random_sam()


@pytest.fixture(scope="module")
def features(sam: FrozenSam) -> Features:
    return sam.encode(random_images(3))


def ours(sam: FrozenSam, features: Features, prompts: Prompts) -> Masks:
    with torch.no_grad():
        return sam_masks(sam.decoder, decode(sam.decoder, features, sam.prompt(prompts)))


def official(sam: FrozenSam, features: Features, prompts: Prompts, image: int, chosen_rows: slice) -> Masks:
    """The four masks of some rows that belong to one image."""
    encoder, decoder = official_prompts(sam), official_decoder(sam, name="MaskDecoder")
    with torch.no_grad():
        sparse, dense = encoder(**rows(prompts, chosen_rows))
        return decoder.predict_masks(features.final[image : image + 1], encoder.get_dense_pe(), sparse, dense)


def assert_equal(one: Masks, other: Masks) -> None:
    for mine, theirs in zip(one, other, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kinds", KINDS)
def test_encoded_prompts_equal_the_official_ones(sam: FrozenSam, kinds: str) -> None:
    prompts = random_prompts(kinds, 3)
    encoded, encoder = sam.prompt(prompts), official_prompts(sam)
    sparse, dense = encoder(**rows(prompts, slice(None)))
    torch.testing.assert_close(encoded.sparse, sparse, rtol=0, atol=1e-6)
    torch.testing.assert_close(encoded.dense, dense, rtol=0, atol=1e-6)
    torch.testing.assert_close(encoded.position, encoder.get_dense_pe(), rtol=0, atol=0)
    assert encoded.present is None or encoded.present.all()


def test_a_label_of_no_point_is_attended_to_as_the_official_one(sam: FrozenSam) -> None:
    prompts = Prompts(points=torch.rand(2, 2, 2) * 100, labels=torch.tensor([[1, NOT_A_POINT], [0, 1]]))
    encoded = sam.prompt(prompts)
    torch.testing.assert_close(encoded.sparse, official_prompts(sam)(**rows(prompts, slice(None)))[0])
    assert encoded.present is not None
    assert encoded.present.all()


@pytest.mark.parametrize("kinds", KINDS)
def test_masks_of_one_prompt_an_image(sam: FrozenSam, features: Features, kinds: str) -> None:
    prompts = random_prompts(kinds, 3)
    masks, iou = ours(sam, features, prompts)
    for row in range(3):
        alone = official(sam, features, prompts, row, slice(row, row + 1))
        assert_equal((masks[row : row + 1], iou[row : row + 1]), alone)


def test_masks_of_several_prompts_an_image(sam: FrozenSam, features: Features) -> None:
    prompts = random_prompts("box", 5, image=torch.tensor([2, 2, 0, 2, 0]))
    masks, iou = ours(sam, features, prompts)
    for row, image in enumerate([2, 2, 0, 2, 0]):
        alone = official(sam, features, prompts, image, slice(row, row + 1))
        assert_equal((masks[row : row + 1], iou[row : row + 1]), alone)


def mixture() -> tuple[Prompts, list[Prompts]]:
    """A batch of every kind, and its rows as batches of one."""
    box, points, mask = (random_prompts(kinds, 6) for kinds in ("box", "points", "mask"))
    assert points.labels is not None
    labels = points.labels.clone()
    labels[[0, 2, 3]] = ABSENT
    labels[4, 2] = ABSENT
    everything = Prompts(
        boxes=box.boxes,
        has_box=torch.tensor([True, False, False, False, False, True]),
        points=points.points,
        labels=labels,
        masks=mask.masks,
        has_mask=torch.tensor([False, False, True, False, True, False]),
        image=torch.tensor([0, 1, 2, 0, 1, 2]),
    )
    kinds = [("box",), ("points",), ("mask",), ("mask",), ("points", "mask"), ("box", "points")]
    alone = []
    for row, given in enumerate(kinds):
        count = 2 if row == 4 else 3
        alone.append(
            Prompts(
                boxes=everything.boxes[row : row + 1] if "box" in given else None,
                points=everything.points[row : row + 1, :count] if "points" in given else None,
                labels=everything.labels[row : row + 1, :count] if "points" in given else None,
                masks=everything.masks[row : row + 1] if "mask" in given else None,
            )
        )
    return everything, alone


def test_a_batch_of_every_kind_gives_each_row_what_it_gets_alone(sam: FrozenSam, features: Features) -> None:
    everything, alone = mixture()
    masks, iou = ours(sam, features, everything)
    for row, image in enumerate([0, 1, 2, 0, 1, 2]):
        if row == 3:  # neither box nor points nor mask
            encoder, decoder = official_prompts(sam), official_decoder(sam, name="MaskDecoder")
            sparse, dense = encoder(points=None, boxes=None, masks=None)
            with torch.no_grad():
                wanted = decoder.predict_masks(features.final[:1], encoder.get_dense_pe(), sparse, dense)
        else:
            wanted = official(sam, features, alone[row], image, slice(0, 1))
        assert_equal((masks[row : row + 1], iou[row : row + 1]), wanted)


@pytest.mark.parametrize("multimask", [True, False])
def test_the_chosen_mask_is_the_official_choice(sam: FrozenSam, features: Features, multimask: bool) -> None:
    prompts = random_prompts("box", 3)
    mask, iou = chosen(*ours(sam, features, prompts), multimask=multimask)
    decoder, encoder = official_decoder(sam, name="MaskDecoder"), official_prompts(sam)
    for row in range(3):
        sparse, dense = encoder(**rows(prompts, slice(row, row + 1)))
        final = features.final[row : row + 1]
        masks, scores = decoder(final, encoder.get_dense_pe(), sparse, dense, multimask, False, None)
        best = int(scores.argmax())
        torch.testing.assert_close(mask[row, 0], masks[0, best], rtol=0, atol=1e-5)
        torch.testing.assert_close(iou[row, 0], scores[0, best], rtol=0, atol=1e-5)


def test_coordinates_keep_their_precision_in_half_precision(sam: FrozenSam) -> None:
    prompts = random_prompts("box + points + mask", 2)
    exact = sam.prompt(prompts)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        same = sam.prompt(prompts)
    for name in ("sparse", "dense", "position"):
        assert torch.equal(getattr(exact, name), getattr(same, name))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "rows"),
        ({"boxes": torch.zeros(2, 4), "masks": torch.zeros(3, 1, 32, 32)}, r"\[2, 3\] rows"),
        ({"points": torch.zeros(2, 1, 2)}, "come together"),
        ({"has_box": torch.ones(2, dtype=torch.bool)}, "give those too"),
        ({"has_mask": torch.ones(2, dtype=torch.bool)}, "give those too"),
    ],
)
def test_prompts_that_do_not_fit_together_are_refused(given: dict[str, torch.Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Prompts(**given)


def test_prompts_without_any_kind_are_empty_rows(sam: FrozenSam) -> None:
    encoded: Encoded = sam.prompt(Prompts(image=torch.tensor([0, 0, 1])))
    assert encoded.sparse.shape == (3, 0, sam.size.channels)
    assert encoded.present is None
