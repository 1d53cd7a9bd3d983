"""`naflora fetch`: any list of URLs into shards, as a user types it; the host's own log is the judge."""

from __future__ import annotations

import io
import json
import random
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import click
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from fetch_server import Host, running, sheet
from PIL import Image

from naflora_etl.cli import main

SMALL = ("--size", "300", "--per-second", "1000", "--concurrency", "4", "--retries", "0", "--json")


@pytest.fixture
def host() -> Iterator[Host]:
    with running() as host:
        yield host


def fetch(urls: Path, out: Path, *more: str, host: Host | None = None, fails: bool = False) -> Any:
    """Run the command; return its JSON, or its error where it is to fail."""
    allowed = ("--allow-host", f"127.0.0.1:{host.port}") if host else ()
    done = CliRunner().invoke(main, ["fetch", str(urls), "--out", str(out), *SMALL, *allowed, *more])
    if fails:
        assert done.exit_code == 1 and not isinstance(done.exception, (KeyError, TypeError)), done.output
        return done.output
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


def write_list(folder: Path, urls: list[str], keys: list[str] | None = None, **more: list[Any]) -> Path:
    path = folder / "urls.parquet"
    pq.write_table(pa.table({"key": keys or [f"k{n}" for n in range(len(urls))], "url": urls, **more}), path)
    return path


def tars(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.glob("*.tar"))}


def manifest(out: Path) -> list[dict[str, Any]]:
    return pq.read_table(out / "manifest.parquet").to_pylist()


