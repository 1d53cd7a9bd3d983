"""The door of this wing: the aggregators by name, and what they all sent as one stream of records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from itertools import groupby
from typing import Any

from naflora_etl.sources import gbif, gbif_download, idigbio, idigbio_download
from naflora_etl.sources.archive import Archive
from naflora_etl.sources.archives import is_address, name_of
from naflora_etl.sources.darwincore import Occurrence
from naflora_etl.sources.paging import Portal
from naflora_etl.sources.staging import Staged, Whose, stage_archive, stage_records

UNPACKED = 7
"""Times that a zip's text is larger than the zip."""
DOWNLOADS = (gbif_download.PAGE_KEY, idigbio_download.PAGE_KEY)
PORTALS: dict[str, Portal] = {"gbif": gbif, "idigbio": idigbio}


def text_bytes(pages: Iterable[dict[str, Any]]) -> int:
    """Return how many bytes of text harvested pages and archives hold, roughly."""
    return sum((page["size_bytes"] or 0) * (UNPACKED if _is_packed(page) else 1) for page in pages)


def _is_packed(page: dict[str, Any]) -> bool:
    return bool(page["request"].endswith(".zip")) or page["page_key"].startswith(DOWNLOADS)


def stage_pages(
    pages: Iterable[dict[str, Any]],
    read: Callable[[str], bytes],
    file: Callable[[str], AbstractContextManager[str]],
) -> Iterator[tuple[Callable[[], Staged], str]]:
    """Yield, for some records at a time, what stages them when called in any thread, and whose they are.

    `pages` are clean rows of the harvest table; `read` returns the bytes of a blob, `file` the path of one that is
    too large for that. The pages of one taxon at iDigBio are read together, as records and media come on different
    ones. An archive is read where it lies.
    """
    with_records = [page for page in pages if page["record_count"] is not None]
    with_records.sort(key=lambda page: (page["source"], page["taxon_id"] or "", page["page_key"]))
    number = 0
    for (source, _), group in groupby(with_records, key=lambda page: (page["source"], page["taxon_id"])):
        if source == "idigbio":
            number += 1
            records = _read_idigbio(list(group), read, file)
            yield from ((job, source) for job in stage_records(records, number))
        for page in group if source != "idigbio" else ():
            number += 1
            yield from ((job, source) for job in _stage_page(page, number, read, file))


def _read_idigbio(
    pages: list[dict[str, Any]], read: Callable[[str], bytes], file: Callable[[str], AbstractContextManager[str]]
) -> Iterator[Occurrence]:
    if pages[0]["page_key"] == idigbio_download.PAGE_KEY:
        return idigbio_download.read_records(file(pages[0]["blob"]), pages[0]["page_key"])
    return idigbio.read_records((page["page_key"], read(page["blob"])) for page in pages)


def _stage_page(
    page: dict[str, Any],
    number: int,
    read: Callable[[str], bytes],
    file: Callable[[str], AbstractContextManager[str]],
) -> Iterator[Callable[[], Staged]]:
    key = page["page_key"]
    if page["source"] == "archive" and is_address(page["request"]):
        with file(page["blob"]) as path:
            yield from stage_archive(Archive(path, name_of(page["request"])), Whose("archive", key), number)
    elif page["source"] == "archive":
        yield from stage_archive(Archive(page["request"]), Whose("archive", key), number)
    elif key.startswith(gbif_download.PAGE_KEY):
        with file(page["blob"]) as path:
            yield from stage_archive(Archive(path), Whose("gbif", key), number)
    else:
        yield from stage_records(gbif.read_records(read(page["blob"]), key), number)
