"""split: decide which images are trained on and which are tested on, and number the classes.

reads   images, taxa; the manifests of earlier releases, if the recipe names any
writes  split          one row per image with its part and class, or set aside with a reason
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.stage import Stage
from naflora_etl.recipe import SplitOptions
from naflora_etl.selecting.draw import draw_keys
from naflora_etl.selecting.keys import Integers, encode_keys, least_of
from naflora_etl.selecting.ledger import FREE, TEST, TRAIN, Sides, ledger_file, read_ledgers, settle_sides
from naflora_etl.selecting.likeness import link_alike, no_links
from naflora_etl.selecting.merging import genus_key, merge_upward
from naflora_etl.selecting.parts import Parts, assign_parts, deal_folds

STAYS, DUPLICATE, IN_SEVERAL, TOO_FEW, EMBARGOED, TOGETHER = range(6)
ISSUE_OF = pa.array(
    [None, "DUPLICATE_IMAGE", "IMAGE_IN_SEVERAL_CLASSES", "TOO_FEW_IMAGES", "EMBARGOED", "CANNOT_BE_SPLIT"], pa.string()
)
BINDING = ("specimen_key", "gathering_key", "source_sha256")
COLUMNS = ["image_key", "taxon_id", *BINDING, "dhash"]
NO_TEXT, NO_NUMBER = pa.scalar(None, pa.string()), pa.scalar(None, pa.int64())


def split_images(images: pa.Table, taxa: pa.Table, *, options: SplitOptions) -> pa.Table:
    """Set aside exact duplicates and species with too few images, then split the rest by groups of one gathering.

    Images of one specimen, of one gathering, with the same fetched bytes or the same picture never stand in different
    parts, nor do images that are bound through others, set aside or not. What an earlier release has keeps its side,
    and what came since and joins both sides is embargoed. With `infeasible = "merge"` the species of a genus that
    cannot be split are one class, called after it. A class is numbered by the alphabet of the accepted names of those
    that stay (ties: class_key).
    """
    rows = images.select(COLUMNS).sort_by([("taxon_id", "ascending"), ("image_key", "ascending")])
    taxon = encode_keys(rows["taxon_id"])
    ledger = read_ledgers(options.ledger, rows["image_key"]) if options.ledger else None
    released = _released_sides(rows, ledger)
    issue = _find_duplicates(taxon, encode_keys(rows["source_sha256"]), released != FREE)
    sides = _bind_images(rows, issue, released, ledger, options)

    issue[(issue == STAYS) & sides.is_embargoed] = EMBARGOED
    issue[_is_of_small_class(taxon, issue, options.minimum)] = TOO_FEW
    stays = np.flatnonzero(issue == STAYS)
    keys = rows["image_key"].take(pa.array(stays))
    draw = draw_keys(keys, salt="split", seed=options.seed)

    def assign(classes: Integers) -> Parts:
        return assign_parts(classes, sides.group[stays], draw, options=options, settled=sides.side[stays])

    parts, keys_of = assign(taxon[stays]), rows["taxon_id"]
    if options.infeasible == "merge" and not parts.is_feasible.all():
        merged = np.zeros(len(rows), dtype=bool)
        merged[stays] = ~parts.is_feasible
        keys_of = pa.chunked_array([merge_upward(rows["taxon_id"], merged, _told_of(taxa, "genus"))])
        parts = assign(encode_keys(keys_of)[stays])
    classes = encode_keys(keys_of)
    issue[stays[~parts.is_feasible]] = TOGETHER

    is_test = np.zeros(len(rows), dtype=bool)
    is_test[stays] = parts.is_test
    is_clean = issue == STAYS
    clean = pa.array(is_clean)
    return (
        rows.drop_columns(["source_sha256", "dhash"])
        .append_column("class_key", pc.if_else(clean, keys_of, NO_TEXT))
        .append_column("class_id", _number_classes(keys_of, clean, taxa))
        .append_column("part", pc.if_else(clean, pc.if_else(pa.array(is_test), "test", "train"), NO_TEXT))
        .append_column("group_key", rows["image_key"].take(pa.array(least_of(sides.group, rows["image_key"]))))
        .append_column("group_species", pa.array(_count_species(sides.group, taxon)))
        .append_column("test_half", _halve(classes, sides.group, rows["image_key"], is_clean & is_test, options))
        .append_column("fold", _fold(classes, sides.group, rows["image_key"], is_clean & ~is_test, options))
        .append_column("issue", ISSUE_OF.take(pa.array(issue)))
    )


def _released_sides(rows: pa.Table, ledger: pa.Table | None) -> Integers:
    """Return the side on which the ledger has each image, FREE when it has none."""
    sides = np.full(len(rows), FREE, dtype=np.int64)
    if ledger is not None:
        place = pc.index_in(rows["image_key"], ledger["image_key"].combine_chunks())
        there = np.asarray(pc.is_valid(place))
        sides[there] = _sides_of(ledger)[place.drop_null().to_numpy()]
    return sides


def _sides_of(ledger: pa.Table) -> Integers:
    return np.where(np.asarray(pc.equal(ledger["part"], "test")), TEST, TRAIN)


def _find_duplicates(taxon: Integers, bytes_: Integers, released: NDArray[np.bool_]) -> Integers:
    """Return each row's verdict: of the same bytes in one species one row stays, in several species none does.

    The row that stays is one that was released before, if there is one, and then the first.
    """
    issue = np.full(len(taxon), STAYS, dtype=np.int64)
    known = np.flatnonzero(bytes_ >= 0)
    known = known[np.argsort(~released[known], kind="stable")]
    _, first, number = np.unique(bytes_[known], return_index=True, return_inverse=True)
    first_row = known[first][number]
    issue[known[first_row != known]] = DUPLICATE
    in_several = np.zeros(len(first), dtype=bool)
    in_several[number[taxon[known] != taxon[first_row]]] = True
    issue[known[in_several[number]]] = IN_SEVERAL
    return issue


def _bind_images(
    rows: pa.Table, issue: Integers, released: Integers, ledger: pa.Table | None, options: SplitOptions
) -> Sides:
    """Return the group of each image and the side that the ledger gives it.

    Bytes that stand in several species bind nothing: often a placeholder picture. The rows of the ledger stand in the
    groups too, so that what was withdrawn since, or had other keys then, still binds.
    """
    given = len(rows)
    speaks = np.concatenate([issue != IN_SEVERAL, np.ones(ledger.num_rows if ledger is not None else 0, np.bool_)])
    if ledger is not None:
        rows = pa.concat_tables([rows, ledger.select(COLUMNS)])
        released = np.concatenate([released, _sides_of(ledger)])
    columns = [encode_keys(rows[name]) for name in BINDING]
    columns[BINDING.index("source_sha256")][~speaks] = -1
    if ledger is not None:
        columns.append(encode_keys(rows["image_key"]))
    pairs = no_links()
    if options.near != "off":
        hashes = pc.if_else(pa.array(speaks), rows["dhash"], NO_TEXT)
        pairs = link_alike(hashes, encode_keys(rows["taxon_id"]), options.near)
    sides = settle_sides(columns, pairs, released)
    return Sides(sides.side[:given], sides.is_embargoed[:given], sides.group[:given])


def _count_species(group: Integers, taxon: Integers) -> Integers:
    """Return, for each row, of how many species its group is."""
    pairs = np.unique(np.stack([group, taxon]), axis=1)
    return np.bincount(pairs[0], minlength=int(group.max(initial=-1)) + 1)[group]


def _halve(
    taxon: Integers, group: Integers, keys: pa.ChunkedArray, tested: NDArray[np.bool_], options: SplitOptions
) -> pa.Array:
    """Return public or private for each test image: groups stay whole, a class has both where it can."""
    halves = np.full(len(tested), None, dtype=object)
    if options.public_share is not None:
        rows = np.flatnonzero(tested)
        wish = options.model_copy(
            update={"test_share": options.public_share, "min_test": 1, "min_train": 1, "infeasible": "drop"}
        )
        draw = draw_keys(keys.take(pa.array(rows)), salt="half", seed=options.seed)
        public = assign_parts(taxon[rows], group[rows], draw, options=wish).is_test
        halves[rows] = np.where(public, "public", "private")
    return pa.array(halves.tolist(), pa.string())


def _fold(
    taxon: Integers, group: Integers, keys: pa.ChunkedArray, trained: NDArray[np.bool_], options: SplitOptions
) -> pa.Array:
    """Return the fold of each training image; groups stay whole."""
    folds = np.full(len(trained), -1, dtype=np.int64)
    if options.folds:
        rows = np.flatnonzero(trained)
        draw = draw_keys(keys.take(pa.array(rows)), salt="fold", seed=options.seed)
        folds[rows] = deal_folds(taxon[rows], group[rows], draw, options.folds)
    return pc.if_else(pa.array(folds >= 0), pa.array(folds), NO_NUMBER)


def _is_of_small_class(taxon: Integers, issue: Integers, minimum: int) -> NDArray[np.bool_]:
    """Return which images stay in a species of which fewer than `minimum` do."""
    stays = issue == STAYS
    images = np.bincount(taxon[stays], minlength=len(taxon))
    return np.asarray(stays & (images[taxon] < minimum))


def _number_classes(taxon_ids: pa.ChunkedArray, clean: pa.Array, taxa: pa.Table) -> pa.Array:
    """Return the class of each image: the place of its species, or genus, among those that stay, by accepted name."""
    names = _told_of(taxa, "taxon_name")
    names |= {genus_key(genus): genus for genus in _told_of(taxa, "genus").values()}
    classes = pc.unique(taxon_ids.filter(clean)).to_pylist()
    nameless = sorted(set(classes) - set(names))
    if nameless:
        raise Fault(f"split: taxa has no accepted name for {nameless[0]}, which has images; build taxa anew.")
    classes.sort(key=lambda taxon_id: (names[taxon_id], taxon_id))
    number = pc.index_in(taxon_ids, pa.array(classes, pa.string())).cast(pa.int64())
    return pc.if_else(clean, number, NO_NUMBER)


def _told_of(taxa: pa.Table, fact: str) -> dict[str, str]:
    """Return a fact by taxon_id; of several the first by the alphabet, so that the order of the rows has no say."""
    told: dict[str, str] = {}
    for taxon_id, value in zip(taxa["taxon_id"].to_pylist(), taxa[fact].to_pylist(), strict=True):
        if value is not None:
            told[taxon_id] = min(value, told.get(taxon_id, value))
    return told


STAGE = Stage(
    "split",
    reads=("images", "taxa"),
    run=split_images,
    version=3,
    accounts_for="image_key",
    files=lambda options: tuple(ledger_file(path) for path in options.ledger),
)
