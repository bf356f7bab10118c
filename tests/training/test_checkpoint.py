"""What may be wrong with a file of weights, and that nothing in it ever runs."""

import os
import pickle
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from hqdata.catalog import Catalog, load_catalog
from hqdata.errors import ChecksumMismatch, UsageError
from hqdata.training.checkpoint import CheckpointError, check_fits, read_weights
from hqdata.training.sam import FrozenSam, load_sam, save_sam
from hqdata.training.variants.hq_sam_file import load_head, load_samhq
from tests.helpers import TERMS, sha256
from tests.training.oracles import TINY, random_sam

State = dict[str, Any]
LOADERS: dict[str, Callable[[Path], Any]] = {
    "read_weights": read_weights,
    "load_sam": load_sam,
    "load_samhq": load_samhq,
    "load_head": lambda path: load_head(path, random_sam()),
}


@pytest.fixture(scope="module")
def sam() -> FrozenSam:
    return random_sam()


@pytest.fixture
def state(sam: FrozenSam) -> State:
    return {key: value.clone() for key, value in sam.network.state_dict().items()}


class Touch:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("loader", LOADERS.values(), ids=LOADERS)
@pytest.mark.parametrize("form", ["zip", "bare pickle", "in a dict", "named safetensors"])
def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path, loader: Callable[[Path], Any], form: str) -> None:
    proof = tmp_path / "proof"
    path = tmp_path / ("weights.safetensors" if form == "named safetensors" else "weights.pth")
    if form == "bare pickle":
        path.write_bytes(pickle.dumps(Touch(proof)))
    else:
        torch.save({"weight": torch.zeros(2), "other": Touch(proof)} if form == "in a dict" else Touch(proof), path)
    with pytest.raises(CheckpointError, match=r"(?s)refused.*nothing in it was run") as caught:
        loader(path)
    assert not proof.exists()
    assert "weights_only" not in str(caught.value), "torch's advice to load it all the same"
    with path.open("rb") as stream:
        unsafe = pickle.load if form == "bare pickle" else partial(torch.load, weights_only=False)
        unsafe(stream)
    assert proof.exists(), "the file was no danger, so the test showed nothing"


def test_an_old_torch_reads_no_pickles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"weight": torch.zeros(2)}, path)
    monkeypatch.setattr(torch, "__version__", "2.5.1+cu124")
    with pytest.raises(UsageError, match=r"2\.6 or newer"):
        read_weights(path)


def test_a_missing_file_says_where_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="hqdata sources"):
        read_weights(tmp_path / "sam_vit_b_01ec64.pth")


