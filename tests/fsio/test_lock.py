"""A lock is held by one process at a time, and by nobody once its holder is dead."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hqdata.errors import HQDataError
from hqdata.fsio.lock import locked

HOLD = """
import sys, time
from pathlib import Path
from hqdata.fsio.lock import locked
with locked(Path(sys.argv[1])) as waited:
    print(waited, flush=True)
    time.sleep(float(sys.argv[2]))
"""


def holder(path: Path, seconds: float) -> subprocess.Popen[str]:
    """A process that holds the lock by the time this returns."""
    child = subprocess.Popen([sys.executable, "-c", HOLD, str(path), str(seconds)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "False\n"
    return child


def test_a_free_lock_is_not_waited_for(tmp_path: Path) -> None:
    for _ in range(2):
        with locked(tmp_path / "made" / "on" / "demand.lock") as waited:
            assert waited is False


def test_a_held_lock_is_waited_for_and_the_caller_is_told(tmp_path: Path) -> None:
    with holder(tmp_path / "lock", 0.5) as child:
        start = time.monotonic()
        with locked(tmp_path / "lock") as waited:
            assert waited is True
        assert time.monotonic() - start > 0.3
        assert child.wait() == 0


def test_a_held_lock_may_be_refused_instead(tmp_path: Path) -> None:
    with holder(tmp_path / "lock", 60) as child:
        with pytest.raises(HQDataError, match="another process works there"), locked(tmp_path / "lock", wait=False):
            pass
        child.kill()
    with locked(tmp_path / "lock", wait=False) as waited:
        assert waited is False


def test_an_error_inside_frees_the_lock(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="inside"), locked(tmp_path / "lock"):
        raise ValueError("inside")
    with locked(tmp_path / "lock") as waited:
        assert waited is False


def test_kill_9_frees_the_lock(tmp_path: Path) -> None:
    with holder(tmp_path / "lock", 60) as child:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        start = time.monotonic()
        with locked(tmp_path / "lock") as waited:
            assert waited is False
        assert time.monotonic() - start < 1


@pytest.mark.parametrize("text", [b"", b"pid 1", b"\xff\0{not json", bytes(100_000)])
def test_what_the_lock_file_holds_never_matters(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "lock").write_bytes(text)
    with locked(tmp_path / "lock") as waited:
        assert waited is False
    assert not (tmp_path / "lock").exists()


def test_only_one_holds_it_while_files_come_and_go(tmp_path: Path) -> None:
    holders, most = [], []

    def take() -> None:
        for _ in range(40):
            with locked(tmp_path / "lock"):
                holders.append(1)
                time.sleep(0.0001)
                most.append(len(holders))
                holders.pop()

    threads = [threading.Thread(target=take) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 240
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_locks_is_no_hindrance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(descriptor: int, operation: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", unsupported)
    with locked(tmp_path / "lock") as waited:
        assert waited is False


def test_a_child_process_does_not_inherit_the_lock(tmp_path: Path) -> None:
    with locked(tmp_path / "lock"):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False)
    with child:
        with locked(tmp_path / "lock") as waited:
            assert waited is False
        child.communicate(b"\n")


def test_a_worker_that_imports_its_script_again_does_not_wait_for_the_script(tmp_path: Path) -> None:
    """The child runs the script's lines once more, up to the lock that its parent holds until the child is done."""
    script = tmp_path / "unguarded.py"
    script.write_text(UNGUARDED)
    words = [sys.executable, str(script), str(tmp_path / "lock")]
    done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "ended with 1\n")
    assert "HQDataError: a worker process imports the script that started it" in done.stderr
    assert 'below `if __name__ == "__main__":`' in done.stderr
    assert not (tmp_path / "lock").exists()


UNGUARDED = """
import multiprocessing, sys
from pathlib import Path
from hqdata.fsio.lock import locked

with locked(Path(sys.argv[1])):
    child = multiprocessing.get_context("spawn").Process(target=print)
    child.start()
    child.join()
print("ended with", child.exitcode)
"""
