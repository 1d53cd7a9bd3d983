"""Verdicts: one small backbone, every way through it by name."""

from collections.abc import Mapping

import pyarrow as pa
import pytest

from naflora_etl.names.backbone import COLUMNS
from naflora_etl.names.resolve import Resolver

# id | genus mark | genus | species mark | epithet | rank | epithet | authors | status | accepted id
BACKBONE = """
1||Abies||alba|||Mill.|Accepted|1
2||Abies||alba|||Michx.|Illegitimate|3
3||Abies||balsamea|||(L.) Mill.|Accepted|3
4||Abies||balsamea|var.|phanerolepis|Fernald|Accepted|4
5||Abies||balsamea|f.|hudsonia|(Bosc ex Jacques) Fernald|Synonym|4
6||Pinus||picea|||L.|Synonym|1
7||Pinus||lost|||Anon.|Unplaced|
8||Pinus||ringed|||Anon.|Synonym|9
9||Pinus||ringing|||Anon.|Synonym|8
10||Pinus||dangling|||Anon.|Synonym|999
11||Pinus||chained|||Anon.|Synonym|6
12||Poa|×|nobilis|||Skalinska|Accepted|12
13||Poa||compressa|||L.|Synonym|14
14||Poa||pratensis|||L.|Accepted|14
15||Poa||compressa|||Schur|Synonym|16
16||Poa||nemoralis|||L.|Accepted|16
17||Poa||badensis|||Haenke|Synonym|14
18||Poa||badensis|||Vill.|Synonym|14
19||Poa||supina|||Schrad.|Accepted|19
20||Poa||supina|||Other|Misapplied|14
21||Poa||misread|||Auct.|Misapplied|14
22||Poa|||||L.|Accepted|22
23|×|Agropogon||lutosus|||(Poir.) P.Fourn.|Accepted|23
24||Poa||annua|||L.|Accepted|24
25||Poa||annuella|||L.|Accepted|25
26||Poa||annuelli|||L.|Accepted|26
27||Poa||pratensis|var.|major|Roth|Synonym|16
28||Salix||gracilenta|||Nutt. ex Torr. & A.Gray|Synonym|1
29||Salix||gracilenta|||Raf.|Unplaced|
30||Poa||orphana|var.|sola|L.|Accepted|30
31||Asplenium||adiantum-nigrum|||L.|Accepted|31
32||Isoetes||muelleri|||A.Braun|Accepted|32
"""
_GIVEN = (
    "plant_name_id genus_hybrid genus species_hybrid species infraspecific_rank infraspecies "
    "taxon_authors taxon_status accepted_plant_name_id"
)
_PARTS = _GIVEN.split()
_RANKS = {"var.": "Variety", "f.": "Form", None: "Species"}


def backbone(text: str = BACKBONE) -> pa.Table:
    rows = []
    for line in text.strip().splitlines():
        row = {name: cell or None for name, cell in zip(_PARTS, line.split("|"), strict=True)}
        name = [row[part] for part in _PARTS[1:7] if row[part]]
        rank = _RANKS[row["infraspecific_rank"]] if row["species"] else "Genus"
        rows.append(dict.fromkeys(COLUMNS) | row | {"taxon_name": " ".join(name), "taxon_rank": rank})
    return pa.Table.from_pylist(rows, schema=pa.schema([(name, pa.string()) for name in COLUMNS]))


@pytest.fixture(scope="module")
def resolver() -> Resolver:
    return Resolver(backbone(), 0.9)


