"""A release read by those who will: webdataset, torch's DataLoader, pandas, DuckDB, and one range of bytes."""

from __future__ import annotations

import gc
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from PIL import Image

LEFT_OPEN = pytest.mark.filterwarnings("ignore::ResourceWarning")
"""webdataset leaves its last tar to the garbage collector."""
PARTS = {"train": 7, "test": 3}


@pytest.fixture
def manifest(release: Path) -> dict[str, dict[str, Any]]:
    return {row["image_key"]: row for row in pd.read_parquet(release / "manifest.parquet").to_dict("records")}


def samples_of(release: Path, part: str) -> Any:
    wds = pytest.importorskip("webdataset")
    shards = sorted(str(path) for path in release.glob(f"{part}-*.tar"))
    return (
        wds.WebDataset(shards, shardshuffle=False, empty_check=False).decode("rgb8").to_tuple("__key__", "jpg", "json")
    )


@LEFT_OPEN
@pytest.mark.slow  # webdataset imports torch
@pytest.mark.parametrize(("part", "count"), PARTS.items())
def test_webdataset_reads_every_sample_with_its_label(
    release: Path, manifest: dict[str, dict[str, Any]], part: str, count: int
) -> None:
    samples = list(samples_of(release, part))
    gc.collect()
    assert len(samples) == count
    for key, pixels, label in samples:
        row = manifest[key]
        assert (row["part"], row["class_id"], row["taxon_name"]) == (part, label["class_id"], label["taxon_name"])
        assert pixels.shape == (row["height_px"], row["width_px"], 3)


@LEFT_OPEN
@pytest.mark.slow
@pytest.mark.alone  # the loader's workers are forks of this process and everything that it runs
def test_torchs_dataloader_shares_the_shards_among_its_workers(
    release: Path, manifest: dict[str, dict[str, Any]]
) -> None:
    pytest.importorskip("webdataset")
    data = pytest.importorskip("torch.utils.data")
    loader = data.DataLoader(samples_of(release, "train"), batch_size=None, num_workers=2, collate_fn=list)
    keys = [key for key, _, _ in loader]
    gc.collect()
    assert sorted(keys) == sorted(key for key, row in manifest.items() if row["part"] == "train")


def test_any_image_is_one_range_read(release: Path, manifest: dict[str, dict[str, Any]]) -> None:
    for row in manifest.values():
        with (release / row["shard"]).open("rb") as shard:
            shard.seek(row["offset"])
            with Image.open(io.BytesIO(shard.read(row["length_bytes"]))) as image:
                image.load()
                assert image.size == (row["width_px"], row["height_px"])


@pytest.fixture
def sql(release: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as connection:
        for name in ("manifest", "classes", "specimens", "datasets", "names", "excluded"):
            connection.execute(f"create view {name} as select * from '{release}/{name}.parquet'")
        yield connection


ALWAYS_EMPTY = {
    "a class whose numbers are not the manifest's": """select class_id from classes c where images_train + images_test
        <> (select count(*) from manifest m where m.class_id = c.class_id)""",
    "a specimen that is not the manifest's": """select specimen_key from specimens
        anti join manifest using (specimen_key)""",
    "a dataset without images": "select datasetKey from datasets anti join manifest using (source, datasetKey)",
    "a class that no name leads to": "select taxon_id from classes anti join names using (taxon_id)",
    "an image that is in and out": "select image_key from manifest semi join excluded using (image_key)",
}


@pytest.mark.parametrize("query", ALWAYS_EMPTY.values(), ids=ALWAYS_EMPTY)
def test_duckdb_joins_the_tables_and_none_disagrees(sql: duckdb.DuckDBPyConnection, query: str) -> None:
    assert sql.execute(query).fetchall() == []


def test_duckdb_counts(sql: duckdb.DuckDBPyConnection) -> None:
    found = sql.execute("select part, count(*) from manifest group by part order by part").fetchall()
    assert found == [("test", 3), ("train", 7)]
    assert sql.execute("select sum(images), sum(specimens) from datasets").fetchall() == [(10, 10)]
