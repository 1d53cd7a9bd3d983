"""derived_dataset.json: what GBIF wants to know of a dataset made from others, so that each of them is counted.

It is the body of POST https://api.gbif.org/v1/derivedDataset, which a person with an account sends once the release has
its address; GBIF answers with a DOI.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa

from naflora_etl.publishing.contents import Contents
from naflora_etl.publishing.findings import BUILD_ANEW, Finding

NAME = "derived_dataset.json"
DATASET_KEY = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class Download(NamedTuple):
    """A download that an aggregator prepared and can be cited by."""

    doi: str
    citation: str


def list_downloads(harvest: pa.Table) -> tuple[Download, ...]:
    """Return the downloads that a harvest rests on, each once, sorted by DOI."""
    found = {(row["doi"], row["citation"] or "") for row in harvest.select(["doi", "citation"]).to_pylist()}
    return tuple(Download(doi, citation) for doi, citation in sorted(pair for pair in found if pair[0]))


def count_datasets(manifest: pa.Table) -> dict[str, int]:
    """Return how many of the published images each of GBIF's datasets gave, by dataset key, sorted.

    Records out of archives count where they name a dataset by a key such as GBIF's; iDigBio's recordsets do not.
    """
    counted: Counter[str] = Counter()
    for row in manifest.group_by(["source", "datasetKey"]).aggregate([([], "count_all")]).to_pylist():
        key, source = row["datasetKey"], row["source"]
        if key and source != "idigbio" and (source == "gbif" or DATASET_KEY.fullmatch(key)):
            counted[key] += row["count_all"]
    return dict(sorted(counted.items()))


def render_derived_dataset(contents: Contents, downloads: Sequence[Download]) -> bytes:
    """Return the body; where several downloads were made, GBIF asks for none of their DOIs here."""
    release = contents.release
    said = {
        "title": f"{release['title']}, version {release['version']}",
        "description": release["description"] or "Images of herbarium specimens with the accepted names of species.",
        "sourceUrl": release["url"] or (f"https://doi.org/{release['doi']}" if release["doi"] else ""),
        "originalDownloadDOI": downloads[0].doi if len(downloads) == 1 else None,
        "relatedDatasets": count_datasets(contents.manifest),
    }
    told = {name: value for name, value in said.items() if value is not None}
    return (json.dumps(told, indent=2, ensure_ascii=False) + "\n").encode()


def check_derived(body: bytes, manifest: pa.Table) -> Iterator[Finding]:
    """Yield what derived_dataset.json says otherwise than the manifest."""
    if json.loads(body)["relatedDatasets"] != count_datasets(manifest):
        yield Finding(NAME, "its counts are not those of the manifest's datasets", BUILD_ANEW)
