"""A build that is killed, wherever that may be, and run again gives the bytes of one that never was."""

import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from hqdata.fetch.progress import SilentProgress
from hqdata.pipelines.recipe import build_recipe
from hqdata.store.verify import verify
from tests.helpers import Tiny, finish_build, snapshot, start_build, tiny_source

PAIRS = 120
SHARDS = PAIRS // 5


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    return tiny_source(tmp_path_factory.mktemp("tiny"), PAIRS)


@pytest.fixture(scope="module")
def whole(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The tree of a build that was never killed."""
    out = tmp_path_factory.mktemp("whole") / "out"
    build_recipe("tiny", out, tiny.options())
    return snapshot(out)


def finished(folder: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of every shard that an unfinished build has finished."""
    sidecars = folder.glob("out.partial-*/*.shard.json")
    arrows = (path.with_name(path.name.replace(".shard.json", ".arrow")) for path in sidecars)
    # A build that is killed while it clears up after its end may leave a sidecar without its shard.
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in arrows if path.exists()}


def kill(process: subprocess.Popen[str]) -> bool:
    """Kill a build with its workers; False if it had ended before."""
    alive = process.poll() is None
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        alive = False
    process.communicate()
    return alive and process.returncode == -signal.SIGKILL


def check_rerun(tiny: Tiny, folder: Path, whole: dict[str, str], held: dict[str, tuple[int, int]]) -> None:
    again = finish_build(start_build(tiny, folder / "out"))
    now = {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in (folder / "out").glob("*.arrow")}
    assert snapshot(folder / "out") == whole
    assert held.items() <= now.items(), "a finished shard was built again"
    if again["fresh"]:
        assert again["reused"] == len(held)
    assert {path.name for path in folder.iterdir()} <= {"out", ".out.hqdata-lock"}


def kill_at_random(tiny: Tiny, whole: dict[str, str], folder: Path, seed: int, workers: int) -> bool:
    """Kill once a random number of shards is done, plus up to 30 ms; True if it was still building."""
    rng = np.random.default_rng(seed)
    wanted, wait = int(rng.integers(SHARDS)), float(rng.uniform(0, 0.03))
    print(f"seed {seed}: kill after {wanted} shards and {wait * 1000:.1f} ms, {workers} workers")
    process = start_build(tiny, folder / "out", workers=workers)
    end = time.monotonic() + 60
    while process.poll() is None and len(list(folder.glob("out.partial-*/*.shard.json"))) < wanted:
        assert time.monotonic() < end
        time.sleep(0.001)
    time.sleep(wait)
    hit = kill(process)
    if hit and not (folder / "out").exists():
        assert list(folder.glob("out.partial-*")) or wanted == 0
    check_rerun(tiny, folder, whole, finished(folder))
    return hit


def kill_often(tiny: Tiny, whole: dict[str, str], folder: Path, seeds: range) -> None:
    hits = 0
    for seed in seeds:
        (folder / str(seed)).mkdir()
        hits += kill_at_random(tiny, whole, folder / str(seed), seed, workers=1 + seed % 2)
    assert hits >= len(seeds) // 2, f"only {hits} of {len(seeds)} kills came before the end"


def test_killed_at_random_moments(tiny, whole, tmp_path):
    kill_often(tiny, whole, tmp_path, range(6))


@pytest.mark.slow
def test_killed_at_many_random_moments(tiny, whole, tmp_path):
    kill_often(tiny, whole, tmp_path, range(100, 130))


@pytest.mark.parametrize(
    ("point", "shards", "published"),
    [("shard", 0, False), ("sidecar", 1, False), ("files", 24, False), ("index", 24, False), ("publish", 0, True)],
)
def test_killed_at_every_point(tiny, whole, tmp_path, point, shards, published):
    process = start_build(tiny, tmp_path / "out", env={"HQDATA_FAULT": f"after:{point}"})
    process.communicate(timeout=60)
    assert process.returncode == 137
    assert (tmp_path / "out").exists() == published
    held = {} if published else finished(tmp_path)
    assert len(held) == shards
    if published:
        assert verify(tmp_path / "out") == []
        assert finish_build(start_build(tiny, tmp_path / "out"))["fresh"] is False
        assert snapshot(tmp_path / "out") == whole
        assert list(tmp_path.glob("out.partial-*")) == []
    else:
        check_rerun(tiny, tmp_path, whole, held)