def members(tar: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
        return {member.name: opened.extractfile(member).read() for member in opened}  # type: ignore[union-attr]


def test_a_list_becomes_shards_a_manifest_and_a_receipt(host: Host, tmp_path: Path) -> None:
    listed = write_list(tmp_path, host.urls(7), taxon=[f"Carex {n}" for n in range(7)], year=list(range(2000, 2007)))
    told = fetch(listed, tmp_path / "out", "--shard-size", "3", host=host)
    assert (told["rows"], told["images"], told["issues"], told["asked"]) == (7, 7, {}, 7)
    shards = tars(tmp_path / "out")
    assert {name: len(members(tar)) for name, tar in shards.items()} == {"00000.tar": 6, "00001.tar": 6, "00002.tar": 2}
    assert list(members(shards["00001.tar"])) == ["k3.jpg", "k3.json", "k4.jpg", "k4.json", "k5.jpg", "k5.json"]
    label = json.loads(members(shards["00001.tar"])["k4.json"])
    assert (label["key"], label["url"], label["taxon"], label["year"]) == ("k4", host.urls(7)[4], "Carex 4", 2004)
    assert (label["width_px"], label["height_px"], label["source_width_px"]) == (300, 208, 520), "upright, by its EXIF"
    for row in manifest(tmp_path / "out"):
        image = shards[row["shard"]][row["offset"] : row["offset"] + row["length_bytes"]]
        assert Image.open(io.BytesIO(image)).size == (row["width_px"], row["height_px"])
        assert (row["issue"], row["status"], row["taxon"]) == (None, 200, f"Carex {row['key'][1:]}")
        assert b"Exif" not in image
    receipt = json.loads((tmp_path / "out/receipt.json").read_text())
    assert receipt["summary"]["shards"]["00002.tar"]["bytes"] == len(shards["00002.tar"])
    assert receipt["summary"]["hosts"][f"127.0.0.1:{host.port}"]["asked"] == 7


def test_the_image_is_the_one_that_a_build_makes(host: Host, tmp_path: Path) -> None:
    from naflora_etl.imaging.prepare import prepare_image
    from naflora_etl.recipe import ImagesOptions

    fetch(write_list(tmp_path, host.urls(5)), tmp_path / "out", host=host)
    options = ImagesOptions(size_px=300, redact="none")
    for name, image in members(tars(tmp_path / "out")["00000.tar"]).items():
        if name.endswith(".jpg"):
            made = prepare_image(sheet(int(name[1:-4])), options=options, detector=None, seed_key="k")
            assert image == made.jpeg, name


@pytest.mark.parametrize(
    ("path", "key", "issue", "status", "asked"),
    [
        ("/image/1.jpg", "fine", None, 200, 1),
        ("/none.jpg", "gone", "HTTP_GONE", 404, 1),
        ("/closed.jpg", "closed", "HTTP_BLOCKED", 403, 1),
        ("/page.jpg", "page", "NOT_AN_IMAGE", 200, 1),
        ("/cut.jpg", "cut", "IMAGE_DAMAGED", 200, 1),
        ("/tiny.jpg", "tiny", "IMAGE_TOO_SMALL", 200, 1),
        ("/secret/1.jpg", "robots", "ROBOTS_DISALLOWED", None, 0),
        ("/optout.jpg", "optout", "ROBOTS_DISALLOWED", 200, 1),
        ("/image/2.jpg", "two.dots", "KEY_UNUSABLE", None, 0),
        ("/image/2.jpg", "k" * 91, "KEY_UNUSABLE", None, 0),
        ("/image/2.jpg", None, "KEY_UNUSABLE", None, 0),
        ("ftp://example.org/1.jpg", "ftp", "URL_UNUSABLE", None, 0),
        ("", "empty", "URL_UNUSABLE", None, 0),
        ("http://127.0.0.2:1/1.jpg", "trap", "ADDRESS_REFUSED", None, 0),
        ("http://2130706434:1/1.jpg", "number", "ADDRESS_REFUSED", None, 0),
        ("http://[::ffff:127.0.0.2]:1/1.jpg", "mapped", "ADDRESS_REFUSED", None, 0),
    ],
)
def test_every_row_has_its_verdict(
    host: Host, tmp_path: Path, path: str, key: str | None, issue: str | None, status: int | None, asked: int
) -> None:
    url = f"{host.root}{path}" if path.startswith("/") else path
    listed = tmp_path / "urls.parquet"
    pq.write_table(pa.table({"key": pa.array([key], pa.string()), "url": [url]}), listed)
    told = fetch(listed, tmp_path / "out", host=host)
    (row,) = manifest(tmp_path / "out")
    assert (row["key"], row["issue"], row["status"], sum(host.asked().values())) == (key, issue, status, asked)
    assert told["issues"] == ({issue: 1} if issue else {})
    assert told["images"] == (issue is None) == bool(tars(tmp_path / "out"))


def test_text_is_covered_by_whichever_detector_a_recipe_may_name() -> None:
    from naflora_etl.commands.fetching import fetch as command
    from naflora_etl.recipe import ImagesOptions

    (option,) = (option for option in command.params if option.name == "redact")
    known = get_args(ImagesOptions.model_fields["redact"].annotation)
    assert isinstance(option.type, click.Choice) and set(option.type.choices) == set(known)


def test_a_key_is_used_once_and_an_address_asked_once(host: Host, tmp_path: Path) -> None:
    url, other = host.urls(2)
    listed = write_list(tmp_path, [url, other, url, other], ["a", "b", "c", "a"])
    told = fetch(listed, tmp_path / "out", "--shard-size", "2", host=host)
    assert told["issues"] == {"KEY_REPEATED": 1}
    assert host.asked() == {"/image/0.jpg": 1, "/image/1.jpg": 1}
    found = {name: data for tar in tars(tmp_path / "out").values() for name, data in members(tar).items()}
    assert found["a.jpg"] == found["c.jpg"] != found["b.jpg"]


def test_without_keys_they_are_made_of_the_addresses(host: Host, tmp_path: Path) -> None:
    from naflora_etl.sources.darwincore import image_key

    (tmp_path / "urls.txt").write_text("\n".join([*host.urls(2), host.urls(1)[0]]) + "\n")
    told = fetch(tmp_path / "urls.txt", tmp_path / "out", host=host)
    assert (told["auto_keys"], told["images"], told["issues"]) == (True, 2, {"KEY_REPEATED": 1})
    assert manifest(tmp_path / "out")[1]["key"] == image_key(host.urls(2)[1])


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "csv.gz"])
def test_a_list_may_be_of_any_kind(host: Host, tmp_path: Path, suffix: str) -> None:
    import gzip

    rows = [{"barcode": f"00{n}", "image": url, "status": 'said "dry, stony"'} for n, url in enumerate(host.urls(2))]
    if suffix == "jsonl":
        text = "".join(json.dumps(row) + "\n" for row in rows)
    else:
        mark = "\t" if suffix == "tsv" else ","
        quoted = '"said ""dry, stony"""'
        text = "\ufeff" + mark.join(rows[0]) + "\r\n"
        text += "".join(mark.join([row["barcode"], row["image"], quoted]) + "\r\n" for row in rows)
    data = text.encode()
    listed = tmp_path / f"urls.{suffix}"
    listed.write_bytes(gzip.compress(data) if suffix.endswith("gz") else data)
    fetch(listed, tmp_path / "out", "--key-column", "barcode", "--url-column", "image", host=host)
    (first, second) = manifest(tmp_path / "out")
    assert [first["key"], second["key"], first["issue"]] == ["000", "001", None], "a barcode keeps its noughts"
    assert (first["status"], first["given_status"]) == (200, 'said "dry, stony"')


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("none.csv", None, "none.csv: no such file; give a list of URLs as .parquet"),
        ("empty.csv", b"", "empty.csv is empty"),
        ("header.csv", b"key,url\n", "header.csv holds no row"),
        ("page.parquet", b"<!DOCTYPE html><html>", "page.parquet is a web page and not a list"),
        ("other.parquet", b"key,url\na,b\n", "other.parquet is not Parquet, whatever its name says"),
        ("cut.parquet", b"PAR1 and so on", "cut.parquet cannot be read as parquet"),
        ("noturl.csv", b"key,link\na,b\n", 'noturl.csv has no column "url" (it has: key, link)'),
        ("semicolons.csv", b"key;url\na;b\n", "semicolons.csv: its columns are separated by semicolons; save it with"),
        ("twice.csv", b"key,url,url\na,b,c\n", 'twice.csv has the column "url" more than once'),
        ("latin.csv", b"key,url\n\xe9,b\n", "latin.csv is not UTF-8 (byte 8)"),
        ("ragged.csv", b"key,url\na,b,c\n", "ragged.csv cannot be read as csv"),
        ("urls.xlsx", b"PK\x03\x04", "what it is cannot be told from its name"),
        ("bad.jsonl", b'{"key": "a", "url": ', "bad.jsonl cannot be read as jsonl"),
    ],
)
def test_what_is_no_list_is_told_in_a_sentence(
    tmp_path: Path, name: str, content: bytes | None, sentence: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    told = fetch(tmp_path / name, tmp_path / "out", fails=True)
    assert sentence in told and "Traceback" not in told


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--key-column", "url"], '--key-column and --url-column are both "url"; a key is no address'),
        (["--url-column", "key"], '--key-column and --url-column are both "key"'),
        (["--key-column", "id"], 'has no column "id"; --key-column must name one of key, url'),
        (["--host-policy", "none.toml"], "none.toml: no such file; --host-policy takes a .toml with the section"),
    ],
)
def test_options_that_lead_nowhere_are_told_in_a_sentence(tmp_path: Path, options: list[str], sentence: str) -> None:
    told = fetch(write_list(tmp_path, ["http://127.0.0.1:1/1.jpg"]), tmp_path / "out", *options, fails=True)
    assert sentence in told


