"""citations.bib and citations.json: the release, every download and every dataset that it rests on, for TeX and CSL."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from naflora_etl.publishing.citation import BRACES, HERBARIA, render_bibtex
from naflora_etl.publishing.contents import Contents
from naflora_etl.publishing.derived import Download

BIBTEX = "citations.bib"
CSL = "citations.json"


def render_bibliography(contents: Contents, downloads: Sequence[Download]) -> bytes:
    """Return the BibTeX entries: the release's, then one a download, then one a dataset whose title is known."""
    entries = [render_bibtex(contents)]
    for download in downloads:
        lines = {
            "title": "{GBIF Occurrence Download}",
            "author": "{GBIF.org}",
            "publisher": "The Global Biodiversity Information Facility",
            "year": _date(download)[:4],
            "doi": download.doi,
            "url": f"https://doi.org/{download.doi}",
            "note": download.citation.translate(BRACES),
        }
        said = [f"  {name:<9} = {{{value}}}" for name, value in lines.items() if value]
        entries.append("@misc{" + ",\n".join([f"gbif_{re.sub(r'[^0-9A-Za-z]', '_', download.doi)}", *said]) + "\n}")
    for row in _named(contents):
        lines = {
            "title": f"{{{row['title'].translate(BRACES)}}}",
            "year": _year(row),
            "doi": row["doi"] or "",
            "url": _page(row),
            "note": (row["citation"] or "").translate(BRACES),
        }
        said = [f"  {name:<9} = {{{value}}}" for name, value in lines.items() if value]
        entries.append("@misc{" + ",\n".join([_dataset_key(row), *said]) + "\n}")
    return ("\n\n".join(entries) + "\n").encode()


def render_csl(contents: Contents, downloads: Sequence[Download]) -> bytes:
    """Return the same as CSL-JSON (Citation Style Language 1.0.2): a list of items of the type dataset."""
    release = contents.release
    items = [
        _item(
            re.sub(r"\W", "_", contents.recipe["name"]),
            release["title"],
            release["publisher"] or HERBARIA,
            release["date"],
            version=release["version"],
            DOI=release["doi"],
            URL=release["url"],
        )
    ]
    items += [
        _item(
            f"gbif_{re.sub(r'[^0-9A-Za-z]', '_', download.doi)}",
            "GBIF Occurrence Download",
            "GBIF.org",
            _date(download),
            publisher="The Global Biodiversity Information Facility",
            DOI=download.doi,
            URL=f"https://doi.org/{download.doi}",
        )
        for download in downloads
    ]
    items += [
        _item(
            _dataset_key(row),
            row["title"],
            "",
            _year(row),
            DOI=row["doi"] or "",
            URL=_page(row),
            note=row["citation"] or "",
        )
        for row in _named(contents)
    ]
    return (json.dumps(items, indent=2, ensure_ascii=False) + "\n").encode()


def _item(key: str, title: str, author: str, date: str, **more: str) -> dict[str, Any]:
    parts = [int(part) for part in re.findall(r"\d+", date)[:3]]
    item: dict[str, Any] = {"id": key, "type": "dataset", "title": title}
    item |= {"author": [{"literal": author}]} if author else {}
    item |= {"issued": {"date-parts": [parts]}} if parts else {}
    return item | {name: value for name, value in more.items() if value}


def _named(contents: Contents) -> list[dict[str, Any]]:
    """Return the datasets whose title is known; the others stand in ACKNOWLEDGEMENTS.txt alone, by their keys."""
    return [row for row in contents.datasets.to_pylist() if row["title"]]


def _dataset_key(row: Mapping[str, Any]) -> str:
    return f"{row['source']}_dataset_{re.sub(r'[^0-9A-Za-z]', '_', row['datasetKey'])}"


def _page(row: Mapping[str, Any]) -> str:
    return f"https://doi.org/{row['doi']}" if row["doi"] else row["address"] or ""


def _year(row: Mapping[str, Any]) -> str:
    """Return the year in a dataset's citation, which stands in brackets; empty when there is none."""
    found = re.search(r"\((\d{4})\)", row["citation"] or "")
    return found[1] if found else ""


def _date(download: Download) -> str:
    """Return the day of a download out of its citation; empty when it tells none."""
    found = re.search(r"\((\d{4}-\d\d-\d\d)\)", download.citation)
    return found[1] if found else ""
