"""Batches of training: decoded, jittered and laid on canvases by worker processes, the same for any number of them."""

import dataclasses
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from hqdata.analysis.splits.reference import Data
from hqdata.errors import UsageError, explain
from hqdata.training.jitter import Canvas, jitter
from hqdata.training.losses import candidates
from hqdata.training.recipe import ORIGINAL, Recipe
from hqdata.training.size import SamSize
from hqdata.training.visits import Visit, Visits

_AHEAD = 2
"""Batches that workers prepare beyond the one that is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """Some visits with their pixels and all the random numbers that are drawn for them."""

    visits: tuple[Visit, ...]
    images: Tensor
    """``uint8[B, 3, S, S]``, RGB."""
    sizes: Tensor
    """``int64[B, 2]``: height and width, from the corner on, of what is no padding."""
    masks: Tensor
    """``uint8[B, 1, S, S]``, grey; 0 beyond the image."""
    prompted: Tensor
    """The same of the masks that prompts are drawn from; other ones where ``recipe.prompt_from`` says so."""
    scale: Tensor
    """``float64[B]``: of the jitter."""
    tries: Tensor
    """``int64[B]``: crops that were drawn; see :class:`~hqdata.training.jitter.Canvas`."""
    choice: Tensor
    """``float32[B]``, uniform: which kind of prompt."""
    order: Tensor
    """``float32[B, recipe.points]``, uniform: which points."""
    noise: Tensor
    """``float32[B, 1, M, M]``, normal, at ``SamSize.mask_side``: of the mask prompt."""
    candidates: Tensor
    """``float32[B, N, 2]``: see :func:`hqdata.training.losses.candidates`."""

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> "Batch":
        """Copy to a device; without waiting for it, if the batch is pinned."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin(self) -> "Batch":
        """Copy to memory that a GPU can read by itself; the batch as it is where there is no GPU."""
        return self._each(Tensor.pin_memory) if torch.cuda.is_available() else self

    def part(self, start: int, stop: int) -> "Batch":
        """Some of the visits; nothing is copied."""
        part = self._each(lambda tensor: tensor[start:stop])
        return dataclasses.replace(part, visits=self.visits[start:stop])

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        changed: dict[str, Any] = {name: change(getattr(self, name)) for name in _TENSORS}
        return dataclasses.replace(self, **changed)


_TENSORS = tuple(item.name for item in dataclasses.fields(Batch) if item.name != "visits")


def batches(
    samples: Data,
    visits: Visits,
    recipe: Recipe,
    size: SamSize,
    *,
    first: int,
    last: int,
    rank: int = 0,
    world: int = 1,
    workers: int = 0,
) -> Iterator[Batch]:
    """Prepare the batches of some steps, one after the other.

    Args:
        samples: the collection or split that the visits are of.
        visits: which masks, in which order.
        recipe: how they are jittered and prompted.
        size: of the SAM that encodes them.
        first: step to begin with; step s takes the visits from s * batch on.
        last: step to end before.
        rank: of this process; it gets the rank-th of ``world`` equal slices of each batch.
        world: number of processes.
        workers: processes that prepare; 0 for this one alone. Scripts that ask for any need the usual
            ``if __name__ == "__main__"``.

    Raises:
        UsageError: a batch that processes cannot share equally, or not without cutting a group that a trap needs whole.
    """
    share = _share(recipe, rank, world)
    starts = (step * recipe.batch + rank * share for step in range(first, last))
    ordered = (visits[position] for start in starts for position in range(start, start + share))
    loader = _loader(samples, ordered, recipe, size, share, workers)
    return _gathered(loader, share, recipe.points, size.mask_side)