def test_strangers_are_not_asked_without_a_contact(tmp_path: Path) -> None:
    listed = write_list(tmp_path, ["https://herbarium.example.org/1.jpg"])
    told = fetch(listed, tmp_path / "out", fails=True)
    assert "herbarium.example.org would be asked without a word of who asks" in told and "--contact" in told


def test_the_out_folder_is_ours_or_empty(host: Host, tmp_path: Path) -> None:
    listed = write_list(tmp_path, host.urls(1))
    (tmp_path / "file").write_text("x")
    assert "is a file; --out takes a folder" in fetch(listed, tmp_path / "file", host=host, fails=True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/00000.tar").write_text("precious")
    assert "holds 00000.tar, which is no fetch's" in fetch(listed, tmp_path / "mine", host=host, fails=True)
    assert (tmp_path / "mine/00000.tar").read_text() == "precious"
    fetch(listed, tmp_path / "out", host=host)
    told = fetch(listed, tmp_path / "out", "--size", "200", host=host, fails=True)
    assert "holds images made with size_px 300, not 200" in told


def test_a_finished_list_is_left_alone_and_asks_nobody(host: Host, tmp_path: Path) -> None:
    listed = write_list(tmp_path, [*host.urls(4), f"{host.root}/none.jpg"])
    first = fetch(listed, tmp_path / "out", host=host)
    before, seen = tars(tmp_path / "out"), len(host.seen)
    second = fetch(listed, tmp_path / "out", host=host)
    assert (second["asked"], second["images"], second["issues"]) == (0, 4, first["issues"])
    assert (tars(tmp_path / "out"), len(host.seen)) == (before, seen)
    again = fetch(listed, tmp_path / "out", "--again", host=host)
    assert (again["asked"], host.asked()["/none.jpg"], host.asked()["/image/0.jpg"]) == (1, 2, 1)


def test_what_may_pass_is_asked_again_and_finds_its_old_place(host: Host, tmp_path: Path) -> None:
    listed = write_list(tmp_path, host.urls(6))
    fetch(listed, tmp_path / "whole", "--shard-size", "4", host=host)
    host.seen.clear()
    host.sick = {"/image/1.jpg", "/image/5.jpg"}
    told = fetch(listed, tmp_path / "out", "--shard-size", "4", host=host)
    assert told["issues"] == {"HOST_TROUBLE": 2}
    host.sick = {"/image/5.jpg"}
    assert fetch(listed, tmp_path / "out", "--shard-size", "4", host=host)["issues"] == {"HOST_TROUBLE": 1}
    host.sick = set()
    assert fetch(listed, tmp_path / "out", "--shard-size", "4", host=host)["issues"] == {}
    assert tars(tmp_path / "out") == tars(tmp_path / "whole")
    assert host.asked() == {f"/image/{n}.jpg": 3 if n == 5 else 2 if n == 1 else 1 for n in range(6)}


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: [*rows[:7], ("new", 20), *rows[7:]],
        lambda rows: rows[::-1],
        lambda rows: rows[3:],
        lambda rows: [*rows, ("new", 20)],
        lambda rows: [("k0", 21), *rows[1:]],
    ],
    ids=["a row more", "turned round", "rows fewer", "a row at the end", "a key's address changed"],
)
def test_another_list_takes_what_is_here_and_asks_for_the_rest(host: Host, tmp_path: Path, change: Any) -> None:
    rows = [(f"k{n}", n) for n in range(10)]

    def listed(rows: list[tuple[str, int]]) -> Path:
        return write_list(tmp_path, [f"{host.root}/image/{n}.jpg" for _, n in rows], [key for key, _ in rows])

    fetch(listed(rows), tmp_path / "out", "--shard-size", "4", host=host)
    host.seen.clear()
    changed = change(rows)
    fetch(listed(changed), tmp_path / "out", "--shard-size", "4", host=host)
    assert set(host.asked()) == {f"/image/{n}.jpg" for key, n in changed if (key, n) not in rows}
    fetch(listed(changed), tmp_path / "anew", "--shard-size", "4", host=host)
    assert tars(tmp_path / "out") == tars(tmp_path / "anew")
    assert [row["key"] for row in manifest(tmp_path / "out")] == [key for key, _ in changed]
    assert not list((tmp_path / "out/.fetch").glob("old-*"))


