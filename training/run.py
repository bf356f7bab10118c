"""The folder of a run: what it is, written first, and what came of it, written last.

``run.json`` names split, variant, recipe, seed and SAM by content; ``run_id`` is their digest. ``result.json`` lists
the finished files with their hashes; its presence is the sign of a finished run. Neither holds a time, a host or an
absolute path: the same command gives the same bytes.
"""

import json
import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import nn

from hqdata.errors import StoreCorrupt, UsageError, explain
from hqdata.fsio.atomic import write_bytes
from hqdata.fsio.digest import digest_of
from hqdata.store.index import index_bytes
from hqdata.store.writer import file_row
from hqdata.training.checkpoint import check_fits, read_weights
from hqdata.training.recipe import Recipe, recipe_of
from hqdata.training.sam import SAM_MINI, FrozenSam, find_sam
from hqdata.training.variants.registry import find_variant

FACTS = "run.json"
RESULT = "result.json"
HEAD = "head.safetensors"
STEPS = "steps"
"""Folder of snapshots."""
LOG = "log"
"""Folder of the log's pieces."""
FORMAT = 1


class Run:
    """A finished run; weights are read when they are asked for.

    Args:
        path: its folder.
        sam: where its SAM lies, if not where the run says.

    Raises:
        UsageError: it is no run, or not finished.
        StoreCorrupt: a file of it is missing or not what was written.
    """

    def __init__(self, path: Path, sam: str | Path | None = None) -> None:
        self.path = path
        self.facts = read_facts(path)
        """All that ``run.json`` says."""
        self.result = read_result(path)
        """All that ``result.json`` says."""
        self._sam = sam

    @property
    def run_id(self) -> str:
        """Digest of what the run is."""
        return str(self.facts["run_id"])

    @property
    def variant(self) -> str:
        """Name of the variant."""
        return str(self.facts["identity"]["variant"])

    @property
    def seed(self) -> int:
        """Of the first weights and of every visit."""
        return int(self.facts["identity"]["seed"])

    @property
    def recipe(self) -> Recipe:
        """How it was trained."""
        return recipe_of(self.facts["identity"]["recipe"])

    @cached_property
    def sam(self) -> FrozenSam:
        """The frozen SAM, checked to be the one that was trained on.

        Raises:
            UsageError: it is another one, or not where the run says.
        """
        name = place_of(self.facts["sam"]["path"], self.path) if self._sam is None else self._sam
        sam = find_sam(name)
        wanted = self.facts["identity"]["sam"]["sha256"]
        if sam.sha256 != wanted:
            raise UsageError(
                explain(f"{self.path} was trained on another SAM", expected=wanted, got=f"{name}: {sam.sha256}")
            )
        return sam

    @cached_property
    def head(self) -> nn.Module:
        """What was trained, with its weights."""
        head = find_variant(self.variant).make(self.sam.size, self.seed)
        weights = read_weights(self.path / HEAD)
        check_fits(weights, head.state_dict(), f"a head of {self.variant}")
        head.load_state_dict(weights.tensors)
        return head.eval().requires_grad_(False)

    def __repr__(self) -> str:
        return f"<Run {self.path.name}: {self.variant} on {self.facts['data']['name']}, {self.run_id[:12]}>"


def open_run(path: Path | str, sam: str | Path | None = None) -> Run:
    """Open a finished run; see :class:`Run`."""
    return Run(Path(path), sam)


def place_of(text: str, folder: Path) -> str:
    """What a run calls a file or folder, as seen from here: a name stays, a relative path starts at the run."""
    return text if text == SAM_MINI else str(folder / text)


def relative_place(text: str | Path, folder: Path) -> str:
    """The other way round."""
    return (
        str(text) if str(text) == SAM_MINI else Path(os.path.relpath(Path(text).resolve(), folder.resolve())).as_posix()
    )


def facts_of(identity: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """What ``run.json`` says: the identity, its digest, and more that is not part of it."""
    return {"format": FORMAT, "identity": dict(identity), "run_id": digest_of(dict(identity)), **more}


def write_sealed(path: Path, facts: Mapping[str, Any]) -> None:
    """Write JSON with a digest of itself."""
    write_bytes(path, index_bytes(dict(facts)))


def read_facts(path: Path) -> dict[str, Any]:
    """Read ``run.json``.

    Raises:
        UsageError: there is none.
        StoreCorrupt: it is damaged.
    """
    if not (path / FACTS).is_file():
        raise UsageError(explain(f"{path} is no run", expected=f"a folder with {FACTS}, as `hqdata train` writes it"))
    return _read_sealed(path / FACTS)


def read_result(path: Path) -> dict[str, Any]:
    """Read ``result.json`` and hold the files against it.

    Raises:
        UsageError: there is none.
        StoreCorrupt: it, or a file that it lists, is missing or not what was written.
    """
    if not (path / RESULT).is_file():
        do = f"hqdata train --out {path} --resume"
        raise UsageError(explain(f"{path} is not finished", expected=RESULT, did="nothing was read", do=do))
    result = _read_sealed(path / RESULT)
    for row in result["files"]:
        if not (path / row["name"]).is_file() or file_row(path, row["name"]) != row:
            raise _damaged(path / row["name"])
    return result


def _read_sealed(path: Path) -> dict[str, Any]:
    raw = path.read_bytes()
    try:
        facts: dict[str, Any] = json.loads(raw)
        intact, version = index_bytes(facts) == raw, facts["format"]
    except (ValueError, AttributeError, KeyError, TypeError):
        intact, version = False, None
    if not intact:
        raise _damaged(path)
    if version != FORMAT:
        raise StoreCorrupt(explain(f"{path} has another format", expected=FORMAT, got=version))
    return facts


def _damaged(path: Path) -> StoreCorrupt:
    return StoreCorrupt(
        explain(
            f"{path} is damaged, or not of this run",
            did="nothing was changed",
            do="delete the folder and train the run again",
        )
    )


def head_bytes(head: nn.Module, run_id: str) -> bytes:
    """The file of a trained head. The same weights give the same bytes."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in head.state_dict().items()}
    # One entry: safetensors writes several in any order.
    return safetensors.torch.save(tensors, {"run_id": run_id})


def differences(held: Any, asked: Any, name: str = "") -> list[str]:
    """Where two plain values differ, in words.

    >>> differences({"seed": 1, "recipe": {"batch": 8}}, {"seed": 1, "recipe": {"batch": 4}})
    ['recipe.batch is 8, asked for is 4']
    """
    if isinstance(held, dict) and isinstance(asked, dict):
        found = (differences(held.get(key), asked.get(key), f"{name}.{key}") for key in sorted(held.keys() | asked))
        return [text for part in found for text in part]
    return [] if held == asked else [f"{name.removeprefix('.')} is {held}, asked for is {asked}"]
