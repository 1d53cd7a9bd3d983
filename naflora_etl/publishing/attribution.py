"""attribution.csv, whom each image is owed to and under which licence; ACKNOWLEDGEMENTS.txt, thanks to all by name."""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import IO

import pyarrow as pa

from naflora_etl.publishing.contents import Contents
from naflora_etl.publishing.derived import Download
from naflora_etl.publishing.manifest import PAGES

THANKS = "ACKNOWLEDGEMENTS.txt"
HEADINGS = {"gbif": "Datasets of GBIF", "idigbio": "Recordsets of iDigBio", "archive": "Archives"}
NAMELESS = "(no name given)"

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
    lines = [f"{release['title']}, version {release['version']}", ""]
    lines += ["The images of this dataset were made and published by the institutions below, from specimens that they"]
    lines += ["keep. Thank them by name where you can; attribution.csv says whom each single image is owed to."]
    if downloads:
        lines += _section("Downloads to cite (citations.bib and citations.json have them, too)")
        lines += [download.citation for download in downloads]
    lines += _section(f"Institutions ({len(institutions)})")
    lines += _counted((code, holders, "") for code, holders in institutions.items())
    for source in sorted(sets, key=list(HEADINGS).index):
        lines += _section(f"{HEADINGS[source]} ({len(sets[source])})")
        page = PAGES.get(source, "{}")
        lines += _counted((key, codes, page.format(key)) for key, codes in sets[source].items())
    return ("\n".join(lines) + "\n").encode()


def _section(heading: str) -> list[str]:
    return ["", heading, "-" * len(heading)]


def _counted(rows: Iterable[tuple[str, Counter[str], str]]) -> list[str]:
    """Return a line a thing, those with the most images first: its number, its name or page, what belongs to it."""
    counted = sorted((-names.total(), key, page, sorted(names)) for key, names, page in rows)
    return [
        f"{-minus:>9,}  {key if key == NAMELESS else page or key}" + (f"  {'; '.join(said)}" if any(said) else "")
        for minus, key, page, names in counted
        for said in [[name for name in names if name]]
    ]


def _plain(text: str | None) -> str:
    """Return a text on one line."""
    return " ".join((text or "").split())
