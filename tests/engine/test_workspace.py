"""A data folder is a URL; what is written is there whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from naflora_etl.engine.blobs import Blobs
from naflora_etl.engine.faults import Fault
from naflora_etl.engine.folders import Folder
from naflora_etl.engine.workspace import Workspace, telling


@pytest.fixture(params=["path", "memory"])
def workspace(request: pytest.FixtureRequest, tmp_path: Path) -> Workspace:
    return Workspace(str(tmp_path / "data") if request.param == "path" else f"memory://{tmp_path.name}")


def test_what_was_written_is_read_back(workspace: Workspace) -> None:
    workspace.write("a/b.bin", b"0123456789")
    assert workspace.read("a/b.bin") == b"0123456789"
    assert workspace.read_range("a/b.bin", 2, 3) == b"234"
    assert (workspace.size("a/b.bin"), workspace.names("a"), workspace.names("no")) == (10, ["b.bin"], [])
    workspace.remove("a")
    assert not workspace.exists("a/b.bin")


def test_a_write_that_fails_leaves_the_old_file_and_no_rubbish(workspace: Workspace) -> None:
    workspace.write("a/b.bin", b"old")
    with pytest.raises(ZeroDivisionError), workspace.writing("a/b.bin") as stream:
        stream.write(b"half of the n")
        raise ZeroDivisionError
    assert (workspace.read("a/b.bin"), workspace.names("a")) == (b"old", ["b.bin"])


def test_blobs_are_found_by_their_hash_and_kept_once(workspace: Workspace) -> None:
    blobs = Blobs(workspace)
    digest = blobs.put(b"page" * 1000)
    assert blobs.put(b"page" * 1000) == digest
    assert blobs.get(digest) == b"page" * 1000
    workspace.write(f"raw/{digest[:2]}/{digest}.zst", b"spoilt")
    with pytest.raises(Fault, match="is damaged"):
        blobs.get(digest)
    with pytest.raises(Fault, match="is gone"):
        blobs.get("0" * 64)


def test_a_folder_comes_into_place_whole(workspace: Workspace) -> None:
    folder = Folder(workspace, "shards")
    folder.begin()
    with folder.open("one.tar", "wb") as stream:
        stream.write(b"1")
    assert workspace.names("shards") == []
    folder.commit()
    assert workspace.names("shards") == ["one.tar"]
    other = Folder(workspace, "release")
    other.begin()
    other.take("shards", "one.tar")
    assert other.names() == ["one.tar"]
    with other.open("one.tar") as stream:
        assert stream.read() == b"1"


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (errno.ENOSPC, "the disk is full; make room"),
        (errno.EACCES, "may not be read or written"),
        (errno.EFBIG, "no file may grow so large here"),
        (errno.EEXIST, "a file stands where a folder is needed"),
        (errno.EROFS, "read-only file system"),
    ],
)
def test_the_systems_errors_are_told_with_their_mend(number: int, told: str) -> None:
    with pytest.raises(Fault, match=told), telling("here"):
        raise OSError(number, "system's words", "there")


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(FileNotFoundError), telling("here"):
        raise FileNotFoundError(errno.ENOENT, "system's words", "there")


@pytest.mark.parametrize("url", ["nosuch://bucket/folder", "/dev/null/folder", "/proc/none/folder"])
def test_a_folder_that_cannot_be_is_told(url: str) -> None:
    with pytest.raises(Fault, match="--work"):
        Workspace(url).make()


def test_sizes_are_of_finished_files_alone(workspace: Workspace) -> None:
    workspace.write("packs/b.tar", b"12345")
    workspace.write("packs/a.tar", b"1")
    workspace.write("packs/.partial-1-2-c.tar", b"1")
    workspace.write("packs/inner/d.tar", b"1")
    assert workspace.sizes("packs") == {"a.tar": 1, "b.tar": 5}
    assert workspace.sizes("nowhere") == {}


def test_a_file_url_is_a_local_folder(tmp_path: Path) -> None:
    workspace = Workspace(f"file://{tmp_path}/data")
    workspace.write("a/b.bin", b"1")
    assert workspace.is_local and workspace.local("a/b.bin") == tmp_path / "data" / "a" / "b.bin"


def test_old_unfinished_writes_of_killed_processes_are_removed_with_the_lock(tmp_path: Path) -> None:
    workspace = Workspace(str(tmp_path))
    for name in ("packs/.partial-1-1-old.tar", "packs/.partial-2-2-young.tar", "packs/whole.tar"):
        workspace.write(name, b"1")
    os.utime(tmp_path / "packs" / ".partial-1-1-old.tar", (0, 0))
    with workspace.locked():
        assert sorted(path.name for path in (tmp_path / "packs").iterdir()) == [".partial-2-2-young.tar", "whole.tar"]


def test_a_second_build_is_kept_out(tmp_path: Path) -> None:
    with (
        Workspace(str(tmp_path)).locked(),
        pytest.raises(Fault, match="in use by another naflora command"),
        Workspace(str(tmp_path)).locked(),
    ):
        pass


@pytest.mark.parametrize("error", [KeyboardInterrupt, PermissionError], ids=lambda error: error.__name__)
def test_what_interrupts_a_look_is_no_answer(
    error: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """fsspec's own exists() would answer that nothing is there, and a build would go on as if it were lost."""
    workspace = Workspace(str(tmp_path))

    def interrupted(path: str) -> None:
        raise error

    monkeypatch.setattr(workspace.fs, "info", interrupted)
    with pytest.raises(error):
        workspace.exists("tables/taxa/receipt.json")
