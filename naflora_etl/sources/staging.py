"""Records and media as they are staged: columns of one shape, whoever sent them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.engine.metafile import DataFile
from naflora_etl.sources import pictures, specimens
from naflora_etl.sources.archive import LICENSE_TERMS, Archive
from naflora_etl.sources.darwincore import Media, Occurrence
from naflora_etl.sources.encoded import ask_distinct, first_encoded, first_of, recode, repeat

SEQ_BITS = 40
"""Rows of one source are numbered within so many bits; the number of the source stands before."""
LATER = 1 << (SEQ_BITS - 1)
"""Where the numbers of media begin: those without a record come after all records."""
RECORDS_AT_ONCE = 2_000
MOST_MEDIA = 1_000
"""Media of a record in a page; so many numbers are kept for them."""
BETWEEN = "\x1f"
"""Between the texts of a licence."""
MEDIA_TERMS = (
    "accessURI", "identifier", "goodQualityAccessURI", "type", "format", "rightsHolder", "Owner", "creator",
    *LICENSE_TERMS,
)  # fmt: skip
TERMS = (*specimens.TERMS, *LICENSE_TERMS)
REPEATING = frozenset(MEDIA_TERMS) - {"accessURI", "identifier", "goodQualityAccessURI"}
"""Terms of media whose values repeat."""
TEXT = pa.string()


@dataclass(frozen=True)
class Staged:
    """Some records and media of one source."""

    specimens: pa.Table
    pictures: pa.Table
    broken: pa.Table = field(default_factory=specimens.STAGED.empty_table)
    """Rows that could not be read, as specimens that tell no more than where they stand."""


@dataclass(frozen=True)
class Whose:
    """The source of an archive: `gbif` for GBIF's download, else `archive`; and the key of its row in harvest."""

    source: str
    page_key: str

    @property
    def owner(self) -> str:
        """How its record keys begin. An aggregator's ids are its own, but two archives may well use the same ones."""
        return f"{self.page_key}/" if self.source == "archive" else f"{self.source}:"

    @property
    def archive(self) -> str:
        """The archive's name where it is none of an aggregator, as two may well use the same ids; else nothing."""
        return self.page_key.removeprefix("archive:") if self.source == "archive" else ""


def stage_archive(archive: Archive, whose: Whose, source_number: int) -> Iterator[Callable[[], Staged]]:
    """Yield, for each block of an archive, what stages it when called, in any thread."""
    first = source_number << SEQ_BITS
    for file in archive.media_files:
        for read in archive.read_blocks(file, MEDIA_TERMS, REPEATING):
            yield _media_job(read, file, whose, first + LATER)
        first += 1 << (SEQ_BITS - 4)
    first = source_number << SEQ_BITS
    for read in archive.read_blocks(archive.core, TERMS, specimens.REPEATING.union(LICENSE_TERMS)):
        yield _core_job(read, archive, whose, first)


def _core_job(read: Callable[[], pa.Table], archive: Archive, whose: Whose, first: int) -> Callable[[], Staged]:
    def stage() -> Staged:
        rows = read()
        good, broken = _parted(rows, archive.core, whose, first)
        columns = _whose(good, whose, first) | {name: good[name] for name in specimens.TERMS}
        columns["datasetKey"] = first_encoded(good["datasetKey"], repeat(archive.name, good.num_rows))
        columns["licenses"] = _licenses(good)
        columns["broken"] = repeat(None, good.num_rows)
        made = pa.table({name: columns[name] for name in specimens.STAGED.names})
        return Staged(made, pictures.STAGED.empty_table(), broken)

    return stage


def _media_job(read: Callable[[], pa.Table], file: DataFile, whose: Whose, first: int) -> Callable[[], Staged]:
    def stage() -> Staged:
        rows = read()
        good, broken = _parted(rows, file, whose, first)
        columns = _whose(good, whose, first) | {
            "url": first_of(good["accessURI"], good["identifier"], good["goodQualityAccessURI"]),
            "kind": good["type"],
            "format": good["format"],
            "licenses": _licenses(good),
            "rightsHolder": first_encoded(good["rightsHolder"], good["Owner"]),
            "creator": good["creator"],
            "media_id": pa.nulls(good.num_rows, TEXT),
        }
        made = pa.table({name: columns[name] for name in pictures.STAGED.names})
        return Staged(specimens.STAGED.empty_table(), made, broken)

    return stage


