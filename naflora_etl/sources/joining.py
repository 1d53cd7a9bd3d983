"""Specimens and their images joined to rows of the records table, one bucket at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.sources.darwincore import short_key
from naflora_etl.sources.distinct import Distinct
from naflora_etl.sources.encoded import Column, decode, first_encoded, first_of, flat, only_where, told_where
from naflora_etl.sources.licences import choose_license
from naflora_etl.sources.staging import BETWEEN, Whose
from naflora_etl.sources.textorder import sort_texts

TEXT = pa.string()
NOT_OF_A_ROW = ("owner", "licenses", "issue", "link_hash")
"""Columns of a specimen that are used up by the join."""
PLACE_BITS = 31
"""A part has fewer rows than that many bits count."""


class Places(NamedTuple):
    """Rows to be: which specimen, which picture (-1: none), and the picture's number at its specimen.

    Without picture the number is -1; of the second row of an archive that has one id -2, of the third -3.
    """

    specimen: np.ndarray
    picture: np.ndarray
    number: np.ndarray


class RowJoiner:
    """Joins buckets; `license_issue` returns why a licence will not do."""

    def __init__(self, license_issue: Callable[[str | None], str | None]) -> None:
        self._license = Distinct(_choose, TEXT, TEXT)
        self._license_issue = Distinct(lambda name: (license_issue(name),), TEXT)

    def join(self, specimens: pa.Table, pictures: pa.Table) -> pa.Table:
        """Return the rows of one bucket, sorted by their key, with their licence and why it will not do.

        A record's media hang on the first row that has their id; media whose record is not there are a record without
        terms. A record that two queries or pages gave is one record, while each row of an archive is one, even where
        another has its id. `issue` is what is wrong with record or image, `license_issue` comes after that.
        """
        places = find_places(specimens, pictures)
        of_specimen, of_picture = _taker(places.specimen), _taker(places.picture)
        told = [(of_specimen(specimens[name]), of_picture(pictures[name])) for name in ("owner", "source_record_id")]
        if any(pc.any(pc.not_equal(*map(decode, pair))).as_py() for pair in told):
            raise AssertionError("media hang on a record with another id: two ids have the same hash")
        number = pc.if_else(pa.array(places.number == -1), "-", pc.cast(pa.array(places.number), TEXT))
        key = pc.binary_join_element_wise(*(first_of(*pair) for pair in told), "/", number, "")
        seq = pc.coalesce(of_specimen(specimens["seq"]), of_picture(pictures["seq"]))
        order = _sorted_once(key, seq)
        places = Places(*(each[order] for each in places))
        keys, seqs = key.take(pa.array(order)), seq.take(pa.array(order))
        return self._rows(specimens, pictures, places, {"record_key": keys, "seq": seqs})

    def _rows(
        self, specimens: pa.Table, pictures: pa.Table, places: Places, columns: dict[str, pa.Array]
    ) -> pa.Table:
        of_specimen, of_picture = _taker(places.specimen), _taker(places.picture)
        has_record, has_image = places.specimen >= 0, places.picture >= 0
        for name in specimens.column_names:
            if name not in columns and name not in NOT_OF_A_ROW:
                columns[name] = of_specimen(specimens[name])
        for name in ("image_url", "image_key", "host", "copy_urls", "rightsHolder", "creator", "is_repeated"):
            columns[name] = of_picture(pictures[name])
        if not has_record.all():
            for name in ("source", "page_key"):
                columns[name] = first_encoded(columns[name], of_picture(pictures[name]))
            ids = columns["source_record_id"], of_picture(pictures["source_record_id"])
            columns["source_record_id"] = first_of(*ids)
            columns["specimen_key"] = _with_orphans(columns, places)
        texts = of_picture(pictures["media_licenses"]), of_specimen(specimens["licenses"])
        license_id, verbatim = (only_where(has_image, told) for told in self._license(*texts))
        return pa.table(columns | {
            "medium": pa.array(places.number), "license": license_id, "license_verbatim": verbatim,
            "license_issue": self._license_issue(license_id)[0],
            "issue": first_encoded(
                told_where(~has_record, "IMAGE_WITHOUT_RECORD"), of_specimen(specimens["issue"]),
                told_where(~has_image, "NO_IMAGE"), of_picture(pictures["image_issue"]),
            ),
        })  # fmt: skip


def find_places(specimens: pa.Table, pictures: pa.Table) -> Places:
    """Return which specimen and which picture make a row, in no order."""
    links = np.concatenate((specimens["link_hash"].to_numpy(), pictures["link_hash"].to_numpy()))
    known, codes = np.unique(links, return_inverse=True)
    of_specimens, of_pictures = codes[: len(specimens)], codes[len(specimens) :]
    number = _numbers(of_pictures, pictures["seq"].to_numpy())
    # the first row of each link; later ones are written first and so overwritten
    first = np.full(len(known), -1)
    backwards = np.argsort(specimens["seq"].to_numpy(), kind="stable")[::-1]
    first[of_specimens[backwards]] = backwards
    owner = first[of_pictures]
    bare = np.ones(len(specimens), bool)
    bare[owner[owner >= 0]] = False
    alone = np.flatnonzero(bare)
    nothing = np.full(len(alone), -1)
    return Places(
        np.concatenate((owner, alone)),
        np.concatenate((np.arange(len(pictures)), nothing)),
        np.concatenate((number, _bare_numbers(specimens, of_specimens, first)[alone])),
    )


def _bare_numbers(specimens: pa.Table, links: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Return the number that each specimen has where it has no picture."""
    numbers = np.full(len(specimens), -1)
    is_again = first[links] != np.arange(len(specimens))
    if is_again.any():
        is_again &= pc.equal(decode(specimens["source"]), "archive").to_numpy(zero_copy_only=False)
        numbers[is_again] -= _numbers(links, specimens["seq"].to_numpy())[is_again]
    return numbers


