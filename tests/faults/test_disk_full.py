"""A disk that fills up, for real: a small tmpfs, mounted in a name space of its own."""

import json
import shutil
import subprocess
import sys

import pytest

from tests.helpers import tiny_source

COMMANDS = {"user name space": ["unshare", "-rm"], "root": ["unshare", "-m"]}

CHILD = """
import json, os, subprocess, sys
from pathlib import Path
import hqdata.build
from hqdata.errors import DiskFull
from hqdata.limits import Limits
from hqdata.pipelines.recipe import Options, build_recipe
from hqdata.store.verify import verify

archives, manifests, disk, free, when = sys.argv[1:]
disk, free = Path(disk), int(free)
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], check=True)
filler = disk / "filler"
state = os.statvfs(disk)
filler.write_bytes(bytes(state.f_bavail * state.f_frsize - free))
options = Options(archives=Path(archives), manifests=(Path(manifests),), offline=True, limits=Limits(shard_rows=5))
said = {}
needed = hqdata.build._require_room
if when == "late":
    hqdata.build._require_room = lambda *_: None
try:
    build_recipe("tiny", disk / "out", options)
except DiskFull as error:
    said["error"] = str(error)
said["published"] = (disk / "out").exists()
said["temporary"] = [path.name for path in disk.rglob("*.tmp")]
said["kept"] = len(list(disk.glob("out.partial-*/*.shard.json")))
hqdata.build._require_room = needed
filler.unlink()
built = build_recipe("tiny", disk / "out", options)
said |= {"reused": built.reused_shards, "rows": built.index["rows"], "problems": len(verify(disk / "out", deep=True))}
print(json.dumps(said))
"""


def allowed(command: list[str], disk) -> bool:
    if shutil.which("unshare") is None:
        return False
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    return subprocess.run([*command, *mount], capture_output=True, check=False, timeout=30).returncode == 0


@pytest.mark.parametrize("how", COMMANDS)
@pytest.mark.parametrize("when", ["early", "late"])
def test_disk_full(tmp_path, how, when):
    disk = tmp_path / "disk"
    disk.mkdir()
    if not allowed(COMMANDS[how], disk):
        pytest.skip(f"a tmpfs cannot be mounted here by {' '.join(COMMANDS[how])}")
    tiny = tiny_source(tmp_path, 60)
    free = 80_000
    assert tiny.archive.stat().st_size > free
    words = [sys.executable, "-c", CHILD, tiny.archives, tiny.manifests, disk, str(free), when]
    done = subprocess.run([*COMMANDS[how], *map(str, words)], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert str(disk) in said["error"]
    assert "bytes free" in said["error"]
    assert (said["published"], said["temporary"]) == (False, [])
    assert (said["kept"] > 0) == (when == "late")
    assert (said["reused"], said["rows"], said["problems"]) == (said["kept"], 60, 0)
