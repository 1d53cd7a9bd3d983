"""Verdicts: one small backbone, every way through it by name."""

from collections.abc import Mapping

import pyarrow as pa
import pytest

from naflora_etl.issues import ISSUES
from naflora_etl.names.backbone import COLUMNS
from naflora_etl.names.resolve import Resolver
from naflora_etl.names.rules import RULES, VERDICTS

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
26||Poa||annuelya|||L.|Accepted|26
27||Poa||pratensis|var.|major|Roth|Synonym|16
28||Salix||gracilenta|||Nutt. ex Torr. & A.Gray|Synonym|1
29||Salix||gracilenta|||Raf.|Unplaced|
30||Poa||orphana|var.|sola|L.|Accepted|30
31||Asplenium||adiantum-nigrum|||L.|Accepted|31
32||Isoetes||muelleri|||A.Braun|Accepted|32
33||Poa||schranki|||Mert.|Accepted|33
34||Poa||badlynamed|||L.|Illegitimate|
35||Poa||unpublished|||L.|Invalid|
"""
_GIVEN = (
    "plant_name_id genus_hybrid genus species_hybrid species infraspecific_rank infraspecies "
    "taxon_authors taxon_status accepted_plant_name_id"
)
_PARTS = _GIVEN.split()
_RANKS = {"var.": "Variety", "f.": "Form", "subsp.": "Subspecies", None: "Species"}


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


FOUND: Mapping[str, tuple[str, str | None, str, str, str, str]] = {
    # case: (name, authors, rule, verdict, matched id, taxon id)
    "accepted, with its authors": ("Abies alba", "Mill.", "exact_with_authors", "accepted", "1", "1"),
    "authors behind the name": ("Abies alba Mill.", None, "exact_with_authors", "accepted", "1", "1"),
    "a homonym goes where its authors say": ("Abies alba", "Michx.", "exact_with_authors", "illegitimate", "2", "3"),
    "authors spaced differently": ("Abies balsamea", "( L. )  Mill", "exact_authors_normalised", "accepted", "3", "3"),
    "authors written out": ("Abies balsamea", "(L.) Miller", "exact_authors_alike", "accepted", "3", "3"),
    "authors that differ": ("Poa annua", "Huds.", "exact_authors_differ", "accepted", "24", "24"),
    "authors absent": ("Poa annua", None, "exact_authors_absent", "accepted", "24", "24"),
    "synonym": ("Pinus picea", "L.", "exact_with_authors", "synonym", "6", "1"),
    "synonym of a synonym": ("Pinus chained", "Anon.", "exact_with_authors", "synonym", "11", "1"),
    "homonyms that lead to one taxon": ("Poa badensis", None, "exact_authors_absent", "synonym", "17", "14"),
    "the author before ex may be left out": (
        *("Salix gracilenta", "Torr. & A. Gray", "exact_authors_normalised", "synonym", "28", "1"),
    ),
    "misapplied rows do not count beside others": ("Poa supina", None, "exact_authors_absent", "accepted", "19", "19"),
    "hybrid with its mark": ("Poa × nobilis", "Skalinska", "exact_with_authors", "accepted", "12", "12"),
    "hybrid with an x": ("Poa x nobilis", None, "exact_authors_absent", "accepted", "12", "12"),
    "hybrid without its mark": ("Poa nobilis", None, "exact_authors_absent", "accepted", "12", "12"),
    "hybrid genus without its mark": ("Agropogon lutosus", None, "exact_authors_absent", "accepted", "23", "23"),
    "variety goes to its species": (
        *("Abies balsamea var. phanerolepis", "Fernald", "exact_with_authors", "accepted", "4", "3"),
    ),
    "form, by way of a variety, to its species": (
        *("Abies balsamea fo. hudsonia", None, "exact_authors_absent", "synonym", "5", "3"),
    ),
    "variety of another species": ("Poa pratensis var. major", "Roth", "exact_with_authors", "synonym", "27", "16"),
    "rank not written": ("Poa pratensis major", None, "exact_authors_absent", "synonym", "27", "16"),
    "another rank by the same authors": (
        *("Abies balsamea f. phanerolepis", "Fernald", "other_rank", "accepted", "4", "3"),
    ),
    "autonym that the backbone leaves out": ("Poa annua var. annua", "L.", "autonym", "accepted", "24", "24"),
    "autonym of a homonym": ("Abies alba var. alba", "Mill.", "autonym", "accepted", "1", "1"),
    "hyphen left out": ("Asplenium adiantumnigrum", "L.", "orthographic", "accepted", "31", "31"),
    "diacritics": ("Isoëtes mülleri", "A. Braun", "orthographic", "accepted", "32", "32"),
    "capitals": ("ABIES BALSAMEA", None, "exact_authors_absent", "accepted", "3", "3"),
    "an epithet in capitals": ("abies  BALSAMEA", None, "exact_authors_absent", "accepted", "3", "3"),
    "an epithet with a capital": ("Abies Balsamea (L.) Mill.", None, "exact_with_authors", "accepted", "3", "3"),
    "another ending": ("Abies balsameus", None, "orthographic", "accepted", "3", "3"),
    "-i for -ii, whoever the authors are": ("Poa schrankii", "Nobody", "orthographic", "accepted", "33", "33"),
    "letters swapped": ("Abies blasamea", "(L.) Mill.", "fuzzy_in_genus", "accepted", "3", "3"),
    "one slip, no authors": ("Abies balsmea", None, "fuzzy_in_genus", "accepted", "3", "3"),
    "one slip, by the author of the basionym": ("Abies balsmea", "(L.) Nobody", "fuzzy_in_genus", "accepted", "3", "3"),
    "two slips, by the same authors": ("Abies balsotmea", "(L.) Mill.", "fuzzy_in_genus", "accepted", "3", "3"),
    "genus misspelt, epithet right": ("Abiies balsamea", None, "fuzzy_genus", "accepted", "3", "3"),
    "misspelt variety": ("Abies balsamea var. phanerolepsis", None, "fuzzy_in_genus", "accepted", "4", "3"),
    "variety that the backbone lacks": (
        *("Poa annua var. unheardof", "Nobody", "species_of_infraspecific", "accepted", "24", "24"),
    ),
    "major is not minor, long as the name may be": (
        *("Poa pratensis var. minor", None, "species_of_infraspecific", "accepted", "14", "14"),
    ),
}


@pytest.mark.parametrize(("name", "authors", "rule", "outcome", "matched", "taxon"), FOUND.values(), ids=FOUND)
def test_found(
    resolver: Resolver, name: str, authors: str | None, rule: str, outcome: str, matched: str, taxon: str
) -> None:
    verdict = resolver.resolve(name, authors)
    assert (verdict.issue, verdict.rule, verdict.verdict) == (None, rule, outcome)
    assert (verdict.plant_name_id, verdict.taxon_id) == (matched, taxon)
    assert verdict.rule in RULES
    assert verdict.verdict in VERDICTS


SET_ASIDE: Mapping[str, tuple[str, str | None, str, str]] = {
    # case: (name, authors, issue, verdict)
    "nothing": ("", None, "NAME_UNPARSABLE", "unreadable"),
    "not a name": ("42 plants", None, "NAME_UNPARSABLE", "unreadable"),
    "formula": ("Abies alba × Abies balsamea", None, "NAME_IS_HYBRID_FORMULA", "formula"),
    "cf.": ("Abies cf. alba", "Mill.", "NAME_DOUBTFUL", "doubtful"),
    "misapplied by its authors": ("Abies alba", "auct. non Mill.", "NAME_MISAPPLIED", "misapplied"),
    "misapplied by one author": ("Abies balsamea sensu Small, non (L.) Mill.", None, "NAME_MISAPPLIED", "misapplied"),
    "an aggregate": ("Abies balsamea agg.", None, "NAME_DOUBTFUL", "doubtful"),
    "a wider sense": ("Abies balsamea (L.) Mill. s.l.", None, "NAME_DOUBTFUL", "doubtful"),
    "a part of it": ("Abies balsamea", "(L.) Mill., p.p.", "NAME_DOUBTFUL", "doubtful"),
    "a name of gardens": ("Abies balsamea hort.", None, "NAME_DOUBTFUL", "doubtful"),
    "a name that the list calls nude": ("Abies balsamea nom. nud.", None, "NAME_DOUBTFUL", "doubtful"),
    "family": ("Poaceae", "Barnhart", "RANK_NOT_WANTED", "rank"),
    "genus": ("Poa", "L.", "RANK_NOT_WANTED", "rank"),
    "a genus and sp.": ("Poa sp.", None, "RANK_NOT_WANTED", "rank"),
    "variety whose species is not accepted": ("Poa orphana var. sola", "L.", "RANK_NOT_WANTED", "accepted"),
    "unknown epithet is never the genus": ("Poa quitedifferent", None, "NAME_NOT_FOUND", "unresolved"),
    "a known genus is never left": ("Poa balsamea", None, "NAME_NOT_FOUND", "unresolved"),
    "genus and epithet both misspelt": ("Abiies blasamea", None, "NAME_NOT_FOUND", "unresolved"),
    "two slips, no authors": ("Abies balsotmea", None, "NAME_NEEDS_REVIEW", "review"),
    "one slip, authors against it": ("Abies balsmea", "Nobody", "NAME_NEEDS_REVIEW", "review"),
    "one slip in the first letter, no authors": ("Abies dalsamea", None, "NAME_NEEDS_REVIEW", "review"),
    "homonyms, no authors, one accepted": ("Abies alba", None, "NAME_AMBIGUOUS", "ambiguous"),
    "homonyms, unknown authors": ("Abies alba", "Nobody", "NAME_AMBIGUOUS", "ambiguous"),
    "homonyms that lead apart": ("Poa compressa", None, "NAME_AMBIGUOUS", "ambiguous"),
    "homonyms that lead apart, by an unknown author": ("Poa compressa", "Nobody", "NAME_AMBIGUOUS", "ambiguous"),
    "homonyms, one of them unplaced": ("Salix gracilenta", None, "NAME_AMBIGUOUS", "ambiguous"),
    "as like one name as another": ("Poa annuelxa", None, "NAME_AMBIGUOUS", "ambiguous"),
    "variety unknown, species ambiguous": ("Poa compressa var. unheardof", None, "NAME_AMBIGUOUS", "ambiguous"),
    "unplaced": ("Pinus lost", None, "NAME_UNPLACED", "unplaced"),
    "accepted id that is not there": ("Pinus dangling", None, "NAME_UNPLACED", "unplaced"),
    "synonyms in a ring": ("Pinus ringed", None, "NAME_UNPLACED", "unplaced"),
    "illegitimate, and no more": ("Poa badlynamed", None, "NAME_ILLEGITIMATE", "illegitimate"),
    "invalid, and no more": ("Poa unpublished", None, "NAME_INVALID", "invalid"),
    "only ever misapplied": ("Poa misread", None, "NAME_MISAPPLIED", "misapplied"),
}


@pytest.mark.parametrize(("name", "authors", "issue", "outcome"), SET_ASIDE.values(), ids=SET_ASIDE)
def test_set_aside(resolver: Resolver, name: str, authors: str | None, issue: str, outcome: str) -> None:
    verdict = resolver.resolve(name, authors)
    assert (verdict.issue, verdict.verdict, verdict.taxon_id) == (issue, outcome, None)
    assert issue in ISSUES


def test_a_qualified_name_lists_what_it_would_be_without_the_doubt(resolver: Resolver) -> None:
    meant = [resolver.resolve(name).alternatives for name in ("Abies balsamea agg.", "Abies cf. balsamea")]
    assert [resolver.describe(rows) for rows in meant] == ["Abies balsamea (L.) Mill. [3]"] * 2


@pytest.mark.parametrize("name", ["Abies balsamea (L.) Mill. s.str.", "Abies balsamea (L.) Mill., nom. cons."])
def test_a_narrow_sense_and_a_good_note_mean_the_name_itself(resolver: Resolver, name: str) -> None:
    verdict = resolver.resolve(name)
    assert (verdict.rule, verdict.taxon_id) == ("exact_with_authors", "3")


def test_gardeners_names_are_found_where_the_backbone_has_them() -> None:
    resolver = Resolver(backbone("1||Abies||viridis|||hort.|Accepted|1"))
    assert resolver.resolve("Abies viridis Hort.").taxon_id == "1"


def test_what_was_not_taken_is_listed(resolver: Resolver) -> None:
    both = "Abies alba Mill. [1]; Abies alba Michx. [2]"
    assert resolver.describe(resolver.resolve("Abies alba").alternatives) == both
    assert resolver.describe(resolver.resolve("Abies balsotmea").alternatives) == "Abies balsamea (L.) Mill. [3]"
    assert resolver.describe(()) is None


def test_authors_are_told_by_their_likeness(resolver: Resolver) -> None:
    verdicts = [resolver.resolve("Abies balsamea", authors) for authors in ("(L.) Mill.", "Huds.", None)]
    assert [verdict.author_similarity for verdict in verdicts] == [1.0, 0.0, None]


def test_authors_settle_what_likeness_cannot() -> None:
    table = backbone("1||Poa||annuella|||L.|Accepted|1\n2||Poa||annuellx|||Mill.|Accepted|2")
    assert Resolver(table).resolve("Poa annuelly", "Mill.").taxon_id == "2"
    assert Resolver(table).resolve("Poa annuelly", "Nutt.").issue == "NAME_NEEDS_REVIEW"
    assert Resolver(table).resolve("Poa annuelly").issue == "NAME_AMBIGUOUS"


def test_the_family_settles_homonyms_and_keeps_a_misspelt_genus() -> None:
    homonyms = "1||Ammi||alba|||L.|Accepted|1\n2||Ammi||alba|||Mill.|Accepted|2"
    table = backbone(f"{homonyms}\n3||Ammira||nigra|||L.|Accepted|3")
    families = pa.array(["Apiaceae", "Poaceae", "Poaceae"])
    resolver = Resolver(table.set_column(table.column_names.index("family"), "family", families))
    assert resolver.resolve("Ammi alba", None, "Umbelliferae").taxon_id == "1"
    assert resolver.resolve("Ammi alba", None, "Rosaceae").issue == "NAME_AMBIGUOUS"
    assert resolver.resolve("Ammirra nigra", "L.", "Gramineae").taxon_id == "3"
    assert resolver.resolve("Ammirra nigra", "L.", "Rosaceae").issue == "NAME_NEEDS_REVIEW"


def test_the_only_accepted_homonym_is_taken_where_that_is_asked_for() -> None:
    resolver = Resolver(backbone(), homonyms="accepted")
    assert resolver.resolve("Abies alba").taxon_id == "1"
    assert resolver.resolve("Abies alba", "Nobody").issue == "NAME_AMBIGUOUS"
    assert resolver.resolve("Poa compressa").issue == "NAME_AMBIGUOUS"


def test_a_word_at_home_in_many_genera_is_no_misspelling() -> None:
    many = "\n".join(f"{at}||G{'abcdefghijklmnop'[at]}us||striata|||L.|Accepted|{at}" for at in range(12))
    resolver = Resolver(backbone(f"{many}\n99||Carex||stricta|||Lam.|Accepted|99"))
    assert resolver.resolve("Carex striata").issue == "NAME_NEEDS_REVIEW"
    assert resolver.resolve("Carex strictha").taxon_id == "99"


def test_the_least_likeness_is_a_knob() -> None:
    assert Resolver(backbone(), 0.9).resolve("Abies balsmea").match_type == "fuzzy"
    assert Resolver(backbone(), 0.99).resolve("Abies balsmea").issue == "NAME_NEEDS_REVIEW"


def test_varieties_may_be_set_aside_or_count_themselves() -> None:
    name = "Abies balsamea var. phanerolepis"
    assert Resolver(backbone(), infraspecific="set_aside").resolve(name).issue == "RANK_NOT_WANTED"
    assert Resolver(backbone(), infraspecific="set_aside").resolve("Poa annua var. annua").issue == "NAME_NOT_FOUND"
    assert Resolver(backbone(), infraspecific="set_aside").resolve("Poa annua var. nova").issue == "NAME_NOT_FOUND"
    assert Resolver(backbone(), ranks=("Species", "Variety")).resolve(name).taxon_id == "4"
    assert Resolver(backbone(), ranks=("Genus",)).resolve("Poa", "L.").taxon_id == "22"
    assert Resolver(backbone(), ranks=None).resolve(name).taxon_id == "4"
    assert Resolver(backbone(), ranks=None).resolve("Poa", "L.").taxon_id == "22"


@pytest.mark.parametrize("name", ["Poa NONSUCH", "Poa Nonsuch", "Poa an1nua", 'Poa "annua', "Poa 12", "Poa (annua)"])
def test_what_is_no_authors_behind_a_genus_never_makes_it_a_genus(name: str) -> None:
    verdict = Resolver(backbone(), ranks=None).resolve(name)
    assert (verdict.issue, verdict.taxon_id, verdict.row) == ("NAME_NEEDS_REVIEW", None, None)


def test_another_genus_wants_authors_that_agree() -> None:
    resolver = Resolver(backbone())
    assert resolver.resolve("Abiies balsamea", "(L.) Mill.").rule == "fuzzy_genus"
    assert resolver.resolve("Abiies balsamea", "L.").issue == "NAME_NEEDS_REVIEW"


def test_diacritics_that_the_backbone_has_itself_are_no_variant() -> None:
    table = backbone()
    names = [(name or "").replace("Isoetes", "Isoëtes") for name in table["taxon_name"].to_pylist()]
    table = table.set_column(table.column_names.index("taxon_name"), "taxon_name", pa.array(names))
    name = next(name for name in names if name.startswith("Isoëtes"))
    assert Resolver(table).resolve(name).rule == "exact_authors_absent"


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
        assert one.describe(verdict.alternatives) == other.describe(again.alternatives)
