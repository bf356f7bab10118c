"""``hqdata build`` fetches what is missing, whatever the servers do, and builds what the archives hold."""

import hashlib
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

import hqdata
from hqdata.cli.main import app
from hqdata.errors import ChecksumMismatch, DownloadError
from hqdata.fetch.partial import Origin, Part
from hqdata.fsio.atomic import write_json
from hqdata.home import lock_file
from hqdata.pipelines.recipe import Options, build_recipe
from tests.helpers import pairs, snapshot, tiny_source, write_toml, write_zip
from tests.servers import FaultServer, Step

ZIPS = ("DIS5K.zip", "cascade_psp.zip", "thin_object_detection.zip")


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


@pytest.fixture
def bundle(drawn) -> dict[str, bytes]:
    return {name: (drawn.archives("bundle") / "samhq" / name).read_bytes() for name in ZIPS}


def remirrored(manifests: Path, folder: Path, source: str, mirrors: dict[str, list[str]], **changes: object) -> Path:
    """The drawn manifests, with other mirrors (and other values) for the archives of one source."""
    for path in sorted(manifests.rglob("*.toml")):
        table = tomllib.loads(path.read_text())
        if table["name"] == source and path.parent.name == "sources":
            entries = [*table["archives"], *(a for form in table["forms"] for a in form["archives"])]
            for entry in entries:
                entry.update({"mirrors": mirrors.get(entry["name"], [])} | changes)
        write_toml(folder / path.relative_to(manifests), table)
    return folder


def build(out: Path, archives: Path, manifests: Path, *words: str) -> None:
    arguments = ["build", "hqseg-44k", "--out", str(out), "--archives", str(archives), "--manifests", str(manifests)]
    done = CliRunner().invoke(app, [*arguments, *words])
    if done.exception is not None:
        raise done.exception
    assert "109 samples" in done.stdout


def serve(server: FaultServer, bundle: dict[str, bytes], **steps: list[Step]) -> dict[str, list[str]]:
    """Serve the three zips; ``steps`` by the zip's stem."""
    return {n: [server.serve(f"/{n}", content, *steps.get(n[:-4], []))] for n, content in bundle.items()}


def test_everything_is_fetched_and_built(drawn, server, bundle, tmp_path, hqseg):
    mirrors = serve(server, bundle)
    manifests = remirrored(drawn.manifests, tmp_path / "m", "samhq", mirrors)
    build(tmp_path / "out", tmp_path / "empty", manifests)
    collection = hqdata.open(tmp_path / "out")
    assert collection.digest == hqseg.digest
    assert {s["form"] for s in collection.index["sources"].values()} == {"bundle"}
    assert [request.path for request in server.requests] == [f"/{name}" for name in sorted(ZIPS)]
    assert server.sent() == sum(map(len, bundle.values()))
    held = {f"samhq/{name}": hashlib.sha256(content).hexdigest() for name, content in bundle.items()}
    assert snapshot(tmp_path / "empty") == held
    build(tmp_path / "again", tmp_path / "empty", manifests)
    assert len(server.requests) == 3
    assert snapshot(tmp_path / "again") == snapshot(tmp_path / "out")


def test_a_dropped_connection_is_resumed(drawn, server, bundle, tmp_path, hqseg):
    cut = 300_000
    mirrors = serve(server, bundle, cascade_psp=[Step(drop_after=cut), Step()])
    build(tmp_path / "out", tmp_path / "empty", remirrored(drawn.manifests, tmp_path / "m", "samhq", mirrors))
    assert [request.range for request in server.asked("/cascade_psp.zip")] == [None, f"bytes={cut}-"]
    assert server.sent("/cascade_psp.zip") == len(bundle["cascade_psp.zip"])
    assert hqdata.open(tmp_path / "out").digest == hqseg.digest


