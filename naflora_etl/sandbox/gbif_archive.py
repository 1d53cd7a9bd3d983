"""A GBIF download as GBIF packs it: occurrence.txt, multimedia.txt, meta.xml, citations; tabs, and no quotes."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from naflora_etl.sandbox.gatherings import Specimen
from naflora_etl.sandbox.gbif_record import write_record
from naflora_etl.sandbox.herbaria import Institution
from naflora_etl.sandbox.world import World

DWC, DC, GBIF = "http://rs.tdwg.org/dwc/terms/", "http://purl.org/dc/terms/", "http://rs.gbif.org/terms/1.0/"
CORE = (
    GBIF + "gbifID", DC + "license", DC + "rightsHolder", DWC + "institutionCode", DWC + "collectionCode",
    DWC + "basisOfRecord", DWC + "occurrenceID", DWC + "catalogNumber", DWC + "recordNumber", DWC + "recordedBy",
    DWC + "occurrenceStatus", DWC + "eventDate", DWC + "year", DWC + "month", DWC + "day", DWC + "countryCode",
    DWC + "stateProvince", DWC + "locality", DWC + "decimalLatitude", DWC + "decimalLongitude", DWC + "identifiedBy",
    DWC + "scientificName", DWC + "kingdom", DWC + "phylum", DWC + "family", DWC + "genus", DWC + "genericName",
    DWC + "specificEpithet", DWC + "infraspecificEpithet", DWC + "taxonRank", DWC + "taxonomicStatus",
    GBIF + "datasetKey", GBIF + "publishingCountry", GBIF + "lastInterpreted", GBIF + "taxonKey",
    GBIF + "acceptedTaxonKey", GBIF + "acceptedScientificName",
)  # fmt: skip
MEDIA = tuple(
    DC + name
    for name in ("type", "format", "identifier", "references", "title", "creator", "publisher", "license",
                 "rightsHolder")
)  # fmt: skip
LICENSES = {"publicdomain/zero/1.0": "CC0_1_0", "licenses/by/4.0": "CC_BY_4_0", "licenses/by-nc/4.0": "CC_BY_NC_4_0"}
EPOCH = (2026, 11, 2, 10, 15, 30)


def write_archive(world: World, specimens: Iterable[Specimen], checklist: str, path: Path, doi: str) -> None:
    """Write the archive of some specimens; the same ones give the same bytes."""
    core, media = [_line(map(_short, CORE))], [_line(("gbifID", *map(_short, MEDIA)))]
    datasets: dict[str, Institution] = {}
    for specimen in specimens:
        record = write_record(world, specimen, checklist)
        record["license"] = _license(record["license"])
        core.append(_line(record.get(_short(term)) for term in CORE))
        for medium in record["media"]:
            media.append(_line((record["gbifID"], *(medium.get(_short(term)) for term in MEDIA))))
        datasets[record["datasetKey"]] = specimen.institution
    cited = "".join(f"{keeper.dataset_citation}\n" for _, keeper in sorted(datasets.items()))
    texts = {
        "occurrence.txt": "".join(core),
        "multimedia.txt": "".join(media),
        "meta.xml": _meta(),
        "citations.txt": f"When using this dataset please cite https://doi.org/{doi} and:\n{cited}",
    }
    texts |= {f"dataset/{key}.xml": _eml(keeper) for key, keeper in sorted(datasets.items())}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in texts.items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), text, zipfile.ZIP_DEFLATED)


def _short(term: str) -> str:
    return term.rsplit("/", 1)[-1]


def _license(address: str) -> str:
    return next((code for part, code in LICENSES.items() if part in address), "UNSPECIFIED")


def _line(values: Iterable[Any]) -> str:
    cells = ("" if value is None else str(value) for value in values)
    return "\t".join(" ".join(cell.split()) for cell in cells) + "\n"


def _eml(keeper: Institution) -> str:
    return (
        f'<eml:eml xmlns:eml="eml://ecoinformatics.org/eml-2.1.1" packageId="{keeper.dataset_key}" scope="system">\n'
        f"<dataset><alternateIdentifier>{keeper.dataset_doi}</alternateIdentifier>"
        f"<title>{escape(keeper.dataset_title)}</title></dataset>\n<additionalMetadata><metadata><gbif>"
        f"<citation>{escape(keeper.dataset_citation)}</citation></gbif></metadata></additionalMetadata>\n</eml:eml>\n"
    )


def _meta() -> str:
    head = 'encoding="UTF-8" fieldsTerminatedBy="\\t" linesTerminatedBy="\\n" fieldsEnclosedBy="" ignoreHeaderLines="1"'
    core = "".join(f'<field index="{at}" term="{term}"/>' for at, term in enumerate(CORE))
    media = "".join(f'<field index="{at}" term="{term}"/>' for at, term in enumerate(MEDIA, start=1))
    return (
        '<archive xmlns="http://rs.tdwg.org/dwc/text/" metadata="metadata.xml">\n'
        f'<core {head} rowType="{DWC}Occurrence"><files><location>occurrence.txt</location></files>'
        f'<id index="0"/>{core}</core>\n'
        f'<extension {head} rowType="{GBIF}Multimedia"><files><location>multimedia.txt</location></files>'
        f'<coreid index="0"/>{media}</extension>\n</archive>\n'
    )
