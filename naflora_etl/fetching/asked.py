"""The list that a user hands in: what is asked for, under which keys, and which rows cannot be."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import re
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.json

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.tables import read_parquet
from naflora_etl.fetching.shards import KEY
from naflora_etl.sources.darwincore import host_of, image_key, normalise_url

WAYS = ".parquet, .csv, .tsv, .jsonl or .txt (one URL a line), the texts also with .gz behind"
MARKUP = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|\?xml|head|body)", re.IGNORECASE)

TWICE = '{path} has the column "{name}" more than once; rename one of them.'
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
OURS = (
    *("key", "url", "shard", "offset", "length_bytes", "issue", "note", "status", "width_px", "height_px"),
    *("source_width_px", "source_height_px", "source_size_bytes", "source_sha256", "sha256"),
    *("text_boxes", "text_share", "text_quads", "fetched_at", "fetched_url"),
)
"""Columns of the manifest that are ours; a list's column of such a name is carried as `given_<name>`."""


@dataclass(frozen=True)
class Asked:
    """The rows of the list, in its order. `table` has `key` and `url` first, then the list's other columns."""

    table: pa.Table
    auto_keys: bool
    """Whether the list had no keys, so that each is made of its URL."""
    hosts: list[str] = field(repr=False)
    """Host of each row's URL; empty where there is an issue."""
    issues: list[str | None] = field(repr=False)
    """KEY_UNUSABLE, KEY_REPEATED, URL_UNUSABLE, or None for a row that is asked for."""

    @property
    def rows(self) -> int:
        return int(self.table.num_rows)

    def url(self, row: int) -> str:
        return str(self.table["url"][row].as_py())

    def key(self, row: int) -> str:
        return str(self.table["key"][row].as_py())

    @cached_property
    def followers(self) -> dict[int, list[int]]:
        """For the first of several rows with the same URL, the others: one request serves them all."""
        first: dict[str, int] = {}
        found: dict[int, list[int]] = defaultdict(list)
        for row, url in enumerate(self.table["url"].to_pylist()):
            if self.issues[row] is None:
                leader = first.setdefault(url, row)
                if leader != row:
                    found[leader].append(row)
        return dict(found)

    def digest(self, begin: int, end: int) -> str:
        """Return the sha256 of a stretch of rows, whatever file they came in."""
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, self.table.schema) as stream:
            stream.write_table(self.table.slice(begin, end - begin))
        return hashlib.sha256(sink.getvalue()).hexdigest()


def read_asked(path: Path, *, key_column: str = "key", url_column: str = "url") -> Asked:
    """Read a list of URLs. A row that cannot be asked for gets an issue; the list as a whole may be at Fault."""
    table = _read_table(path)
    if table.num_rows == 0:
        raise Fault(f"{path} holds no row; there is nothing to fetch.")
    repeated = {name for name in table.column_names if table.column_names.count(name) > 1}
    if repeated:
        raise Fault(TWICE.format(path=path, name=min(repeated)))
    if url_column not in table.column_names:
        names = ", ".join(table.column_names[:12]) + (", ..." if table.num_columns > 12 else "")
        if url_column in names.split(";"):
            raise Fault(f"{path}: its columns are separated by semicolons; save it with commas, or tabs as .tsv.")
        raise Fault(f'{path} has no column "{url_column}" (it has: {names}); name the right one with --url-column.')
    if key_column != "key" and key_column not in table.column_names:
        names = ", ".join(table.column_names)
        raise Fault(f'{path} has no column "{key_column}"; --key-column must name one of {names}.')
    if key_column == url_column:
        raise Fault(f'--key-column and --url-column are both "{url_column}"; a key is no address, name another one.')
    given = _texts(table, url_column, path)
    urls = [normalise_url(url) if url and not CONTROL.search(url) else None for url in given]
    auto_keys = key_column not in table.column_names
    keys = [image_key(url) if url else None for url in urls] if auto_keys else _texts(table, key_column, path)
    hosts, issues = _judge(keys, urls)
    rest = table.drop_columns([name for name in (key_column, url_column) if name in table.column_names])
    columns = {"key": pa.array(keys, pa.string()), "url": pa.array(given, pa.string())}
    columns |= {_carried_as(name, rest.column_names): rest[name] for name in rest.column_names}
    return Asked(pa.table(columns).replace_schema_metadata().combine_chunks(), auto_keys, hosts, issues)