@pytest.mark.parametrize(
    ("harm", "asked"),
    [
        (lambda out: (out / "00001.tar").unlink(), {4, 5, 6, 7}),
        (lambda out: (out / "00000.tar").write_bytes(b"x" * 100), {0, 1, 2, 3}),
        (lambda out: (out / ".fetch/00001.parquet").unlink(), {4, 5, 6, 7}),
        (lambda out: (out / ".fetch/00001.parquet").write_bytes(b"PAR1"), {4, 5, 6, 7}),
        (lambda out: (out / "manifest.parquet").unlink(), set()),
    ],
    ids=["a shard gone", "a shard damaged", "a part gone", "a part damaged", "the manifest gone"],
)
def test_what_is_lost_is_asked_again_and_nothing_else(host: Host, tmp_path: Path, harm: Any, asked: set[int]) -> None:
    listed = write_list(tmp_path, host.urls(10))
    fetch(listed, tmp_path / "out", "--shard-size", "4", host=host)
    before = tars(tmp_path / "out")
    harm(tmp_path / "out")
    (tmp_path / "out/receipt.json").unlink()
    host.seen.clear()
    fetch(listed, tmp_path / "out", "--shard-size", "4", host=host)
    assert {int(path.split("/")[2][:-4]) for path in host.asked()} == asked
    assert tars(tmp_path / "out") == before
    assert len(manifest(tmp_path / "out")) == 10


