"""A training in a process of its own, to be killed. What this file imports, each of them imports anew."""

import multiprocessing
from multiprocessing.process import BaseProcess

import hqdata.fsio.fault
from hqdata.training.job import Asked
from hqdata.training.loop import train

_FORKS = multiprocessing.get_context("forkserver")
# torch imports the second when an optimizer takes its first step, which takes longer than the steps here.
_FORKS.set_forkserver_preload(["hqdata.training.loop", "torch._dynamo"])


def start(asked: Asked, fault: str = "") -> BaseProcess:
    """Train; the process ends at a fault point if one is named."""
    process = _FORKS.Process(target=_train, args=(asked, fault))
    process.start()
    return process


def _train(asked: Asked, fault: str) -> None:
    hqdata.fsio.fault._WANTED = fault and f"after:{fault}"
    train(asked)
