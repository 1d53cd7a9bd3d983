"""Checklists as they come, and what is told of those that cannot be read."""

from pathlib import Path
from typing import Any

import pytest
from small_tables import archive, write, zipped

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.tables import clean_rows, count_issues
from naflora_etl.names.checklist import read_checklists
from naflora_etl.recipe import ChecklistOptions

TROPICOS = (
    "Family\t!\tScientific Name\tAuthor\tReference\tDate\r\n"
    '"Apiaceae"\t"!!"\t"Apiaceae"\t"Lindl."\t"Intr. Nat. Syst."\t"1836"\r\n'
    '"Scrophulariaceae"\t""\t"Bontia daphnoides"\t"L."\t"Sp. Pl. 2: 638 [as "938"]"\t"1753"\r\n'
    '"Cyperaceae"\t""\t"Carex alba"\t"Scop."\r\n'
)


def read(path: Path, **knobs: Any) -> list[dict[str, Any]]:
    return read_checklists([path], ChecklistOptions(**knobs)).to_pylist()


def test_a_tropicos_export_with_quotation_marks_inside_its_cells(tmp_path: Path) -> None:
    rows = read(write(tmp_path, TROPICOS, "Tropicos_US.dat"))
    assert [row["checklist_key"] for row in rows] == ["tropicos-us:2", "tropicos-us:3", "tropicos-us:4"]
    assert rows[1] == {
        "checklist_key": "tropicos-us:3",
        "source_file": "Tropicos_US.dat",
        "line": 3,
        "encoding": "utf-8",
        "taxonID": None,
        "scientificName": "Bontia daphnoides",
        "scientificNameAuthorship": "L.",
        "taxonRank": None,
        "family": "Scrophulariaceae",
        "written_name": None,
        "mended": None,
        "also_in": None,
        "same_as": None,
        "issue": None,
    }
    assert rows[2]["issue"] == "CHECKLIST_ROW_UNREADABLE", "its last two cells are missing"
    assert "Carex alba" in str(rows[2]["scientificName"])


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("NameID,Name\r\n1,Amyris jorgemeavei Hern.-Barón, Espejo & Pérez-García\r\n", "cp1252"),
        ("NameID,Name\n1,Amyris jorgemeavei Hern.-Barón, Espejo & Pérez-García\n", "utf-8-sig"),
        ("id;scientific_name\n1;Amyris jorgemeavei Hern.-Barón, Espejo & Pérez-García", "utf-16"),
        ("Amyris jorgemeavei Hern.-Barón, Espejo & Pérez-García\n", "utf-8"),
        ("taxonID\tscientificName\n1\tAmyris jorgemeavei Hern.-BarÃ³n, Espejo &amp; PÃ©rez-GarcÃ­a\n", "utf-8"),
    ],
    ids=["cp1252, names cut by commas", "UTF-8 with a mark", "UTF-16", "a plain list", "mojibake and entities"],
)
def test_encodings_and_delimiters_are_found(tmp_path: Path, text: str, encoding: str) -> None:
    (row,) = read(write(tmp_path, text, encoding=encoding))
    assert row["scientificName"] == "Amyris jorgemeavei Hern.-Barón, Espejo & Pérez-García"
    assert row["issue"] is None


def test_a_quoted_cell_may_run_over_lines_and_one_that_never_ends_costs_its_own_row_only(tmp_path: Path) -> None:
    rows = read(
        write(tmp_path, 'name,note,rank\nPoa annua,"two\nlines",sp\nPoa alpina,"never ends,sp\nPoa pratensis,,sp\n')
    )
    assert [(row["line"], row["scientificName"], row["issue"]) for row in rows] == [
        (2, "Poa annua", None),
        (4, 'Poa alpina | "never ends | sp', "CHECKLIST_ROW_UNREADABLE"),
        (5, "Poa pratensis", None),
    ]


def test_no_row_vanishes_but_blank_lines(tmp_path: Path) -> None:
    rows = read(write(tmp_path, "name,family\nPoa annua,Poaceae\n\n,Poaceae\nPoa alpina\nPoa alba,x,y\n"))
    assert [(row["line"], row["issue"] is None) for row in rows] == [(2, True), (4, False), (5, False), (6, False)]


def test_a_column_may_be_named_and_authors_kept_apart(tmp_path: Path) -> None:
    path = write(tmp_path, "what,by whom,rank\nPoa annua,L.,species\n")
    (row,) = read(path, name_column="what", author_column="by whom")
    assert (row["scientificName"], row["scientificNameAuthorship"], row["taxonRank"]) == ("Poa annua", "L.", "species")


