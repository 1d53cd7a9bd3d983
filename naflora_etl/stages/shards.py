"""shards: pack the samples of each part into WebDataset tars.

reads   split, images, taxa
writes  shards         one row per sample with its tar, offset and length; the tars themselves
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pyarrow as pa

from naflora_etl.engine.contracts import read_contract
from naflora_etl.engine.faults import Fault
from naflora_etl.engine.folders import Folder
from naflora_etl.engine.packs import PackDamaged, Packs
from naflora_etl.engine.stage import Stage
from naflora_etl.engine.tables import query_tables, sha256_of
from naflora_etl.publishing.manifest import accepted_taxa
from naflora_etl.publishing.tar import LABEL, SampleTar, Span
from naflora_etl.recipe import ShardsOptions

COLUMNS = ["image_key", "taxon_id", "class_id", "part", "shard", "offset", "length_bytes", "issue"]
ROWS_AT_ONCE = 10_000


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
    rows: list[tuple[Any, ...]] = []
    for part in _parts(samples, options):
        with ShardWriter(folder, part, options) as shards:
            for sample in _shuffled(samples, part, options.shuffle_seed):
                rows.append(_pack_sample(sample, packs, shards))
                progress(len(rows), samples.num_rows, shards.name)
    schema = read_contract("shards").arrow_schema
    columns = [pa.array((row[at] for row in rows), schema.field(name).type) for at, name in enumerate(COLUMNS)]
    return pa.table(columns, names=COLUMNS).select(schema.names).sort_by("image_key")


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
        split=split,
        images=images,
        taxa=accepted_taxa(taxa),
    )


def _shuffled(samples: pa.Table, part: str, seed: int) -> Iterator[dict[str, Any]]:
    whole, _, half = part.partition("-")
    keys, parts = samples["image_key"].to_pylist(), samples["part"].to_pylist()
    if half:
        parts = [its_part if its_half == half else None for its_part, its_half
                 in zip(parts, samples["test_half"].to_pylist(), strict=True)]  # fmt: skip
    order = [
        (hashlib.sha256(f"shard|{seed}|{key}".encode()).digest(), number)
        for number, (key, its_part) in enumerate(zip(keys, parts, strict=True))
        if its_part == whole
    ]
    order.sort()
    for start in range(0, len(order), ROWS_AT_ONCE):
        yield from samples.take([number for _, number in order[start : start + ROWS_AT_ONCE]]).to_pylist()


def _pack_sample(sample: dict[str, Any], packs: Packs, shards: ShardWriter) -> tuple[Any, ...]:
    """Return the sample's row as COLUMNS; of a million rows a tuple is a third of a dict."""
    about = tuple(sample[name] for name in COLUMNS[:4])
    try:
        jpeg = packs.read(sample["pack"], sample["offset"], sample["size_bytes"])
    except PackDamaged:
        jpeg = b""
    if sha256_of(jpeg) != sample["sha256"]:
        packs.note_damage(sample["pack"], sample["offset"])
        return *about, None, None, None, "PACK_DAMAGED"
    label = {"key": sample["image_key"]} | {name: sample[name] for name in LABEL}
    shard, span = shards.add(sample["image_key"], jpeg, label)
    return *about, shard, span.offset, span.length_bytes, None


STAGE = Stage(
    "shards",
    reads=("split", "images", "taxa"),
    run=pack_shards,
    uses=("packs", "folder", "progress"),
    version=2,
    accounts_for="image_key",
    transient=frozenset({"PACK_DAMAGED"}),
)