def test_a_mirror_with_other_bytes_is_passed_over(drawn, server, bundle, tmp_path, hqseg):
    mirrors = serve(server, bundle)
    wrong = bytearray(bundle["DIS5K.zip"])
    wrong[len(wrong) // 2] ^= 1
    mirrors["DIS5K.zip"].insert(0, server.serve("/wrong/DIS5K.zip", bytes(wrong)))
    build(tmp_path / "out", tmp_path / "empty", remirrored(drawn.manifests, tmp_path / "m", "samhq", mirrors))
    assert [len(server.asked(path)) for path in ("/wrong/DIS5K.zip", "/DIS5K.zip")] == [1, 1]
    index = hqdata.open(tmp_path / "out").index
    assert (index["content_digest"], index["unverified"]) == (hqseg.digest, False)
    assert {path.name for path in (tmp_path / "empty" / "samhq").iterdir()} == set(ZIPS)


def test_wrong_bytes_on_every_mirror_build_nothing(drawn, server, bundle, tmp_path):
    wrong = {name: bytes([*content[:-1], content[-1] ^ 1]) for name, content in bundle.items()}
    manifests = remirrored(drawn.manifests, tmp_path / "m", "samhq", serve(server, wrong))
    with pytest.raises(ChecksumMismatch, match=r"sha256 of .*DIS5K\.zip differs"):
        build(tmp_path / "out", tmp_path / "empty", manifests)
    assert not (tmp_path / "out").exists()
    assert [name for name in snapshot(tmp_path / "empty") if name.endswith(".zip")] == []


def test_a_partial_file_of_an_earlier_process_is_gone_on_with(drawn, server, bundle, tmp_path, hqseg):
    mirrors = serve(server, bundle)
    name, held = "thin_object_detection.zip", 123_456
    content = bundle[name]
    part = Part(mirrors[name][0], tmp_path / "empty" / "samhq" / name)
    part.path.parent.mkdir(parents=True)
    part.path.write_bytes(content[:held])
    etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    origin = Origin(url=part.url, etag=etag, last_modified=None, size=len(content))
    write_json(part.sidecar, {key: getattr(origin, key) for key in ("url", "etag", "last_modified", "size")})
    build(tmp_path / "out", tmp_path / "empty", remirrored(drawn.manifests, tmp_path / "m", "samhq", mirrors))
    (request,) = server.asked(f"/{name}")
    assert (request.range, request.headers["if-range"], request.sent) == (f"bytes={held}-", etag, len(content) - held)
    assert hqdata.open(tmp_path / "out").digest == hqseg.digest


def test_a_partial_file_of_another_version_is_dropped(drawn, server, bundle, tmp_path, hqseg):
    mirrors = serve(server, bundle)
    name = "DIS5K.zip"
    part = Part(mirrors[name][0], tmp_path / "empty" / "samhq" / name)
    part.path.parent.mkdir(parents=True)
    part.path.write_bytes(b"\1" * 1000)
    write_json(part.sidecar, {"url": part.url, "etag": '"old"', "last_modified": None, "size": len(bundle[name])})
    build(tmp_path / "out", tmp_path / "empty", remirrored(drawn.manifests, tmp_path / "m", "samhq", mirrors))
    (request,) = server.asked(f"/{name}")
    assert (request.range, request.headers["if-range"], request.status) == ("bytes=1000-", '"old"', 200)
    assert hqdata.open(tmp_path / "out").digest == hqseg.digest


def test_nothing_is_fetched_offline_or_without_terms(drawn, server, bundle, tmp_path, home):
    mirrors = serve(server, bundle)
    manifests = remirrored(drawn.manifests, tmp_path / "m", "samhq", mirrors)
    with pytest.raises(Exception, match=r"archives are missing: samhq/DIS5K\.zip, samhq/cascade_psp\.zip"):
        build(tmp_path / "out", tmp_path / "empty", manifests, "--offline")
    path = manifests / "sources" / "samhq.toml"
    table = tomllib.loads(path.read_text())
    table["terms"]["accept"] = True
    write_toml(path, table)
    with pytest.raises(Exception, match="--accept-terms samhq"):
        build(tmp_path / "out", tmp_path / "empty", manifests)
    assert server.requests == []
    build(tmp_path / "out", tmp_path / "empty", manifests, "--accept-terms", "samhq")
    assert len(server.requests) == 3


def test_an_interrupted_fetch_leaves_the_finished_archives(drawn, server, bundle, tmp_path):
    mirrors = serve(server, bundle)
    mirrors["thin_object_detection.zip"] = [server.url("/not-here.zip")]
    manifests = remirrored(drawn.manifests, tmp_path / "m", "samhq", mirrors)
    with pytest.raises(DownloadError):
        build(tmp_path / "out", tmp_path / "empty", manifests)
    assert {"samhq/DIS5K.zip", "samhq/cascade_psp.zip"} <= snapshot(tmp_path / "empty").keys()
    mended = remirrored(drawn.manifests, tmp_path / "mended", "samhq", serve(server, bundle))
    build(tmp_path / "out", tmp_path / "empty", mended)
    assert [len(server.asked(f"/{name}")) for name in ZIPS] == [1, 1, 1]


def unpublished(root: Path, url: str) -> Options:
    tiny = tiny_source(root, 6, published=False, mirrors=(url,))
    tiny.archive.unlink()
    return tiny.options(offline=False)


def test_an_unpublished_hash_is_locked_by_the_first_fetch(server, tmp_path, home):
    first = write_zip(tmp_path / "a.zip", pairs(6)).read_bytes()
    later = write_zip(tmp_path / "b.zip", pairs(6, seed=1)).read_bytes()
    options = unpublished(tmp_path / "src", server.serve("/tiny.zip", first))
    built = build_recipe("tiny", tmp_path / "out", options)
    lock = lock_file().get("tiny", "tiny.zip")
    assert (lock.size, lock.sha256) == (len(first), hashlib.sha256(first).hexdigest())
    assert built.index["sources"]["tiny"]["archives"][0]["verified"] == "locked"
    server.serve("/tiny.zip", later)
    again = build_recipe("tiny", tmp_path / "same", options)
    assert again.index["content_digest"] == built.index["content_digest"]
    assert len(server.requests) == 1
    (tmp_path / "src" / "archives" / "tiny" / "tiny.zip").unlink()
    with pytest.raises(ChecksumMismatch, match="differs"):
        build_recipe("tiny", tmp_path / "new", options)
    assert not (tmp_path / "new").exists()
    assert lock_file().get("tiny", "tiny.zip") == lock


def test_a_page_in_the_place_of_an_archive(server, tmp_path, home):
    url = server.page("/tiny.zip", "<html><title>Please log in</title></html>")
    with pytest.raises(DownloadError, match=r"(?i)page"):
        build_recipe("tiny", tmp_path / "out", unpublished(tmp_path / "src", url))
    assert lock_file().get("tiny", "tiny.zip") is None