def test_files_with_the_same_name_keep_their_keys_apart(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    paths = [write(tmp_path, "Poa annua\n"), write(tmp_path / "other", "Poa alpina\n")]
    assert read_checklists(paths, ChecklistOptions())["checklist_key"].to_pylist() == ["my-list:1", "my-list-2:1"]


def test_a_name_that_several_lists_have_is_one_clean_row_that_tells_of_them(tmp_path: Path) -> None:
    paths = [
        write(tmp_path, "name,author,family\nPoa annua,L.,Poaceae\nPoa alpina,L.,Poaceae\n", "canada.csv"),
        write(tmp_path, "name\nPoa annua  L.\nPoa arctica R. Br.\nPoa annua L.\n", "greenland.csv"),
        write(tmp_path, "name,family\nPoa annua L.,Gramineae\nPoa arctica,Poaceae\n", "usa.csv"),
    ]
    table = read_checklists(paths, ChecklistOptions())
    told = [tuple(row[name] for name in ("checklist_key", "issue", "also_in", "same_as")) for row in table.to_pylist()]
    assert told == [
        ("canada:2", None, "greenland.csv | usa.csv", None),
        ("canada:3", None, None, None),
        ("greenland:2", "CHECKLIST_NAME_REPEATED", None, "canada:2"),
        ("greenland:3", None, None, None),
        ("greenland:4", "CHECKLIST_NAME_REPEATED", None, "canada:2"),
        ("usa:2", "CHECKLIST_NAME_REPEATED", None, "canada:2"),
        ("usa:3", None, None, None),
    ], "without its authors it is another name"
    assert len(table) == len(clean_rows(table)) + sum(count_issues(table).values())


def test_without_authors_a_name_in_another_family_is_another_name(tmp_path: Path) -> None:
    rows = read(write(tmp_path, "name,family\nPoa annua,Poaceae\nPoa annua,Asteraceae\nPoa annua,Poaceae\n"))
    assert [row["same_as"] for row in rows] == [None, None, "my-list:2"]


MENDED = {
    "mojibake": ("Acacia Hern.-BarÃ³n", "Acacia Hern.-Barón", "mojibake"),
    "entities": ("Acacia alba Hook. &amp; Arn.", "Acacia alba Hook. & Arn.", "entities"),
    "both": ("Acacia alba PÃ©rez &amp; Cruz", "Acacia alba Pérez & Cruz", "entities | mojibake"),
    "hidden marks": ("Acacia\u200b alba", "Acacia alba", "control characters"),
    "lost letters": ("Acacia alba P\ufffdrez", "Acacia alba P\ufffdrez", "lost letters"),
    "a C1 letter": ("Carex glabella Pabre\x9ea", "Carex glabella Pabreža", "mojibake"),
    "spaces are no fault": ("Acacia\u00a0 alba", "Acacia alba", None),
    "a multiplication sign": ("Acacia × alba", "Acacia × alba", None),
    "letters that look odd": ("Acacia alba Ångström & Łuczaj", "Acacia alba Ångström & Łuczaj", None),
}


@pytest.mark.parametrize(("written", "mended", "what"), MENDED.values(), ids=MENDED)
def test_what_is_mended_is_told(tmp_path: Path, written: str, mended: str, what: str | None) -> None:
    (row,) = read(write(tmp_path, f"name\tid\n{written}\t1\n"))
    assert (row["scientificName"], row["mended"]) == (mended, what)
    assert row["written_name"] == (written if what else None)


def test_commas_that_nobody_quoted_in_the_last_column_and_before_others(tmp_path: Path) -> None:
    (last,) = read(write(tmp_path, "NameID,Name\n7,Cleome multicaulis Moç. & Sessé, ex DC.\n"))
    assert (last["scientificName"], last["taxonID"]) == ("Cleome multicaulis Moç. & Sessé, ex DC.", "7")
    (inside,) = read(write(tmp_path, "id,name,family\n7,Abies religiosa Debreczy, I. Rácz & Guízar,Pinaceae\n"))
    assert inside["scientificName"] == "Abies religiosa Debreczy, I. Rácz & Guízar"
    assert (inside["family"], inside["mended"], inside["issue"]) == ("Pinaceae", "cut by commas", None)


def test_genus_and_epithets_that_stand_apart_are_put_together(tmp_path: Path) -> None:
    rows = read(
        write(
            tmp_path,
            "genus,species,taxonRank,infraspecificEpithet,author\nPoa,annua,species,,L.\nPoa,alpina,var.,vivipara,L.\n"
            "Poa,× nannfeldtii,,,\nPoa,Poa arctica,,,\nPoa,poa laxa,,,\n",
        )
    )
    assert [row["scientificName"] for row in rows] == [
        "Poa annua", "Poa alpina var. vivipara", "Poa × nannfeldtii", "Poa arctica", "poa laxa"
    ]  # fmt: skip
    (whole,) = read(write(tmp_path, "Genus\tSpecific Epithet\nPoa\tannua\n"))
    assert whole["scientificName"] == "Poa annua"


NOT_VASCULAR = {
    "by group": ("name,group_name\nPoa annua,Moss\n", True),
    "by group, a fern": ("name,group_name,family\nPoa annua,Fern,Bryaceae\n", False),
    "a club moss": ("name,group\nLycopodium clavatum,Clubmosses\n", False),
    "by phylum": ("name,phylum\nBryum argenteum,Bryophyta\n", True),
    "by kingdom": ("name,kingdom\nAgaricus bisporus,Fungi\n", True),
    "a plant, by kingdom": ("name,kingdom\nPoa annua,Plantae\n", False),
    "by higher classification": ("name,higherClassification\nBryum argenteum,Plantae;Bryophyta;Bryopsida\n", True),
    "by The Plant List's groups": ("name,Major group\nBryum argenteum,B\n", True),
    "by family": ("name,family\nSphagnum fuscum,Sphagnaceae\n", True),
    "by nothing": ("name\nSphagnum fuscum\n", False),
}


@pytest.mark.parametrize(("text", "expected"), NOT_VASCULAR.values(), ids=NOT_VASCULAR)
def test_what_is_no_vascular_plant(tmp_path: Path, text: str, expected: bool) -> None:
    path = write(tmp_path, text)
    assert [row["issue"] for row in read(path)] == ["NOT_VASCULAR" if expected else None]
    assert [row["issue"] for row in read(path, vascular_only=False)] == [None]


def test_ranks_as_the_list_says_them_or_the_name_shows(tmp_path: Path) -> None:
    rows = read(
        write(tmp_path, "name,rank\nPoa annua,SPECIES\nPoa,\nPoaceae,\nPoa alpina var. vivipara,\nPoa laxa,var.\n?,\n"),
        ranks=("Species",),
    )
    other = "RANK_NOT_WANTED"
    assert [row["issue"] for row in rows] == [None, other, other, other, other, None], "? is for taxa to judge"


TAXA = [
    {"id": "1", "taxonID": "t1", "acceptedNameUsageID": "t1", "scientificName": "Abies balsamea (L.) Mill.",
     "scientificNameAuthorship": "(L.) Mill.", "taxonRank": "species", "class": "Equisetopsida", "family": "Pinaceae"},
    {"id": "2", "taxonID": "t2", "acceptedNameUsageID": "t1", "scientificName": "Pinus balsamea L.",
     "scientificNameAuthorship": "L.", "taxonRank": "species", "class": "Equisetopsida", "family": "Pinaceae"},
    {"id": "3", "taxonID": "t3", "acceptedNameUsageID": "t3", "scientificName": "Abies alba Mill.",
     "scientificNameAuthorship": "Mill.", "taxonRank": "species", "class": "Equisetopsida", "family": "Pinaceae"},
    {"id": "4", "taxonID": "t4", "acceptedNameUsageID": "t4", "scientificName": "Abies lasiocarpa Nutt.",
     "scientificNameAuthorship": "Nutt.", "taxonRank": "species", "class": "Equisetopsida", "family": "Pinaceae"},
    {"id": "5", "taxonID": "t5", "acceptedNameUsageID": "t5", "scientificName": "Bryum argenteum Hedw.",
     "scientificNameAuthorship": "Hedw.", "taxonRank": "species", "class": "Bryopsida", "family": "Bryaceae"},
]  # fmt: skip
PLACES = [
    {"id": "1", "locationID": "ISO 3166-2:CA-QC", "locality": "Québec", "countryCode": "CA",
     "occurrenceStatus": "present", "establishmentMeans": "native"},
    {"id": "1", "locationID": "ISO 3166-2:CA-BC", "locality": "British Columbia", "countryCode": "CA",
     "occurrenceStatus": "excluded", "establishmentMeans": ""},
    {"id": "3", "locationID": "ISO 3166-2:CA-BC", "locality": "British Columbia", "countryCode": "CA",
     "occurrenceStatus": "present", "establishmentMeans": "introduced"},
    {"id": "4", "locationID": "ISO 3166-1:GL", "locality": "Greenland", "countryCode": "GL",
     "occurrenceStatus": "doubtful", "establishmentMeans": "native"},
]  # fmt: skip
OUT, ABSENT, NOT_SO, NO_VESSELS = "NAME_OUTSIDE_REGION", "NAME_NOT_PRESENT", "ESTABLISHMENT_NOT_WANTED", "NOT_VASCULAR"
ASKED: dict[str, tuple[dict[str, Any], list[str | None]]] = {
    "nothing": ({}, [None, None, None, None, NO_VESSELS]),
    "a country": ({"regions": ("CA",)}, [None, None, None, OUT, NO_VESSELS]),
    "a province": ({"regions": ("CA-QC",)}, [None, None, OUT, OUT, NO_VESSELS]),
    "a province by name": ({"regions": ("québec",)}, [None, None, OUT, OUT, NO_VESSELS]),
    "where it is excluded": ({"regions": ("CA-BC",)}, [ABSENT, ABSENT, None, OUT, NO_VESSELS]),
    "natives": ({"establishment": ("native",)}, [None, None, NOT_SO, None, NO_VESSELS]),
    "sure ones": ({"occurrence": ("present",)}, [None, None, None, ABSENT, NO_VESSELS]),
    "all of it": (
        {"regions": ("CA-BC", "GL"), "establishment": ("Native",), "occurrence": ("present", "doubtful")},
        [ABSENT, ABSENT, NOT_SO, None, NO_VESSELS],
    ),
}


@pytest.mark.parametrize("packed", [True, False], ids=["zip", "folder"])
@pytest.mark.parametrize(("knobs", "issues"), ASKED.values(), ids=ASKED)
def test_a_darwin_core_checklist_asked_for_regions_and_states(
    tmp_path: Path, knobs: dict[str, Any], issues: list[str | None], packed: bool
) -> None:
    files = archive(TAXA, PLACES)
    path = write(tmp_path, zipped(files), "vascan.zip") if packed else tmp_path / "vascan"
    if not packed:
        path.mkdir()
        for name, text in files.items():
            write(path, text, name)
    rows = read(path, **knobs)
    assert [row["issue"] for row in rows] == issues, "a synonym is where its accepted name is"
    assert rows[0]["checklist_key"] == "vascan:2"
    assert (rows[1]["taxonID"], rows[1]["scientificNameAuthorship"]) == ("t2", "L.")


def test_regions_in_columns_of_the_list_itself_and_a_list_that_tells_none_is_kept_whole(tmp_path: Path) -> None:
    text = "name,countryCode,stateProvince\nPoa annua,CA,Ontario\nPoa alpina,US,Alaska|Maine\nPoa laxa,GL,\n"
    paths = [write(tmp_path, text, "a.csv"), write(tmp_path, "Poa arctica\n", "b.txt")]
    table = read_checklists(paths, ChecklistOptions(regions=("CA", "alaska")))
    assert table["issue"].to_pylist() == [None, None, OUT, None]
    with pytest.raises(Fault, match=r"checklist\.regions asks for CA, but no checklist tells where its names occur"):
        read_checklists(paths[1:], ChecklistOptions(regions=("CA",)))


def test_headings_twice_and_a_title_above_them_are_no_names(tmp_path: Path) -> None:
    headings = "name,rank,family\n"
    text = f"Plants of the Yukon,,\n{headings}scientificName,taxonRank,family\nPoa annua,,Poaceae\n{headings}"
    rows = read(write(tmp_path, text))
    heading = "CHECKLIST_ROW_IS_HEADING"
    assert [(row["line"], row["scientificName"], row["issue"]) for row in rows] == [
        (1, None, heading),
        (3, None, heading),
        (4, "Poa annua", None),
        (5, None, heading),
    ]


def test_a_huge_cell_costs_its_own_row_only(tmp_path: Path) -> None:
    rows = read(write(tmp_path, f"name,note\nPoa annua,{'x' * 2_000_000}\n{'Poa ' * 500_000},\nPoa alpina,\n"))
    assert [row["issue"] for row in rows] == [None, "CHECKLIST_ROW_UNREADABLE", None]
    assert len(rows[1]["scientificName"]) <= 1000


def test_what_is_told_of_no_list() -> None:
    with pytest.raises(Fault, match=r"checklist\.paths is empty"):
        read_checklists([], ChecklistOptions())
