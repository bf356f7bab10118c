"""The processes of one training, as ``torchrun`` starts them: each takes its slice of every batch.

What they make of it is summed. A training of one process is the same code with nobody to ask.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed

from hqdata.errors import HQDataError, UsageError, explain

CPU, CUDA = "cpu", "cuda"
_PATIENCE = timedelta(minutes=30)
"""How long a process waits for the others before it gives up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """Which of the processes this one is."""

    device: torch.device
    rank: int = 0
    world: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.rank == 0

    def add(self, tensor: Tensor) -> Tensor:
        """Sum a tensor over the processes, in place."""
        if self.world > 1:
            distributed.all_reduce(tensor)
        return tensor

    def gather(self, rows: Tensor) -> Tensor:
        """Rows ``[N, C]`` of each process to ``[world * N, C]``, by rank, for all."""
        if self.world == 1:
            return rows
        parts = [torch.empty_like(rows) for _ in range(self.world)]
        distributed.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    def wait(self) -> None:
        """Go on once all processes are here."""
        self.add(torch.zeros(1, device=self.device))

    def lead(self, work: Callable[[], object]) -> None:
        """Let the first process do something while the others wait.

        Raises:
            HQDataError: it failed there; the first process raises the error itself.
        """
        failed, caught = torch.zeros(1, device=self.device), None
        if self.leads:
            try:
                work()
            except BaseException as error:  # the others must hear of it, whatever it is
                failed, caught = failed + 1, error
        self.add(failed)
        if caught is not None:
            raise caught
        if failed.item():
            raise HQDataError("the first process failed; its message says why")


def device_of(word: str) -> str:
    """What ``--device`` means here: ``auto`` is the GPU where there is one.

    Raises:
        UsageError: a GPU is wanted, and torch sees none.
    """
    there = torch.cuda.is_available()
    if word == CUDA and not there:
        raise UsageError(
            explain("torch sees no GPU", expected="one, for --device cuda", got=f"torch {torch.__version__}")
        )
    return CUDA if word != CPU and there else CPU


@contextlib.contextmanager
def joined(device: str) -> Iterator[Team]:
    """Join the processes that ``torchrun`` started, if it did.

    Args:
        device: ``cpu`` or ``cuda``; each process takes the GPU of its ``LOCAL_RANK``.
    """
    rank, world, local = (_from_environment(name, plain) for name, plain in _VARIABLES)
    place = torch.device(CUDA, local) if device == CUDA else torch.device(CPU)
    if device == CUDA:
        torch.cuda.set_device(place)
    team = Team(rank=rank, world=world, device=place)
    if world == 1:
        yield team
        return
    if missing := [name for name in ("MASTER_ADDR", "MASTER_PORT") if name not in os.environ]:
        what, do = f"WORLD_SIZE={world}, but {missing[0]} is not set", "start it by torchrun, or unset WORLD_SIZE"
        raise UsageError(explain(what, did="nothing was changed", do=do))
    distributed.init_process_group("nccl" if device == CUDA else "gloo", timeout=_PATIENCE)
    yield team
    # Not after an error: the others may never come to it.
    team.wait()
    distributed.destroy_process_group()


_VARIABLES = (("RANK", 0), ("WORLD_SIZE", 1), ("LOCAL_RANK", 0))


def _from_environment(name: str, plain: int) -> int:
    text = os.environ.get(name, str(plain))
    if not text.isdecimal():
        raise UsageError(explain(f"the environment says {name}={text}", expected="a number, as torchrun sets it"))
    return int(text)
