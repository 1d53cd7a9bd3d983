"""croissant.json: what the release holds, in the words of Croissant 1.1, so that its loaders need no code of ours.

Source of the vocabulary: the Croissant Format Specification 1.1, http://mlcommons.org/croissant/1.1.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from naflora_etl.engine.contracts import Contract, read_contract
from naflora_etl.publishing.contents import Contents
from naflora_etl.publishing.datapackage import TABLES

NAME = "croissant.json"
CONFORMS_TO = "http://mlcommons.org/croissant/1.1"
TERMS = (
    "arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "extract", "field", "fileProperty",
    "fileObject", "fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath", "key", "md5", "parentField",
    "path", "recordSet", "references", "regex", "repeated", "replace", "samplingRate", "separator", "source",
    "subField", "transform",
)  # fmt: skip
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "name": {"@container": "@language"},
    "description": {"@container": "@language"},
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{term: f"cr:{term}" for term in TERMS},
}
DATA_TYPES = {
    "string": "sc:Text",
    "integer": "cr:Int64",
    "number": "cr:Float64",
    "boolean": "sc:Boolean",
    "date": "sc:Date",
    "datetime": "sc:DateTime",
}
PARTS = ("train", "test")
KEY_OF_FILE = r"^([^.]+)(?:\.jpg)?$"
"""mlcroissant applies a transformation once more after a join, so what is a key already must match too."""
LABELS = ("class_id", "taxon_name", "genus", "family", "part")
"""Columns of the manifest that stand beside each image."""


def render_croissant(contents: Contents, sums: Mapping[str, str], bibtex: str) -> bytes:
    """Return croissant.json; `sums` are the sha256 of the files written so far, by name."""
    release = contents.release
    licences = [about.url or about.name for _, about in contents.licences]
    described: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": contents.recipe["name"],
        "description": release["description"] or "Images of herbarium specimens with their species' accepted names.",
        "version": release["version"],
        "license": licences[0] if len(licences) == 1 else licences,
        "citeAs": bibtex,
        "isLiveDataset": False,
        "keywords": ["herbarium", "botany", "fine-grained image classification", "long tail"],
    }
    for key, value in (("datePublished", release["date"]), ("url", release["url"])):
        if value:
            described[key] = value
    if release["publisher"]:
        described["creator"] = described["publisher"] = {"@type": "sc:Organization", "name": release["publisher"]}
    described["distribution"] = [*_files(sums), *_image_sets(sums)]
    described["recordSet"] = [
        *(_table_set(read_contract(name)) for name in TABLES),
        *(_image_records(part) for part in PARTS if _shards(sums, part)),
    ]
    return (json.dumps(described, indent=1, ensure_ascii=False) + "\n").encode()


def _files(sums: Mapping[str, str]) -> list[dict[str, Any]]:
    kinds = {".tar": "application/x-tar", ".parquet": "application/x-parquet"}
    return [
        {
            "@type": "cr:FileObject",
            "@id": name,
            "name": name,
            "contentUrl": name,
            "encodingFormat": kinds[name[name.rindex(".") :]],
            "sha256": sha256,
        }
        for name, sha256 in sorted(sums.items())
        if name.endswith(tuple(kinds))
    ]


def _shards(sums: Mapping[str, str], part: str) -> list[str]:
    return [name for name in sorted(sums) if name.startswith(f"{part}-") and name.endswith(".tar")]


def _image_sets(sums: Mapping[str, str]) -> list[dict[str, Any]]:
    sets = []
    for part in PARTS:
        if shards := _shards(sums, part):
            sets.append(
                {
                    "@type": "cr:FileSet",
                    "@id": f"{part}-images",
                    "name": f"{part}-images",
                    "description": f"The images of the part {part}, out of its tars.",
                    "containedIn": [{"@id": name} for name in shards],
                    "encodingFormat": "image/jpeg",
                    "includes": "*.jpg",
                }
            )
    return sets


def _table_set(contract: Contract) -> dict[str, Any]:
    fields = [_column(contract.name, contract.name, field) for field in contract.fields]
    about = {"name": contract.name, "description": contract.description}
    made: dict[str, Any] = {"@type": "cr:RecordSet", "@id": contract.name, **about}
    if len(contract.primary_key) == 1:
        made["key"] = {"@id": f"{contract.name}/{contract.primary_key[0]}"}
    return made | {"field": fields}


def _column(record_set: str, table: str, field: Mapping[str, Any]) -> dict[str, Any]:
    name = field["name"]
    return {
        "@type": "cr:Field",
        "@id": f"{record_set}/{name}",
        "name": name,
        "description": field["description"],
        "dataType": DATA_TYPES[field["type"]],
        "source": {"fileObject": {"@id": f"{table}.parquet"}, "extract": {"column": name}},
    }


def _image_records(part: str) -> dict[str, Any]:
    """Return the record set of a part: an image, its key out of the file's name, and its labels by that key."""
    manifest = {field["name"]: field for field in read_contract("manifest").fields}
    file_set = {"fileSet": {"@id": f"{part}-images"}}
    key = {
        "@type": "cr:Field",
        "@id": f"{part}/image_key",
        "name": "image_key",
        "description": manifest["image_key"]["description"],
        "dataType": "sc:Text",
        "source": {**file_set, "extract": {"fileProperty": "filename"}, "transform": {"regex": KEY_OF_FILE}},
        "references": {"fileObject": {"@id": "manifest.parquet"}, "extract": {"column": "image_key"}},
    }
    image = {
        "@type": "cr:Field",
        "@id": f"{part}/image",
        "name": "image",
        "description": "The sheet, its text covered.",
        "dataType": "sc:ImageObject",
        "source": {**file_set, "extract": {"fileProperty": "content"}},
    }
    labels = [_column(part, "manifest", manifest[name]) for name in LABELS]
    labels[0]["dataType"] = [labels[0]["dataType"], "cr:Label"]
    return {
        "@type": "cr:RecordSet",
        "@id": part,
        "name": part,
        "description": f"The samples of the part {part}.",
        "field": [key, image, *labels],
    }
