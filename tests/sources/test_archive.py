"""Darwin Core archives: whole, quoted or not, in mixed encodings, and broken in every way."""

from __future__ import annotations

import zipfile
from collections import Counter
from pathlib import Path

import pytest

from naflora_etl.engine.faults import Fault
from naflora_etl.sources.archive import Archive
from naflora_etl.sources.darwincore import Occurrence, is_image
from naflora_etl.sources.licences import choose_license

SHARED = Path(__file__).parents[2] / "../shared/data"
DWC = "http://rs.tdwg.org/dwc/terms/"

QUOTED = f"""<archive xmlns="http://rs.tdwg.org/dwc/text/">
  <core encoding="UTF-8" fieldsTerminatedBy="," fieldsEnclosedBy="&quot;" ignoreHeaderLines="1"
      rowType="{DWC}Occurrence">
    <files><location>occurrences.csv</location></files><id index="0"/>
    <field index="1" term="{DWC}scientificName"/><field index="2" term="{DWC}recordedBy"/>
    <field default="PreservedSpecimen" term="{DWC}basisOfRecord"/>
  </core>
  <extension encoding="UTF-8" fieldsTerminatedBy="," fieldsEnclosedBy="&quot;" ignoreHeaderLines="1"
      rowType="http://rs.tdwg.org/ac/terms/Multimedia">
    <files><location>multimedia.csv</location></files><coreid index="0"/>
    <field index="1" term="http://rs.tdwg.org/ac/terms/accessURI"/>
    <field index="2" term="http://purl.org/dc/terms/rights"/>
    <field index="3" term="http://ns.adobe.com/xap/1.0/rights/Owner"/>
  </extension>
  <extension rowType="http://rs.iobis.org/obis/terms/ExtendedMeasurementOrFact">
    <files><location>measurements.csv</location></files><coreid index="0"/>
  </extension>
</archive>"""
CORE = b"""id,scientificName,recordedBy
1,"Acer rubrum, L.","C. G.
Pringle"
2,Acer saccharum,Ren\xe9
3,Acer negundo,Ren\xc3\xa9
"""
MULTIMEDIA = b"""coreid,accessURI,rights,Owner
1,http://a.org/1.jpg,CC0,NY
1,http://a.org/2.jpg,,NY
9,http://a.org/9.jpg,CC0,NY
"""


def folder(place: Path, meta: str = QUOTED, core: bytes = CORE, multimedia: bytes | None = MULTIMEDIA) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    (place / "meta.xml").write_text(meta, encoding="utf-8")
    (place / "occurrences.csv").write_bytes(core)
    if multimedia is not None:
        (place / "multimedia.csv").write_bytes(multimedia)
    return place


def zipped(place: Path, source: Path, inside: str = "") -> Path:
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(source.iterdir()):
            archive.write(path, inside + path.name)
    return place


def read(path: Path) -> dict[str, Occurrence]:
    return {record.record_id: record for record in Archive(str(path)).read_records("archive:x")}


def test_a_folder_is_read_as_its_meta_says(tmp_path: Path) -> None:
    records = read(folder(tmp_path / "portal"))
    first = records["1"]
    assert first.terms == {
        "scientificName": "Acer rubrum, L.",
        "recordedBy": "C. G.\nPringle",
        "basisOfRecord": "PreservedSpecimen",
        "datasetKey": "portal",
    }
    assert [(m.url, choose_license(m.licenses, ())[0], m.rights_holder) for m in first.media] == [
        ("http://a.org/1.jpg", "CC0-1.0", "NY"),
        ("http://a.org/2.jpg", None, "NY"),
    ]
    assert Archive(str(tmp_path / "portal")).count_rows() == 3


def test_encodings_are_told_apart_row_by_row(tmp_path: Path) -> None:
    records = read(folder(tmp_path / "portal"))
    assert [records[number].terms["recordedBy"] for number in "23"] == ["René", "René"]


@pytest.mark.parametrize("encoding", ["UTF-16", "utf-16-le", "UTF-32"])
def test_letters_of_several_bytes_end_no_row_but_by_a_line_feed(tmp_path: Path, encoding: str) -> None:
    core = "id,name,by\n1,Acer\u2028rubrum,A\x85B\x1cC\n2,Acer rubrum,Z\n".encode(encoding)
    meta = QUOTED.replace('encoding="UTF-8"', f'encoding="{encoding}"', 1)
    records = read(folder(tmp_path / "portal", meta, core, multimedia=b"coreid,accessURI,rights,Owner\n"))
    assert [(key, record.terms["recordedBy"]) for key, record in records.items()] == [("1", "A\x85B\x1cC"), ("2", "Z")]


