"""lock.json: what a release was made from, to the digit, so that `naflora build --locked` makes the same bytes again.

It names the recipe's choices and seeds, the given files and the answers of the aggregators by their digests, the
downloads by DOI, the code and the libraries that shape bytes by version, and every file that came out by sha256.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pyarrow as pa

from naflora_etl import __version__
from naflora_etl.engine.faults import Fault
from naflora_etl.engine.receipts import digest_path
from naflora_etl.engine.resources import resource_folder
from naflora_etl.engine.tables import cut_windows, parquet_bytes
from naflora_etl.publishing.checksums import NAME as SUMS
from naflora_etl.publishing.derived import Download
from naflora_etl.publishing.findings import Finding, tell_keys
from naflora_etl.publishing.parcel import open_parcel
from naflora_etl.publishing.provenance import publish_recipe
from naflora_etl.recipe import Recipe

NAME = "lock.json"
FORMAT = 1
TABLES = ("taxa", "harvest", "records", "selection", "images", "split", "shards")
LIBRARIES = (
    "duckdb", "ftfy", "highspy", "jinja2", "matplotlib", "newick", "numpy", "onnxruntime", "opencv-python-headless",
    "pillow", "pyarrow", "python-calamine", "pyvips", "pyvips-binary", "rapidfuzz", "rapidocr", "simplejpeg",
)  # fmt: skip
"""Those whose next version may give other rows, other pixels or other bytes of a file."""
VOLATILE = {"fetched_at", "etag", "asked", "fetched_url", "pack", "offset", "before_offset", "before_length_bytes"}
"""Columns of the workspace's tables that tell when and from where a thing came, or where it lies: not what it is."""
GIVEN = ("checklist.paths", "wcvp.path", "taxa.overrides", "harvest.archives", "split.ledger",
         "release.previous", "release.tree")  # fmt: skip
RELEASES = ("split.ledger", "release.previous")
"""Knobs that name releases, of which the manifest alone is read."""
ROWS_AT_ONCE = 200_000
MOST_TOLD = 5
MEND = "Bring back what differs, or build without --locked"


@dataclass(frozen=True)
class Lock:
    """A lock that was read: its values, and where it was found."""

    where: str
    values: Mapping[str, Any]


def render_lock(
    recipe: Recipe,
    windows: Callable[[str, int], Iterable[pa.Table]],
    downloads: Sequence[Download],
    sums: Mapping[str, str],
) -> bytes:
    """Return lock.json; `windows` gives a stage's rows so many at a time.

    `sums` are the sha256 of the files written so far, by name.
    """
    published = publish_recipe(recipe)
    knobs = dict(_flat(published))
    values = {
        "lock": FORMAT,
        "name": recipe.name,
        "version": recipe.release.version,
        "code": code_version(),
        "libraries": library_versions(),
        "seeds": {name: value for name, value in knobs.items() if name.endswith("seed")},
        "dois": [download.doi for download in downloads],
        "inputs": digest_inputs(recipe),
        "tables": {name: digest_rows(windows(name, ROWS_AT_ONCE)) for name in TABLES},
        "files": dict(sorted(sums.items())),
        "recipe": published,
    }
    return (json.dumps(values, indent=1, ensure_ascii=False) + "\n").encode()


@cache
def code_version() -> dict[str, str]:
    """Return the version of this package, and the sha256 of its code and contracts."""
    root, schemas, digest = Path(__file__).parents[1], resource_folder("schemas"), hashlib.sha256()
    templates = (path for path in (root / "publishing" / "templates").rglob("*") if path.is_file())
    code = sorted([*root.rglob("*.py"), *templates])
    for folder, paths in ((root, code), (schemas, sorted(schemas.glob("*.json")))):
        for path in paths:
            digest.update(f"{path.relative_to(folder).as_posix()}\0".encode() + path.read_bytes())
    return {"naflora_etl": __version__, "sha256": digest.hexdigest()}


