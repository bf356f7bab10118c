"""Float32 is float32 where it is said to be."""

from typing import Any

import pytest
import torch
from torch import Tensor

from hqdata.training.job import prepare
from hqdata.training.parallel import Team
from hqdata.training.precision import plain_float32
from hqdata.training.trainer import Trainer
from hqdata.training.variants.hq_sam import HQHead
from tests.training.runs import make_place


@pytest.mark.parametrize("fails", [False, True])
def test_float32_is_plain_for_a_while(fails: bool) -> None:
    def state() -> tuple[str, bool]:
        return torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32

    before = state()
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.allow_tf32 = True
    try:
        with pytest.raises(ZeroDivisionError) if fails else plain_float32(), plain_float32():
            assert state() == ("highest", False)
            assert 1 // (not fails)
        assert state() == ("high", True)
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]


class Strict(HQHead):
    """A head that refuses to compute in anything less."""

    def forward(self, sam: Any, features: Any, prompts: Any) -> Tensor:
        assert torch.get_float32_matmul_precision() == "highest"
        assert not torch.backends.cudnn.allow_tf32
        return super().forward(sam, features, prompts)


def test_what_is_trained_is_float32(tmp_path: Any) -> None:
    alone = Team(device=torch.device("cpu"))
    job = prepare(make_place(tmp_path).asked("never"), alone)
    head = Strict(job.sam.size, 0)
    trainer = Trainer(job.sam, head, job.recipe, steps=8, team=alone, micro=4, precision="fp32")
    assert trainer.gradients(next(job.batches(alone, 0, 1))).finite
