"""The whole way on real input: real checklists, a real backbone, real sheets served from loopback hosts.

    python benchmarks/real_sheets.py [--shared ../shared] [--work work/real-sheets] [--limit N] [-- --until records]

Makes a Darwin Core archive of the shared sheets (names and collectors from their transcriptions), serves them from
three loopback addresses, builds recipes/real-sheets.toml, and asks `naflora verify` about the release. The sheets bear
no open licence: what comes out is for measuring, never for publishing.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RECIPE = ROOT / "recipes/real-sheets.toml"
PORT = 8650
HOSTS = {"nybg_aocr": "127.40.0.1", "leafmachine_colour": "127.40.0.2", "vouchervision_colour": "127.40.0.3"}
DARWIN_CORE, DUBLIN_CORE = "http://rs.tdwg.org/dwc/terms/", "http://purl.org/dc/terms/"
OCCURRENCE = ("basisOfRecord", "institutionCode", "collectionCode", "catalogNumber", "occurrenceID", "scientificName",
              "recordedBy", "recordNumber", "eventDate", "country")  # fmt: skip
MULTIMEDIA = ("type", "format", "identifier", "rightsHolder")
TABLE = """<{kind} encoding="UTF-8" fieldsTerminatedBy="," linesTerminatedBy="\\n" fieldsEnclosedBy='"'
  ignoreHeaderLines="1" rowType="{row_type}">
  <files><location>{file}</location></files><{key} index="0"/>{fields}</{kind}>
"""
Sheet = dict[str, str]


def list_sheets(images: Path) -> list[Sheet]:
    """Return a Darwin Core record for every real sheet under `images` that bears a name, with its `file`."""
    return [sheet for sheet in (*_colour_sheets(images), *_nybg_sheets(images)) if (images / sheet["file"]).is_file()]


def _nybg_sheets(images: Path) -> Iterator[Sheet]:
    for gold in sorted((images / "nybg_aocr/gold_darwincore").glob("*.csv")):
        with gold.open(encoding="utf-8-sig", errors="replace") as stream:
            regions = list(csv.DictReader(stream))
        label: Sheet = next((row for row in regions if row["aocr:regionType"] == "primary"), {})
        name = _latest_name(regions)
        if name:
            yield {
                "file": f"nybg_aocr/sheets/{gold.stem}.jpg", "institutionCode": "NY", "scientificName": name,
                "catalogNumber": gold.stem, "recordedBy": label.get("dwc:recordedBy") or "",
                "recordNumber": label.get("dwc:recordNumber") or "", "eventDate": label.get("dwc:eventDate") or "",
                "country": label.get("dwc:country") or "",
            }  # fmt: skip


def _latest_name(regions: list[Sheet]) -> str:
    """Return the name that counts: of the latest determination; a slip without a date is later than the label."""
    said = [
        (row["dwc:dateIdentified"] or "", row["aocr:regionType"] != "primary", place, name)
        for place, row in enumerate(regions)
        if (name := (row["dwc:scientificName"] or row["aocr:verbatimScientificName"] or "").strip())
    ]
    return max(said)[-1] if said else ""


def _colour_sheets(images: Path) -> Iterator[Sheet]:
    """Yield the sheets whose file names tell: COLO_00299636_ERICACEAE_Gaultheria_humifusa_H.jpg."""
    for folder in ("leafmachine_colour", "vouchervision_colour"):
        for path in sorted((images / folder).glob("*.jpg")):
            institution, number, *rest = path.stem.split("_")
            if len(rest) >= 3 and rest[1].isalpha() and rest[2].isalpha():
                yield {
                    "file": f"{folder}/{path.name}", "institutionCode": institution, "catalogNumber": number,
                    "scientificName": f"{rest[1]} {rest[2]}",
                }  # fmt: skip


def write_archive(images: Path, target: Path, *, port: int = PORT, limit: int | None = None) -> int:
    """Write a Darwin Core archive (zip) of the sheets, or the last `limit`, to `target`; return how many it holds."""
    sheets = list_sheets(images)[-(limit or 0) :]
    records, media = [], []
    for number, sheet in enumerate(sheets, start=1):
        facts = sheet | {"basisOfRecord": "PreservedSpecimen", "collectionCode": "herbarium",
                         "occurrenceID": f"real-sheet:{sheet['catalogNumber']}"}  # fmt: skip
        url = f"http://{HOSTS[sheet['file'].split('/')[0]]}:{port}/{sheet['file']}"
        records.append([str(number), *(facts.get(term, "") for term in OCCURRENCE)])
        media.append([str(number), "StillImage", "image/jpeg", url, ""])
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w") as archive:
        meta = _describe("core", "id", "occurrence.csv", DARWIN_CORE + "Occurrence", DARWIN_CORE, OCCURRENCE)
        meta += _describe(
            "extension", "coreid", "multimedia.csv", "http://rs.gbif.org/terms/1.0/Multimedia", DUBLIN_CORE, MULTIMEDIA
        )
        files = {"meta.xml": f'<archive xmlns="http://rs.tdwg.org/dwc/text/">\n{meta}</archive>\n'}
        files |= {"occurrence.csv": _as_csv(OCCURRENCE, records), "multimedia.csv": _as_csv(MULTIMEDIA, media)}
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text)  # without a date, so that the same sheets give the same bytes
    return len(sheets)


def _describe(kind: str, key: str, file: str, row_type: str, vocabulary: str, terms: tuple[str, ...]) -> str:
    fields = "".join(f'<field index="{at}" term="{vocabulary}{term}"/>' for at, term in enumerate(terms, start=1))
    return TABLE.format(kind=kind, key=key, file=file, row_type=row_type, fields=fields)


def _as_csv(terms: tuple[str, ...], rows: list[list[str]]) -> str:
    stream = io.StringIO()
    csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([["id", *terms], *rows])
    return stream.getvalue()


class SheetHandler(SimpleHTTPRequestHandler):
    """Serves files, and says nothing about it."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def serving(images: Path, *, port: int = PORT) -> Iterator[None]:
    """Serve the sheets from their loopback hosts while the block lasts."""
    with ExitStack() as stack:
        for host in HOSTS.values():
            try:
                server = ThreadingHTTPServer((host, port), partial(SheetHandler, directory=str(images)))
            except OSError as error:
                raise SystemExit(f"{host}:{port} cannot be opened: {error.strerror}; is another run on?") from None
            stack.callback(server.server_close)
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
        yield