def test_a_kill_while_replacing_leaves_one_whole_collection(tiny, whole, tmp_path):
    """Between the two renames of a replacement only the old collection is whole, inside the unfinished build."""
    other = tiny_source(tmp_path / "src", 8, name="tiny", seed=3)
    build_recipe("tiny", tmp_path / "out", other.options())
    old = snapshot(tmp_path / "out")
    code = "import hqdata.build, os; hqdata.build.publish = lambda *_: os._exit(137)"
    code += "; import hqdata.pipelines.recipe as r, dataclasses; Plain = r.Options"
    code += "; Options = lambda **more: Plain(replace=True, **more)"
    process = start_build(tiny, tmp_path / "out", before=code)
    process.communicate(timeout=60)
    assert process.returncode == 137
    (aside,) = tmp_path.glob("out.partial-*/*-replaced")
    assert snapshot(aside) == old
    again = finish_build(start_build(tiny, tmp_path / "out"))
    assert again == {"fresh": True, "reused": SHARDS}
    assert snapshot(tmp_path / "out") == whole
    assert not list(tmp_path.glob("out.*"))


class Stop(Exception):
    """Ends a build from inside."""


class StopAfter(SilentProgress):
    def __init__(self, shards: int) -> None:
        self.left = shards

    def advance(self, n: int) -> None:  # noqa: ARG002
        self.left -= 1
        if not self.left:
            raise Stop


def begin(tiny: Tiny, out: Path, shards: int = 3) -> dict[str, tuple[int, int]]:
    """A build that ends after some shards."""
    with pytest.raises(Stop):
        build_recipe("tiny", out, tiny.options(progress=lambda _: StopAfter(shards)))
    return finished(out.parent)


def change_nothing(tiny: Tiny) -> dict[str, object]:
    return {}


def change_manifest(tiny: Tiny) -> dict[str, object]:
    tiny.manifest.write_text(tiny.manifest.read_text().replace('citation = ""', 'citation = "someone"'))
    return {}


def change_limits(tiny: Tiny) -> dict[str, object]:
    from hqdata.limits import Limits

    return {"limits": Limits(shard_rows=5, image_pixels=1_000_000)}


def change_archive(tiny: Tiny) -> dict[str, object]:
    tiny_source(tiny.root, 20, seed=1)
    return {}


@pytest.mark.parametrize(
    ("change", "reused"), [(change_nothing, 3), (change_manifest, 0), (change_limits, 0), (change_archive, 0)]
)
def test_shards_of_other_inputs_are_not_reused(tmp_path, change, reused):
    tiny = tiny_source(tmp_path / "src", 20)
    held = begin(tiny, tmp_path / "out")
    assert len(held) == 3
    options = tiny.options(**change(tiny))
    built = build_recipe("tiny", tmp_path / "out", options)
    assert built.reused_shards == reused
    build_recipe("tiny", tmp_path / "never", options)
    assert snapshot(tmp_path / "out") == snapshot(tmp_path / "never")


@pytest.mark.parametrize("what", ["arrow cut", "arrow flipped", "sidecar garbage", "sidecar of another", "arrow gone"])
def test_spoiled_shards_are_not_reused(tmp_path, what):
    tiny = tiny_source(tmp_path / "src", 20)
    begin(tiny, tmp_path / "out")
    (folder,) = tmp_path.glob("out.partial-*")
    arrow, sidecar = folder / "tiny-00001.arrow", folder / "tiny-00001.shard.json"
    content = arrow.read_bytes()
    match what:
        case "arrow cut":
            arrow.write_bytes(content[:-8])
        case "arrow flipped":
            arrow.write_bytes(content[:1000] + bytes([content[1000] ^ 16]) + content[1001:])
        case "sidecar garbage":
            sidecar.write_bytes(b'{"name": 7')
        case "sidecar of another":
            sidecar.write_bytes((folder / "tiny-00000.shard.json").read_bytes())
        case "arrow gone":
            arrow.unlink()
    assert build_recipe("tiny", tmp_path / "out", tiny.options()).reused_shards == 2
    build_recipe("tiny", tmp_path / "never", tiny.options())
    assert snapshot(tmp_path / "out") == snapshot(tmp_path / "never")


