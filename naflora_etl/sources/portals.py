"""The door of this wing: the aggregators by name, and what they all sent as one stream of records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from itertools import groupby
from typing import Any

from naflora_etl.sources import gbif, gbif_download, idigbio
from naflora_etl.sources.archive import Archive
from naflora_etl.sources.archives import is_address, name_of
from naflora_etl.sources.darwincore import Occurrence
from naflora_etl.sources.paging import Portal

PORTALS: dict[str, Portal] = {"gbif": gbif, "idigbio": idigbio}


def read_occurrences(
    pages: Iterable[dict[str, Any]],
    read: Callable[[str], bytes],
    file: Callable[[str], AbstractContextManager[str]],
) -> Iterator[Occurrence]:
    """Yield the records of harvested pages and archives, in the order of their keys.

    `pages` are clean rows of the harvest table; `read` returns the bytes of a blob, `file` the path of one that is
    too large for that. The pages of one taxon at iDigBio are read together, as records and media come on different
    ones. An archive is read where it lies.
    """
    with_records = [page for page in pages if page["record_count"] is not None]
    with_records.sort(key=lambda page: (page["source"], page["taxon_id"] or "", page["page_key"]))
    for (source, _), group in groupby(with_records, key=lambda page: (page["source"], page["taxon_id"])):
        if source == "idigbio":
            yield from idigbio.read_records((page["page_key"], read(page["blob"])) for page in group)
        for page in group if source != "idigbio" else ():
            if source == "archive" and is_address(page["request"]):
                with file(page["blob"]) as path:
                    yield from Archive(path, name_of(page["request"])).read_records(page["page_key"])
            elif source == "archive":
                yield from Archive(page["request"]).read_records(page["page_key"])
            elif page["page_key"].startswith(gbif_download.PAGE_KEY):
                yield from gbif_download.read_records(file(page["blob"]), page["page_key"])
            else:
                yield from gbif.read_records(read(page["blob"]), page["page_key"])
