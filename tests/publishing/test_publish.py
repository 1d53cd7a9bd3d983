"""publish: to a folder and to a server that speaks S3, both on loopback; interrupted, contested, resumed."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from naflora_etl.cli import main
from naflora_etl.engine.faults import Fault
from naflora_etl.publishing.bundle import write_tarballs
from naflora_etl.publishing.publish import MARKER, publish_release
from naflora_etl.publishing.targets import FolderTarget, S3Target, Target, open_target
from naflora_etl.publishing.verify import verify_release

CopyRelease = Callable[[], Path]
BUCKET = "herbaria"


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """Give the address of an S3 server with one bucket; it honours If-None-Match."""
    pytest.importorskip("moto")
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """Give the URL of a place of this test's own, with the environment that a user of the server has."""
    for name, value in {
        "AWS_ENDPOINT_URL": s3_server,
        "AWS_ACCESS_KEY_ID": "anyone",
        "AWS_SECRET_ACCESS_KEY": "anything",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    S3Target(f"s3://{BUCKET}/x").fs.call_s3("create_bucket", Bucket=BUCKET)
    return f"s3://{BUCKET}/{request.node.name.translate(str.maketrans('[] ', '---'))}"


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.slow)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "there" / "small-0.1.0") if request.param == "folder" else request.getfixturevalue("s3")


def content(target: Target) -> dict[str, bytes | None]:
    return {name: target.read(name) for name in target.sizes()}


def test_a_release_is_there_whole_with_its_marker_and_a_second_time_nothing_is_sent(release: Path, place: str) -> None:
    files = {path.name: path.read_bytes() for path in release.iterdir()}
    told = CliRunner().invoke(main, ["publish", str(release), "--to", place], catch_exceptions=False)
    assert told.exit_code == 0 and f"Published: {place}, {len(files)} files" in told.output, told.output
    there = content(open_target(place))
    marker = json.loads(there.pop(MARKER) or b"")
    assert there == files
    assert marker["files"] == len(files) and marker["size_bytes"] == sum(map(len, files.values()))
    told = CliRunner().invoke(main, ["publish", str(release), "--to", place, "--json"], catch_exceptions=False)
    assert json.loads(told.output)["sent"] == 0


def test_tarballs_are_published_with_their_sums(release: Path, place: str, tmp_path: Path) -> None:
    write_tarballs(release, tmp_path / "dist", name="small-0.1.0", part_size_bytes=60_000)
    publish_release(tmp_path / "dist", open_target(place))
    assert {"small-0.1.0.tar.part-001", "SHA256SUMS", MARKER} <= open_target(place).sizes().keys()


KILLED = """
import os, signal, sys
from naflora_etl.publishing import targets
kind = targets.S3Target if sys.argv[2].startswith("s3:") else targets.FolderTarget
put, count = kind.put, [0]
def die(self, *arguments):
    count[0] += 1
    if count[0] == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    put(self, *arguments)
kind.put = die
from naflora_etl.cli import main
main(["publish", sys.argv[1], "--to", sys.argv[2]])
"""


@pytest.mark.slow
def test_killed_half_way_nothing_is_published_and_it_goes_on(release: Path, place: str) -> None:
    ended = subprocess.run([sys.executable, "-c", KILLED, str(release), place], env=os.environ, check=False)
    assert ended.returncode == -signal.SIGKILL
    target = open_target(place)
    assert len(target.sizes()) == 3 and target.read(MARKER) is None
    done = publish_release(release, target)
    assert done.sent == done.files - 3 and target.read(MARKER)


@pytest.mark.slow
def test_of_a_large_file_only_the_parts_that_lack_are_sent(s3: str, tmp_path: Path) -> None:
    part = 5 << 20
    body = os.urandom(part) + os.urandom(part) + b"end"
    (tmp_path / "a.tar").write_bytes(body)
    target, sent = S3Target(s3, part_bytes=part), list[int]()
    call = target._call

    def failing(method: str, **arguments: object) -> dict[str, object]:
        if method == "upload_part":
            sent.append(int(str(arguments["PartNumber"])))
            if len(sent) == 2:
                raise OSError("the line is cut")
        return call(method, **arguments)

    target._call = failing  # type: ignore[method-assign]
    with pytest.raises(OSError, match="the line is cut"):
        target.put("a.tar", tmp_path / "a.tar", "0" * 64, lambda size_bytes: None)
    assert target.sizes() == {}
    target.put("a.tar", tmp_path / "a.tar", "0" * 64, lambda size_bytes: None)
    assert sent == [1, 2, 2, 3]
    assert target.read("a.tar") == body and target.holds("a.tar", "0" * 64)


def test_a_marker_is_created_once(place: str) -> None:
    target = open_target(place)
    assert target.create(MARKER, b"ours") and not target.create(MARKER, b"theirs")
    assert target.read(MARKER) == b"ours"


def test_what_is_published_keeps_its_promises_and_can_be_published_further(release: Path, tmp_path: Path) -> None:
    publish_release(release, FolderTarget(tmp_path / "there"))
    assert verify_release(tmp_path / "there") == []
    done = publish_release(tmp_path / "there", FolderTarget(tmp_path / "further"))
    assert done.sent == done.files and verify_release(tmp_path / "further") == []


