"""Archives of any size: GBIF's download, iDigBio's of the same herbaria, the truth about both, and what a build needs.

Streamed batch by batch, so that nine million images need no more memory than a hundred thousand. A zip's members are
written one after the other, so each batch is drawn anew for each of them; that is cheaper than keeping it.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa

from naflora_etl.sandbox import mass_rows
from naflora_etl.sandbox.gbif_archive import EPOCH
from naflora_etl.sandbox.mass_dirt import spoil_rows, stray_rows
from naflora_etl.sandbox.mass_pools import Pools
from naflora_etl.sandbox.mass_specimens import Specimens, draw_specimens
from naflora_etl.sandbox.mass_terms import AC, DWC, GBIF, GBIF_CORE, GBIF_MEDIA, IDIGBIO_CORE, IDIGBIO_MEDIA
from naflora_etl.sandbox.names_table import COLUMNS

SPECIES = 15_501
"""As many as NAFlora-1M has."""
Rows = Callable[[Pools, Specimens], pa.Array]


@dataclass(frozen=True)
class MassFiles:
    """Where everything was written."""

    gbif: Path
    idigbio: Path
    truth: Path
    recipe: Path


def write_mass(out: Path, records: int, *, species: int = SPECIES, seed: int = 1) -> MassFiles:
    """Write archives with `records` images in all; `out` ends in .zip, or is the name of a folder.

    Beside it, named after it: iDigBio's archive, the truth (CSV: aggregator, record_id, specimen), a checklist, a
    backbone of names and a recipe that builds records from them. The same arguments give the same bytes.
    """
    stem = out.with_suffix("") if out.suffix == ".zip" else out
    files = MassFiles(out, stem.with_name(f"{stem.name}-idigbio{out.suffix}"), _beside(stem, "-truth.csv"),
                      _beside(stem, ".toml"))  # fmt: skip
    pools = Pools(min(species, max(records // 4, 12)), seed)
    world = _World(pools, records, seed)
    out.parent.mkdir(parents=True, exist_ok=True)
    _write_archive(files.gbif, world, "\t", (
        ("occurrence.txt", mass_rows.gbif_rows, ("gbifID", *GBIF_CORE[1:])),
        ("multimedia.txt", mass_rows.gbif_media_rows, ("gbifID", *GBIF_MEDIA)),
    ), _meta("\t", "", GBIF_CORE, GBIF_MEDIA, GBIF + "Multimedia", "txt"))  # fmt: skip
    _write_archive(files.idigbio, world, ",", (
        ("occurrence.csv", mass_rows.idigbio_rows, ("coreid", *IDIGBIO_CORE[1:])),
        ("multimedia.csv", mass_rows.idigbio_media_rows, ("coreid", *IDIGBIO_MEDIA)),
    ), _meta(",", "&quot;", IDIGBIO_CORE, IDIGBIO_MEDIA, AC + "Multimedia", "csv"))  # fmt: skip
    with files.truth.open("wb") as stream:
        stream.write(b"aggregator,record_id,specimen\n")
        for these in world.batches():
            stream.write(_bytes_of(mass_rows.truth_rows(pools, these)))
    _write_names(pools, stem)
    files.recipe.write_text(_recipe(files, stem), encoding="utf-8")
    return files


@dataclass(frozen=True)
class _World:
    pools: Pools
    records: int
    seed: int

    def batches(self) -> Iterator[Specimens]:
        """Yield the specimens until both aggregators together have so many images; the last ones lose what is over."""
        left, batch = self.records, 0
        while left > 0:
            these = draw_specimens(self.pools, self.seed, batch)
            shown = np.cumsum(these.images * (these.in_gbif.astype(int) + these.in_idigbio))
            if shown[-1] >= left:
                these = these.take(np.arange(int(np.searchsorted(shown, left)) + 1))
                over = int(shown[len(these) - 1]) - left
                if over:
                    these = _trimmed(these, over)
            yield these
            left, batch = left - int(shown[-1]), batch + 1


def _trimmed(these: Specimens, over: int) -> Specimens:
    """Take images from the last specimen; where both aggregators show it and the count is odd, iDigBio loses it."""
    last = len(these) - 1
    if these.in_gbif[last] and these.in_idigbio[last]:
        if over % 2:
            these.in_idigbio[last] = False
            over -= int(these.images[last])
        else:
            over //= 2
    these.images[last] -= over
    return these


def _write_archive(
    path: Path, world: _World, delimiter: str, members: Sequence[tuple[str, Rows, Sequence[str]]], meta: str
) -> None:
    with _opened(path) as open_member:
        with open_member("meta.xml") as stream:
            stream.write(meta.encode())
        for name, rows, columns in members:
            with open_member(name) as stream:
                heading = delimiter.join(column.rsplit("/", 1)[-1] for column in columns)
                stream.write(heading.encode() + b"\n")
                for batch, these in enumerate(world.batches()):
                    lines = spoil_rows(rows(world.pools, these), delimiter, batch)
                    stream.write(_bytes_of(lines))
                for line in stray_rows(name, delimiter, len(columns)):
                    stream.write(line)


@contextmanager
def _opened(path: Path) -> Iterator[Callable[[str], IO[bytes]]]:
    """Give a function that opens a member of a zip, or a file of a folder, for writing."""
    if path.suffix != ".zip":
        path.mkdir(parents=True, exist_ok=True)
        yield lambda name: (path / name).open("wb")
        return
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:

        def open_member(name: str) -> IO[bytes]:
            info = zipfile.ZipInfo(name, EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            return archive.open(info, "w", force_zip64=True)

        yield open_member


def _bytes_of(lines: pa.Array) -> memoryview:
    """Return the texts of a column one after the other, as they lie in memory."""
    _, offsets, data = lines.buffers()
    ends = np.frombuffer(offsets, np.int32)[lines.offset : lines.offset + len(lines) + 1]
    return memoryview(data)[ends[0] : ends[-1]]


def _beside(stem: Path, ending: str) -> Path:
    return stem.with_name(stem.name + ending)


def _meta(delimiter: str, quote: str, core: Sequence[str], media: Sequence[str], row_type: str, ending: str) -> str:
    told = (
        f'encoding="UTF-8" fieldsTerminatedBy="{delimiter.encode("unicode_escape").decode()}" linesTerminatedBy="\\n" '
        f'fieldsEnclosedBy="{quote}" ignoreHeaderLines="1"'
    )
    fields = "".join(f'<field index="{at}" term="{term}"/>' for at, term in enumerate(core))
    of_media = "".join(f'<field index="{at}" term="{term}"/>' for at, term in enumerate(media, start=1))
    return (
        '<archive xmlns="http://rs.tdwg.org/dwc/text/">\n'
        f'<core {told} rowType="{DWC}Occurrence"><files><location>occurrence.{ending}</location></files>'
        f'<id index="0"/>{fields}</core>\n'
        f'<extension {told} rowType="{row_type}"><files><location>multimedia.{ending}</location></files>'
        f'<coreid index="0"/>{of_media}</extension>\n</archive>\n'
    )


def _write_names(pools: Pools, stem: Path) -> None:
    with _beside(stem, "-checklist.csv").open("w", encoding="utf-8") as stream:
        stream.write("scientificName,authors\n")
        stream.writelines(f'"{name.written}","{name.authors}"\n' for name in pools.species)
    with _beside(stem, "-wcvp.csv").open("w", encoding="utf-8") as stream:
        stream.write("|".join(COLUMNS) + "\n")
        for number, name in enumerate((*pools.species, *pools.synonyms)):
            genus, species = name.written.split()
            cells = {
                "plant_name_id": str(number + 1), "taxon_rank": "Species", "family": "Massaceae", "genus": genus,
                "taxon_status": "Accepted" if name.is_accepted else "Synonym", "species": species,
                "primary_author": name.authors, "taxon_name": name.written, "taxon_authors": name.authors,
                "accepted_plant_name_id": str(name.taxon + 1), "reviewed": "Y",
            }  # fmt: skip
            stream.write("|".join(cells.get(column, "") for column in COLUMNS) + "\n")


def _recipe(files: MassFiles, stem: Path) -> str:
    return f"""# builds records from archives that `naflora sandbox archive` wrote
name = "{stem.name}"

[checklist]
paths = ["{stem.name}-checklist.csv"]

[wcvp]
path = "{stem.name}-wcvp.csv"

[harvest]
sources = ["archive"]
archives = ["{files.gbif.name}", "{files.idigbio.name}"]

[records]
countries = ["US", "CA", "GL"]

[selection]
servers = 20

[release]
title = "{stem.name}"
"""