def _numbers(codes: np.ndarray, seq: np.ndarray) -> np.ndarray:
    """Return the number of each picture among those of its record, by their order.

    What is sorted has the picture's place within it, which costs a fourth of sorting places by two columns.
    """
    by_seq = np.argsort(seq, kind="stable")
    packed = np.sort(codes[by_seq] << PLACE_BITS | np.arange(len(codes)))
    order = by_seq[packed & ((1 << PLACE_BITS) - 1)]
    ranked = packed >> PLACE_BITS
    starts = np.flatnonzero(np.concatenate(([True], ranked[1:] != ranked[:-1]))) if len(ranked) else ranked
    lengths = np.diff(np.append(starts, len(ranked)))
    number = np.empty(len(codes), np.int64)
    number[order] = np.arange(len(codes)) - np.repeat(starts, lengths)
    return number


def _sorted_once(key: pa.Array, seq: pa.Array) -> np.ndarray:
    """Return the order of the rows by their key; of equal keys only the first that came."""
    order = sort_texts(key, seq)
    ranked = key.take(pa.array(order))
    if len(ranked) < 2:
        return order
    fresh = pc.not_equal(ranked.slice(1), ranked.slice(0, len(ranked) - 1)).to_numpy(zero_copy_only=False)
    return np.asarray(order[np.concatenate(([True], fresh))])


def _taker(places: np.ndarray) -> Callable[[Column], pa.Array]:
    at = pa.array(places, mask=places < 0) if len(places) and places.min() < 0 else pa.array(places)

    def take(column: Column) -> pa.Array:
        return pc.take(flat(column), at, boundscheck=False)

    return take


def _with_orphans(columns: dict[str, pa.Array], places: Places) -> pa.Array:
    """Return the specimen keys; of media without a record, the key of a record that tells nothing but its id."""
    orphans = np.flatnonzero(places.specimen < 0)
    names = ("source", "page_key", "source_record_id")
    told = [columns[name].take(pa.array(orphans)).to_pylist() for name in names]
    keys = [short_key(source, Whose(source, page).archive, key) for source, page, key in zip(*told, strict=True)]
    return pc.replace_with_mask(columns["specimen_key"], pa.array(places.specimen < 0), pa.array(keys, TEXT))


def _choose(of_image: str | None, of_record: str | None) -> tuple[str | None, str | None]:
    return choose_license((of_image or "").split(BETWEEN), (of_record or "").split(BETWEEN))
