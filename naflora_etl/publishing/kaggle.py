"""The release in the words of the Herbarium 2022 competition, so that code written for it reads ours.

Two things differ, and the card says so. The `distances` between genera are empty where the recipe names no tree. The
images lie in tars: `file_name` is where the competition's code would look for one below train_images/ or test_images/,
where `naflora shard --layout competition` lays them. No published file holds the test labels alone; whoever withholds
them takes `part = 'test'` of the manifest.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.publishing.licences import name_licence

TRAIN_KEYS = ("annotations", "categories", "genera", "images", "distances", "licenses", "institutions")
UNNAMED = "unknown"
"""Institution of an image whose record names none."""
ROWS_AT_ONCE = 20_000
SHOWN = ["image_id", "class_id", "genus", "license", "institutionCode", "collectionCode"]
"""Columns of the manifest that the competition's files tell of."""


def file_name(image_id: str) -> str:
    """Return the competition's path of an image: 000/26/00026__004.jpg to train on, 008/test-008005.jpg to test on."""
    category, found, _ = image_id.partition("__")
    if found:
        return f"{category[:3]}/{category[3:]}/{image_id}.jpg"
    number = int(image_id)
    return f"{number // 1000:03d}/test-{number:06d}.jpg"


def list_genera(classes: pa.Table) -> list[str]:
    """Return the genera in order of their ids."""
    return sorted(set(classes["genus"].to_pylist()))


def write_train_metadata(
    manifest: pa.Table, classes: pa.Table, stream: IO[bytes], distances: Iterable[dict[str, Any]] = ()
) -> None:
    """Write train_metadata.json: annotations and images in the same order, which code of the competition relies on."""
    train = _part(manifest, "train")
    genera = {genus: number for number, genus in enumerate(list_genera(classes))}
    institutions = {code: number for number, code in enumerate(sorted(_institutions(train)))}
    licenses = {name: number for number, name in enumerate(sorted(pc.unique(manifest["license"]).to_pylist()))}
    lists: dict[str, Iterable[dict[str, Any]]] = {
        "annotations": (
            {
                "image_id": row["image_id"],
                "category_id": row["class_id"],
                "genus_id": genera[row["genus"]],
                "institution_id": institutions[_institution(row)],
            }
            for row in _rows(train)
        ),
        "categories": map(_category, classes.to_pylist()),
        "genera": ({"genus_id": number, "genus": genus} for genus, number in genera.items()),
        "images": (_image(row, row["image_id"], licenses) for row in _rows(train)),
        "distances": distances,
        "licenses": (
            {"id": number, "name": name_licence(name).name, "url": name_licence(name).url}
            for name, number in licenses.items()
        ),
        "institutions": ({"institution_id": number, "collectionCode": code} for code, number in institutions.items()),
    }
    stream.write(b"{")
    for number, key in enumerate(TRAIN_KEYS):
        stream.write(b",\n" * bool(number) + f'"{key}": '.encode())
        _write_list(lists[key], stream)
    stream.write(b"}\n")


def write_test_metadata(manifest: pa.Table, stream: IO[bytes]) -> None:
    """Write test_metadata.json: a plain list of images, without any label."""
    licenses = {name: number for number, name in enumerate(sorted(pc.unique(manifest["license"]).to_pylist()))}
    _write_list((_image(row, int(row["image_id"]), licenses) for row in _rows(_part(manifest, "test"))), stream)
    stream.write(b"\n")


def write_sample_submission(manifest: pa.Table, stream: IO[bytes]) -> None:
    """Write sample_submission.csv: every test image, with class 0 for an answer."""
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("Id", "Predicted"))
    writer.writerows((row["image_id"], 0) for row in _rows(_part(manifest, "test")))
    text.detach()


def write_solution(manifest: pa.Table, halves: Mapping[str, str], stream: IO[bytes]) -> None:
    """Write solution.csv, the answers, as a host of competitions wants them; never into a folder that is published.

    `halves` tells by image_key which answers are scored in public.
    """
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("Id", "Predicted", "Usage"))
    test = _part(manifest, "test").select(["image_id", "class_id", "image_key"])
    for batch in test.to_batches(max_chunksize=ROWS_AT_ONCE):
        for row in batch.to_pylist():
            usage = "Public" if halves.get(row["image_key"]) == "public" else "Private"
            writer.writerow((row["image_id"], row["class_id"], usage))
    text.detach()


def _part(manifest: pa.Table, part: str) -> pa.Table:
    """Return a part's rows in order of its ids: by class and serial for training, by number for testing."""
    wanted = manifest.select([*SHOWN, "image_key"])
    rows = wanted.filter(pc.equal(manifest["part"], part))
    return rows.sort_by([("class_id", "ascending"), ("image_key", "ascending")]) if part == "train" else rows


def _rows(table: pa.Table) -> Iterator[Mapping[str, Any]]:
    for batch in table.select(SHOWN).to_batches(max_chunksize=ROWS_AT_ONCE):
        yield from batch.to_pylist()


def _institution(row: Mapping[str, Any]) -> str:
    return str(row["institutionCode"] or row["collectionCode"] or UNNAMED)


def _institutions(table: pa.Table) -> set[str]:
    return {_institution(row) for row in _rows(table)}


def _image(row: Mapping[str, Any], image_id: str | int, licenses: Mapping[str, int]) -> dict[str, Any]:
    return {"image_id": image_id, "file_name": file_name(row["image_id"]), "license": licenses[row["license"]]}


def _category(row: Mapping[str, Any]) -> dict[str, Any]:
    authors = row["taxon_authors"] or ""
    return {
        "category_id": row["class_id"],
        "scientificName": f"{row['taxon_name']} {authors}".strip(),
        "authors": authors,
        "family": row["family"],
        "genus": row["genus"],
        "species": row["species"] or "",
    }


def _write_list(items: Iterable[dict[str, Any]], stream: IO[bytes]) -> None:
    """Write a JSON list, an item a line, so that a million of them need no memory and a diff can be read."""
    stream.write(b"[")
    for number, item in enumerate(items):
        stream.write(b",\n" if number else b"\n")
        stream.write(json.dumps(item, ensure_ascii=False).encode())
    stream.write(b"]")
