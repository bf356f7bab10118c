"""Snapshots of a training that goes on from them to the bit: a folder a step, safetensors and JSON, hashes of all.

A snapshot is written beside its place, synced, and renamed once whole; ``MANIFEST.json`` is written last and holds size
and sha256 of every file. What a killed process left half-written is never taken for one.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from hqdata.errors import explain
from hqdata.fsio.atomic import publish_folder, write_bytes, write_json
from hqdata.fsio.digest import sha256_file
from hqdata.fsio.fault import fault_point
from hqdata.training.checkpoint import CheckpointError, read_weights

MANIFEST = "MANIFEST.json"
STATE = "state.json"
KEEP = 3
"""Whole snapshots that are kept, unless told otherwise."""
_NAME = re.compile(r"step-(\d{7,})")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Snapshot:
    """Where a training stood after a step."""

    path: Path
    step: int
    """Steps that were taken."""
    tensors: dict[str, dict[str, Tensor]]
    """By file, then by key, on the CPU."""
    state: dict[str, Any]
    """All that is no tensor."""


def save_snapshot(
    folder: Path, step: int, tensors: Mapping[str, Mapping[str, Tensor]], state: Mapping[str, Any], *, keep: int = KEEP
) -> Path:
    """Write a snapshot, then delete older ones.

    Args:
        folder: of all snapshots of a training.
        step: steps that were taken.
        tensors: becomes one safetensors file each.
        state: JSON.
        keep: whole snapshots to keep, this one included.

    Returns:
        The snapshot's folder. One that is there already and is whole stays as it is.

    Raises:
        DiskFull: what was there before is left alone.
    """
    final = folder / _name(step)
    if final.exists() and not _faults(final):
        return final
    partial = folder / f".{final.name}.{os.getpid()}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        for name, group in tensors.items():
            stored = {key: value.detach().cpu().contiguous() for key, value in group.items()}
            write_bytes(partial / f"{name}.safetensors", safetensors.torch.save(stored))
        write_json(partial / STATE, state)
        fault_point("snapshot_files_written")
        files = {path.name: _seal(path) for path in sorted(partial.iterdir())}
        write_json(partial / MANIFEST, {"step": step, "files": files})
        shutil.rmtree(final, ignore_errors=True)
        fault_point("snapshot_whole")
        publish_folder(partial, final)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    fault_point("snapshot_published")
    _delete_old(folder, keep)
    return final


def newest_snapshot(folder: Path, warn: Callable[[str], None]) -> Snapshot | None:
    """Read the newest snapshot that is whole; None if there is none at all.

    Args:
        folder: of all snapshots of a training.
        warn: told of each that is passed over because it is torn.

    Raises:
        CheckpointError: there are some, and all are torn.
    """
    torn = []
    for path in reversed(list(_snapshots(folder))):
        if not (faults := _faults(path)):
            return _read(path)
        torn.append(path)
        warn(explain(f"{path} is torn and is passed over", got="; ".join(faults)))
    if torn:
        raise CheckpointError(
            explain(
                f"no snapshot in {folder} is whole",
                got=f"{len(torn)} torn",
                did="nothing was changed",
                do="delete the run and train it again",
            )
        )
    return None


def optimizer_tensors(optimizer: torch.optim.Optimizer, names: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Collect the state of an optimizer by the parameters' names; Adam's: ``NAME.exp_avg``, ``NAME.exp_avg_sq``,
    ``NAME.step``. Parameters of other optimizers are passed over.
    """
    states = ((name, optimizer.state.get(weight, {})) for name, weight in names.items())
    return {f"{name}.{word}": value for name, state in states for word, value in state.items()}


def load_optimizer(
    optimizer: torch.optim.Optimizer, names: Mapping[str, Tensor], tensors: Mapping[str, Tensor]
) -> None:
    """Put back what :func:`optimizer_tensors` collected."""
    for key, value in tensors.items():
        name, _, word = key.rpartition(".")
        weight = names[name]
        optimizer.state[weight][word] = value.clone() if word == "step" else value.to(weight.device, copy=True)


def clear_partial(folder: Path) -> None:
    """Delete what killed processes left half-written. Only for the one process that may write there."""
    for path in sorted(folder.glob(".step-*.partial")):
        shutil.rmtree(path, ignore_errors=True)


def _name(step: int) -> str:
    return f"step-{step:07d}"


def _snapshots(folder: Path) -> Iterator[Path]:
    """Folders that bear a snapshot's name, by step."""
    found = [(int(match[1]), path) for path in folder.glob("step-*") if (match := _NAME.fullmatch(path.name))]
    return (path for _, path in sorted(found))


def _seal(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": sha256_file(path)}


def _faults(path: Path) -> list[str]:
    """What is wrong with a snapshot."""
    try:
        manifest = json.loads((path / MANIFEST).read_bytes())
        if path.name != _name(manifest["step"]):
            return [f"{MANIFEST} is of step {manifest['step']}"]
        listed = manifest["files"].items()
        return [f"{name} differs from {MANIFEST}" for name, seal in listed if _seal(path / name) != seal]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return [f"{type(error).__name__}: {error}"]


def _read(path: Path) -> Snapshot:
    step = json.loads((path / MANIFEST).read_bytes())["step"]
    state = json.loads((path / STATE).read_bytes())
    groups = {file.stem: read_weights(file).tensors for file in sorted(path.glob("*.safetensors"))}
    return Snapshot(path=path, step=step, tensors=groups, state=state)


def _delete_old(folder: Path, keep: int) -> None:
    """Keep the newest whole ones; torn ones do not count, and go as well once they are older than those."""
    whole = 0
    for path in reversed(list(_snapshots(folder))):
        if whole >= keep:
            shutil.rmtree(path, ignore_errors=True)
        elif not _faults(path):
            whole += 1
