"""Whoever looks at a collection's folder sees nothing, or a whole collection; never a part of one."""

import threading
from pathlib import Path

import pytest

import hqdata.build
from hqdata.errors import CountMismatch, StoreCorrupt
from hqdata.fetch.progress import SilentProgress
from hqdata.pipelines.recipe import build_recipe
from hqdata.store.reader import Collection
from hqdata.store.verify import verify
from tests.helpers import snapshot, tiny_source


class Watcher:
    """Opens and reads a folder as fast as it can, in a thread of its own."""

    def __init__(self, out: Path) -> None:
        self.out, self.seen, self.bad = out, set[str](), list[str]()
        self.looks = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "Watcher":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._end.is_set():
            self.looks += 1
            try:
                collection = Collection(self.out)
                ids = collection.sample_ids
            except StoreCorrupt as error:
                if "is not a finished collection" not in str(error) or (self.out.exists() and any(self.out.iterdir())):
                    self._doubt(str(error))
                continue
            except FileNotFoundError:
                continue  # it was replaced between the look at the index and the look at a shard
            if len(ids) != collection.index["rows"]:
                self.bad.append(f"{len(ids)} rows")
            self.seen.add(collection.digest)

    def _doubt(self, text: str) -> None:
        """A look that straddled the moment of publication proves nothing; a second one does."""
        problems = verify(self.out) if self.out.exists() else []
        if problems and self.out.exists():
            self.bad.append(f"{text}: {problems}")


def test_a_reader_never_sees_a_part(tmp_path):
    one, two = tiny_source(tmp_path / "a", 30), tiny_source(tmp_path / "b", 20, seed=1)
    out = tmp_path / "out"
    with Watcher(out) as watcher:
        digests = {
            build_recipe("tiny", out, tiny.options(replace=True)).index["content_digest"]
            for tiny in (one, two, one, two, one)
        }
    assert watcher.bad == []
    assert watcher.seen <= digests
    assert watcher.looks > 20


def test_a_collection_beside_its_archives_may_bear_the_sources_name(tmp_path):
    """``cd archives; hqdata build tiny --archives . --out tiny``, twice."""
    tiny = tiny_source(tmp_path, 6, published=False)
    tiny.archive.rename(tiny.archives / "download.zip")
    tiny.archive.parent.rmdir()
    first = build_recipe("tiny", tiny.archives / "tiny", tiny.options())
    tree = snapshot(tiny.archives)
    again = build_recipe("tiny", tiny.archives / "tiny", tiny.options())
    assert (first.fresh, again.fresh, first.index["rows"]) == (True, False, 6)
    assert snapshot(tiny.archives) == tree


class HideFiles(SilentProgress):
    """Moves some files away once the listing is done, as a disk that goes away for a moment."""

    def __init__(self, folder: Path, away: Path) -> None:
        self.folder, self.away = folder, away

    def start(self, name: str, total: int | None) -> None:  # noqa: ARG002
        self.away.mkdir()
        for path in self.folder.glob("001*.jpg"):
            path.rename(self.away / path.name)

    def put_back(self) -> None:
        for path in self.away.iterdir():
            path.rename(self.folder / path.name)


@pytest.mark.parametrize("workers", [1, 2])
def test_files_that_could_not_be_read_are_read_again(tmp_path, workers):
    tiny = tiny_source(tmp_path, 30, archive="")
    hide = HideFiles(tiny.archive / "images", tmp_path / "away")
    with pytest.raises(CountMismatch, match="-10"):
        build_recipe("tiny", tmp_path / "out", tiny.options(workers=workers, progress=lambda _: hide))
    assert not (tmp_path / "out").exists()
    hide.put_back()
    built = build_recipe("tiny", tmp_path / "out", tiny.options())
    assert (built.index["rows"], built.index["rejects"], built.reused_shards) == (30, {}, 4)
    build_recipe("tiny", tmp_path / "never", tiny.options())
    assert snapshot(tmp_path / "out") == snapshot(tmp_path / "never")


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("replace", [True, False])
def test_what_another_builder_published_meanwhile_stays(tmp_path, monkeypatch, same, replace):
    """As where locks do nothing: the other one comes first, between the last shard and the rename."""
    tiny, out = tiny_source(tmp_path / "a", 12), tmp_path / "out"
    other = tiny if same else tiny_source(tmp_path / "b", 8, seed=1)
    build_recipe("tiny", tmp_path / "theirs", other.options())
    theirs = snapshot(tmp_path / "theirs")
    plain = hqdata.build._finish

    def finish(*args):
        index = plain(*args)
        (tmp_path / "theirs").rename(out)
        return index

    monkeypatch.setattr(hqdata.build, "_finish", finish)
    if same or replace:
        inode = (tmp_path / "theirs").stat().st_ino
        built = build_recipe("tiny", out, tiny.options(replace=replace))
        assert built.index["rows"] == 12
        assert (out.stat().st_ino == inode) == same
        assert not list(tmp_path.glob("out.*"))
    else:
        with pytest.raises(StoreCorrupt, match="another process published another collection"):
            build_recipe("tiny", out, tiny.options(replace=replace))
        assert snapshot(out) == theirs
