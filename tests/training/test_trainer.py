"""One step: in parts as large as there is room for, prompted and scored by the masks that the recipe names."""

from typing import Any

import pytest
import torch
from torch import Tensor

from hqdata.store.reader import Collection
from hqdata.training.job import prepare
from hqdata.training.parallel import Team
from hqdata.training.trainer import Seen, Trainer
from hqdata.training.variants.hq_sam import HQHead
from tests.splits import make
from tests.training.runs import STEPS, Place, make_place

ALONE = Team(device=torch.device("cpu"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return make_place(tmp_path_factory.mktemp("place"))


class Noting(HQHead):
    """Keeps the encoded prompts of each pass, and how many images it had."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.prompts: list[Tensor] = []
        self.images: list[int] = []

    def forward(self, sam: Any, features: Any, prompts: Any) -> Tensor:
        self.prompts.append(prompts.sparse)
        self.images.append(len(features.final))
        return super().forward(sam, features, prompts)


def first_step(place: Place, micro: int, **options: Any) -> tuple[Noting, Seen]:
    job = prepare(place.asked("never", micro=micro, **options), ALONE)
    head = Noting(job.sam.size, 0)
    trainer = Trainer(job.sam, head, job.recipe, steps=STEPS, team=ALONE, micro=micro, precision="fp32")
    batch = next(job.batches(ALONE, 0, 1))
    seen = trainer.gradients(batch).seen
    assert seen.pixels.tolist() == (batch.masks > 127).flatten(1).sum(dim=1).tolist()
    return head, seen


def test_memory_is_bounded_by_what_is_in_flight(place: Place) -> None:
    head, seen = first_step(place, 2)
    assert (head.images, [len(prompts) for prompts in head.prompts]) == ([2, 2], [2, 2])
    assert len(seen.loss) == 4


def test_prompts_come_from_the_stored_masks_and_the_loss_from_the_worse_ones(place: Place) -> None:
    """With ``prompt_from=original``, on degraded masks; those that are trained on are logged."""
    split = make(Collection(place.data), place.root, name="worse", degrade="dilation:0.05")
    changes = ("prompts=box", "prompt_from=original")
    one, worse = first_step(place, 4, data=split.path, changes=changes)
    other, stored = first_step(place, 4, data=place.data, changes=changes)
    assert torch.equal(one.prompts[0], other.prompts[0])
    assert (worse.pixels > stored.pixels).all()
    assert (worse.loss != stored.loss).all()
    _, plain = first_step(place, 4, data=split.path, changes=changes[:1])
    assert (plain.loss != worse.loss).all()
