"""Records as columns -> specimens as the records table tells them, in batches of any size.

What repeats is judged once for each value; what is plain (ASCII, digits) is told by SQL and letter by letter, by the
rules of darwincore.py, and the functions there are asked for the rest.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.sources import darwincore as dwc
from naflora_etl.sources.bytewise import (
    count_letters,
    digit,
    fold_ascii,
    no_digit,
    no_number,
    odd_letter,
    years_of_dates,
)
from naflora_etl.sources.distinct import Distinct
from naflora_etl.sources.encoded import ENCODED, as_kind, decode, first_encoded, first_of, flat, only_where, told_where
from naflora_etl.sources.places import country_code

TERMS = (
    "scientificName", "scientificNameAuthorship", "identificationQualifier", "institutionCode", "collectionCode",
    "catalogNumber", "barcodeValue", "occurrenceID", "recordedBy", "recordNumber", "fieldNumber", "eventDate", "year",
    "month", "day", "countryCode", "country", "stateProvince", "decimalLatitude", "decimalLongitude", "datasetKey",
    "basisOfRecord", "preparations",
)  # fmt: skip
"""The Darwin Core terms that are read of a record."""
REPEATING = frozenset((
    "scientificName", "scientificNameAuthorship", "identificationQualifier", "institutionCode", "collectionCode",
    "recordedBy", "year", "month", "day", "countryCode", "country", "stateProvince", "datasetKey", "basisOfRecord",
    "preparations",
))  # fmt: skip
"""Terms whose values repeat, so that they are read as codes."""
WHOSE = ("seq", "owner", "link", "source", "page_key", "source_record_id", "licenses", "broken")
"""What else comes along: order, how its key begins, what its media point at where that is not the key, whose it is, its
licences' texts, why it is unread."""
STAGED = pa.schema([("seq", pa.int64()), *((name, pa.string()) for name in (*WHOSE[1:], *TERMS))])
"""Records as they are staged, whoever sent them."""
TEXT, WHOLE, DEGREES = pa.string(), pa.int64(), pa.float64()
HASH = pa.uint64()
HASHES = ("stem_hash", "link_hash", "key_hash", "fingerprint_hash", "alias_hash")
"""Numbers of 64 bits for what rows are joined and compared by; 0 where there is nothing."""
KINDS = {
    "seq": WHOLE, "year": WHOLE, "decimalLatitude": DEGREES, "decimalLongitude": DEGREES,
    **dict.fromkeys(HASHES, HASH),
    **dict.fromkeys(
        ("owner", "source", "page_key", "licenses", "taxon_id", "scientificName", "institutionCode", "collectionCode",
         "recordedBy", "countryCode", "stateProvince", "datasetKey", "basisOfRecord", "issue", "surname"), ENCODED),
}  # fmt: skip
DESCRIBED = pa.schema([
    (name, KINDS.get(name, TEXT)) for name in (
        "seq", "owner", "source", "page_key", "source_record_id", "licenses", "taxon_id", "scientificName",
        "specimen_key", "gathering_key", "institutionCode", "collectionCode", "catalogNumber",
        "occurrenceID", "recordedBy", "recordNumber", "eventDate", "year", "countryCode", "stateProvince",
        "decimalLatitude", "decimalLongitude", "datasetKey", "basisOfRecord", "issue", "surname", "number", *HASHES)
])  # fmt: skip
"""Specimens as they are described: texts that repeat are encoded."""
Query = Callable[..., pa.Table]

STEM = "hash(owner, source_record_id)"
LINK = f"case when link is null then {STEM} else hash(link) end"
"""SQL for what a record's rows of the table lie together by, and what its media find it by."""
ALIAS = """case when is_plain_id then
    case when starts_with(id_in_lower, 'urn:uuid:') then substr(id_in_lower, 10)
        when starts_with(id_in_lower, 'urn:') then substr(id_in_lower, 5)
        else id_in_lower end
    else odd_alias end"""
