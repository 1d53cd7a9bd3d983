"""A file that comes in pieces: kept through a kill, settled under its sha256, doubted when it changed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from naflora_etl.engine.blobs import Blobs
from naflora_etl.engine.faults import Fault
from naflora_etl.engine.notes import Notes
from naflora_etl.engine.workspace import Workspace


@pytest.fixture(params=["here", "far away"])
def workspace(request: pytest.FixtureRequest, tmp_path: Path) -> Workspace:
    return Workspace(str(tmp_path) if request.param == "here" else f"memory://arrivals-{tmp_path.name}")


def test_pieces_become_one_file(workspace: Workspace) -> None:
    pieces = [b"a" * 10, b"b" * 7, b"c"]
    for piece in pieces:  # each by another run
        arrival = Blobs(workspace).arrival("zip")
        before = arrival.size_bytes
        arrival.add(piece)
        assert arrival.size_bytes == before + len(piece)
    digest = Blobs(workspace).arrival("zip").settle()
    assert digest == hashlib.sha256(b"".join(pieces)).hexdigest()
    blobs = Blobs(workspace)
    with blobs.file(digest) as path:
        assert Path(path).read_bytes() == b"".join(pieces)
    assert blobs.has_file(digest) and blobs.arrival("zip").size_bytes == 0


def test_what_comes_after_a_gap_does_not_count(workspace: Workspace) -> None:
    arrival = Blobs(workspace).arrival("zip")
    arrival.add(b"start")
    workspace.write(f"{arrival.place}/{99:015d}", b"stray")
    assert arrival.size_bytes == 5
    assert arrival.settle() == hashlib.sha256(b"start").hexdigest()


def test_a_changed_file_is_told(tmp_path: Path) -> None:
    workspace = Workspace(str(tmp_path))
    blobs = Blobs(workspace)
    arrival = blobs.arrival("zip")
    arrival.add(b"true")
    digest = arrival.settle()
    (path,) = tmp_path.rglob("*.whole")
    path.write_bytes(b"false")
    with pytest.raises(Fault, match="is damaged"), blobs.file(digest):
        pass
    blobs.drop_file(digest)
    with pytest.raises(Fault, match="is gone"), blobs.file(digest):
        pass


def test_notes_outlive_their_writer(workspace: Workspace) -> None:
    assert Notes(workspace).read("job") is None
    Notes(workspace).write("job", {"key": "ä"})
    assert Notes(workspace).read("job") == {"key": "ä"}
    workspace.write("notes/job.json", b"{cut")
    assert Notes(workspace).read("job") is None
    Notes(workspace).remove("job")
    assert not workspace.exists("notes/job.json")
