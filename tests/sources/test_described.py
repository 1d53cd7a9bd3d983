"""What is described by columns is what darwincore.py's functions say of each record by itself."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from naflora_etl.engine.spool import Spool
from naflora_etl.engine.workspace import Workspace
from naflora_etl.sources import darwincore as dwc
from naflora_etl.sources.alternatives import tell_copies
from naflora_etl.sources.darwincore import Media, Occurrence
from naflora_etl.sources.pictures import PictureWriter
from naflora_etl.sources.specimens import TERMS, SpecimenWriter
from naflora_etl.sources.staging import stage_records

GBIF, IDIGBIO = "https://api.gbif.org", "https://search.idigbio.org"
VALUES = {
    "institutionCode": ["NHA", "nha", "Herb. Ñ", None],
    "collectionCode": ["Vasc", "V & P", "Gefäß", None],
    "catalogNumber": ["NHA-552603", "552603 b", "no number", "№ 12", "١٢", "--", "x\ty1", None],
    "barcodeValue": ["B 10 0000001", None, None],
    "occurrenceID": ["URN:uuid:ABC", "urn:catalog:X:1", "Ärger", None],
    "recordedBy": ["Vink, W", "E. Clark & J. Bell", "anonymous", None],
    "recordNumber": ["0016273", "No. 12 a", "000", "s.n.", "Vink, W  16273", None],
    "fieldNumber": ["77", None, None],
    "eventDate": ["1986-01-04", "1868-01-01/1868-12-31", "1868", "May 4, 1986", None, None],
    "year": ["2004", "0", "20045", None],
    "month": ["4", "13", None],
    "day": ["7", "32", None],
    "countryCode": ["US", "USA", "zz", None],
    "country": ["Canada", None],
    "decimalLatitude": ["44.91", "95", "1_0", "1e1", "nan", "+4", "+-4", ".5", "4.", "-90", "four", None],
    "decimalLongitude": ["-111.5", "181", "0x1", "inf", "--1", None],
    "datasetKey": ["d", None],
    "basisOfRecord": ["PRESERVED_SPECIMEN", None],
    "scientificName": ["Acer rubrum L.", None],
}
URLS = [
    "http://a.org/1.jpg", "HTTP://A.org:80/1.JPG#x", "https://a.org/a b.jpg", "https://a.org?x=1", "http://a.org",
    "https://a.org/a ?x=1 2", "https://a.org/a ", "https://a.org/ a?x=1", "https://a.org/a b.jpg?x=1",
    "http://a.org:80/1", "https://a.org:443/1", "http://a.org:8080/1", "http://a.org:65536/1", "http://a_b.org/~x/%20",
    "http://a.org/q?a=1&b=2", "http://a.org/q?a=1&copy=2", "http://a.org/q?a=1&notify=2", "http://a.org/q?a=1&amp;b=2",
    "http://a.org/q?a='1'", "http://a.org/(x)'y'", "http://a.org/é.jpg", "http://user@a.org/1", "http://localhost/1",
    "http://a..org/1", "http://a.org./1", "http://-a.org/1", "ftp://a.org/1", "http://a.org/[1]", "http://a.org/?",
    "http://a.org/1/manifest", "http://a.org/1/MANIFEST.json?x", "http://a.org/i/info.json", "http://a.org/1.HTM",
    "?x", "#x", "", None, "http://a.org/1.jpg?x#y", "http://127.0.0.2:8640/1.jpg", "http://[::1]/1", "http://a.b/;x?a;b",
]  # fmt: skip
KINDS = ["StillImage", "Still Image", "image", "Sound", "InteractiveResource", None]
FORMATS = ["image/jpeg", "JPG", ".jpg", "text/html; charset=utf-8", "application/ld+json", "audio/mpeg", "dzi", None]
MEDIA_IDS = ["00000007-0000-4000-8000-000000000009", "x", None]


@pytest.fixture(scope="module")
def spool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spool]:
    with Spool(Workspace(str(tmp_path_factory.mktemp("described")))) as spool:
        yield spool


def some_records(random: Random, count: int) -> list[Occurrence]:
    records = []
    for number in range(count):
        terms = {name: text for name, values in VALUES.items() if (text := random.choice(values))}
        urls = random.choices(URLS, k=random.randint(0, 4))
        media = tuple(
            Media(url, random.choice(KINDS), random.choice(FORMATS), media_id=random.choice(MEDIA_IDS)) for url in urls
        )
        source = random.choice(["gbif", "idigbio", "archive"])
        records.append(Occurrence(source, random.choice([str(number), f"u{number}"]), "page", terms, media))
    return records


def test_specimens_by_columns_are_the_specimens_one_by_one(spool: Spool) -> None:
    records = some_records(Random("specimens"), 1500)
    writer = SpecimenWriter(spool.query, lambda name, authors, qualifier: (name, None), ())
    staged = [job() for job in stage_records(records, 0)]
    rows = [row for some in staged for row in writer.describe(some.specimens).to_pylist()]
    assert set(VALUES) <= set(TERMS)
    for row, record in zip(rows, records, strict=True):
        told = dwc.describe_specimen(record)
        assert {name: row[name] for name in told} == told, record


def test_images_by_columns_are_the_images_one_by_one(spool: Spool) -> None:
    records = some_records(Random("images"), 1500)
    writer = PictureWriter(spool.query, gbif_api=GBIF, idigbio_api=IDIGBIO)
    rows = [row for job in stage_records(records, 0) for row in writer.describe(job().pictures).to_pylist()]
    media = [(record, medium) for record in records for medium in record.media]
    for row, (record, medium) in zip(rows, media, strict=True):
        told = one_by_one(record, medium)
        assert {name: row[name] for name in told} == told, medium


def one_by_one(record: Occurrence, medium: Media) -> dict[str, Any]:
    url, issue = dwc.normalise_url(medium.url), dwc.media_issue(medium)
    is_shown = url is not None and issue is None
    copies = tell_copies(
        record.source, record.record_id, medium.url, medium.media_id, gbif_api=GBIF, idigbio_api=IDIGBIO
    )
    return {
        "image_url": url,
        "image_key": dwc.image_key(url) if url and is_shown else None,
        "host": dwc.host_of(url) if url else None,
        "copy_urls": copies if is_shown else None,
        "image_issue": issue or (None if url else "URL_UNUSABLE"),
    }