def test_media_without_a_record_are_told(tmp_path: Path) -> None:
    orphan = read(folder(tmp_path / "portal"))["9"]
    assert orphan.issue == "IMAGE_WITHOUT_RECORD"
    assert [media.url for media in orphan.media] == ["http://a.org/9.jpg"]


@pytest.mark.parametrize("inside", ["", "download/"], ids=["at the root", "in a folder"])
def test_a_zip_gives_the_same_as_the_folder(tmp_path: Path, inside: str) -> None:
    source = folder(tmp_path / "portal")
    assert read(zipped(tmp_path / "portal.zip", source, inside)) == read(source)


def test_rows_that_do_not_fit_their_header_are_set_aside_one_by_one(tmp_path: Path) -> None:
    core = b"id,name,by\n1,Acer rubrum,X\n2,Acer\n3,Acer,Y,more,cells\n4,Acer,Z\n"
    records = read(folder(tmp_path / "portal", core=core))
    assert {name: record.issue for name, record in records.items()} == {
        "1": None,
        "occurrences.csv:2": "SOURCE_UNREADABLE",
        "occurrences.csv:3": "SOURCE_UNREADABLE",
        "4": None,
        "9": "IMAGE_WITHOUT_RECORD",
    }


def test_a_return_within_a_row_sets_that_row_aside(tmp_path: Path) -> None:
    core = b'id,name,by\r\n1,Acer\r rubrum,X\r\n2,"Acer\r rubrum",Y\r\n3,Acer\rrubrum,"Z\r\nZ"\r\n4,Acer,V\r\r\n'
    records = read(folder(tmp_path / "portal", core=core, multimedia=b"coreid,accessURI,rights,Owner\n"))
    assert {name: record.issue for name, record in records.items()} == {
        "occurrences.csv:1": "SOURCE_UNREADABLE",
        "2": None,
        "occurrences.csv:3": "SOURCE_UNREADABLE",
        "occurrences.csv:4": "SOURCE_UNREADABLE",  # the next line, as nobody knows whether the mark before was meant
        "4": None,
    }
    assert records["2"].terms["scientificName"] == "Acer\r rubrum"


def test_an_unquoted_file_may_hold_quotation_marks(tmp_path: Path) -> None:
    meta = QUOTED.replace('fieldsTerminatedBy=","', 'fieldsTerminatedBy="\\t"').replace(
        'fieldsEnclosedBy="&quot;"', 'fieldsEnclosedBy=""'
    )
    core = b'id\tname\tby\r\n1\tAcer "rubrum\t"X\r\n2\tAcer\t"Y" Z\r\n'
    records = read(folder(tmp_path / "gbif", meta, core, b"id\turl\trights\towner\r\n"))
    assert [record.terms["recordedBy"] for record in records.values()] == ['"X', '"Y" Z']


def test_a_field_of_two_megabytes_is_read(tmp_path: Path) -> None:
    large = b"x" * 2_000_000
    records = read(folder(tmp_path / "portal", core=b'id,name,by\n1,Acer rubrum,"' + large + b'"\n'))
    assert len(records["1"].terms["recordedBy"]) == 2_000_000


def damaged(path: Path) -> Path:
    body = bytearray(path.read_bytes())
    start = body.index(b"multimedia.csv") + len("multimedia.csv")
    body[start + 4 : start + 24] = b"\x00" * 20
    path.write_bytes(body)
    return path


def cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:-40])
    return path


def text_file(path: Path) -> Path:
    path.write_text("not an archive", encoding="utf-8")
    return path


