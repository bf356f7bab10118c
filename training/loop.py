"""Training, step after step: it may be killed at any moment, and goes on to the bit from its newest snapshot.

There is nothing to remember but the step, weights and the optimizer's moments: order, augmentation, prompts and
learning rate are pure functions of the step.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import torch

from hqdata.errors import HQDataError, explain
from hqdata.fsio.atomic import write_bytes
from hqdata.fsio.fault import fault_point
from hqdata.fsio.lock import locked
from hqdata.store.writer import file_row
from hqdata.training.job import Asked, Job, device_for, is_begun, prepare
from hqdata.training.log import Log, summarise
from hqdata.training.observer import NOBODY, Observer
from hqdata.training.parallel import Team, joined
from hqdata.training.run import (
    FACTS,
    FORMAT,
    HEAD,
    LOG,
    RESULT,
    STEPS,
    differences,
    head_bytes,
    read_result,
    write_sealed,
)
from hqdata.training.snapshot import clear_partial, load_optimizer, newest_snapshot, optimizer_tensors, save_snapshot
from hqdata.training.trainer import Gradients, Trainer

_NAMED = 8
"""Masks that a message names."""


class NonFinite(HQDataError):
    """A loss or gradient that is no finite number; nothing was updated by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a call of :func:`train` came to."""

    out: Path
    run_id: str
    steps: int
    step: int
    """Steps that the run has taken by now."""
    taken: int
    """Of these, steps that this call took."""
    images: int
    """Visits of all processes in those."""
    summary: dict[str, Any] | None
    """What a finished run says of itself; None if it is not finished."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Where time went in the process that leads: waiting for data, encoder, head, whole steps."""

    @property
    def finished(self) -> bool:
        """Whether the run is."""
        return self.summary is not None


def train(asked: Asked, observer: Observer = NOBODY) -> Outcome:
    """Train a head, or go on with it.

    Args:
        asked: what.
        observer: who looks on.

    Raises:
        UsageError: what is asked for does not fit together; nothing was changed.
        NonFinite: a loss or gradient is no finite number. A snapshot holds the weights before that step.
        HQDataError: something cannot be read or written. The newest snapshot stays good.
    """
    with joined(device_for(asked)) as team:
        job = prepare(asked, team)
        with _alone(job, team):
            return _Training(job, team, observer).run()


@contextlib.contextmanager
def _alone(job: Job, team: Team) -> Iterator[None]:
    """Keep other trainings out of the folder, and write what the run is, if it is not there yet."""
    with contextlib.ExitStack() as stack:

        def begin() -> None:
            stack.enter_context(locked(job.out.parent / f".{job.out.name}.hqdata-lock", wait=False))
            if not is_begun(job):
                write_sealed(job.out / FACTS, job.facts)
                fault_point("train_begun")
            for path in job.out.glob(".*.tmp"):
                path.unlink()
            clear_partial(job.out / STEPS)

        # Not before all have looked whether the run is there.
        team.wait()
        team.lead(begin)
        yield


