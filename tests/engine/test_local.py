"""One function over many tasks: the same results in one process or in several, and an error if a worker dies."""

import os
import signal
import time
from pathlib import Path

import pytest

from hqdata.engine.local import run_local
from hqdata.errors import DecodeError, HQDataError


def squared(number: int) -> tuple[int, int]:
    return number, number * number


def process_of(_: int) -> int:
    time.sleep(0.05)
    return os.getpid()


def slow_if_first(number: int) -> int:
    time.sleep(0.5 if number == 0 else 0)
    return number


def refuse_three(number: int) -> int:
    if number == 3:
        raise DecodeError("truncated", "task three")
    return number


def die_at_three(task: tuple[int, Path]) -> int:
    number, folder = task
    if number == 3:
        time.sleep(0.4)
        os.kill(os.getpid(), signal.SIGKILL)
    (folder / str(number)).touch()
    return number


@pytest.mark.parametrize("workers", [0, 1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 7])
def test_the_results_are_the_same_whatever_the_workers(workers: int, count: int) -> None:
    assert sorted(run_local(squared, range(count), workers)) == [(n, n * n) for n in range(count)]


@pytest.mark.parametrize(("workers", "tasks", "inside"), [(1, 4, True), (4, 1, True), (2, 4, False)])
def test_one_worker_or_one_task_stays_in_this_process(workers: int, tasks: int, inside: bool) -> None:
    processes = set(run_local(process_of, range(tasks), workers))
    assert (processes == {os.getpid()}) is inside
    assert len(processes) <= workers


def test_a_slow_task_holds_up_no_other() -> None:
    assert list(run_local(slow_if_first, range(4), 2))[-1] == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_a_task_arrives_as_it_was_raised(workers: int) -> None:
    with pytest.raises(DecodeError) as caught:
        list(run_local(refuse_three, range(6), workers))
    assert (caught.value.reason, caught.value.detail) == ("truncated", "task three")


def test_a_killed_worker_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    results = run_local(die_at_three, [(n, tmp_path) for n in range(8)], 2)
    got = [next(results)]
    with pytest.raises(HQDataError, match=r"a worker process was killed\n.*kept\n.*run the same command again"):
        got.extend(results)
    assert 3 not in got
    assert set(got) <= {int(path.name) for path in tmp_path.iterdir()}


def test_tasks_are_begun_only_when_a_result_is_asked_for(tmp_path: Path) -> None:
    results = run_local(die_at_three, [(0, tmp_path), (1, tmp_path)], 1)
    assert list(tmp_path.iterdir()) == []
    assert next(results) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["0"]