def swap_two_images(folder: Path) -> None:
    """Give one image other content of the same size, as an editor or a sync tool would."""
    first, second = (folder / "images" / name for name in ("0000.jpg", "0001.jpg"))
    size = max(first.stat().st_size, second.stat().st_size)
    first.write_bytes(second.read_bytes().ljust(size, b"\0"))


def test_a_folder_that_changed_during_an_unfinished_build(tmp_path):
    tiny = tiny_source(tmp_path / "src", 20, archive="")
    first, second = (tiny.archive / "images" / name for name in ("0000.jpg", "0001.jpg"))
    size = max(first.stat().st_size, second.stat().st_size)
    first.write_bytes(first.read_bytes().ljust(size, b"\0"))
    begin(tiny, tmp_path / "out")
    before = first.read_bytes()
    swap_two_images(tiny.archive)
    assert (len(before), before != first.read_bytes()) == (first.stat().st_size, True)
    assert build_recipe("tiny", tmp_path / "out", tiny.options()).reused_shards == 0
    build_recipe("tiny", tmp_path / "never", tiny.options())
    assert snapshot(tmp_path / "out") == snapshot(tmp_path / "never")
    swap_two_images(tiny.archive)
    first.write_bytes(before)
    rebuilt = build_recipe("tiny", tmp_path / "out", tiny.options(replace=True))
    assert rebuilt.reused_shards == 0
    assert rebuilt.fresh
    build_recipe("tiny", tmp_path / "third", tiny.options())
    assert snapshot(tmp_path / "out") == snapshot(tmp_path / "third") != snapshot(tmp_path / "never")


def test_two_builders(tiny, whole, tmp_path):
    both = [start_build(tiny, tmp_path / "out") for _ in range(2)]
    results = [finish_build(process) for process in both]
    assert sorted(result["fresh"] for result in results) == [False, True]
    assert snapshot(tmp_path / "out") == whole


@pytest.mark.parametrize("seed", [*range(2), *(pytest.param(n, marks=pytest.mark.slow) for n in range(2, 10))])
def test_two_builders_without_a_lock(tiny, whole, tmp_path, seed):
    wait = np.random.default_rng(seed).uniform(0, 0.3)
    print(f"seed {seed}: the second one starts {wait:.3f} s later")
    code = "import contextlib, hqdata.build; hqdata.build.locked = lambda path: contextlib.nullcontext(False)"
    first = start_build(tiny, tmp_path / "out", before=code)
    time.sleep(wait)
    second = start_build(tiny, tmp_path / "out", before=code)
    for process in (first, second):
        finish_build(process)
    assert snapshot(tmp_path / "out") == whole
    assert finish_build(start_build(tiny, tmp_path / "out"))["fresh"] is False
    assert not list(tmp_path.glob("out.*"))


def running(session: int) -> list[str]:
    """Processes of a session that are alive; zombies are not."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, owner = path.read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if int(owner) == session and state not in {"Z", "X"}:
            found.append(path.parent.name)
    return found


def test_workers_end_with_their_builder(tiny, tmp_path):
    if not Path("/proc/self/stat").exists():
        pytest.skip("processes are counted in /proc, which is not here")
    process = start_build(tiny, tmp_path / "out", workers=2)
    while process.poll() is None and not finished(tmp_path):
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    end = time.monotonic() + 6
    while running(process.pid) and time.monotonic() < end:
        time.sleep(0.05)
    left = running(process.pid)
    kill(process)
    assert left == []