def library_versions() -> dict[str, str]:
    """Return the version of Python and of each library that shapes bytes."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


def digest_inputs(recipe: Recipe) -> dict[str, str]:
    """Return the sha256 of each given file by its knob and name; Fault for one that is not there."""
    found: dict[str, str] = {}
    for knob in GIVEN:
        section, name = knob.split(".")
        value = getattr(getattr(recipe, section), name)
        given = (value,) if isinstance(value, str) else value or ()
        for path in (path for path in given if "://" not in path):  # what is fetched is told by the table harvest
            place = Path(path) / "manifest.parquet" if knob in RELEASES and Path(path).is_dir() else path
            found[f"{knob}: {Path(path).name}"] = digest_path(str(place))
    return found


def digest_rows(windows: Iterable[pa.Table]) -> dict[str, Any]:
    """Return the number of a table's rows and the sha256 of what they say, whenever and in whichever pack.

    Its rows come ROWS_AT_ONCE at a time: another number gives another digest.
    """
    digest, rows = hashlib.sha256(), 0
    for window in windows:
        kept = window.drop_columns(sorted(VOLATILE & set(window.column_names))).replace_schema_metadata(None)
        digest.update(parquet_bytes(kept))
        rows += kept.num_rows
    return {"rows": rows, "sha256": digest.hexdigest()}


def digest_table(table: pa.Table) -> dict[str, Any]:
    """Return what `digest_rows` gives, of a table that is in memory."""
    return digest_rows(cut_windows([table], ROWS_AT_ONCE))


def check_lock(body: bytes, sums: Mapping[str, str]) -> Iterator[Finding]:
    """Yield where lock.json is no lock, or names other files than `sums`, which are those of SHA256SUMS."""
    try:
        promised = _parse_lock(body, NAME).values["files"]
    except Fault as fault:
        yield Finding(NAME, f"it {str(fault).removeprefix(f'{NAME} ').partition(';')[0]}")
        return
    ours = {name: digest for name, digest in sums.items() if name != NAME}
    other = [name for name in sorted(ours.keys() | promised.keys()) if ours.get(name) != promised.get(name)]
    if sums and other:
        yield from tell_keys(NAME, f"files that it names otherwise than {SUMS}", other)


def read_lock(path: Path) -> Lock:
    """Read a lock: lock.json, or the one in a release folder or tarball; Fault for anything else."""
    if path.is_file() and path.suffix == ".json":
        where, body = str(path), path.read_bytes()
    else:
        parcel = open_parcel(path)
        try:
            if NAME not in parcel.sizes:
                raise Fault(f"{path} has no {NAME}, as releases that were made before there were locks; name another.")
            with parcel.open(NAME) as stream:
                where, body = f"{NAME} of {path}", stream.read()
        finally:
            parcel.close()
    return _parse_lock(body, where)


def _parse_lock(body: bytes, where: str) -> Lock:
    try:
        values = json.loads(body)
        if values["lock"] != FORMAT:
            raise Fault(f"{where} has form {values['lock']}, this version knows {FORMAT}; take the version it names.")
        missing = {"code", "libraries", "inputs", "tables", "files", "recipe"} - values.keys()
    except (ValueError, KeyError, TypeError):
        raise Fault(f"{where} is not a lock of a release; take the release anew, or name another.") from None
    if missing:
        raise Fault(f"{where} lacks {', '.join(sorted(missing))}; take the release anew, or name another.")
    return Lock(where, values)


def check_ready(lock: Lock, recipe: Recipe) -> None:
    """Raise Fault, naming what differs, when recipe, given files, code or libraries are not those of the lock."""
    differs = [
        *_differences(dict(_flat(publish_recipe(recipe))), dict(_flat(lock.values["recipe"])), "is"),
        *_differences(digest_inputs(recipe), lock.values["inputs"], "has sha256"),
        *_differences(code_version(), lock.values["code"], "is", prefix="the code: "),
        *_differences(library_versions(), lock.values["libraries"], "is"),
    ]
    if differs:
        more = f"; and {len(differs) - MOST_TOLD} more" if len(differs) > MOST_TOLD else ""
        raise Fault(f"{lock.where} asks for something else: {'; '.join(differs[:MOST_TOLD])}{more}. {MEND}.")


def check_stage(lock: Lock, stage: str, table: pa.Table) -> None:
    """Raise Fault when a stage's table says otherwise than the one that the lock was made by."""
    promised = lock.values["tables"].get(stage)
    if promised is None or (found := digest_table(table)) == promised:
        return
    rows = f"{found['rows']:,} rows where the lock has {promised['rows']:,}"
    if found["rows"] == promised["rows"]:
        rows = f"{found['rows']:,} rows, as many as the lock has, and other ones"
    why = {
        "harvest": "The aggregators answer otherwise today",
        "images": "Image servers sent other bytes, or sent none",
    }.get(stage, "What it was made from says otherwise")
    raise Fault(
        f"{stage} came out with {rows} ({lock.where}). {why}: build in the data folder that the release was made in, "
        "whose answers are kept, or build without --locked."
    )


def check_files(lock: Lock, sums: Mapping[str, str]) -> None:
    """Raise Fault when a file of the release has other bytes than the lock names; `sums` as in SHA256SUMS."""
    promised = lock.values["files"]
    ours = {name: digest for name, digest in sums.items() if name not in (NAME, SUMS)}
    differs = sorted(name for name in ours.keys() | promised.keys() if ours.get(name) != promised.get(name))
    if differs:
        raise Fault(
            f"{len(differs)} files came out with other bytes than {lock.where} names, first {differs[0]}, though all "
            "that they are made from is the same; please report it with both files."
        )


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _differences(ours: Mapping[str, Any], theirs: Mapping[str, Any], verb: str, prefix: str = "") -> Iterator[str]:
    for name in sorted(ours.keys() | theirs.keys()):
        here, there = ours.get(name), theirs.get(name)
        if here != there:
            yield f"{prefix}{name} {verb} {_short(here)}, the lock says {_short(there)}"


def _short(value: Any) -> str:
    text = "not there" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:16]}...{text[-1]}"