class _Training:
    """The state of a training between its steps."""

    def __init__(self, job: Job, team: Team, observer: Observer) -> None:
        torch.set_num_threads(job.how.threads)
        self.job, self.team, self.asker = job, team, observer
        self.observer = observer if team.leads else NOBODY
        self.log = Log(job.out / LOG)
        self.trainer = Trainer(
            job.sam,
            job.head,
            job.recipe,
            steps=job.steps,
            team=team,
            micro=job.how.micro,
            precision=job.how.precision,
        )
        self.how: list[dict[str, Any]] = []
        self.first = 0

    def run(self) -> Outcome:
        """Take all steps that are left."""
        if self._agreed((self.job.out / RESULT).exists()):
            return self._finished_before()
        self._go_on()
        self.observer.start(self.first, self.job.steps)
        steps = iter(self.job.batches(self.team, self.first, self.job.steps))
        clock = self.trainer.clock
        for step in range(self.first, self.job.steps):
            with clock.on_host("steps"):
                with clock.on_host("data"):
                    batch = next(steps)
                found = self.trainer.gradients(batch, stop=self.asker.stopping())
                if not found.finite:
                    self._refuse(step, found)
                rate = self.trainer.update(step)
                loss = self._note(step, found, rate)
            self.observer.step(loss)
            last = step + 1 == self.job.steps
            if found.stop or last or (step + 1) % self.job.asked.save_every == 0:
                self._save(step + 1)
            if found.stop and not last:
                return self._outcome(step + 1, None)
        return self._outcome(self.job.steps, self._finish())

    def _go_on(self) -> None:
        """Take up the newest snapshot, if there is one."""
        snapshot = newest_snapshot(self.job.out / STEPS, self.observer.note)
        if snapshot is not None:
            self.trainer.head.load_state_dict(snapshot.tensors["head"])
            load_optimizer(self.trainer.optimizer, self.trainer.weights, snapshot.tensors["adam"])
            self.first, self.how = snapshot.step, list(snapshot.state["how"])
        self._agreed(self.first)
        pieces = snapshot.state["log"] if snapshot else []
        self.team.lead(lambda: self.log.go_on(self.first, pieces))
        now = asdict(self.job.how)
        before = {key: value for key, value in self.how[-1].items() if key in now} if self.how else now
        if changed := differences(before, now):
            self.observer.note(f"from here on other bits than without the break: {'; '.join(changed)}")
        if changed or not self.how:
            self.how.append({"from_step": self.first, **now})

    def _agreed(self, found: int) -> int:
        """What all processes find in the folder of the run.

        Raises:
            HQDataError: they find different things: gradients of different weights would be summed.
        """
        of_all = self.team.gather(torch.tensor([[float(found)]], device=self.team.device)).flatten().tolist()
        if any(other != found for other in of_all):
            steps = ", ".join(f"{step:.0f}" for step in of_all)
            raise HQDataError(
                explain(
                    f"the processes do not see the same run in {self.job.out}",
                    expected="one newest snapshot",
                    got=f"steps {steps}",
                    did="nothing was changed",
                    do="choose an --out that all machines share",
                )
            )
        return found

    def _note(self, step: int, found: Gradients, rate: float) -> float:
        """Log a step; return its loss."""
        job, seen, batch = self.job, found.seen, self.job.recipe.batch
        positions = range(step * batch, (step + 1) * batch)
        bce, dice = float(seen.bce.mean()), float(seen.dice.mean())
        if self.team.leads:
            visits = [job.visits[position] for position in positions]
            self.log.add(
                {
                    "step": step,
                    "epoch": positions[0] // len(job.visits),
                    "loss": bce + dice,
                    "bce": bce,
                    "dice": dice,
                    "learning_rate": rate,
                    "gradient_norm": found.norm,
                },
                {
                    "step": [step] * batch,
                    "position": positions,
                    "mask_id": [visit.mask_id for visit in visits],
                    "use": [visit.use for visit in visits],
                    "prompt": [job.recipe.prompts[kind] for kind in seen.kind.tolist()],
                    **{name: getattr(seen, name).numpy() for name in _LOGGED},
                },
            )
        return bce + dice

    def _save(self, step: int) -> None:
        """Write a snapshot of so many steps, and the log up to it."""

        def write() -> None:
            self.log.write_piece(step)
            state = {
                "run_id": self.job.facts["run_id"],
                "step": step,
                "position": step * self.job.recipe.batch,
                "generators": [],  # none outlives a step: random numbers are functions of the visit
                "how": self.how,
                "log": self.log.pieces,
            }
            adam = optimizer_tensors(self.trainer.optimizer, self.trainer.weights)
            save_snapshot(self.job.out / STEPS, step, {"head": self.trainer.head.state_dict(), "adam": adam}, state)
            fault_point("train_snapshot")

        self.team.lead(write)

    def _refuse(self, step: int, found: Gradients) -> NoReturn:
        """Stop before an update that would spoil the weights."""
        self._save(step)
        job, bad = self.job, (~found.seen.loss.isfinite()).tolist()
        first = step * job.recipe.batch
        ids = [job.visits[first + row].mask_id for row, is_bad in enumerate(bad) if is_bad or not any(bad)]
        more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
        what = "the loss" if any(bad) else "the gradient"
        raise NonFinite(
            explain(
                f"step {step}: {what} is not finite",
                expected="finite numbers",
                got=f"gradient norm {found.norm}; masks {', '.join(ids[:_NAMED])}{more}",
                did=f"nothing was updated; a snapshot in {job.out / STEPS} holds the weights after {step} steps",
                do="look at these masks, or train anew with a lower learning rate (--set learning_rate=...) or in fp32",
            )
        )

    def _finish(self) -> dict[str, Any]:
        """Write what the run came to; ``result.json`` last."""
        out, run_id = self.job.out, self.job.facts["run_id"]

        def write() -> None:
            tables = self.log.write_whole(out)
            write_bytes(out / HEAD, head_bytes(self.trainer.head, run_id))
            fault_point("train_files")
            files = [file_row(out, name) for name in (HEAD, *(f"{table}.parquet" for table in tables))]
            summary = summarise(tables["metrics"], tables["visits"])
            result = {"format": FORMAT, "run_id": run_id, "how": self.how, "summary": summary, "files": files}
            write_sealed(out / RESULT, result)
            fault_point("train_result")
            self.log.delete()

        self.team.lead(write)
        summary: dict[str, Any] = read_result(out)["summary"]
        return summary

    def _finished_before(self) -> Outcome:
        """Say what a finished run came to; what a kill left behind goes."""
        result = read_result(self.job.out)
        self.team.lead(self.log.delete)
        self.first = self.job.steps
        return self._outcome(self.job.steps, result["summary"])

    def _outcome(self, step: int, summary: dict[str, Any] | None) -> Outcome:
        return Outcome(
            out=self.job.out,
            run_id=self.job.facts["run_id"],
            steps=self.job.steps,
            step=step,
            taken=step - self.first,
            images=(step - self.first) * self.job.recipe.batch,
            summary=summary,
            seconds=self.trainer.clock.seconds,
        )


_LOGGED = ("dropped", "empty", "pixels", "scale", "tries", "loss")