DESCRIBE = f"""
with told as (
    select *, {ALIAS} as alias, coalesce(
        case when starts_with(digits, '0') then nullif(ltrim(digits, '0'), '') else digits end, odd_number) as number
    from asked
), keyed as (
    select *, left(sha256(case when folded is not null then institution || folded
            when id_in_lower is not null then 'occurrenceID|' || alias
            else source || '|' || coalesce(datasetKey, '') || '|' || source_record_id end), 20) as specimen_key,
        case when surname is not null and number is not null and date is not null
            then left(sha256(surname || '|' || number || '|' || date), 20) end as gathering_key,
        case when coalesce(surname, number, date) is not null
            then hash(surname, number, date, country) else 0 end as fingerprint_hash
    from told
)
select specimen_key, gathering_key, fingerprint_hash, number,
    case when abs(try_cast(latitude as double)) <= 90 then try_cast(latitude as double) end as latitude,
    case when abs(try_cast(longitude as double)) <= 180 then try_cast(longitude as double) end as longitude,
    {STEM} as stem_hash, {LINK} as link_hash, hash(specimen_key) as key_hash,
    case when alias is null then 0 else hash(alias) end as alias_hash
from keyed
"""
LONGEST_NUMBER = 40


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
        self._institution = Distinct(_institution, TEXT)
        self._number = Distinct(lambda text: (dwc.plain_number(text),), TEXT)
        self._bears = Distinct(_fold_number, TEXT)
        self._alias = Distinct(lambda text: (text and dwc.bare_occurrence_id(text),), TEXT)
        self._latitude = Distinct(lambda text: (dwc.degrees(text, 90),), DEGREES)
        self._longitude = Distinct(lambda text: (dwc.degrees(text, 180),), DEGREES)

    def describe(self, staged: pa.Table) -> pa.Table:
        """Return the specimens of staged records (STAGED, encoded or not), in their order (DESCRIBED)."""
        surname = self._surname(staged["recordedBy"])[0]
        country, is_outside = self._place(staged["countryCode"], staged["country"])
        date, year = self._dates(staged)
        number = first_of(staged["recordNumber"], staged["fieldNumber"])
        latitude, longitude = first_of(staged["decimalLatitude"]), first_of(staged["decimalLongitude"])
        asked = {name: staged[name] for name in ("owner", "link", "source", "datasetKey", "source_record_id")}
        asked |= {
            "institution": self._institution(staged["institutionCode"], staged["collectionCode"])[0],
            "folded": self._folded_numbers(staged), "surname": surname, "country": country,
            "date": pc.utf8_slice_codeunits(date, 0, 10) if _longest(date) > 10 else date,
            "latitude": only_where(count_letters(latitude, no_number) == 0, latitude),
            "longitude": only_where(count_letters(longitude, no_number) == 0, longitude),
        }  # fmt: skip
        told = self._query(DESCRIBE, asked=pa.table(asked | self._ids(staged["occurrenceID"]) | self._numbers(number)))
        name_issue, taxon_id = self._taxa(staged)
        issue = first_encoded(
            staged["broken"], self._basis(staged["basisOfRecord"], staged["preparations"])[0], name_issue,
            told_where(is_outside.to_numpy(zero_copy_only=False), "OUTSIDE_REGION"),
        )  # fmt: skip
        columns = {name: staged[name] for name in DESCRIBED.names if name in staged.column_names}
        columns |= {name: told[name] for name in told.column_names} | {
            "taxon_id": taxon_id, "recordNumber": number, "eventDate": date, "year": year, "countryCode": country,
            "surname": surname, "issue": issue,
            "decimalLatitude": self._degrees(latitude, told["latitude"], self._latitude),
            "decimalLongitude": self._degrees(longitude, told["longitude"], self._longitude),
        }  # fmt: skip
        return pa.table([as_kind(columns[field.name], field.type) for field in DESCRIBED], schema=DESCRIBED)

    def _taxa(self, staged: pa.Table) -> tuple[pa.Array, pa.Array]:
        taxon_id, issue = self._taxon(
            staged["scientificName"], staged["scientificNameAuthorship"], staged["identificationQualifier"]
        )
        is_whole = pc.is_null(flat(staged["broken"])).to_numpy(zero_copy_only=False)
        return issue, only_where(is_whole, taxon_id)

    def _folded_numbers(self, staged: pa.Table) -> pa.Array:
        """Return what names a specimen in its collection, folded; null where that cannot."""
        bears = first_of(staged["catalogNumber"], staged["barcodeValue"])
        named = pc.is_valid(flat(staged["institutionCode"])).to_numpy(zero_copy_only=False)
        is_odd = count_letters(bears, odd_letter) > 0
        folded = only_where(named & (count_letters(bears, digit) > 0), fold_ascii(bears))
        if not is_odd.any():
            return folded
        odd = decode(self._bears(only_where(is_odd & named, bears))[0])
        return pc.if_else(pa.array(is_odd), odd, folded)

    def _ids(self, column: pa.ChunkedArray) -> dict[str, pa.Array]:
        ids = flat(column)
        is_odd = count_letters(ids, odd_letter) > 0
        odd = self._alias(only_where(is_odd, ids))[0] if is_odd.any() else pa.nulls(len(ids), TEXT)
        return {"id_in_lower": pc.ascii_lower(ids), "is_plain_id": pa.array(~is_odd), "odd_alias": odd}

    def aliases(self, ids: pa.ChunkedArray) -> pa.Array:
        """Return occurrenceIDs without what says that they are."""
        return flat(self._query(f"select {ALIAS} as alias from asked", asked=pa.table(self._ids(ids)))["alias"])

    def _numbers(self, number: pa.Array) -> dict[str, pa.Array]:
        is_odd = count_letters(number, no_digit) > 0
        odd = self._number(only_where(is_odd, number))[0]
        return {"digits": only_where(~is_odd, number), "odd_number": odd}

    def _dates(self, staged: pa.Table) -> tuple[pa.Array, pa.Array]:
        """Return dates as texts, and their years."""
        date = first_of(staged["eventDate"])
        years = years_of_dates(date)
        is_odd = years == 0
        if not is_odd.any():
            return date, pa.array(years)
        rows = pa.array(np.flatnonzero(is_odd))
        odd = [flat(staged[name]).take(rows) for name in ("eventDate", "year", "month", "day")]
        dates, odd_years = self._date(*odd)
        mask = pa.array(is_odd)
        return (
            pc.replace_with_mask(date, mask, decode(dates)),
            pc.replace_with_mask(pa.array(years), mask, odd_years),
        )

    def _degrees(self, text: pa.Array, plain: pa.ChunkedArray, ask: Distinct) -> pa.Array:
        told = flat(plain)
        odd = pc.and_(pc.is_valid(text), pc.is_null(told))
        if not pc.any(odd).as_py():
            return told
        return pc.replace_with_mask(told, odd, ask(text.filter(odd))[0])


def _longest(column: pa.Array) -> int:
    return pc.max(pc.binary_length(column)).as_py() or 0


def _institution(institution: str | None, collection: str | None) -> tuple[str | None]:
    return (institution and f"{dwc.fold_text(institution)}|{dwc.fold_text(collection or '')}|",)


def _date(event: str | None, year: str | None, month: str | None, day: str | None) -> tuple[str | None, int | None]:
    told = {"eventDate": event, "year": year, "month": month, "day": day}
    terms = {name: text for name, text in told.items() if text is not None}
    date = dwc.event_date(terms)
    return date, dwc.year_of(date) or dwc.whole(year)


def _fold_number(text: str | None) -> tuple[str | None]:
    return (dwc.fold_text(text) if text and any(c.isdigit() for c in text) else None,)