def _share(recipe: Recipe, rank: int, world: int) -> int:
    """Visits of a step for one process."""
    if not 0 <= rank < world:
        raise UsageError(explain("rank of a process", expected=f"0 to {world - 1}", got=rank))
    share, rest = divmod(recipe.batch, world)
    unit = recipe.group if recipe.traps.points_by_group else 1
    if rest or share % unit:
        expected = f"a multiple of {world * unit}"
        what = f"a batch that {world} processes share" + (f" in whole groups of {unit}" if unit > 1 else "")
        raise UsageError(
            explain(what, expected=expected, got=recipe.batch, do="change batch or the number of processes")
        )
    return share


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _One:
    """What a worker prepares of a visit: two tensors, since each takes one of the files that a process may open."""

    visit: Visit
    canvas: Canvas
    numbers: Tensor
    """``float32[...]``: choice, order, noise and candidates, one after the other."""


class _Prepared(Dataset[_One]):
    def __init__(self, samples: Data, recipe: Recipe, size: SamSize) -> None:
        self._samples = samples
        self._recipe = recipe
        self._size = size

    def __getitem__(self, visit: Visit) -> _One:
        sample_id, _, k = visit.mask_id.rpartition("#")
        sample, recipe, side = self._samples[sample_id], self._recipe, self._size.mask_side
        prompt = visit.generator("prompt")
        numbers = [
            torch.rand(1, generator=prompt),
            torch.rand(recipe.points, generator=prompt),
            torch.randn(side * side, generator=visit.generator("noise")),
            candidates(1, visit.generator("loss"), recipe.loss_points).flatten(),
        ]
        mask, generator = sample.greys(int(k)), visit.generator("jitter")
        prompted = sample.original(int(k)) if recipe.prompt_from == ORIGINAL else None
        canvas = jitter(sample.image, mask, recipe, self._size.image, generator, prompted)
        return _One(visit=visit, canvas=canvas, numbers=torch.cat(numbers))


def _loader(
    samples: Data, ordered: Iterator[Visit], recipe: Recipe, size: SamSize, share: int, workers: int
) -> DataLoader[_One]:
    """Prepare visit by visit, not batch by batch: sixteen workers would hold 32 batches in shared memory."""
    return DataLoader(
        _Prepared(samples, recipe, size),
        batch_size=None,
        sampler=ordered,
        num_workers=workers,
        # Threads make it unsafe to fork; and workers of a fork server would not be children of this process, whose end
        # is theirs.
        multiprocessing_context="spawn" if workers else None,
        prefetch_factor=-(-_AHEAD * share // workers) if workers else None,
        worker_init_fn=_settle,
        # Else the loader takes a number from torch's global generator.
        generator=torch.Generator(),
    )


def _settle(_: int) -> None:
    """Make a worker one of many: a core each, and no end but that of the process that started it.

    That process still needs data for its last step when all are told to stop, as a terminal and ``torchrun`` do.
    """
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    # torch looks as well, but only for an end that comes after its first look.
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _gathered(loader: DataLoader[_One], share: int, points: int, side: int) -> Iterator[Batch]:
    ones: list[_One] = []
    for one in loader:
        ones.append(one)
        if len(ones) == share:
            yield _joined(ones, points, side)
            ones = []


def _joined(ones: Sequence[_One], points: int, side: int) -> Batch:
    canvases = [one.canvas for one in ones]
    lengths = [1, points, side * side, len(ones[0].numbers) - 1 - points - side * side]
    choice, order, noise, drawn = map(
        torch.stack, zip(*(torch.split(one.numbers, lengths) for one in ones), strict=True)
    )
    return Batch(
        visits=tuple(one.visit for one in ones),
        images=torch.stack([canvas.image for canvas in canvases]),
        sizes=torch.tensor([canvas.size for canvas in canvases]),
        masks=torch.stack([canvas.mask for canvas in canvases]),
        prompted=torch.stack([canvas.prompted for canvas in canvases]),
        scale=torch.tensor([canvas.scale for canvas in canvases], dtype=torch.float64),
        tries=torch.tensor([canvas.tries for canvas in canvases]),
        choice=choice.flatten(),
        order=order,
        noise=noise.view(-1, 1, side, side),
        candidates=drawn.view(len(ones), -1, 2),
    )