def build(
    shared: Path, work: Path, *arguments: str, port: int = PORT, limit: int | None = None
) -> subprocess.CompletedProcess[str]:
    """Build the recipe with the command that a user would type; `arguments` go to it."""
    images = shared / "data/images"
    write_archive(images, work / "sheets.zip", port=port, limit=limit)
    with serving(images, port=port):
        return rebuild(shared, work, *arguments)


def rebuild(shared: Path, work: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Build once more from the archive that is there, whether or not anybody serves its sheets."""
    places = {"NAFLORA_SHARED": str(shared.resolve()), "NAFLORA_SHEETS": str((work / "sheets.zip").resolve())}
    return naflora("build", str(RECIPE), "--work", str(work / "data"), *arguments, env=os.environ | places)


def naflora(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command of naflora, with its output where ours goes."""
    return subprocess.run([sys.executable, "-m", "naflora_etl", *arguments], env=env, check=False, text=True)


def main() -> int:
    """Build, verify, and say how long it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared", help="folder that holds data/")
    parser.add_argument("--work", type=Path, default=Path("work/real-sheets"), help="archive and data folder go here")
    parser.add_argument("--limit", type=int, help="take only the last sheets, which are of few species")
    parser.add_argument("rest", nargs="*", help="after --: options of `naflora build`")
    chosen = parser.parse_args()
    if not (chosen.shared / "data/images").is_dir():
        parser.error(f"{chosen.shared / 'data/images'} is not there; say with --shared where the sheets lie.")
    started = time.monotonic()
    done = build(chosen.shared, chosen.work, *chosen.rest, limit=chosen.limit)
    if done.returncode == 0 and not chosen.rest:
        done = naflora("verify", str(chosen.work / "data/release"))
    sys.stderr.write(f"{time.monotonic() - started:.0f} s in all\n")
    return done.returncode


if __name__ == "__main__":
    raise SystemExit(main())