def test_files_instead_of_tars(host: Host, tmp_path: Path) -> None:
    listed = write_list(tmp_path, host.urls(5))
    host.sick = {"/image/1.jpg"}
    fetch(listed, tmp_path / "out", "--output", "files", "--shard-size", "3", host=host)
    names = [str(path.relative_to(tmp_path / "out")) for path in sorted(tmp_path.glob("out/0*/*"))]
    assert names == ["00000/k0.jpg", "00000/k0.json", "00000/k2.jpg", "00000/k2.json", "00001/k3.jpg", "00001/k3.json",
                     "00001/k4.jpg", "00001/k4.json"]  # fmt: skip
    host.sick = set()
    fetch(listed, tmp_path / "out", "--output", "files", "--shard-size", "3", host=host)
    assert host.asked() == {f"/image/{n}.jpg": 2 if n == 1 else 1 for n in range(5)}
    fetch(listed, tmp_path / "tars", host=host)
    for name, data in members(tars(tmp_path / "tars")["00000.tar"]).items():
        assert next(tmp_path.glob(f"out/0*/{name}")).read_bytes() == data
    told = fetch(listed, tmp_path / "out", host=host, fails=True)
    assert "holds images made with output files, not webdataset" in told


def test_a_service_is_asked_for_the_size_that_is_needed_and_the_whole_where_it_refuses(
    host: Host, tmp_path: Path
) -> None:
    listed = write_list(tmp_path, [f"{host.root}/iiif/{number}/full/full/0/default.jpg" for number in range(2)])
    told = fetch(listed, tmp_path / "out", host=host)
    small, whole = "full/!300,300/0/default.jpg", "full/full/0/default.jpg"
    assert host.asked() == {f"/iiif/0/{small}": 1, f"/iiif/1/{small}": 1, f"/iiif/1/{whole}": 1}
    rows = manifest(tmp_path / "out")
    assert [row["fetched_url"] for row in rows] == [f"{host.root}/iiif/0/{small}", None]
    assert [row["source_height_px"] for row in rows] == [300, 520]
    receipt = json.loads((tmp_path / "out/receipt.json").read_text())["summary"]
    assert (receipt["reduced"], receipt["reduced_bytes"]) == (1, rows[0]["source_size_bytes"]) != (1, 0)
    assert told["reduced"] == 1 and fetch(listed, tmp_path / "out", host=host)["reduced"] == 0
    host.seen.clear()
    fetch(listed, tmp_path / "whole", "--whole", host=host)
    assert host.asked() == {f"/iiif/0/{whole}": 1, f"/iiif/1/{whole}": 1}
    said = fetch(listed, tmp_path / "out", "--whole", host=host, fails=True)
    assert "holds images made with iiif True, not False" in said


