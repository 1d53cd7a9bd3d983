"""withdrawn.csv: what earlier releases held and nobody may use any more, and nothing else."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner
from small_world import make_world

from naflora_etl.cli import main
from naflora_etl.engine.blobs import Blobs
from naflora_etl.engine.tables import parquet_bytes, read_parquet
from naflora_etl.publishing.verify import verify_release
from naflora_etl.publishing.withdrawn import (
    COLUMNS,
    SCHEMA,
    check_withdrawn,
    find_withdrawn,
    list_published,
    write_withdrawn,
)

RECORDS = pa.table({"image_key": ["here", "here", "stricter", "unchosen"],
                    "issue": ["DUPLICATE_RECORD", None, "LICENSE_NOT_ALLOWED", None]})  # fmt: skip
CASES = {
    "here": None,
    "gone": "WITHDRAWN",
    "stricter": "LICENSE_NOT_ALLOWED",
    "unchosen": None,
}


def published(*keys: str, version: str = "1.0") -> pa.Table:
    rows = [dict.fromkeys(SCHEMA.names, "-") | {"image_key": key, "last_release": version} for key in keys]
    return pa.Table.from_pylist(rows, SCHEMA)


@pytest.mark.parametrize(("key", "reason"), CASES.items())
def test_an_image_is_named_with_its_reason(key: str, reason: str | None) -> None:
    found = find_withdrawn(published(key), RECORDS, pa.table({"image_key": ["here"]})).to_pylist()
    assert [row["reason"] for row in found] == ([reason] if reason else [])


def test_the_list_travels_and_says_which_release_had_an_image_last() -> None:
    manifest = published("a", "b").drop_columns(["last_release"])
    both = list_published(manifest, "2.0", published("b", "c"))
    assert dict(zip(both["image_key"].to_pylist(), both["last_release"].to_pylist(), strict=True)) == {
        "a": "2.0", "b": "2.0", "c": "1.0",
    }  # fmt: skip
    assert list_published(None, "3.0", both).equals(both)


def test_a_release_has_the_list_and_verify_reads_it(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    digest = Blobs(world.workspace).put(parquet_bytes(published("f" * 20)))
    row = {"page_key": "published:1+2026", "source": "published", "request": "images of earlier releases"}
    harvest = [*world.tables["harvest"].to_pylist(), row | {"page_number": 0, "blob": digest}]
    world.tables["harvest"] = pa.Table.from_pylist(harvest, world.tables["harvest"].schema)
    world.pack_shards()
    world.write_release()
    body = (world.release / "withdrawn.csv").read_bytes()
    (named,) = csv.DictReader(io.StringIO(body.decode()))
    assert tuple(named) == COLUMNS
    assert (named["image_key"], named["reason"], named["last_release"]) == ("f" * 20, "WITHDRAWN", "1.0")
    assert [finding for finding in verify_release(world.release) if finding.where == "withdrawn.csv"] == []
    manifest = read_parquet(world.release / "manifest.parquet")
    bad = body.replace(b"f" * 20, manifest["image_key"][0].as_py().encode())
    (finding,) = check_withdrawn(bad, manifest)
    assert "images that are withdrawn, and stand in the manifest all the same: 1" in str(finding)


def test_why_tells_of_a_withdrawn_image_what_the_list_does(tmp_path: Path) -> None:
    (tmp_path / "release").mkdir()
    rows = find_withdrawn(published("gone"), RECORDS, pa.table({"image_key": ["here"]}))
    with (tmp_path / "release/withdrawn.csv").open("wb") as stream:
        write_withdrawn(rows, stream)
    told = CliRunner().invoke(main, ["why", "gone", "--work", str(tmp_path)]).output
    assert "withdrawn.csv: WITHDRAWN: An earlier release held the image, and no source has it any more." in told
    assert "last_release               1.0" in told
    assert CliRunner().invoke(main, ["why", "unknown", "--work", str(tmp_path)]).exit_code == 1
