"""citations.bib and citations.json: the release and every download that it rests on, for TeX and for CSL readers."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from naflora_etl.publishing.citation import BRACES, HERBARIA, render_bibtex
from naflora_etl.publishing.contents import Contents
from naflora_etl.publishing.derived import Download

BIBTEX = "citations.bib"
CSL = "citations.json"


def render_bibliography(contents: Contents, downloads: Sequence[Download]) -> bytes:
    """Return the BibTeX entries: the release's, then one a download."""
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
    return (json.dumps(items, indent=2, ensure_ascii=False) + "\n").encode()


def _item(key: str, title: str, author: str, date: str, **more: str) -> dict[str, Any]:
    parts = [int(part) for part in re.findall(r"\d+", date)[:3]]
    item: dict[str, Any] = {"id": key, "type": "dataset", "title": title, "author": [{"literal": author}]}
    item |= {"issued": {"date-parts": [parts]}} if parts else {}
    return item | {name: value for name, value in more.items() if value}


def _date(download: Download) -> str:
    """Return the day of a download out of its citation; empty when it tells none."""
    found = re.search(r"\((\d{4}-\d\d-\d\d)\)", download.citation)
    return found[1] if found else ""
