"""What holds of every name and every list: drawn by hypothesis, out of real shapes and out of nonsense."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from naflora_etl.names.authors import author_similarity, normalise_authors, same_authors
from naflora_etl.names.likeness import alike, similarity
from naflora_etl.names.matching import COLUMNS, make_table, match_names, summarise
from naflora_etl.names.namelist import read_name_list
from naflora_etl.names.parse import parse_name
from naflora_etl.names.resolve import Resolver
from naflora_etl.names.rules import RULES, VERDICTS
from naflora_etl.names.spelling import fold_word, is_one_genitive, plain_letters, stem_epithet
from naflora_etl.names.tablefile import write_table
from tests.names.test_resolve import FOUND, SET_ASIDE, backbone

quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

AUTHORS = ("L.", "Mill.", "(L.) Mill.", "Nutt. ex Torr. & A.Gray", "Á.Löve & D.Löve", "Hook.f.", "auct. non L.", "")
WORDS = (
    *("alba", "balsamea", "compressa", "Poa", "Abies", "×", "x", "var.", "subsp.", "f.", "cf.", "sp.", "ex"),
    *("(", ")", "L."),
)
TABLE = backbone()
RESOLVER = Resolver(TABLE, ranks=None)
# names that differ in case or spaces alone keep their parts; a variety without its rank does not, in capitals
PLAIN = [name for name, *_ in (*FOUND.values(), *SET_ASIDE.values()) if "major" not in name or "var." in name]

names = st.one_of(
    st.sampled_from([name for name, *_ in (*FOUND.values(), *SET_ASIDE.values())]),
    st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join),
    st.text(max_size=40),
)
authors = st.one_of(st.none(), st.sampled_from(AUTHORS), st.text(max_size=20))
families = st.one_of(st.none(), st.sampled_from(("Poaceae", "Gramineae", "")), st.text(max_size=8))
lists = st.lists(st.tuples(names, authors), max_size=12)


@quick
@given(names, authors, families)
def test_any_text_gets_one_verdict_that_makes_sense(name: str, author: str | None, family: str | None) -> None:
    verdict = RESOLVER.resolve(name, author, family)
    assert verdict.rule in RULES
    assert verdict.verdict in VERDICTS
    assert (verdict.taxon_id is None) == (verdict.issue is not None)
    assert (verdict.row is None) == (verdict.plant_name_id is None)
    assert verdict.verdict != "ambiguous" or (verdict.row is None and len(verdict.alternatives) > 1)
    for likeness in (verdict.match_similarity, verdict.author_similarity):
        assert likeness is None or 0 <= likeness <= 1
    if verdict.taxon_id is not None and parse_name(name, author).epithet:
        assert TABLE["species"][verdict.taxon_row].as_py(), "a genus is never taken for a species"


@quick
@given(lists, st.randoms())
def test_the_order_of_a_list_and_what_else_is_on_it_change_nothing(rows: list[tuple[str, str]], chance: object) -> None:
    resolver = Resolver(TABLE, ranks=None)
    alone = {row: resolver.resolve(*row) for row in rows}
    shuffled = list(rows)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    again = Resolver(TABLE.take(pa.array(range(len(TABLE) - 1, -1, -1))), ranks=None)
    for row in shuffled:
        verdict = again.resolve(*row)
        told = alone[row]
        assert (verdict.plant_name_id, verdict.taxon_id, verdict.rule, verdict.issue) == (
            *(told.plant_name_id, told.taxon_id, told.rule, told.issue),
        )


@quick
@given(names, authors)
def test_what_was_found_finds_itself(name: str, author: str | None) -> None:
    verdict = RESOLVER.resolve(name, author)
    if verdict.taxon_row is None or verdict.taxon_id is None:
        return
    own, by = TABLE["taxon_name"][verdict.taxon_row].as_py(), TABLE["taxon_authors"][verdict.taxon_row].as_py()
    again = RESOLVER.resolve(own, by)
    assert (again.taxon_id, again.verdict) == (verdict.taxon_id, "accepted")


@quick
@given(st.sampled_from(PLAIN), st.sampled_from(AUTHORS), st.sampled_from((str.upper, str.lower, str)))
def test_case_and_spaces_do_not_matter(name: str, author: str, change: object) -> None:
    told = RESOLVER.resolve(name, author)
    written = change(name)  # type: ignore[operator]
    again = RESOLVER.resolve(f"  {written.replace(' ', '   ')}\u00a0", f" {author.replace(' ', '  ')} ")
    assert (again.taxon_id, again.plant_name_id, again.issue) == (told.taxon_id, told.plant_name_id, told.issue)


@quick
@given(lists)
def test_one_row_in_one_row_out(rows: list[tuple[str, str | None]]) -> None:
    cells = [{"scientificName": name, "author": author, "at": str(at)} for at, (name, author) in enumerate(rows)]
    table = pa.Table.from_pylist(cells, pa.schema([(name, pa.string()) for name in ("scientificName", "author", "at")]))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "names.parquet"
        write_table(table, path)
        matched = match_names(read_name_list(path), TABLE)
    told = make_table(matched)
    assert told["at"].to_pylist() == table["at"].to_pylist()
    assert tuple(told.column_names[-len(COLUMNS) :]) == COLUMNS
    summary = summarise(matched)
    assert len(rows) == summary["rows"] == sum(summary["verdicts"].values()) == sum(summary["rules"].values())
    assert len(rows) == summary["clean"] + sum(summary["issues"].values())


@quick
@given(st.text(max_size=60), st.one_of(st.none(), st.text(max_size=20)))
def test_a_canonical_name_is_read_as_itself(text: str, author: str | None) -> None:
    parsed = parse_name(text, author)
    if parsed.reason or parsed.is_hybrid_formula or parsed.infrageneric:
        return
    again = parse_name(parsed.canonical)
    assert again.reason or again.canonical == parsed.canonical


@quick
@given(st.text(max_size=30), st.text(max_size=30))
def test_likeness_is_the_same_both_ways(one: str, other: str) -> None:
    assert similarity(one, other) == similarity(other, one)
    assert alike(fold_word(one), fold_word(other)) == alike(fold_word(other), fold_word(one))
    assert is_one_genitive(one, other) == is_one_genitive(other, one)
    assert author_similarity(one, other) == author_similarity(other, one)
    assert same_authors(one, other) == same_authors(other, one)
    assert author_similarity(one, one) in (1.0, None)


@quick
@given(st.text(max_size=30))
def test_folding_twice_is_folding_once(word: str) -> None:
    assert fold_word(fold_word(word)) == fold_word(word)
    assert plain_letters(plain_letters(word)) == plain_letters(word)
    assert stem_epithet(fold_word(word)) == stem_epithet(fold_word(fold_word(word)))
    assert isinstance(normalise_authors(word), str)
