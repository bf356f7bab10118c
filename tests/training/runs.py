"""Small trainings: 24 masks, a tiny SAM, a few steps of four visits."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hqdata.training.job import Asked
from hqdata.training.loop import Outcome, train
from hqdata.training.observer import Nobody
from hqdata.training.sam import save_sam
from tests.helpers import snapshot
from tests.splits import fruit
from tests.training.oracles import random_sam

STEPS = 8
FILES = ("head.safetensors", "metrics.parquet", "result.json", "run.json", "visits.parquet")


@dataclass(frozen=True)
class Place:
    """A folder with a collection, a SAM, and runs beside each other."""

    root: Path

    @property
    def data(self) -> Path:
        return self.root / "fruit"

    @property
    def sam(self) -> Path:
        return self.root / "sam.safetensors"

    def asked(self, name: str = "run", **options: Any) -> Asked:
        """As ``hqdata train`` would ask; ``changes`` come after those that make the run small."""
        changes = (f"iterations={STEPS}", "loss_points=64", *options.pop("changes", ()))
        plain: dict[str, Any] = {"data": self.data, "sam": str(self.sam), "recipe": "mini"}
        plain |= {"device": "cpu", "save_every": 3}
        return Asked(out=self.root / name, changes=changes, **(plain | options))

    def train(self, name: str = "run", *, stop_after: int | None = None, **options: Any) -> Outcome:
        return train(self.asked(name, **options), StopAfter(stop_after))


def make_place(root: Path) -> Place:
    fruit(root)
    save_sam(random_sam(), root / "sam.safetensors")
    return Place(root)


class StopAfter(Nobody):
    """Asks to stop after some steps; keeps what it was told."""

    def __init__(self, steps: int | None = None) -> None:
        self.left = steps
        self.losses: list[float] = []
        self.notes: list[str] = []

    def step(self, loss: float) -> None:
        self.losses.append(loss)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def stopping(self) -> bool:
        return self.left is not None and len(self.losses) + 1 >= self.left


def finished(run: Path) -> dict[str, str]:
    """Digests of all that a run leaves, and of weights and optimizer in its last snapshot."""
    last = max((run / "steps").glob("step-*"))
    weights = {name: digest for name, digest in snapshot(last).items() if name.endswith(".safetensors")}
    return {name: digest for name, digest in snapshot(run).items() if name in FILES} | weights