@pytest.mark.slow
def test_a_host_is_asked_by_its_manners(host: Host, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(f'[http]\ncontact = "me@example.org"\nhosts."127.0.0.1:{host.port}" = {{ concurrency = 1 }}\n')
    host.delay_s = 0.02
    fetch(write_list(tmp_path, host.urls(6)), tmp_path / "out", "--host-policy", str(policy), host=host)
    assert host.most_at_once == 1
    policy.write_text("[http]\nconcurency = 1\n")
    told = fetch(tmp_path / "urls.parquet", tmp_path / "o", "--host-policy", str(policy), host=host, fails=True)
    assert "concurency is not a known knob" in told


def test_a_full_disk_is_told_in_a_sentence_and_the_same_command_goes_on(host: Host, tmp_path: Path) -> None:
    listed = write_list(tmp_path, host.urls(8))
    fetch(listed, tmp_path / "whole", host=host)
    code = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000)); "
    code += "from naflora_etl.cli import main; main()"
    options = [*SMALL, "--allow-host", f"127.0.0.1:{host.port}"]
    command = [sys.executable, "-c", code, "fetch", str(listed), "--out", str(tmp_path / "out"), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "choose another folder with --out" in done.stderr, done.stderr
    assert not list(tmp_path.glob("out/*.tar")) and not (tmp_path / "out/receipt.json").exists()
    kept = fetch(listed, tmp_path / "out", host=host)
    assert 0 < kept["asked"] < 8, "what was finished before is not asked again"
    assert tars(tmp_path / "out") == tars(tmp_path / "whole")


def start(listed: Path, out: Path, host: Host) -> subprocess.Popen[bytes]:
    code = "from naflora_etl.cli import main; main()"
    allowed = ("--allow-host", f"127.0.0.1:{host.port}")
    command = [sys.executable, "-c", code, "fetch", str(listed), "--out", str(out), *SMALL, *allowed]
    command += ["--shard-size", "8"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def kill_after(process: subprocess.Popen[bytes], host: Host, images: int) -> bool:
    """Kill -9 when the host was asked for so many images; False when the run ended before."""
    while len(host.asked()) < images and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return process.returncode == -signal.SIGKILL


def survive(host: Host, folder: Path, images: int, kills: list[int]) -> None:
    listed = write_list(folder, host.urls(images))
    fetch(listed, folder / "whole", "--shard-size", "8", host=host)
    host.delay_s = 0.03
    asked: dict[str, int] = {}
    for after in kills:
        host.seen.clear()
        kill_after(start(listed, folder / "out", host), host, after)
        for path, count in host.asked().items():
            asked[path] = asked.get(path, 0) + count
    host.seen.clear()
    last = start(listed, folder / "out", host)
    told = last.communicate(timeout=300)[1]
    assert last.returncode == 0, told.decode()
    for path, count in host.asked().items():
        asked[path] = asked.get(path, 0) + count
    assert tars(folder / "out") == tars(folder / "whole")
    # each kill loses at most what was in hand: four connections, and as many bodies as wait for hands
    assert sum(asked.values()) - images <= len(kills) * 16
    assert len(manifest(folder / "out")) == images


def test_a_kill_loses_only_what_was_in_hand(host: Host, tmp_path: Path) -> None:
    survive(host, tmp_path, 40, [20])


@pytest.mark.slow
def test_many_kills_at_any_moment_change_nothing(host: Host, tmp_path: Path) -> None:
    survive(host, tmp_path, 120, random.Random(1).choices(range(1, 30), k=12))
