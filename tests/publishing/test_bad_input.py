"""What should not come, comes: names that break paths and tars, letters of all the world, a disk that is full."""

from __future__ import annotations

import errno
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from small_world import make_world

from naflora_etl.cli import main
from naflora_etl.engine.faults import Fault
from naflora_etl.engine.tables import read_parquet
from naflora_etl.publishing.bundle import write_tarballs
from naflora_etl.publishing.publish import MARKER, publish_release
from naflora_etl.publishing.tar import SampleTar
from naflora_etl.publishing.targets import FolderTarget
from naflora_etl.publishing.verify import verify_release

ILLEGAL_KEYS = {
    "a slash": "a/b", "up and out": "..", "an absolute path": "/etc/passwd", "NUL": "a\0b", "300 letters": "x" * 300,
    "a dot, at which readers cut": "a.b", "nothing": "", "a letter of another script": "苔", "a line": "a\nb",
    "capitals, which some disks mix up": "Ab",
}  # fmt: skip


@pytest.mark.parametrize("key", ILLEGAL_KEYS.values(), ids=ILLEGAL_KEYS)
def test_a_key_that_readers_would_not_understand_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="cannot be the key of a sample; keys are 1 to 90 of a-z, 0-9, _ and -"):
        SampleTar(io.BytesIO()).add(key, b"jpeg", {})


HOSTILE = {
    "paths, NUL, quotes and lines": '../../etc/passwd\0 a,"b"\r\nc;|',
    "all scripts, 300 letters": "Universität Łódź 标本馆 ☘ \u202egnp.exe " + "x" * 300,
    "markup": '<script>alert("1")</script> & {{ 7 * 7 }}',
}


@pytest.mark.slow
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_whatever_a_source_writes_a_release_holds_it_and_stays_whole(tmp_path: Path, text: str) -> None:
    world = make_world(tmp_path, release={"contact_sheet": 1})
    for row in world.tables["records"].to_pylist():
        if row["image_key"]:
            facts = {name: text for name in ("institutionCode", "recordedBy", "rightsHolder", "creator", "datasetKey")}
            world.change("records", row["image_key"], **facts)
    taxa = [
        row | ({"taxon_name": text} if row["taxon_id"] == "w-10" else {}) for row in world.tables["taxa"].to_pylist()
    ]
    world.tables["taxa"] = world.tables["taxa"].from_pylist(taxa, world.tables["taxa"].schema)
    world.pack_shards()
    world.write_release()
    assert verify_release(world.release) == []
    manifest = read_parquet(world.release / "manifest.parquet").to_pylist()
    assert {row["institutionCode"] for row in manifest} == {text}
    told = json.loads((world.release / "train_metadata.json").read_text(encoding="utf-8"))
    assert told["institutions"] == [{"institution_id": 0, "collectionCode": text}]
    tarball, _ = write_tarballs(world.release, tmp_path / "dist", name="s")
    assert verify_release(tarball) == []
    if "script" in text:
        assert "<script>alert" not in (world.release / "report.html").read_text(encoding="utf-8")


def fill(*arguments: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_while_publishing_is_told_and_nothing_is_published(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "copyfileobj", fill)
    with pytest.raises(Fault, match=r"cannot be reached or written \(.*No space left.*\); nothing is published"):
        publish_release(release, FolderTarget(tmp_path / "there"))
    assert FolderTarget(tmp_path / "there").sizes() == {} and not (tmp_path / "there" / MARKER).exists()


def test_a_full_disk_while_shards_are_laid_anew_is_told_and_nothing_is_left(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SampleTar, "_add_file", fill)
    told = CliRunner().invoke(main, ["shard", str(release), "--out", str(tmp_path / "out")])
    assert told.exit_code == 1 and f"Error: {tmp_path / 'out'}: the disk is full; make room" in told.output
    assert list(tmp_path.iterdir()) == []
