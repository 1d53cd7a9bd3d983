"""Records as columns -> specimens as the records table tells them, in batches of any size.

What SQL can tell of plain texts (ASCII, digits) it tells at once, by the rules of darwincore.py; the functions there
are asked for the rest, once for each distinct value.
"""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from naflora_etl.sources import darwincore as dwc
from naflora_etl.sources.distinct import Distinct
from naflora_etl.sources.places import country_code

TERMS = (
    "scientificName", "scientificNameAuthorship", "identificationQualifier", "institutionCode", "collectionCode",
    "catalogNumber", "barcodeValue", "occurrenceID", "recordedBy", "recordNumber", "fieldNumber", "eventDate", "year",
    "month", "day", "countryCode", "country", "stateProvince", "decimalLatitude", "decimalLongitude", "datasetKey",
    "basisOfRecord", "preparations",
)  # fmt: skip
"""The Darwin Core terms that are read of a record."""
WHOSE = ("seq", "stem", "link", "source", "page_key", "source_record_id", "licenses", "broken")
"""What else comes along: order, key, what its media point at, whose it is, its licences' texts, why it is unread."""
STAGED = pa.schema([("seq", pa.int64()), *((name, pa.string()) for name in (*WHOSE[1:], *TERMS))])
"""Records as they are staged, whoever sent them."""
DESCRIBED = pa.schema(
    [
        ("seq", pa.int64()),
        *((name, pa.string()) for name in (
            "stem", "link", "source", "page_key", "source_record_id", "licenses", "taxon_id", "scientificName",
            "specimen_key", "gathering_key", "fingerprint", "institutionCode", "collectionCode", "catalogNumber",
            "occurrenceID", "recordedBy", "recordNumber", "eventDate")),
        ("year", pa.int64()),
        ("countryCode", pa.string()),
        ("stateProvince", pa.string()),
        ("decimalLatitude", pa.float64()),
        ("decimalLongitude", pa.float64()),
        *((name, pa.string()) for name in ("datasetKey", "basisOfRecord", "issue", "alias", "surname", "number")),
    ]
)  # fmt: skip
TEXT, WHOLE, DEGREES = pa.string(), pa.int64(), pa.float64()
Query = Callable[..., pa.Table]

DESCRIBE = r"""
with told as (
    select *,
        coalesce(catalogNumber, barcodeValue) as bears,
        coalesce(recordNumber, fieldNumber) as given_number,
        case when regexp_full_match(bears, '[ -~]*')
            then trim(regexp_replace(lower(bears), '[^a-z0-9]+', '-', 'g'), '-') else odd_folded end as folded_number,
        case when regexp_full_match(bears, '[ -~]*')
            then regexp_matches(bears, '[0-9]') else odd_has_digit end as has_digit,
        case when regexp_full_match(occurrenceID, '[ -~]*')
            then regexp_replace(lower(occurrenceID), '^urn:(?:uuid:)?', '') else odd_alias end as alias,
        case when regexp_full_match(given_number, '[0-9]+')
            then nullif(ltrim(given_number, '0'), '') else odd_number end as plain_number
    from staged
), keyed as (
    select *,
        case when institutionCode is not null and bears is not null and has_digit
            then institution || '|' || collection || '|' || folded_number
            when occurrenceID is not null then 'occurrenceID|' || alias
            else source || '|' || coalesce(datasetKey, '') || '|' || source_record_id end as named_by
    from told
)
select seq, stem, link, source, page_key, source_record_id, licenses,
    case when broken is null then taxon_id end as taxon_id, scientificName, left(sha256(named_by), 20) as specimen_key,
    case when surname is not null and plain_number is not null and date is not null
        then left(sha256(surname || '|' || plain_number || '|' || left(date, 10)), 20) end as gathering_key,
    case when coalesce(surname, plain_number, date) is not null
        then left(sha256(concat_ws('|', coalesce(surname, ''), coalesce(plain_number, ''), coalesce(left(date, 10), ''),
            coalesce(country, ''))), 20) end as fingerprint,
    institutionCode, collectionCode, catalogNumber, occurrenceID, recordedBy, given_number as recordNumber,
    date as eventDate, year_told as year, country as countryCode, stateProvince,
    case when plain_latitude then decimalLatitude::double else odd_latitude end as lat,
    case when plain_longitude then decimalLongitude::double else odd_longitude end as long,
    datasetKey, basisOfRecord,
    coalesce(broken, basis_issue, name_issue, case when is_outside then 'OUTSIDE_REGION' end) as issue,
    alias, surname, plain_number as number
from (select * exclude (country), country_told as country from keyed)
"""
NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)"


