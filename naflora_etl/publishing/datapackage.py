"""datapackage.json: the tables and files of a release as a Frictionless data package.

Source of the vocabulary: Data Package 2.0, https://datapackage.org/standard/data-package/.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from naflora_etl.engine.contracts import read_contract
from naflora_etl.publishing.contents import Contents

NAME = "datapackage.json"
PROFILE = "https://datapackage.org/profiles/2.0/datapackage.json"
TABLES = ("manifest", "classes", "specimens", "datasets", "names", "excluded")


def render_datapackage(contents: Contents, files: Mapping[str, Mapping[str, Any]]) -> bytes:
    """Return datapackage.json; `files` are those written so far by name, each with its sha256 and size_bytes."""
    release = contents.release
    package: dict[str, Any] = {"$schema": PROFILE, "name": contents.recipe["name"], "title": release["title"]}
    if release["doi"]:
        package["id"] = f"https://doi.org/{release['doi']}"
    for key, value in (("description", release["description"]), ("homepage", release["url"])):
        if value:
            package[key] = value
    package["version"] = release["version"]
    if release["publisher"]:
        package["contributors"] = [{"title": release["publisher"], "roles": ["publisher"]}]
    package["licenses"] = [
        {"name": count.name} | ({"path": about.url} if about.url else {}) | {"title": about.name}
        for count, about in contents.licences
    ]
    package["resources"] = [
        *(_table(name, files[f"{name}.parquet"]) for name in TABLES),
        *(_shard(name, files[name]) for name in sorted(files) if name.endswith(".tar")),
    ]
    return (json.dumps(package, indent=1, ensure_ascii=False) + "\n").encode()


def _table(name: str, file: Mapping[str, Any]) -> dict[str, Any]:
    contract = read_contract(name)
    schema: dict[str, Any] = {"fields": [dict(field) for field in contract.fields]}
    if contract.primary_key:
        schema["primaryKey"] = list(contract.primary_key)
    about = {"name": name, "title": contract.description, "path": f"{name}.parquet", "type": "table"}
    kind = {"format": "parquet", "mediatype": "application/vnd.apache.parquet"}
    return about | kind | _sum(file) | {"schema": schema}


def _shard(name: str, file: Mapping[str, Any]) -> dict[str, Any]:
    kind = {"format": "tar", "mediatype": "application/x-tar"}
    return {"name": name.removesuffix(".tar").replace("/", "-"), "path": name} | kind | _sum(file)


def _sum(file: Mapping[str, Any]) -> dict[str, Any]:
    return {"bytes": file["size_bytes"], "hash": f"sha256:{file['sha256']}"}