def saved(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


DAMAGED: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "cut in half": lambda content: content[: len(content) // 2],
    "one byte short": lambda content: content[:-1],
    "a web page": lambda _: b"<!DOCTYPE html><html>Sign in</html>",
    "noise": lambda content: bytes(range(256)) * (len(content) // 256),
}


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_damaged_files_are_told(
    tmp_path: Path, sam: FrozenSam, state: State, suffix: str, damage: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / f"weights.{suffix}"
    if suffix == "pth":
        torch.save(state, path)
    else:
        save_sam(sam, path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CheckpointError) as caught:
        load_sam(path, TINY)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([torch.zeros(2)], "a list"),
        (torch.zeros(2), "a Tensor"),
        ({"model": {"weight": torch.zeros(2)}}, "model: dict"),
        ({"weight": torch.zeros(2), "epoch": 3}, "epoch: int"),
        ({0: torch.zeros(2)}, "a dict"),
    ],
)
def test_what_is_no_table_of_weights_is_told(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        read_weights(saved(tmp_path / "weights.pth", content))


FIRST = "image_encoder.pos_embed"
WEIGHT = "mask_decoder.iou_token.weight"


# what is done to the weights, what the message says
WRONG: dict[str, tuple[Callable[[State], Any], str]] = {
    "missing": (lambda state: state.pop(FIRST), f"1 missing: {FIRST}"),
    "too many": (lambda state: state.update(more=torch.zeros(2)), "1 unknown: more"),
    "renamed": (lambda state: state.update(more=state.pop(WEIGHT)), f"1 missing: {WEIGHT}; 1 unknown: more"),
    "another shape": (
        lambda state: state.update({WEIGHT: torch.zeros(1, 33)}),
        f"1 of another shape: {WEIGHT} [1, 33] for [1, 32]",
    ),
    "half precision": (
        lambda state: state.update({WEIGHT: state[WEIGHT].half()}),
        f"1 not dense float32: {WEIGHT} torch.float16",
    ),
    "whole numbers": (
        lambda state: state.update({WEIGHT: state[WEIGHT].long()}),
        f"1 not dense float32: {WEIGHT} torch.int64",
    ),
    "sparse": (lambda state: state.update({WEIGHT: state[WEIGHT].to_sparse()}), f"1 not dense float32: {WEIGHT}"),
    "not finite": (lambda state: state[WEIGHT].fill_(float("nan")), f"1 not finite: {WEIGHT}"),
    "nothing": (lambda state: state.clear(), " missing: "),
    "many": (lambda state: [state.pop(key) for key in list(state)[:7]], "7 missing: "),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG)
def test_weights_that_do_not_fit_are_named(
    tmp_path: Path, state: State, change: Callable[[State], Any], message: str
) -> None:
    change(state)
    with pytest.raises(CheckpointError) as caught:
        load_sam(saved(tmp_path / "weights.pth", state), TINY)
    assert message in str(caught.value)
    assert "does not fit tiny" in str(caught.value)


def test_a_message_names_a_few_keys_only(sam: FrozenSam, tmp_path: Path) -> None:
    weights = read_weights(saved(tmp_path / "weights.pth", {"other": torch.zeros(1)}))
    with pytest.raises(CheckpointError, match=r"and 199 more; 1 unknown: other$"):
        check_fits(weights, sam.network.state_dict(), "tiny")


def test_weights_that_fit_pass(sam: FrozenSam, tmp_path: Path, state: State) -> None:
    check_fits(read_weights(saved(tmp_path / "weights.pth", state)), sam.network.state_dict(), "tiny")


def published(folder: Path, content: bytes, size: int | None = None) -> Catalog:
    """A catalog that publishes a file ``mini.pth``, beside all the rest."""
    import tomli_w

    archive = {"name": "mini.pth", "size": size or len(content), "sha256": sha256(content), "mirrors": []}
    facts = {"name": "sam-mini-test", "title": "mini", "kind": "weights", "use": ["weights"], "homepage": "unknown"}
    (folder / "sources").mkdir(parents=True)
    text = tomli_w.dumps({**facts, "citation": "none", "terms": TERMS, "archives": [archive]})
    (folder / "sources" / "sam-mini-test.toml").write_text(text)
    return load_catalog([folder])


def test_a_published_file_is_known_by_its_hash_whatever_its_name(tmp_path: Path, state: State) -> None:
    path = saved(tmp_path / "mini.pth", state)
    catalog = published(tmp_path / "manifests", path.read_bytes())
    renamed = shutil.copy(path, tmp_path / "renamed.pth")
    for one in (path, renamed):
        assert read_weights(one, catalog).published == "sam-mini-test"
        sam = load_sam(one, TINY, catalog)
        assert (sam.published, sam.sha256) == ("sam-mini-test", sha256(path.read_bytes()))
    assert read_weights(path).published is None


def test_a_published_name_with_another_hash_is_an_error(tmp_path: Path, state: State) -> None:
    path = saved(tmp_path / "mini.pth", state)
    catalog = published(tmp_path / "manifests", path.read_bytes())
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ChecksumMismatch, match=r"is not the published mini\.pth"):
        read_weights(path, catalog)


@pytest.mark.parametrize("name", ["sam_vit_b_01ec64.pth", "sam_vit_l_0b3195.pth", "sam_hq_vit_l.pth"])
def test_the_real_hashes_are_enforced(tmp_path: Path, state: State, name: str) -> None:
    with pytest.raises(ChecksumMismatch, match="fetch it again"):
        read_weights(saved(tmp_path / name, state))