FOUND: Mapping[str, tuple[str, str | None, str, str, str]] = {
    # case: (name, authors, how, matched id, taxon id)
    "accepted, with its authors": ("Abies alba", "Mill.", "exact_with_author", "1", "1"),
    "authors behind the name": ("Abies alba Mill.", None, "exact_with_author", "1", "1"),
    "a homonym goes where its authors say": ("Abies alba", "Michx.", "exact_with_author", "2", "3"),
    "without authors, the only accepted one": ("Abies alba", None, "exact", "1", "1"),
    "unknown authors, the only accepted one": ("Abies alba", "Nobody", "exact", "1", "1"),
    "authors spaced differently": ("Abies balsamea", "( L. )  Mill", "exact_with_author", "3", "3"),
    "synonym": ("Pinus picea", "L.", "exact_with_author", "6", "1"),
    "synonym of a synonym": ("Pinus chained", "Anon.", "exact_with_author", "11", "1"),
    "homonyms that lead to one taxon": ("Poa badensis", None, "exact", "17", "14"),
    "the author before ex may be left out": ("Salix gracilenta", "Torr. & A. Gray", "exact_with_author", "28", "1"),
    "misapplied rows do not count beside others": ("Poa supina", "Other", "exact", "19", "19"),
    "hybrid with its mark": ("Poa × nobilis", "Skalinska", "exact_with_author", "12", "12"),
    "hybrid with an x": ("Poa x nobilis", None, "exact", "12", "12"),
    "hybrid without its mark": ("Poa nobilis", None, "exact", "12", "12"),
    "hybrid genus without its mark": ("Agropogon lutosus", None, "exact", "23", "23"),
    "variety goes to its species": ("Abies balsamea var. phanerolepis", "Fernald", "exact_with_author", "4", "3"),
    "form, by way of a variety, to its species": ("Abies balsamea fo. hudsonia", None, "exact", "5", "3"),
    "variety that is another species": ("Poa pratensis var. major", "Roth", "exact_with_author", "27", "16"),
    "rank not written": ("Poa pratensis major", None, "exact", "27", "16"),
    "autonym that the backbone leaves out": ("Abies alba var. alba", "Mill.", "exact_with_author", "1", "1"),
    "hyphen left out": ("Asplenium adiantumnigrum", "L.", "exact_with_author", "31", "31"),
    "diacritics": ("Isoëtes mülleri", "A. Braun", "exact_with_author", "32", "32"),
    "capitals": ("ABIES BALSAMEA", None, "exact", "3", "3"),
    "letters swapped": ("Abies blasamea", "(L.) Mill.", "fuzzy", "3", "3"),
    "another ending": ("Abies balsameus", None, "fuzzy", "3", "3"),
    "genus misspelt, epithet right": ("Abiies balsamea", None, "fuzzy", "3", "3"),
    "misspelt variety": ("Abies balsamea var. phanerolepsis", None, "fuzzy", "4", "3"),
}


@pytest.mark.parametrize(("name", "authors", "how", "matched", "taxon"), FOUND.values(), ids=FOUND)
def test_found(resolver: Resolver, name: str, authors: str | None, how: str, matched: str, taxon: str) -> None:
    verdict = resolver.resolve(name, authors)
    assert (verdict.issue, verdict.match_type, verdict.plant_name_id, verdict.taxon_id) == (None, how, matched, taxon)
    assert (verdict.match_similarity == 1) == (how != "fuzzy")


