"""shards: pack the samples of each part into WebDataset tars.

reads   split, images, taxa
writes  shards         one row per sample with its tar, offset and length; the tars themselves
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.engine.contracts import read_contract
from naflora_etl.engine.faults import Fault
from naflora_etl.engine.folders import Folder
from naflora_etl.engine.packs import PackDamaged, Packs
from naflora_etl.engine.stage import Stage
from naflora_etl.engine.tables import query_tables, sha256_of
from naflora_etl.publishing.manifest import accepted_taxa
from naflora_etl.publishing.tar import LABEL, SampleTar, Span
from naflora_etl.recipe import ShardsOptions

NEEDED = {
    "split": ("image_key", "class_key", "class_id", "part", "specimen_key", "test_half"),
    "images": ("image_key", "pack", "offset", "size_bytes", "sha256"),
}
"""Columns of what may be millions of rows; the others of `images` take ten times as much memory."""
MEMORY = "1GB"
"""What the join of them may hold before it spills."""
SCHEMA = read_contract("shards").arrow_schema
ROWS_AT_ONCE = 10_000
"""Rows that are Python's at a time; of a million a list would take more than all of the tables."""


def pack_shards(
    split: pa.Table,
    images: pa.Table,
    taxa: pa.Table,
    *,
    options: ShardsOptions,
    packs: Packs,
    folder: Folder,
    progress: Callable[..., None],
) -> pa.Table:
    """Write train-00000.tar ... and test-00000.tar ... and return where each sample lies, sorted by image_key.

    A sample whose stored bytes are gone or changed is set aside, and the next one takes its place in the tar; the
    damage is noted, so that another build asks for the image again.
    """
    samples = _join_samples(split, images, taxa)
    done, made = 0, [SCHEMA.empty_table()]
    for part in _parts(samples, options):
        with ShardWriter(folder, part, options) as shards:
            for some in _shuffled(samples, part, options.shuffle_seed):
                rows = []
                for sample in some.to_pylist():
                    rows.append(_pack_sample(sample, packs, shards))
                    progress(done + len(rows), samples.num_rows, shards.name)
                done += len(rows)
                made.append(pa.Table.from_pylist(rows, SCHEMA))
    return pa.concat_tables(made).sort_by("image_key")


class ShardWriter:
    """The tars of one part, each begun when it is needed, so that none is empty."""

    def __init__(self, folder: Folder, part: str, options: ShardsOptions) -> None:
        self.folder = folder
        self.part = part
        self.options = options
        self.shards = 0
        self._tar: SampleTar | None = None
        self._open = ExitStack()

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(self, *error: Any) -> None:
        if error[0] is None:
            self._finish()
        self._open.__exit__(*error)

    def add(self, key: str, jpeg: bytes, label: dict[str, Any]) -> tuple[str, Span]:
        """Add a sample; return the name of its tar and where its image lies in it."""
        if self._tar is None or self._tar.samples == self.options.samples_per_shard:
            self._begin()
        assert self._tar is not None
        return self.name, self._tar.add(key, jpeg, label)

    @property
    def name(self) -> str:
        """Name of the tar that is being written."""
        return f"{self.part}-{self.shards - 1:05d}.tar"

    def _begin(self) -> None:
        self._finish()
        self.shards += 1
        self._tar = SampleTar(self._open.enter_context(self.folder.open(self.name, "wb")), label=self.options.label)

    def _finish(self) -> None:
        if self._tar is not None:
            self._tar.close()
            self._tar = None
        self._open.close()


def _parts(samples: pa.Table, options: ShardsOptions) -> tuple[str, ...]:
    """Return the parts that have tars of their own; Fault when halves are wanted and there are none."""
    if not options.test_halves:
        return ("train", "test")
    if samples["test_half"].null_count == samples.num_rows:
        raise Fault("shards.test_halves finds no halves of the test part; set split.public_share, which makes them.")
    return ("train", "test-public", "test-private")


def _join_samples(split: pa.Table, images: pa.Table, taxa: pa.Table) -> pa.Table:
    return query_tables(
        """select s.image_key, s.class_key as taxon_id, s.class_id, s.part, s.specimen_key, s.test_half, t.taxon_name,
                t.family, t.genus, t.species, i.pack, i."offset", i.size_bytes, i.sha256
            from split s left join images i using (image_key) left join taxa t on t.taxon_id = s.class_key
            order by s.image_key""",
        memory_limit=MEMORY,
        **{name: table.select(NEEDED[name]) for name, table in (("split", split), ("images", images))},
        taxa=accepted_taxa(taxa),
    )


def _shuffled(samples: pa.Table, part: str, seed: int) -> Iterator[pa.Table]:
    """Yield the samples of a part in the order of a hash of their keys, ROWS_AT_ONCE at a time."""
    whole, _, half = part.partition("-")
    is_wanted = pc.equal(samples["part"], whole)
    if half:
        is_wanted = pc.and_(is_wanted, pc.fill_null(pc.equal(samples["test_half"], half), False))
    numbers = np.flatnonzero(np.asarray(is_wanted))
    digests = bytearray()
    for batch in samples.select(["image_key"]).take(pa.array(numbers)).to_batches(max_chunksize=ROWS_AT_ONCE):
        for key in batch["image_key"].to_pylist():
            digests += hashlib.sha256(f"shard|{seed}|{key}".encode()).digest()
    words = np.frombuffer(digests, ">u8").reshape(-1, 4)
    order = numbers[np.lexsort(words.T[::-1])]  # lexsort goes by its last key first
    for start in range(0, len(order), ROWS_AT_ONCE):
        yield samples.take(pa.array(order[start : start + ROWS_AT_ONCE]))


def _pack_sample(sample: dict[str, Any], packs: Packs, shards: ShardWriter) -> dict[str, Any]:
    about = {name: sample[name] for name in ("image_key", "taxon_id", "class_id", "part")}
    try:
        jpeg = packs.read(sample["pack"], sample["offset"], sample["size_bytes"])
    except PackDamaged:
        jpeg = b""
    if sha256_of(jpeg) != sample["sha256"]:
        packs.note_damage(sample["pack"], sample["offset"])
        return about | {"issue": "PACK_DAMAGED"}
    label = {"key": sample["image_key"]} | {name: sample[name] for name in LABEL}
    shard, span = shards.add(sample["image_key"], jpeg, label)
    return about | {"shard": shard, "offset": span.offset, "length_bytes": span.length_bytes}


STAGE = Stage(
    "shards",
    reads=("split", "images", "taxa"),
    run=pack_shards,
    uses=("packs", "folder", "progress"),
    version=2,
    accounts_for="image_key",
    transient=frozenset({"PACK_DAMAGED"}),
    columns=NEEDED,
)
