"""The one gate through which weights come in: tensors only, of the published hash, and exactly those that are wanted.

Reads the official ``.pth`` files and safetensors, told apart by content. Nothing in a file is ever run.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor
from torch.torch_version import TorchVersion

from hqdata.catalog import Catalog, load_catalog
from hqdata.errors import ChecksumMismatch, HQDataError, UsageError, explain
from hqdata.fsio.digest import sha256_file

SAFE_TORCH = "2.6"
"""Older ones run code from files even with ``weights_only=True`` (CVE-2025-32434)."""
_NAMED = 3
"""Keys that a message names of each kind."""


class CheckpointError(HQDataError):
    """A file of weights that cannot be read safely, or holds other weights than wanted."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Weights:
    """Tensors of one file."""

    path: Path
    tensors: dict[str, Tensor]
    """By key, as stored, on the CPU."""
    metadata: dict[str, str]
    """Texts beside the tensors; empty in a ``.pth``."""
    sha256: str
    published: str | None
    """Source of the catalog that publishes this very file, such as ``sam-l``."""


def read_weights(path: Path, catalog: Catalog | None = None) -> Weights:
    """Read a file of weights.

    Args:
        path: an official ``.pth``, or safetensors.
        catalog: where published hashes stand; the packaged one by default.

    Raises:
        UsageError: there is no such file, or torch is too old to read strangers' files.
        ChecksumMismatch: the file bears the name of a published checkpoint, but is another file.
        CheckpointError: it is damaged or holds anything but tensors.
    """
    if not path.is_file():
        raise UsageError(explain(f"there is no checkpoint {path}", do="hqdata sources lists them, with addresses"))
    digest = sha256_file(path)
    published = _publisher(path, digest, catalog or load_catalog())
    tensors, metadata = _safetensors(path) if _is_safetensors(path) else (_pickled(path), {})
    return Weights(path=path, tensors=tensors, metadata=metadata, sha256=digest, published=published)


def _publisher(path: Path, digest: str, catalog: Catalog) -> str | None:
    """Source that publishes the file, if any."""
    for source in catalog.sources.values():
        for archive in source.archives if source.kind == "weights" else ():
            if archive.sha256 == digest:
                return source.name
            if archive.sha256 is not None and archive.name == path.name:
                raise ChecksumMismatch(
                    explain(
                        f"{path} is not the published {archive.name}",
                        expected=f"{archive.size} bytes, sha256 {archive.sha256}",
                        got=f"{path.stat().st_size} bytes, sha256 {digest}",
                        did="nothing was read from it",
                        do="fetch it again; if it is another file on purpose, give it another name",
                    )
                )
    return None


def _is_safetensors(path: Path) -> bool:
    """Whether a file begins with the length of a JSON text and that text."""
    with path.open("rb") as stream:
        head = stream.read(9)
    return head[8:] == b"{" and head[:2] != b"PK"


def _safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118 - no dict
    except (SafetensorError, OSError) as error:
        raise CheckpointError(_damaged(path, error)) from error


def _pickled(path: Path) -> dict[str, Tensor]:
    if TorchVersion(torch.__version__) < SAFE_TORCH:
        raise UsageError(
            explain("this torch cannot read a .pth safely", expected=f"{SAFE_TORCH} or newer", got=torch.__version__)
        )
    try:
        # A stream, because torch judges a path by its suffix.
        with path.open("rb") as stream, warnings.catch_warnings(action="ignore"):
            held = torch.load(stream, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a stranger's bytes lead torch to
        if type(error).__name__ != "UnpicklingError":
            raise CheckpointError(_damaged(path, error)) from error
        raise CheckpointError(
            explain(
                f"{path} is refused: it is no checkpoint, or would run code",
                expected="tensors by name and nothing else",
                got=_refusal(str(error)),
                did="nothing in it was run",
                do="ask its maker for safetensors, or for torch.save(model.state_dict(), ...)",
            )
        ) from error
    if not isinstance(held, dict) or not all(isinstance(key, str) for key in held):
        raise CheckpointError(_unlike(path, f"a {type(held).__name__}"))
    others = [f"{key}: {type(value).__name__}" for key, value in held.items() if not isinstance(value, Tensor)]
    if others:
        raise CheckpointError(_unlike(path, _some(others, str)))
    return held


def _refusal(text: str) -> str:
    """What torch refused, without its advice to load the file all the same."""
    lines = [line for line in text.splitlines() if "GLOBAL" in line or "Unsupported" in line]
    return lines[0].strip().partition(" Please ")[0] if lines else "objects other than tensors"


def _damaged(path: Path, error: Exception) -> str:
    return explain(
        f"{path} cannot be read as a checkpoint",
        expected="a .pth that torch.save wrote, or safetensors",
        got=f"{path.stat().st_size} bytes; {str(error).partition(chr(10))[0][:300]}",
        do="it was probably cut short: fetch it again",
    )


def _unlike(path: Path, got: str) -> str:
    return explain(f"{path} is no table of weights", expected="tensors by name and nothing else", got=got)


def check_fits(weights: Weights, wanted: Mapping[str, Tensor], what: str, do: str = "") -> None:
    """Make sure that a file holds the wanted tensors, no more and no less.

    Args:
        weights: what was read.
        wanted: tensors of the right shapes by key; their values do not matter.
        what: what they are, for the message.
        do: what to do about it.

    Raises:
        CheckpointError: names keys that are missing, too many, of another shape or type, or not finite.
    """
    held = weights.tensors
    both = [key for key in wanted if key in held]
    shapes = [key for key in both if held[key].shape != wanted[key].shape]
    types = [key for key in both if not _is_plain(held[key])]
    faults: list[tuple[str, list[str], Callable[[str], str]]] = [
        ("missing", [key for key in wanted if key not in held], str),
        ("unknown", [key for key in held if key not in wanted], str),
        ("of another shape", shapes, lambda key: f"{key} {list(held[key].shape)} for {list(wanted[key].shape)}"),
        ("not dense float32", types, lambda key: f"{key} {held[key].dtype}"),
        ("not finite", [key for key in both if key not in types and not held[key].isfinite().all()], str),
    ]
    found = [f"{len(keys)} {word}: {_some(keys, shown)}" for word, keys, shown in faults if keys]
    if found:
        expected = f"the {len(wanted)} tensors of {what}"
        raise CheckpointError(
            explain(f"{weights.path} does not fit {what}", expected=expected, got="; ".join(found), do=do)
        )


def _is_plain(tensor: Tensor) -> bool:
    return tensor.dtype == torch.float32 and tensor.layout == torch.strided and tensor.device.type == "cpu"


def _some(keys: Sequence[str], shown: Callable[[str], str]) -> str:
    """The first few of some keys, and how many more there are."""
    more = len(keys) - _NAMED
    return ", ".join(shown(key) for key in keys[:_NAMED]) + (f" and {more} more" if more > 0 else "")
