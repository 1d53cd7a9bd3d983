"""attribution.csv: whom each image is owed to, and under which licence."""

from __future__ import annotations

import csv
import io
from typing import IO

import pyarrow as pa

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