def _parted(rows: pa.Table, file: DataFile, whose: Whose, first: int) -> tuple[pa.Table, pa.Table]:
    """Return the rows that can be read, and the others as records that cannot."""
    if not rows["id"].null_count and pc.all(rows["fits"]).as_py():
        return rows, specimens.STAGED.empty_table()
    is_good = pc.and_(rows["fits"], pc.is_valid(rows["id"])).to_numpy()
    bad = rows.filter(pa.array(~is_good))
    places = pc.binary_join_element_wise(f"{file.location}:", pc.cast(bad["number"], TEXT), "")
    columns = dict.fromkeys(specimens.STAGED.names, pa.nulls(bad.num_rows, TEXT)) | {
        "seq": pc.add(bad["number"], first),
        "owner": pa.repeat(whose.owner, bad.num_rows),
        "source": pa.repeat(whose.source, bad.num_rows),
        "page_key": pa.repeat(whose.page_key, bad.num_rows),
        "source_record_id": places,
        "datasetKey": pa.repeat(pa.scalar(whose.archive or None, TEXT), bad.num_rows),
        "broken": pa.repeat("SOURCE_UNREADABLE", bad.num_rows),
    }
    broken = pa.table([columns[name] for name in specimens.STAGED.names], schema=specimens.STAGED)
    count = len(is_good) - bad.num_rows
    return rows.slice(0, count) if is_good[:count].all() else rows.filter(pa.array(is_good)), broken


def _whose(rows: pa.Table, whose: Whose, first: int) -> dict[str, pa.Array]:
    return {
        "seq": pc.add(rows["number"], first),
        "owner": repeat(whose.owner, rows.num_rows),
        "link": pa.nulls(rows.num_rows, TEXT),
        "source": repeat(whose.source, rows.num_rows),
        "page_key": repeat(whose.page_key, rows.num_rows),
        "source_record_id": rows["id"],
    }


def _licenses(rows: pa.Table) -> pa.DictionaryArray:
    codes, told = ask_distinct([rows[term] for term in LICENSE_TERMS])
    return recode(pa.array([_joined(texts) for texts in told], TEXT), codes)


# pages


def stage_records(records: Iterable[Occurrence], source_number: int) -> Iterator[Callable[[], Staged]]:
    """Yield, for some records at a time, what stages them when called."""
    first, of_source = source_number << SEQ_BITS, iter(records)
    while some := list(islice(of_source, RECORDS_AT_ONCE)):
        yield _record_job(some, first)
        first += len(some)


def _record_job(records: list[Occurrence], first: int) -> Callable[[], Staged]:
    def stage() -> Staged:
        told, shown = [], []
        start = first >> SEQ_BITS << SEQ_BITS
        for seq, record in enumerate(records, first):
            whose = {
                "seq": seq,
                "owner": f"{record.source}:",
                "link": str(seq),
                "source": record.source,
                "page_key": record.page_key,
                "source_record_id": record.record_id,
            }
            terms = {name: record.terms.get(name) for name in specimens.TERMS}
            told.append(whose | terms | {"licenses": _joined(record.licenses), "broken": record.issue})
            after = LATER + (seq - start) * MOST_MEDIA
            shown += [whose | {"seq": start + after + at} | _medium(medium) for at, medium in enumerate(record.media)]
        return Staged(
            pa.Table.from_pylist(told, specimens.STAGED), pa.Table.from_pylist(shown, pictures.STAGED)
        )

    return stage


def _medium(medium: Media) -> dict[str, str | None]:
    return {
        "url": medium.url, "kind": medium.kind, "format": medium.format, "licenses": _joined(medium.licenses),
        "rightsHolder": medium.rights_holder, "creator": medium.creator, "media_id": medium.media_id,
    }  # fmt: skip


def _joined(texts: tuple[str | None, ...]) -> str | None:
    return BETWEEN.join(text or "" for text in texts) if any(texts) else None