SET_ASIDE: Mapping[str, tuple[str, str | None, str]] = {
    "nothing": ("", None, "NAME_UNPARSABLE"),
    "not a name": ("42 plants", None, "NAME_UNPARSABLE"),
    "formula": ("Abies alba × Abies balsamea", None, "NAME_IS_HYBRID_FORMULA"),
    "cf.": ("Abies cf. alba", "Mill.", "NAME_DOUBTFUL"),
    "misapplied by its authors": ("Abies alba", "auct. non Mill.", "NAME_DOUBTFUL"),
    "family": ("Poaceae", "Barnhart", "RANK_NOT_WANTED"),
    "genus": ("Poa", "L.", "RANK_NOT_WANTED"),
    "a genus and sp.": ("Poa sp.", None, "RANK_NOT_WANTED"),
    "variety whose species is not accepted": ("Poa orphana var. sola", "L.", "RANK_NOT_WANTED"),
    "unknown epithet is never the genus": ("Poa quitedifferent", None, "NAME_NOT_FOUND"),
    "a known genus is never left": ("Poa balsamea", None, "NAME_NOT_FOUND"),
    "genus and epithet both misspelt": ("Abiies blasamea", None, "NAME_NOT_FOUND"),
    "two slips": ("Abies basamae", None, "NAME_NOT_FOUND"),
    "major is not minor, long as the name may be": ("Poa pratensis var. minor", None, "NAME_NOT_FOUND"),
    "a form is not the variety": ("Abies balsamea f. phanerolepis", None, "NAME_NOT_FOUND"),
    "homonyms that lead apart": ("Poa compressa", None, "NAME_AMBIGUOUS"),
    "homonyms that lead apart, by an unknown author": ("Poa compressa", "Nobody", "NAME_AMBIGUOUS"),
    "homonyms, one of them unplaced": ("Salix gracilenta", None, "NAME_AMBIGUOUS"),
    "as like one name as another": ("Poa annuello", None, "NAME_AMBIGUOUS"),
    "unplaced": ("Pinus lost", None, "NAME_UNPLACED"),
    "accepted id that is not there": ("Pinus dangling", None, "NAME_UNPLACED"),
    "synonyms in a ring": ("Pinus ringed", None, "NAME_UNPLACED"),
    "only ever misapplied": ("Poa misread", None, "NAME_UNPLACED"),
}


@pytest.mark.parametrize(("name", "authors", "issue"), SET_ASIDE.values(), ids=SET_ASIDE)
def test_set_aside(resolver: Resolver, name: str, authors: str | None, issue: str) -> None:
    verdict = resolver.resolve(name, authors)
    assert (verdict.issue, verdict.taxon_id) == (issue, None)


def test_authors_settle_what_likeness_cannot(resolver: Resolver) -> None:
    table = backbone("1||Poa||annuella|||L.|Accepted|1\n2||Poa||annuelli|||Mill.|Accepted|2")
    assert Resolver(table, 0.9).resolve("Poa annuello", "Mill.").taxon_id == "2"
    assert Resolver(table, 0.9).resolve("Poa annuello", "Nutt.").issue == "NAME_AMBIGUOUS"


def test_the_least_likeness_is_a_knob() -> None:
    assert Resolver(backbone(), 0.9).resolve("Abies balsamae").match_type == "fuzzy"
    assert Resolver(backbone(), 0.99).resolve("Abies balsamae").issue == "NAME_NOT_FOUND"


def test_varieties_may_be_set_aside_or_count_themselves() -> None:
    name = "Abies balsamea var. phanerolepis"
    assert Resolver(backbone(), infraspecific="set_aside").resolve(name).issue == "RANK_NOT_WANTED"
    assert Resolver(backbone(), infraspecific="set_aside").resolve("Abies alba var. alba").issue == "NAME_NOT_FOUND"
    assert Resolver(backbone(), ranks=("Species", "Variety")).resolve(name).taxon_id == "4"
    assert Resolver(backbone(), ranks=("Genus",)).resolve("Poa", "L.").taxon_id == "22"


def test_every_accepted_name_is_itself() -> None:
    table = backbone()
    resolver = Resolver(table, ranks=("Species", "Variety", "Genus"))
    for row in table.to_pylist():
        if row["taxon_status"] == "Accepted":
            assert resolver.resolve(row["taxon_name"], row["taxon_authors"]).taxon_id == row["plant_name_id"]


def test_the_order_of_the_backbone_does_not_matter() -> None:
    table = backbone()
    turned = table.take(pa.array(range(len(table) - 1, -1, -1)))
    one, other = Resolver(table), Resolver(turned)
    for name, authors, *_ in (*FOUND.values(), *SET_ASIDE.values()):
        verdict, again = one.resolve(name, authors), other.resolve(name, authors)
        assert (verdict.taxon_id, verdict.plant_name_id, verdict.issue) == (
            again.taxon_id,
            again.plant_name_id,
            again.issue,
        )
