"""attribution.csv, whom each image is owed to and under which licence; ACKNOWLEDGEMENTS.txt, thanks to all by name."""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any

import pyarrow as pa

from naflora_etl.publishing.contents import Contents
from naflora_etl.publishing.derived import Download
from naflora_etl.publishing.manifest import PAGES

THANKS = "ACKNOWLEDGEMENTS.txt"
HEADINGS = {"gbif": "Datasets of GBIF", "idigbio": "Recordsets of iDigBio", "archive": "Archives"}
NAMELESS = "(no name given)"
NOT_NAMED = "Datasets whose title is not known, and which are called by their keys: {:,}."

COLUMNS = {
    "image_key": "image_key",
    "creator": "creator",
    "rightsHolder": "rightsHolder",
    "institution": "institutionCode",
    "license": "license",
    "license_verbatim": "license_verbatim",
    "url": "image_url",
    "source": "source",
}
"""Column of the file = column of the manifest."""
ROWS_AT_ONCE = 20_000


def write_attribution(manifest: pa.Table, stream: IO[bytes]) -> None:
    """Write a row per image of the release, in the manifest's order."""
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
    writer = csv.DictWriter(text, tuple(COLUMNS), lineterminator="\n")
    writer.writeheader()
    for batch in manifest.select(list(COLUMNS.values())).to_batches(max_chunksize=ROWS_AT_ONCE):
        writer.writerows({name: row[source] for name, source in COLUMNS.items()} for row in batch.to_pylist())
    text.detach()


def render_acknowledgements(contents: Contents, downloads: Sequence[Download]) -> bytes:
    """Return the text that names every institution, dataset and recordset of a release, with its number of images."""
    release = contents.release
    institutions: dict[str, Counter[str]] = defaultdict(Counter)
    sets: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    columns = ["institutionCode", "collectionCode", "rightsHolder", "source", "datasetKey"]
    for batch in contents.manifest.select(columns).to_batches(max_chunksize=ROWS_AT_ONCE):
        for row in batch.to_pylist():
            code = _plain(row["institutionCode"]) or _plain(row["collectionCode"]) or NAMELESS
            institutions[code][_plain(row["rightsHolder"])] += 1
            sets[row["source"]][_plain(row["datasetKey"]) or NAMELESS][code] += 1
    named = {(row["source"], _plain(row["datasetKey"])): row for row in contents.datasets.to_pylist() if row["title"]}
    lines = [f"{release['title']}, version {release['version']}", ""]
    lines += ["The images of this dataset were made and published by the institutions below, from specimens that they"]
    lines += ["keep. Thank them by name where you can; attribution.csv says whom each single image is owed to."]
    if downloads:
        lines += _section("Downloads to cite (citations.bib and citations.json have them, too)")
        lines += [download.citation for download in downloads]
    lines += _section(f"Institutions ({len(institutions)})")
    lines += _counted((code, holders, code, "") for code, holders in institutions.items())
    for source in sorted(sets, key=list(HEADINGS).index):
        lines += _section(f"{HEADINGS[source]} ({len(sets[source])})")
        page = PAGES.get(source, "{}")
        rows = [(key, codes, *_called(key, named.get((source, key)), page)) for key, codes in sets[source].items()]
        lines += _counted(rows)
        nameless = sum((source, key) not in named for key in sets[source])
        lines += [NOT_NAMED.format(nameless)] if nameless else []
    return ("\n".join(lines) + "\n").encode()


def _section(heading: str) -> list[str]:
    return ["", heading, "-" * len(heading)]


def _called(key: str, named: Mapping[str, Any] | None, page: str) -> tuple[str, str]:
    """Return how a dataset is called, and how it wants to be cited; by its page or key where it told no title."""
    place = key if key == NAMELESS else page.format(key)
    if named is None:
        return place, ""
    where = f"{place}, https://doi.org/{named['doi']}" if named["doi"] else place
    return f"{_plain(named['title'])} ({where})", _plain(named["citation"])


def _counted(rows: Iterable[tuple[str, Counter[str], str, str]]) -> list[str]:
    """Return a line a thing, those with the most images first: its number, what it is called, what belongs to it.

    `rows` are (key, what belongs to it, name, citation); a citation has a line of its own.
    """
    lines = []
    counted = sorted((-own.total(), key, name, cited, sorted(own)) for key, own, name, cited in rows)
    for minus, _, name, cited, names in counted:
        said = [text for text in names if text]
        lines.append(f"{-minus:>9,}  {name}" + (f"  {'; '.join(said)}" if said else ""))
        lines += [f"{'':>9}  {cited}"] if cited else []
    return lines


def _plain(text: str | None) -> str:
    """Return a text on one line."""
    return " ".join((text or "").split())
