"""What a training will cost, before it: what can be counted, and a few steps measured here, on the run's own data."""

import resource
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

import torch

from hqdata.training.job import Asked, Job, device_for, prepare
from hqdata.training.observer import NOBODY, Observer
from hqdata.training.parallel import Team, joined
from hqdata.training.snapshot import KEEP
from hqdata.training.trainer import Trainer

_WARM_UP = 2
_SECONDS = 10.0
"""Steps are measured for so long, two at least."""
_MOST = 30
_FLOATS = 3
"""A weight and Adam's two moments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Of a whole training."""

    facts: dict[str, Any]
    """What ``run.json`` says, or would say."""
    how: dict[str, Any]
    """How it was measured; see :class:`~hqdata.training.job.How`."""
    masks: int
    steps: int
    visits: int
    epochs: float
    encoder_passes: int
    """Images through the encoder: one a visit."""
    trained_parameters: int
    snapshot_bytes: int
    """Of one snapshot."""
    kept_bytes: int
    """Of all that are kept."""
    measured_steps: int
    """After a warm-up."""
    seconds_a_step: float
    images_a_second: float
    hours: float
    """Of the whole training, were all steps as fast."""
    memory_bytes: int
    """Largest resident memory of this process."""
    device_bytes: int | None
    """Most memory that torch held on the GPU; CUDA itself takes some more. None on a CPU."""


def plan(asked: Asked, observer: Observer = NOBODY) -> Cost:
    """Count and measure a training; nothing is written.

    Raises:
        UsageError, HQDataError: as :func:`~hqdata.training.loop.train` would.
    """
    with joined(device_for(asked)) as team:
        job = prepare(asked, team)
        torch.set_num_threads(job.how.threads)
        measured, seconds = _measure(job, team, observer if team.leads else NOBODY)
        visits, trained = job.steps * job.recipe.batch, job.facts["trained_parameters"]
        snapshot = 4 * _FLOATS * trained
        return Cost(
            facts=job.facts,
            how=asdict(job.how),
            masks=len(job.visits),
            steps=job.steps,
            visits=visits,
            epochs=visits / len(job.visits),
            encoder_passes=visits,
            trained_parameters=trained,
            snapshot_bytes=snapshot,
            kept_bytes=snapshot * min(KEEP, -(-job.steps // asked.save_every)),
            measured_steps=measured,
            seconds_a_step=seconds,
            images_a_second=job.recipe.batch / seconds,
            hours=job.steps * seconds / 3600,
            memory_bytes=_resident(),
            device_bytes=torch.cuda.max_memory_reserved() if team.device.type == "cuda" else None,
        )


def _measure(job: Job, team: Team, observer: Observer) -> tuple[int, float]:
    """Take the first steps, in memory only; return how many were measured, and seconds a step."""
    trainer = Trainer(
        job.sam, job.head, job.recipe, steps=job.steps, team=team, micro=job.how.micro, precision=job.how.precision
    )
    observer.start(0, _WARM_UP + _MOST)
    begun, measured = time.perf_counter(), 0
    for step, batch in enumerate(job.batches(team, 0, _WARM_UP + _MOST)):
        if step == _WARM_UP:
            begun = time.perf_counter()
        found = trainer.gradients(batch)
        # Also where the loss is not finite: weights are thrown away.
        trainer.update(step)
        observer.step(float(found.seen.loss.mean()))
        measured = step + 1 - _WARM_UP
        late = torch.tensor([float(measured > 1 and time.perf_counter() - begun > _SECONDS)], device=team.device)
        if team.add(late).item():
            break
    return measured, (time.perf_counter() - begun) / measured


def _resident() -> int:
    """Largest resident memory so far, in bytes; Linux counts in KiB, macOS in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
