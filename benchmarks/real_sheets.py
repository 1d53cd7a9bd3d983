"""The whole way on real input: real checklists, a real backbone, real sheets served from loopback hosts.

    python benchmarks/real_sheets.py [--shared ../shared] [--work work/real-sheets] [--limit N]

Makes a Darwin Core archive of the shared sheets (names and collectors from their transcriptions), serves them from
three loopback addresses, and builds recipes/real-sheets.toml. The sheets bear no open licence: what comes out is for
measuring, never for publishing.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import io
import os
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

ROOT = Path(__file__).resolve().parents[1]
PORT = 8650
HOSTS = {"nybg_aocr": "127.40.0.1", "leafmachine_colour": "127.40.0.2", "vouchervision_colour": "127.40.0.3"}
TERMS = {
    "occurrence": ("id", "basisOfRecord", "institutionCode", "collectionCode", "catalogNumber", "occurrenceID",
                   "scientificName", "recordedBy", "recordNumber", "eventDate", "countryCode"),
    "multimedia": ("id", "type", "format", "identifier", "rightsHolder"),
}  # fmt: skip
META = """<archive xmlns="http://rs.tdwg.org/dwc/text/">
  <core encoding="UTF-8" fieldsTerminatedBy="," linesTerminatedBy="\\n" fieldsEnclosedBy='"' ignoreHeaderLines="1"
        rowType="http://rs.tdwg.org/dwc/terms/Occurrence"><files><location>occurrence.csv</location></files>
    <id index="0"/>{core}</core>
  <extension encoding="UTF-8" fieldsTerminatedBy="," linesTerminatedBy="\\n" fieldsEnclosedBy='"' ignoreHeaderLines="1"
        rowType="http://rs.gbif.org/terms/1.0/Multimedia"><files><location>multimedia.csv</location></files>
    <coreid index="0"/>{multimedia}</extension>
</archive>
"""


def list_sheets(images: Path) -> Iterator[dict[str, str]]:
    """Yield a Darwin Core record for every named real sheet under `images`."""
    for gold in sorted((images / "nybg_aocr/gold_darwincore").glob("*.csv")):
        with gold.open(encoding="utf-8-sig", errors="replace") as stream:
            regions = list(csv.DictReader(stream))
        names = [row.get("aocr:verbatimScientificName") or row.get("dwc:scientificName") or "" for row in regions]
        primary: dict[str, str] = next((row for row in regions if row["aocr:regionType"] == "primary"), {})
        name = next((found for found in reversed(names) if found), "")
        if name:
            yield {
                "file": f"nybg_aocr/sheets/{gold.stem}.jpg", "institutionCode": "NY", "scientificName": name,
                "catalogNumber": gold.stem, "recordedBy": primary.get("dwc:recordedBy") or "",
                "recordNumber": primary.get("dwc:recordNumber") or "", "eventDate": primary.get("dwc:eventDate") or "",
            }  # fmt: skip
    for folder in ("leafmachine_colour", "vouchervision_colour"):
        for path in sorted((images / folder).glob("*.jpg")):
            parts = path.stem.split("_")
            epithets = [part for part in parts[3:5] if part.isalpha()]
            if len(epithets) == 2:
                yield {
                    "file": f"{folder}/{path.name}", "institutionCode": parts[0], "catalogNumber": parts[1],
                    "scientificName": " ".join(epithets), "recordedBy": "", "recordNumber": "", "eventDate": "",
                }  # fmt: skip


def write_archive(images: Path, target: Path, limit: int | None = None) -> int:
    """Write a Darwin Core archive (zip) of the sheets to `target`; return how many it holds."""
    sheets = [sheet for sheet in list_sheets(images) if (images / sheet["file"]).is_file()][:limit]
    tables: dict[str, list[list[str]]] = {name: [list(terms)] for name, terms in TERMS.items()}
    for number, sheet in enumerate(sheets, start=1):
        facts = {**sheet, "id": str(number), "basisOfRecord": "PreservedSpecimen", "collectionCode": "herbarium",
                 "occurrenceID": f"real-sheet:{sheet['catalogNumber']}", "countryCode": "US"}  # fmt: skip
        host = HOSTS[sheet["file"].split("/")[0]]
        media = {"id": str(number), "type": "StillImage", "format": "image/jpeg", "rightsHolder": "",
                 "identifier": f"http://{host}:{PORT}/{sheet['file']}"}  # fmt: skip
        tables["occurrence"].append([facts[term] for term in TERMS["occurrence"]])
        tables["multimedia"].append([media[term] for term in TERMS["multimedia"]])
    fields = {name: "".join(f'<field index="{n}" term="{_term(t)}"/>' for n, t in enumerate(terms) if n)
              for name, terms in TERMS.items()}  # fmt: skip
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(zipfile.ZipInfo("meta.xml"), META.format(core=fields["occurrence"], **fields))
        for name, rows in tables.items():
            stream = io.StringIO()
            csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
            archive.writestr(zipfile.ZipInfo(f"{name}.csv"), stream.getvalue())
    return len(sheets)


def _term(name: str) -> str:
    dublin = {"type", "format", "identifier", "rightsHolder"}
    return f"http://purl.org/dc/terms/{name}" if name in dublin else f"http://rs.tdwg.org/dwc/terms/{name}"


@contextmanager
def serving(images: Path) -> Iterator[None]:
    """Serve the sheets from their loopback hosts while the block lasts."""
    loop, ready = asyncio.new_event_loop(), threading.Event()
    runners: list[web.AppRunner] = []

    async def start() -> None:
        for host in HOSTS.values():
            app = web.Application()
            app.router.add_static("/", images)
            runner = web.AppRunner(app, access_log=None)
            await runner.setup()
            await web.TCPSite(runner, host, PORT).start()
            runners.append(runner)
        ready.set()

    async def stop() -> None:
        for runner in runners:
            await runner.cleanup()

    def serve() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(start())
        loop.run_forever()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    if not ready.wait(10):
        raise SystemExit(f"port {PORT} on {', '.join(HOSTS.values())} could not be opened; is another run going on?")
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def build(shared: Path, work: Path, *arguments: str, limit: int | None = None) -> subprocess.CompletedProcess[Any]:
    """Build the recipe with the command that a user would type."""
    images = shared / "data/images"
    write_archive(images, work / "sheets.zip", limit)
    sheets = str((work / "sheets.zip").resolve())
    environment = {**os.environ, "NAFLORA_SHARED": str(shared), "NAFLORA_SHEETS": sheets}
    recipe = str(ROOT / "recipes/real-sheets.toml")
    command = [sys.executable, "-m", "naflora_etl", "build", recipe, "--work", str(work)]
    with serving(images):
        return subprocess.run([*command, *arguments], env=environment, check=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    parser.add_argument("--work", type=Path, default=Path("work/real-sheets"))
    parser.add_argument("--limit", type=int)
    chosen = parser.parse_args()
    started = time.monotonic()
    done = build(chosen.shared.resolve(), chosen.work, limit=chosen.limit)
    sys.stderr.write(f"{time.monotonic() - started:.0f} s in all\n")
    raise SystemExit(done.returncode)