def bomb(place: Path) -> Path:
    source = folder(place / "a")
    with zipfile.ZipFile(place / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(source / "meta.xml", "meta.xml")
        archive.write(source / "multimedia.csv", "multimedia.csv")
        with archive.open("occurrences.csv", "w", force_zip64=True) as stream:
            for _ in range(110):
                stream.write(bytes(1_000_000))
    return place / "a.zip"


def cut_in_the_middle(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


FAULTS = {
    "a zip cut in the middle": (
        lambda place: cut_in_the_middle(zipped(place / "a.zip", folder(place / "a"))), "is not a zip, or was cut short"
    ),
    "a zip bomb": (bomb, "occurrences.csv would unpack to 0.1 GB from 0.1 MB, which is no table of records; take it"),
    "a missing file": (lambda place: place / "none.zip", "no such file or folder; harvest.archives wants"),
    "no zip": (lambda place: text_file(place / "a.zip"), "is not a zip, or was cut short; download it again"),
    "a cut zip": (lambda place: cut(zipped(place / "a.zip", folder(place / "a"))), "is not a zip, or was cut short"),
    "a damaged zip": (lambda place: damaged(zipped(place / "a.zip", folder(place / "a"))), "is damaged ("),
    "no meta.xml": (lambda place: place, "has no meta.xml, so it is no Darwin Core archive"),
    "a meta.xml that is no XML": (lambda place: folder(place / "a", "<archive"), "(it is not XML"),
    "a meta.xml without a core": (lambda place: folder(place / "a", "<archive/>"), "(it names 0 cores"),
    "a meta.xml with a word for a number": (
        lambda place: folder(place / "a", QUOTED.replace('index="1"', 'index="one"')), "its meta.xml cannot be followed"
    ),
    "a meta.xml with a column before the first": (
        lambda place: folder(place / "a", QUOTED.replace('index="1"', 'index="-1"')), "it counts columns from -1 to"
    ),
    "a meta.xml with a billion columns": (
        lambda place: folder(place / "a", QUOTED.replace('index="1"', 'index="999999999"')), "to 999,999,999"
    ),
    "a meta.xml with a billion headings": (
        lambda place: folder(place / "a", QUOTED.replace('ignoreHeaderLines="1"', 'ignoreHeaderLines="1000000000"')),
        "it has 1,000,000,000 lines of headings",
    ),
    "a meta.xml whose fields end in two letters": (
        lambda place: folder(place / "a", QUOTED.replace('fieldsTerminatedBy=","', 'fieldsTerminatedBy="ab"')),
        "its fields end in 'ab'",
    ),
    "a meta.xml whose fields end as they are enclosed": (
        lambda place: folder(place / "a", QUOTED.replace('fieldsTerminatedBy=","', 'fieldsTerminatedBy="&quot;"')),
        "its fields end in '\"'",
    ),
    "a meta.xml that leads out of the archive": (
        lambda place: folder(place / "a", QUOTED.replace("occurrences.csv", "../x.csv")), "its meta.xml cannot be"
    ),
    "an unknown encoding": (
        lambda place: folder(place / "a", QUOTED.replace("UTF-8", "EBCDIC-9")), "its meta.xml cannot be followed"
    ),
    "rows that end in returns alone, with marks": (
        lambda place: folder(place / "a", core=CORE.replace(b"\n", b"\r")), "returns stand among the headings of occ"
    ),
    "rows that end in returns alone, without marks": (
        lambda place: folder(place / "a", QUOTED.replace("&quot;", ""), CORE.replace(b"\n", b"\r")),
        "carriage returns stand among the headings of occurrences.csv; line feeds must end its rows",
    ),
    "a promised file that is not there": (
        lambda place: folder(place / "a", multimedia=None), "its meta.xml promises multimedia.csv, which is not in it"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("make", "sentence"), FAULTS.values(), ids=FAULTS)
def test_a_broken_archive_is_told_in_a_sentence(tmp_path: Path, make, sentence: str) -> None:  # type: ignore[no-untyped-def]
    path = make(tmp_path)
    with pytest.raises(Fault) as fault:
        Archive(str(path)).count_rows()
    assert sentence in str(fault.value)
    assert str(path) in str(fault.value)
    assert str(fault.value).count("\n") == 0


REAL = {
    "GBIF's zip": ("gbif/dwca/0000066-140928181241064.zip", 0),
    "GBIF's folder": ("gbif/dwca/gbif_download_with_multimedia", 1362),
    "SEINet's folder": ("symbiota_seinet", 776),
}


@pytest.mark.real
@pytest.mark.parametrize(("name", "media"), REAL.values(), ids=REAL)
def test_real_archives(name: str, media: int) -> None:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"the archive {name} is not here")
    archive = Archive(str(path))
    records = list(archive.read_records("archive:x"))
    assert Counter(record.issue for record in records) == {None: archive.count_rows()}
    if media:
        assert sum(len(record.media) for record in records) == media
    assert sum(map(is_image, (m for record in records for m in record.media))) > 100
