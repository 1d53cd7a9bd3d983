"""naflora servers: from a file of counts, or a build's records, to a table, a JSON file and a figure."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner, Result

from naflora_etl.cli import main
from naflora_etl.engine.contracts import read_contract
from naflora_etl.engine.receipts import Receipt, Receipts
from naflora_etl.engine.tables import parquet_bytes, sha256_of
from naflora_etl.engine.workspace import Workspace

COUNTS = """species,host,n
Acer rubrum,left.org,5
Acer rubrum,right.org,5
Acer nigrum,left.org,6
Acer nigrum,right.org,4
Viola odorata,big.org,10
007,small.org,12
"""


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["servers", *map(str, arguments)], catch_exceptions=False)


@pytest.fixture
def counts(tmp_path: Path) -> Path:
    path = tmp_path / "counts.csv"
    path.write_text(COUNTS, encoding="utf-8")
    return path


def test_the_json_file(counts: Path, tmp_path: Path) -> None:
    result = run(counts, "--servers", 2, "--out", tmp_path / "f.json")
    assert result.exit_code == 0, result.output
    written = json.loads((tmp_path / "f.json").read_text(encoding="utf-8"))
    assert written["threshold"] == 10 and written["chosen"] == 2
    wanted = ("k", "hosts", "species", "capped_images", "bound", "proven")
    assert [tuple(row[name] for name in wanted) for row in written["frontier"]] == [
        (1, ["small.org"], 1, 12, 1, True),
        (2, ["big.org", "small.org"], 2, 22, 2, True),
    ]


def test_the_table_says_what_each_server_buys(counts: Path) -> None:
    told = run(counts, "--servers", 3).stdout.splitlines()
    assert told[0].split()[:7] == ["servers", "species", "share", "gain", "images", "bound", "gap"]
    assert told[3].split()[:7] == ["*", "3", "3", "75.00%", "+1", "32", "3"]
    assert "left.org, right.org (big.org)" in told[3]
    assert told[-3:] == ["left.org", "right.org", "small.org"]


def test_json_alone_on_standard_output(counts: Path) -> None:
    assert json.loads(run(counts, "--json").stdout)["frontier"][-1]["k"] == 4


def test_a_coverage_and_hosts_in_and_out(counts: Path) -> None:
    told = json.loads(run(counts, "--coverage", 0.5, "--require", "left.org", "--exclude", "big.org", "--json").stdout)
    assert told["choice"]["hosts"] == ["left.org", "right.org"]


def test_the_figure_is_the_same_every_time(counts: Path, tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        assert run(counts, "--plot", tmp_path / name).exit_code == 0
    svg = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert svg == (tmp_path / "b.svg").read_text(encoding="utf-8")
    assert "chosen: " in svg and "4 species reachable by all 4 servers" in svg


@pytest.mark.parametrize("name", ["counts.tsv", "counts.parquet", "bom.csv", "semicolons.csv"])
def test_other_files_say_the_same(name: str, counts: Path, tmp_path: Path) -> None:
    rows = [line.split(",") for line in COUNTS.splitlines()]
    path = tmp_path / name
    if path.suffix == ".parquet":
        species, host, n = zip(*rows[1:], strict=True)
        path.write_bytes(parquet_bytes(pa.table({"host": host, "n": list(map(float, n)), "species": species})))
    elif path.suffix == ".tsv":
        path.write_text(COUNTS.replace(",", "\t"), encoding="utf-8")
    else:
        text = COUNTS.replace(",", ";") if name == "semicolons.csv" else COUNTS
        path.write_text(text, encoding="utf-8-sig" if name == "bom.csv" else "utf-8")
    same = [json.loads(run(given, "--json").stdout) | {"seconds": 0} for given in (counts, path)]
    assert same[0] == same[1]


BAD = {
    "no file": (None, (), "no such file; give a long table of species, host and n as Parquet or CSV."),
    "an empty file": ("", (), "is empty; it needs a heading line (species, host, n) and a row for each count."),
    "a missing column": ("species,server,n\na,b,1\n", (), "no column host; found: species, server, n. They need"),
    "a negative count": ("species,host,n\na,b,1\nc,b,-3\n", (), 'line 3 (species "c", host "b"): the row has n = -3;'),
    "no count": ("species,host,n\na,b,\n", (), 'line 2 (species "a", host "b"): the row has no n; give the number'),
    "half an image": ("species,host,n\na,b,1.5\n", (), "has n = 1.5; a number of images is whole."),
    "no number": ("species,host,n\na,b,many\n", (), "has n = many, which is no number."),
    "not a number": ("species,host,n\na,b,nan\n", (), "the row has no n; give the number of images"),
    "twice": ("species,host,n\na,b,1\na,b,2\n", (), 'hold species "a" on b 2 times; add those rows up first.'),
    "bytes that are no table": ("a\nb\x1b[31m,c\n", (), "got 2: b?[31m,c."),
    "a row too short": ("species,host,n\na,b\n", (), "cannot be read as a table: CSV parse error: Expected 3 columns"),
    "coverage beyond all": (COUNTS, ("--coverage", "1.5"), "A coverage of 1.5 cannot be had"),
    "no servers": (COUNTS, ("--servers", "0"), "0 servers cannot be chosen; ask for one or more."),
    "two demands": (COUNTS, ("--servers", "2", "--frontier"), "are three demands; say one of them."),
    "a cost without a host": (COUNTS, ("--cost", "2"), '--cost "2" is not understood; write it as HOST=2.5.'),
    "a server that is not there": (COUNTS, ("--require", "bog.org"), 'the nearest name that has is "big.org".'),
    "a folder for a file": (COUNTS, ("--out", "."), ". is a folder; name a file in it."),
    "a folder that is not there": (COUNTS, ("--out", "nowhere/f.json"), "nowhere is not a folder; make it, or write"),
}


@pytest.mark.parametrize(("text", "options", "sentence"), BAD.values(), ids=BAD)
def test_bad_input_is_told_in_a_sentence(
    text: str | None, options: tuple[str, ...], sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "bad.csv"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    result = run(path, *options)
    assert result.exit_code == 1 and sentence in result.output, result.output


ODD = {
    "a heading and no rows": ("species,host,n\n", (), "The counts hold no image at all; no server can be chosen."),
    "no image at all": ("species,host,n\n", (), "No server has an image that counts; none is chosen."),
    "every host excluded": ("species,host,n\na,b,11\n", ("--exclude", "b"), "Every server that has images is excluded"),
    "one host, in words": ("species,host,n\na,b,11\n", (), "The only server covers 1 of 1 reachable species"),
    "hosts that nobody heard of": (COUNTS, ("--exclude", "bog.org", "--exclude", "a.org", "--cost", "c.org=2"),
                                   "without a say, excluded: a.org, bog.org."),
    "a cost of a host that nobody heard of": (COUNTS, ("--cost", "c.org=2"), "without a say, given a cost: c.org."),
    "one host": ("species,host,n\na,b,11\n", (), "There is one server only, b; there is nothing to choose."),
    "more servers than hosts": (COUNTS, ("--servers", "9"), "9 servers were asked for, but only 4 have images;"),
    "a species with no host": (COUNTS + "lost,,0\n", (), '1 species has no image on any server ("lost")'),
}


@pytest.mark.parametrize(("text", "options", "sentence"), ODD.values(), ids=ODD)
def test_odd_input_is_remarked_on_and_answered(
    text: str, options: tuple[str, ...], sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "odd.csv"
    path.write_text(text, encoding="utf-8")
    result = run(path, *options, "--plot", tmp_path / "odd.svg", "--out", tmp_path / "odd.json")
    assert result.exit_code == 0 and sentence in result.output, result.output
    assert json.loads((tmp_path / "odd.json").read_text(encoding="utf-8"))["frontier"]


def test_a_builds_own_records(tmp_path: Path) -> None:
    workspace = Workspace(str(tmp_path / "work"))
    rows = [
        {"record_key": f"r{i}", "image_key": f"{i:020x}", "taxon_id": "w-1", "host": "a.org", "issue": issue}
        for i, issue in enumerate([None] * 10 + ["LICENSE_UNKNOWN"] * 3)
    ]
    body = parquet_bytes(pa.Table.from_pylist(rows, read_contract("records").arrow_schema))
    workspace.write("tables/records/x/part-00000.parquet", body)
    Receipts(workspace).write(Receipt("records", "x", (f"x/part-00000.parquet:{sha256_of(body)}",), 13, 10))
    told = json.loads(run("--work", tmp_path / "work", "--json").stdout)
    assert (told["choice"]["hosts"], told["choice"]["capped_images"]) == (["a.org"], 10)
    assert "give a file (species, host, n), or a built data folder" in run().output