def _carried_as(name: str, names: list[str]) -> str:
    """Return the name of a list's column in the manifest: its own, or `given_<name>` where ours has it."""
    if name not in OURS:
        return name
    carried = f"given_{name}"
    while carried in names:
        carried = f"given_{carried}"
    return carried


def _judge(keys: list[str | None], urls: list[str | None]) -> tuple[list[str], list[str | None]]:
    hosts: list[str] = []
    issues: list[str | None] = []
    seen: set[str] = set()
    names: dict[str, str] = {}
    for key, url in zip(keys, urls, strict=True):
        issue = None
        if url is None:
            issue = "URL_UNUSABLE"
        elif key is None or not KEY.fullmatch(key):
            issue = "KEY_UNUSABLE"
        elif key in seen:
            issue = "KEY_REPEATED"
        else:
            seen.add(key)
        host = host_of(url) if url and issue is None else ""
        hosts.append(names.setdefault(host, host))  # one string a host, however many rows
        issues.append(issue)
    return hosts, issues


def _texts(table: pa.Table, name: str, path: Path) -> list[str | None]:
    try:
        texts: list[str | None] = table[name].cast(pa.string()).to_pylist()
    except pa.ArrowException:
        kind = table[name].type
        raise Fault(f'{path}: the column "{name}" holds {kind}, no text; name another one.') from None
    return [text.strip() or None if text is not None else None for text in texts]


def _read_table(path: Path) -> pa.Table:
    if path.is_dir():
        raise Fault(f"{path} is a folder; give a file: {WAYS}.")
    if not path.exists():
        raise Fault(f"{path}: no such file; give a list of URLs as {WAYS}.")
    kind = path.name.lower().removesuffix(".gz").rpartition(".")[2]
    try:
        with path.open("rb") as stream:
            beginning = stream.read(4096)
        if not beginning.strip():
            raise Fault(f"{path} is empty; there is nothing to fetch.")
        if MARKUP.match(beginning):
            raise Fault(f"{path} is a web page and not a list; perhaps what was saved is the page of a download.")
        if kind == "parquet" or beginning.startswith(b"PAR1"):
            if not beginning.startswith(b"PAR1"):
                raise Fault(f"{path} is not Parquet, whatever its name says; give a list as {WAYS}.")
            return read_parquet(path)
        data = path.read_bytes()
        return _read_text(gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data, kind, path)
    except (pa.ArrowException, EOFError, gzip.BadGzipFile) as error:
        if repeated := re.match(r"Multiple matches for FieldRef\.Name\((.*)\) in", str(error)):
            raise Fault(TWICE.format(path=path, name=repeated[1])) from None
        raise Fault(f"{path} cannot be read as {kind}: {str(error).splitlines()[0].rstrip('.')}.") from None
    except OSError as error:
        raise Fault(f"{path} cannot be read: {error.strerror or error}.") from None


def _read_text(data: bytes, kind: str, path: Path) -> pa.Table:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Fault(f"{path} is not UTF-8 (byte {error.start}); save it as CSV UTF-8.") from None
    if kind == "txt":
        lines = [line.strip() for line in data.decode("utf-8-sig").splitlines()]
        return pa.table({"url": pa.array([line for line in lines if line], pa.string())})
    if kind in ("jsonl", "ndjson", "json"):
        return pyarrow.json.read_json(io.BytesIO(data))
    if kind not in ("csv", "tsv"):
        raise Fault(f"{path}: what it is cannot be told from its name; a list is {WAYS}.")
    delimiter = "\t" if kind == "tsv" else ","
    header = next(csv.reader(io.StringIO(data[: 1 << 20].decode("utf-8-sig", "ignore")), delimiter=delimiter), [])
    # all as text: 00123 is a number on a barcode and not 123
    return pyarrow.csv.read_csv(
        io.BytesIO(data),
        parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=True, null_values=[""]
        ),
    )
