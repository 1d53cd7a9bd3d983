"""Time a release of a million images: python benchmarks/release_million.py [--images 1000000] [--work FOLDER].

The images are tiny (32 x 48 px of noise, each with bytes of its own), the tables as wide as real ones: 15,501 classes,
eight covered boxes a sheet, a tenth of all records set aside. Each step of the way out of the house runs in a process
of its own, which tells its seconds and its peak of memory; at the end a plain `tar` packs the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import resource
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import simplejpeg

from naflora_etl.engine.blobs import Blobs
from naflora_etl.engine.contracts import read_contract
from naflora_etl.engine.folders import Folder
from naflora_etl.engine.packs import Packs
from naflora_etl.engine.spool import Spool
from naflora_etl.engine.stage import Stage
from naflora_etl.engine.tables import clean_rows, cut_windows, read_parquet, read_row_groups, write_parquet
from naflora_etl.engine.workspace import Workspace
from naflora_etl.publishing.bundle import write_tarballs
from naflora_etl.publishing.diff import compare_releases
from naflora_etl.publishing.leaks import audit_leaks
from naflora_etl.publishing.publish import publish_release
from naflora_etl.publishing.targets import FolderTarget
from naflora_etl.publishing.verify import verify_release
from naflora_etl.recipe import make_recipe
from naflora_etl.stages.release import STAGE as RELEASE
from naflora_etl.stages.release import write_release
from naflora_etl.stages.shards import STAGE as SHARDS
from naflora_etl.stages.shards import pack_shards

CLASSES = 15_501
PACK_IMAGES = 1000
STEPS = ("shards", "release", "verify", "tarball", "verify the tarball", "audit", "diff", "publish", "plain tar")
QUADS = json.dumps([{"points": [[100, 9], [219, 9], [219, 44], [100, 44]], "score": 0.93}] * 8)
SHARED = """select image_key, 'w-' || class as taxon_id, 'NY:' || n as specimen_key,
        'smith|' || n || '|1901' as gathering_key,
    'http://127.0.0.2/' || n || '.jpg' as image_url, '127.0.0.2' as host, * exclude (image_key) from drawn"""
TABLES = {
    "records": """select image_key, taxon_id, specimen_key, gathering_key, image_url, host,
        'gbif:' || n || '/0' as record_key,
        'gbif' as source, cast(n as varchar) as source_record_id, 'Planta number' || class || ' L.' as scientificName,
        'NY' || n % 60 as institutionCode, 'Herbarium' as collectionCode, cast(n as varchar) as catalogNumber,
        'urn:catalog:NY:' || n as occurrenceID, 'Smith, J.' as recordedBy, cast(n as varchar) as recordNumber,
        '1901-06-01' as eventDate, 1901 as year, 'CA' as countryCode, 'Québec' as stateProvince,
        46.5 as decimalLatitude,
        -71.2 as decimalLongitude, 'd-' || n % 300 as datasetKey, 'PRESERVED_SPECIMEN' as basisOfRecord,
        ['CC0-1.0', 'CC-BY-4.0', 'CC-BY-NC-4.0'][1 + n % 3] as license,
        'http://creativecommons.org/x' as license_verbatim,
        'The Herbarium' as rightsHolder, null as issue from shared
        union all by name select 'gbif:' || n || '/1' as record_key, image_key, taxon_id, 'gbif' as source,
        'DUPLICATE_RECORD' as issue from shared where n % 10 = 0""",
    "selection": """select image_key, taxon_id, specimen_key, gathering_key, image_url, host, 'chosen' as role,
        1 as rank from shared""",
    "images": """select image_key, taxon_id, specimen_key, gathering_key, host, 'chosen' as role, 1 as rank,
        200 as status,
        4000 as source_width_px, 6000 as source_height_px, 2400000 as source_size_bytes,
        sha256(image_key) as source_sha256,
        32 as width_px, 48 as height_px, size_bytes, sha256, substr(sha256(image_key), 1, 16) as dhash, 8 as text_boxes,
        0.04 as text_share, quads as text_quads, 'craft:364f7e957974' as detector, pack, "offset" from shared""",
    "split": """select image_key, taxon_id, specimen_key, gathering_key, taxon_id as class_key, class as class_id,
        case when (n // classes) % 5 = 0 then 'test' else 'train' end as part from shared""",
    "taxa": """select 'flora:' || class as checklist_key, 'Planta number' || class as scientificName,
        'accepted' as verdict,
        'w-' || class as taxon_id, 'Planta number' || class as taxon_name, 'L.' as taxon_authors,
        'Species' as taxon_rank,
        'Familia' || class % 200 as family, 'Planta' || class % 2500 as genus, 'number' || class as species
        from (select distinct class from shared) order by class""",
    "harvest": "select 'gbif:1' as page_key, 'gbif' as source, 'http://127.0.0.1/' as request, 0 as page_number",
    "checklist": """select 'flora:' || class as checklist_key, 'flora.csv' as source_file, class as line,
        'Planta number' || class as scientificName from (select distinct class from shared) order by class""",
}


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def prepare(work: Path, images: int) -> None:
    """Write the packs and the tables that the stages before `shards` would leave."""
    (work / "packs").mkdir(parents=True)
    (work / "given").mkdir()
    classes = min(CLASSES, images // 10)
    rng, drawn = np.random.default_rng(1), []
    for start in range(0, images, PACK_IMAGES):
        path, rows = work / "packs" / "now.tar", []
        with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
            for n in range(start, min(images, start + PACK_IMAGES)):
                pixels = rng.integers(0, 255, (48, 32, 3), dtype=np.uint8)
                body = simplejpeg.encode_jpeg(pixels, 40, colorsubsampling="420")
                info = tarfile.TarInfo(f"{n}.jpg")
                info.size = len(body)
                offset = tar.offset + tarfile.BLOCKSIZE
                tar.addfile(info, io.BytesIO(body))
                key = hashlib.sha256(str(n).encode()).hexdigest()[:20]
                rows.append((n, n % classes, key, offset, len(body), hashlib.sha256(body).hexdigest()))
        name = f"{start:012d}.tar"
        path.rename(work / "packs" / name)
        drawn += [(*row, name) for row in rows]
    names = ("n", "class", "image_key", "offset", "size_bytes", "sha256", "pack")
    table = pa.table({name: [row[at] for row in drawn] for at, name in enumerate(names)})
    with duckdb.connect(":memory:") as connection:
        connection.register("drawn", table)
        connection.execute(f"create view shared as {SHARED}")
        for name, sql in TABLES.items():
            made = connection.sql(
                sql.replace("quads as", f"'{QUADS}' as").replace("classes)", f"{classes})")
            ).to_arrow_table()
            schema = read_contract(name).arrow_schema
            columns = [
                made[f.name].cast(f.type) if f.name in made.column_names else pa.nulls(len(made), f.type)
                for f in schema
            ]
            with (work / "given" / f"{name}.parquet").open("wb") as stream:
                write_parquet(pa.table(columns, schema=schema), stream)


class Given:
    """The tables that were prepared, as the engine hands them to a stage."""

    def __init__(self, work: Path) -> None:
        self.folder = work / "given"

    def whole(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        return read_parquet(self.folder / f"{name}.parquet", columns and list(columns))

    def windows(self, name: str, rows: int, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        return cut_windows(read_row_groups(self.folder / f"{name}.parquet", columns), rows)

    def metadata(self, name: str) -> dict[bytes, bytes]:
        return {}

    def clean(self, stage: Stage) -> list[pa.Table]:
        tables = []
        for name in stage.reads:
            columns = list((stage.columns or {}).get(name, read_contract(name).arrow_schema.names))
            rows = clean_rows(self.whole(name, list(dict.fromkeys([*columns, *self.issue(name)]))))
            tables.append(rows.select(columns))
        return tables

    def issue(self, name: str) -> list[str]:
        return [column for column in read_contract(name).arrow_schema.names if column == "issue"]


def run(step: str, work: Path, samples: int) -> None:
    """Do one step."""
    workspace, given = Workspace(str(work)), Given(work)
    release, dist = work / "release", work / "dist"
    values = {
        "name": "million",
        "shards": {"samples_per_shard": samples},
        "release": {"audit_sample": 0, "contact_sheet": 1},
    }
    recipe = make_recipe(values, folder=work)
    effects: dict[str, Any] = {"packs": Packs(workspace, "x"), "progress": lambda *told: None}
    if step == "shards":
        folder = Folder(workspace, "shards")
        folder.begin()
        made = pack_shards(*given.clean(SHARDS), options=recipe.shards, folder=folder, **effects)
        folder.commit()
        with (work / "given" / "shards.parquet").open("wb") as stream:
            write_parquet(made, stream)
    elif step == "release":
        folder = Folder(workspace, "release")
        folder.begin()
        effects |= {"blobs": Blobs(workspace), "spool": Spool(workspace)}
        made = given.clean(RELEASE)
        write_release(*made, options=recipe.release, recipe=recipe, tables=given, folder=folder, **effects)
        folder.commit()
    elif step == "verify":
        assert verify_release(release) == []
    elif step == "tarball":
        write_tarballs(release, dist, name="million")
    elif step == "verify the tarball":
        assert verify_release(dist / "million.tar") == []
    elif step == "audit":
        audit_leaks(release)
    elif step == "diff":
        assert compare_releases(release, dist / "million.tar").is_empty
    elif step == "publish":
        publish_release(release, FolderTarget(work / "published"))
    else:
        subprocess.run(["tar", "-cf", str(work / "plain.tar"), "-C", str(work), "release"], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--samples", type=int, default=1000, help="a shard")
    parser.add_argument("--work", type=Path)
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--only", help="comma-separated steps")
    asked = parser.parse_args()
    if asked.step:
        started, cpu = time.monotonic(), time.process_time()
        run(asked.step, asked.work, asked.samples)
        usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        peak = max(each.ru_maxrss for each in usage) / 2**20
        spent = time.process_time() - cpu + usage[1].ru_utime + usage[1].ru_stime
        say(f"| {asked.step} | {time.monotonic() - started:.0f} | {spent:.0f} | {peak:.2f} |")
        return
    work = asked.work or Path(tempfile.mkdtemp(prefix="release-million-"))
    if not (work / "given").exists():
        started = time.monotonic()
        prepare(work, asked.images)
        say(f"{asked.images:,} images prepared in {time.monotonic() - started:.0f} s, not counted\n")
    say("| step | wall s | CPU s | peak GiB |\n| --- | ---: | ---: | ---: |")
    for step in STEPS:
        if asked.only is None or step in asked.only.split(","):
            command = [sys.executable, __file__, "--work", str(work), "--samples", str(asked.samples), "--step", step]
            subprocess.run(command, check=True)
    say(f"\nrelease: {sum(path.stat().st_size for path in (work / 'release').rglob('*')) / 2**30:.2f} GiB")
    if asked.work is None:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
