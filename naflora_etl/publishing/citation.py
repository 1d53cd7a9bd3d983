"""How a release is cited: BibTeX for the card, CITATION.cff for archives and code hosts."""

from __future__ import annotations

import json
import re

from naflora_etl import __version__
from naflora_etl.publishing.contents import Contents

NAME = "CITATION.cff"
HERBARIA = "The contributing herbaria"
"""Who is cited when the recipe names no publisher."""
BRACES = str.maketrans({"{": "\\{", "}": "\\}", "%": "\\%", "&": "\\&", "#": "\\#", "_": "\\_", "$": "\\$"})


def render_bibtex(contents: Contents) -> str:
    """Return the BibTeX entry; its key is the recipe's name."""
    release = contents.release
    lines = {
        "title": f"{{{release['title'].translate(BRACES)}}}",
        "author": f"{{{(release['publisher'] or HERBARIA).translate(BRACES)}}}",
        "publisher": release["publisher"].translate(BRACES),
        "year": release["date"][:4],
        "version": release["version"].translate(BRACES),
        "doi": release["doi"],
        "url": release["url"],
        "note": f"Made with naflora\\_etl {__version__}",
    }
    said = [f"  {name:<9} = {{{value}}}" for name, value in lines.items() if value]
    return "@misc{" + ",\n".join([re.sub(r"\W", "_", contents.recipe["name"]), *said]) + "\n}"


def render_cff(contents: Contents) -> bytes:
    """Return CITATION.cff (Citation File Format 1.2.0); values are quoted as JSON, which YAML reads."""
    release = contents.release
    said = {
        "cff-version": "1.2.0",
        "message": "If you use this dataset, please cite it, and name the institutions in attribution.csv.",
        "type": "dataset",
        "title": release["title"],
        "version": release["version"],
        "date-released": release["date"],
        "doi": release["doi"],
        "url": release["url"],
        "abstract": release["description"],
    }
    lines = [f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in said.items() if value]
    author = json.dumps(release["publisher"] or HERBARIA, ensure_ascii=False)
    return ("\n".join([*lines, "authors:", f"  - name: {author}"]) + "\n").encode()
