"""Any manifest -> shards -> manifest is the identity, and so are the bytes."""

from __future__ import annotations

import contextlib
import hashlib
import io
import tarfile
from collections.abc import Iterator
from typing import IO, Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from naflora_etl.engine.contracts import read_contract
from naflora_etl.publishing.layouts import TarLayout
from naflora_etl.publishing.reshard import reshard_images
from naflora_etl.publishing.tar import LabelKind

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300)
SAMPLES = st.lists(
    st.tuples(st.binary(max_size=1500), NAMES, st.integers(0, 20_000)),
    min_size=1,
    max_size=25,
    unique_by=lambda s: s[0],
)


class Shelf(dict[str, bytes]):
    """Files in memory."""

    @contextlib.contextmanager
    def create(self, name: str) -> Iterator[IO[bytes]]:
        stream = io.BytesIO()
        yield stream
        self[name] = stream.getvalue()

    def read(self, name: str) -> IO[bytes]:
        return io.BytesIO(self[name])


def write_shards(samples: list[tuple[bytes, str, int]], per_shard: int, label: LabelKind) -> tuple[pa.Table, Shelf]:
    """Lay samples in the order given, and return their manifest."""
    shelf, rows = Shelf(), list[dict[str, Any]]()
    layout = TarLayout(shelf.create, label)
    for number, (body, name, class_id) in enumerate(samples):
        facts = {
            "image_key": hashlib.sha256(body).hexdigest()[:20], "image_id": str(number), "part": "train",
            "class_id": class_id, "shard": f"train-{number // per_shard:05d}.tar",
            "sha256": hashlib.sha256(body).hexdigest(),
            "width_px": 1, "height_px": 1, "taxon_id": name, "taxon_name": name, "family": name, "genus": name,
            "species": None, "specimen_key": name, "source": "gbif", "license": name, "image_url": name,
        }  # fmt: skip
        shard, span = layout.add(facts, body)
        rows.append(facts | {"shard": shard, "offset": span.offset, "length_bytes": span.length_bytes})
    layout.close()
    return pa.Table.from_pylist(rows, read_contract("manifest").arrow_schema).sort_by("image_key"), shelf


@settings(max_examples=25, deadline=None)
@given(samples=SAMPLES, per_shard=st.integers(1, 8), label=st.sampled_from(["json", "cls"]))
def test_shards_made_of_shards_are_the_same(
    samples: list[tuple[bytes, str, int]], per_shard: int, label: LabelKind
) -> None:
    manifest, shelf = write_shards(samples, per_shard, label)
    again = Shelf()
    assert reshard_images(manifest, shelf.read, TarLayout(again.create, label)).equals(manifest)
    assert again == shelf


@settings(max_examples=25, deadline=None)
@given(samples=SAMPLES, per_shard=st.integers(1, 8))
def test_the_manifest_can_be_told_from_the_shards_alone(samples: list[tuple[bytes, str, int]], per_shard: int) -> None:
    manifest, shelf = write_shards(samples, per_shard, "json")
    found = {}
    for shard, body in shelf.items():
        with tarfile.open(fileobj=io.BytesIO(body)) as tar:
            members = tar.getmembers()
        names = [member.name for member in members]
        assert [name.partition(".")[2] for name in names] == ["jpg", "json"] * (len(names) // 2)
        assert names[0::2] == [name.removesuffix("json") + "jpg" for name in names[1::2]]
        for member in members[0::2]:
            found[member.name.removesuffix(".jpg")] = (shard, member.offset_data, member.size)
    told = manifest.select(["image_key", "shard", "offset", "length_bytes"]).to_pylist()
    assert found == {row["image_key"]: (row["shard"], row["offset"], row["length_bytes"]) for row in told}