WRITING = {
    "publish to itself": ("publish", "{0}", "--to", "{0}"),
    "publish": ("publish", "{0}", "--to", "{0}/x"),
    "shard": ("shard", "{0}", "--layout", "imagefolder", "--out", "{0}/x/y"),
    "subset": ("subset", "{0}", "--classes", "2", "--out", "{0}/x"),
    "a new file of diff": ("diff", "{0}", "{0}", "--out", "{0}/x.parquet"),
    "diff over the manifest": ("diff", "{0}", "{0}", "--out", "{0}/manifest.parquet"),
}


@pytest.mark.parametrize("words", WRITING.values(), ids=WRITING)
def test_nothing_is_written_into_a_release(copy_release: CopyRelease, words: tuple[str, ...]) -> None:
    folder = copy_release()
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    told = CliRunner().invoke(main, [word.format(folder) for word in words], catch_exceptions=False)
    assert told.exit_code == 1 and "a release holds its own files only; name a place outside of it." in told.output
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_what_is_published_stays(release: Path, copy_release: CopyRelease, place: str) -> None:
    publish_release(release, open_target(place))
    before = content(open_target(place))
    other = copy_release()
    (other / "SHA256SUMS").write_bytes((other / "SHA256SUMS").read_bytes().replace(b"README.md", b"README.txt"))
    (other / "README.md").rename(other / "README.txt")
    with pytest.raises(Fault, match="holds another release, and what is published stays"):
        publish_release(other, open_target(place))
    assert content(open_target(place)) == before


class Careless(FolderTarget):
    """A store that speaks of creating and writes over; there are such servers."""

    def create(self, name: str, data: bytes) -> bool:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_bytes(data)
        return True


def test_a_store_that_writes_over_is_found_before_anything_is_sent(release: Path, tmp_path: Path) -> None:
    target = Careless(tmp_path / "there")
    with pytest.raises(Fault, match=r"writes over files that it was told to create only.*--single-writer"):
        publish_release(release, target)
    assert target.sizes() == {}
    assert publish_release(release, target, single_writer=True).sent == len(list(release.iterdir()))


def test_two_at_once_and_the_second_is_told(release: Path, tmp_path: Path) -> None:
    target = FolderTarget(tmp_path / "there")
    put = target.put

    def meanwhile(name: str, *arguments: object) -> None:
        put(name, *arguments)  # type: ignore[arg-type]
        if name == "SHA256SUMS":
            target.create(MARKER, b"of another")

    target.put = meanwhile  # type: ignore[method-assign, assignment]
    with pytest.raises(Fault, match="somebody else published another release there meanwhile"):
        publish_release(release, target)


def test_bad_releases_and_places_are_told(release: Path, copy_release: CopyRelease, tmp_path: Path) -> None:
    folder = copy_release()
    (folder / "solution.csv").write_text("Id,Predicted\n")
    cases: list[tuple[Path, str, str]] = [
        (tmp_path, str(tmp_path / "out"), "has no SHA256SUMS; give a release folder"),
        (folder, str(tmp_path / "out"), "solution.csv is not listed in SHA256SUMS, so it is not published"),
        (release, "gs://bucket/x", "published to a folder or to s3://"),
        (release, "s3://bucket", "names no place in a bucket"),
        (release, str(folder / "README.md"), "cannot be reached or written"),
        (release, str(folder), "holds solution.csv, which is no file of this release"),
    ]
    for source, to, sentence in cases:
        with pytest.raises(Fault, match=sentence):
            publish_release(source, open_target(to))
    (folder / "solution.csv").unlink()
    (folder / "README.md").write_text("other")
    with pytest.raises(Fault, match=r"README.md has other bytes than SHA256SUMS promises; nothing is published"):
        publish_release(folder, FolderTarget(tmp_path / "out"))
    assert MARKER not in FolderTarget(tmp_path / "out").sizes()


@pytest.mark.slow
def test_a_bucket_that_is_not_there_and_a_server_that_is_down_are_told(
    release: Path, s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Fault, match="no such bucket or folder"):
        publish_release(release, open_target("s3://nobody-has-this/x"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(Fault, match=r"cannot be reached or written .*what was sent stays"):
        publish_release(release, open_target(s3))


# other places


def test_the_hub_s_commands_in_the_docs_are_those_of_its_tool() -> None:
    pytest.importorskip("huggingface_hub")
    text = (Path(__file__).parents[2] / "docs" / "publish.md").read_text(encoding="utf-8")
    commands = [line.partition("   ")[0].split() for line in text.splitlines() if line.startswith("hf ")]
    assert len(commands) == 3
    for words in commands:
        named = list(itertools.takewhile(str.isalpha, words[1:]))
        asked = [Path(sys.executable).with_name("hf"), *named, "--help"]
        told = subprocess.run(asked, capture_output=True, text=True, env=os.environ | {"NO_COLOR": "1"}, check=True)
        for option in (word.partition("=")[0] for word in words if word.startswith("--")):
            assert option in told.stdout, f"{' '.join(words)}: {option}"
