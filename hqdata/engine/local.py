"""Runs a pure function over tasks in this process or in worker processes; results come as they finish."""

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from hqdata.errors import HQDataError, explain

Task = TypeVar("Task")
Result = TypeVar("Result")


def run_local(work: Callable[[Task], Result], tasks: Sequence[Task], workers: int) -> Iterator[Result]:
    """Yield ``work(task)`` for every task, in the order of completion.

    Workers come from a server process that has loaded the work's module and nothing else, so that no lock or open file
    of this process leaks into them; they end with this process, however it ends.

    Raises:
        HQDataError: a worker was killed, most often for want of memory, or could not start, because a script calls this
            outside of ``if __name__ == "__main__":``. What finished tasks wrote to disk is kept.
    """
    if workers <= 1 or len(tasks) <= 1:
        for task in tasks:
            yield work(task)
        return
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([getattr(work, "func", work).__module__])
    with ProcessPoolExecutor(min(workers, len(tasks)), mp_context=context, initializer=_end_with_parent) as pool:
        futures = [pool.submit(work, task) for task in tasks]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            raise HQDataError(
                explain(
                    "a worker process was killed",
                    did="finished shards are kept",
                    do="run the same command again, with fewer --workers if memory was short; a script of your own "
                    'needs `if __name__ == "__main__":` above its calls',
                )
            ) from error
        except BaseException:
            for future in futures:
                future.cancel()
            raise


def _end_with_parent() -> None:
    """End this worker as soon as the process that wanted its work is gone, even if that was killed."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        # Asked every second, not waited for: a thread that waits for good halves the speed of the worker.
        while parent.is_alive():
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