class SpecimenWriter:
    """Describes batches of staged records; `find_taxon(name, authors, qualifier)` returns (taxon, issue)."""

    def __init__(
        self, query: Query, find_taxon: Callable[..., tuple[str | None, str | None]], countries: tuple[str, ...]
    ) -> None:
        region = {code.upper() for code in countries}

        def place(code: str | None, country: str | None) -> tuple[str | None, bool]:
            told = country_code(code) or country_code(country)
            return told, bool(region) and told not in region

        self._query = query
        self._taxon = Distinct(find_taxon, TEXT, TEXT)
        self._basis = Distinct(lambda basis, kept: (dwc.specimen_issue(basis, kept),), TEXT)
        self._place = Distinct(place, TEXT, pa.bool_())
        self._date = Distinct(_date, TEXT, WHOLE)
        self._surname = Distinct(lambda text: (dwc.surname_of(text),), TEXT)
        self._folded = Distinct(lambda text: (dwc.fold_text(text or ""),), TEXT)
        self._number = Distinct(lambda text: (dwc.plain_number(text),), TEXT)
        self._bears = Distinct(_fold_number, TEXT, pa.bool_())
        self._alias = Distinct(lambda text: (text and dwc.bare_occurrence_id(text),), TEXT)
        self._latitude = Distinct(lambda text: (dwc.degrees(text, 90),), DEGREES)
        self._longitude = Distinct(lambda text: (dwc.degrees(text, 180),), DEGREES)

    def describe(self, staged: pa.Table) -> pa.Table:
        """Return the specimens of staged records (STAGED), in their order (DESCRIBED)."""
        odd = self._query(ODD, staged=staged)
        told = {
            "odd_number": self._number(odd["number"]), "odd_alias": self._alias(odd["alias"]),
            "odd_latitude": self._latitude(odd["latitude"]), "odd_longitude": self._longitude(odd["longitude"]),
            "institution": self._folded(staged["institutionCode"]),
            "collection": self._folded(staged["collectionCode"]), "surname": self._surname(staged["recordedBy"]),
            "basis_issue": self._basis(staged["basisOfRecord"], staged["preparations"]),
        }  # fmt: skip
        columns = {name: made[0] for name, made in told.items()}
        columns["odd_folded"], columns["odd_has_digit"] = self._bears(odd["bears"])
        columns["taxon_id"], columns["name_issue"] = self._taxon(
            staged["scientificName"], staged["scientificNameAuthorship"], staged["identificationQualifier"]
        )
        columns["country_told"], columns["is_outside"] = self._place(staged["countryCode"], staged["country"])
        columns["date"], columns["year_told"] = self._date(
            staged["eventDate"], staged["year"], staged["month"], staged["day"]
        )
        columns["plain_latitude"], columns["plain_longitude"] = odd["plain_latitude"], odd["plain_longitude"]
        for name, column in columns.items():
            staged = staged.append_column(name, column)
        described = self._query(DESCRIBE, staged=staged).rename_columns(DESCRIBED.names)
        return described.cast(DESCRIBED).combine_chunks()


ODD = rf"""
select
    case when not regexp_full_match(coalesce(recordNumber, fieldNumber), '[0-9]+')
        then coalesce(recordNumber, fieldNumber) end as number,
    case when not regexp_full_match(occurrenceID, '[ -~]*') then occurrenceID end as alias,
    case when not regexp_full_match(coalesce(catalogNumber, barcodeValue), '[ -~]*')
        then coalesce(catalogNumber, barcodeValue) end as bears,
    coalesce(regexp_full_match(decimalLatitude, '{NUMBER}') and length(decimalLatitude) < 40
        and abs(try_cast(decimalLatitude as double)) <= 90, false) as plain_latitude,
    coalesce(regexp_full_match(decimalLongitude, '{NUMBER}') and length(decimalLongitude) < 40
        and abs(try_cast(decimalLongitude as double)) <= 180, false) as plain_longitude,
    case when not plain_latitude then decimalLatitude end as latitude,
    case when not plain_longitude then decimalLongitude end as longitude
from staged
"""
"""What is left to Python."""


def _date(event: str | None, year: str | None, month: str | None, day: str | None) -> tuple[str | None, int | None]:
    told = {"eventDate": event, "year": year, "month": month, "day": day}
    terms = {name: text for name, text in told.items() if text is not None}
    date = dwc.event_date(terms)
    return date, dwc.year_of(date) or dwc.whole(year)


def _fold_number(text: str | None) -> tuple[str | None, bool | None]:
    return (None, None) if text is None else (dwc.fold_text(text), any(c.isdigit() for c in text))
