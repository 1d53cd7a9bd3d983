"""A document of names as they are written, and of what is read in them."""

import pytest

from naflora_etl.names.parse import parse_name
from naflora_etl.names.ranks import rank_mark

CANONICAL = {
    # as written -> canonical
    "Abies alba": "Abies alba",
    "Abies alba Mill.": "Abies alba",
    "Abdra aprica (Beadle) Al-Shehbaz, M. Koch & Jordon-Thaden": "Abdra aprica",
    "Phlox maculata L. var. maculata": "Phlox maculata var. maculata",
    "Amsonia tabernaemontana Walter var. salicifolia (Pursh) Woodson": "Amsonia tabernaemontana var. salicifolia",
    "Selaginella arenicola Underw. ssp. riddellii (Van Eselt.) R. Tryon": "Selaginella arenicola subsp. riddellii",
    "Abies balsamea fo. phanerolepis (Fernald) Rehder": "Abies balsamea f. phanerolepis",
    "Senecio fuchsii C.C.Gmel. subsp. fuchsii var. expansus (Boiss. & Heldr.) Hayek": "Senecio fuchsii var. expansus",
    "Poa pratensis proles angustifolia": "Poa pratensis proles angustifolia",
    "Aspicilia desertorum desertorum": "Aspicilia desertorum desertorum",
    # hybrids
    "Equisetum ×ferrissii Clute (pro sp.) [hyemale × laevigatum]": "Equisetum × ferrissii",
    "Salvia x superba Stapf": "Salvia × superba",
    "×Hoodiapelia": "× Hoodiapelia",
    "xHeucherella tiarelloides": "× Heucherella tiarelloides",
    "Poa × coarctata var. montana (Gaudin) DC.": "Poa × coarctata var. montana",
    "Salix aurita L. × S. caprea L.": "Salix aurita × Salix caprea",
    "Asplenium rhizophyllum DC. x ruta-muraria E.L. Braun 1939": "Asplenium rhizophyllum × Asplenium ruta-muraria",
    "Agrostis L. × Polypogon Desf.": "Agrostis × Polypogon",
    "Salix alba ×": "Salix alba ×",
    # ranks above the species
    "Pereskia subg. Maihuenia Philippi ex F.A.C.Weber, 1898": "Pereskia subgen. Maihuenia",
    "Aconitum W. Mucher nothosect. Acopellus": "Aconitum nothosect. Acopellus",
    # ranks seldom seen, or left out
    "Rubus fruticosus L. agamossp. discolor (Weihe & Nees) A. & D. Löve": "Rubus fruticosus agamossp. discolor",
    "Polypodium pectinatum L.f. typica Rosenst.": "Polypodium pectinatum typica",
    "Calicium furfuraceum * furfuraceum (L.) Pers. 1797": "Calicium furfuraceum furfuraceum",
    "Aristotelia fruticosa var.δ.microphylla Hook.f.": "Aristotelia fruticosa var. microphylla",
    "Poa stuckertii var.megalantha Parodi": "Poa stuckertii var. megalantha",
    "POA HARTZII F.PROLIFERA (SIMMONS) B.BOIVIN": "Poa hartzii f. prolifera",
    "Poa andina Hook. f.ex Benth.": "Poa andina",
    "Poa pratensis var. caespitos\u0430 Reverd.": "Poa pratensis var. caespitosa",
    "Galium tricorne Stokes,pro parte": "Galium tricorne",
    "Quercus alba var. Repanda Michx.": "Quercus alba var. repanda",
    # an epithet that is a word about authors elsewhere
    "Sorghastrum secundum (Elliott) Nash": "Sorghastrum secundum",
    "Epidendrum × secundum": "Epidendrum × secundum",
    "Epidendrum nocturnum var. secundum": "Epidendrum nocturnum var. secundum",
    "Carex nigra L. secundum Mackenzie": "Carex nigra",
    # authors that look like epithets or ranks
    "Platanthera flava (L.) Lindl. f. albiflora Rchb. f.": "Platanthera flava f. albiflora",
    "Polypodium vulgare L. f. ex Hook. f.": "Polypodium vulgare",
    "Carex alba von Humboldt": "Carex alba",
    "Myosotis alba de Candolle ex Nutt.": "Myosotis alba",
    "Serjania meridionalis Cambess. var. o'donelli F.A. Barkley": "Serjania meridionalis var. odonelli",
    # spelling, case and spaces
    "Isoëtes asplundii H. P. Fuchs": "Isoetes asplundii",
    "Döringia alba": "Doeringia alba",
    "Macromitrium st.-johnii E. B. Bartram": "Macromitrium st-johnii",
    "Oxalis_barrelieri": "Oxalis barrelieri",
    "  Abies \u00a0 alba  ": "Abies alba",
    "ABIES ALBA MILL.": "Abies alba",
    "abies alba": "Abies alba",
    "<i>Abies alba</i> Mill.": "Abies alba",
    # what is not a part of the name
    "Rosa 'Peace'": "Rosa",
    "Acer rubrum 'Red Sunset'": "Acer rubrum",
    "Daphnia (Daphnia) magna Straus": "Daphnia magna",
    "Triticum repens var. vulgäre": "Triticum repens var. vulgaere",
}


@pytest.mark.parametrize(("written", "canonical"), CANONICAL.items(), ids=CANONICAL)
def test_the_name_without_its_authors(written: str, canonical: str) -> None:
    parsed = parse_name(written)
    assert parsed.reason is None
    assert parsed.canonical == canonical


@pytest.mark.parametrize(
    ("written", "authors"),
    {
        "Abies alba Mill.": "Mill.",
        "Abies alba": None,
        "Phlox maculata L. var. maculata": "L.",
        "Amsonia tabernaemontana Walter var. salicifolia (Pursh) Woodson": "(Pursh) Woodson",
        "Equisetum ×ferrissii Clute (pro sp.) [hyemale × laevigatum]": "Clute",
        "Mycosphaerella eryngii(Fr. ex Duby) Johanson ex Oudem.": "(Fr. ex Duby) Johanson ex Oudem.",
        "Adenophora Fisch.": "Fisch.",
    }.items(),
)
def test_the_authors_are_those_of_the_lowest_name(written: str, authors: str | None) -> None:
    assert parse_name(written).authorship == authors


@pytest.mark.parametrize(
    ("written", "rank"),
    {
        "Apiaceae": "Family",
        "Asterales": "Order",
        "Poa": "Genus",
        "Arctopoa sect. Arctopoa": "Infrageneric",
        "Poa annua": "Species",
        "Poa annua subsp. exilis": "Subspecies",
        "Poa annua var. exilis": "Variety",
        "Poa annua forma exilis": "Form",
        "Poa annua exilis": "Infraspecific",
    }.items(),
)
def test_the_rank(written: str, rank: str) -> None:
    assert parse_name(written).rank == rank


@pytest.mark.parametrize(
    "written",
    [
        "Abies alba × Abies nordmanniana",
        "Salix alba L. × fragilis L.",
        "Agrostis L. × Polypogon Desf.",
        "Cytisus purpureus + Laburnum anagyroides",
        "Quercus ×",
        "Salix alba x S. fragilis",
    ],
)
def test_a_formula_of_parents_is_told_from_a_named_hybrid(written: str) -> None:
    assert parse_name(written).is_hybrid_formula
    assert not parse_name("Poa × nannfeldtii Nosov").is_hybrid_formula


@pytest.mark.parametrize(
    ("written", "qualifier"),
    {
        "Carex cf. alba": "cf.",
        "Carex aff. alba Scop.": "aff.",
        "Carex alba ?": "?",
        "Carex alba / nigra": "/",
        "Carex alba vel nigra": "vel",
        "Carex sp.": "sp.",
        "Carex spp. novae": "sp.",
        "Carex alba auct. non Scop.": "auct.",
        "Carex alba var. 3 Scop.": "var.",
        "Carex alba Scop. var.": None,
        "Carex alba Scop. orth. var. subsp. nigra (L.) Scop.": None,
        "Carex alba sensu lato": "s.l.",
        "Carex alba Scop.": None,
    }.items(),
)
def test_a_doubt_is_kept(written: str, qualifier: str | None) -> None:
    assert parse_name(written).qualifier == qualifier


@pytest.mark.parametrize(
    "written",
    ["", "   ", "123", "Abutilon mosaic virus", "A. alba", "Unidentified plant", "None recorded", "\u0000", "×", "?!"],
)
def test_what_is_no_name_says_so(written: str) -> None:
    assert parse_name(written).reason


def test_authors_from_a_column_of_their_own_win() -> None:
    assert parse_name("Abies alba", "Mill.").authorship == "Mill."
    assert parse_name("Abies alba L.", "Mill.").authorship == "Mill."
    assert parse_name("Abies alba L.", "").authorship == "L."
    assert parse_name("Abies alba L.", "  ").authorship == "L."


def test_cultivar() -> None:
    assert parse_name("Acer rubrum 'Red Sunset'").cultivar == "Red Sunset"


@pytest.mark.parametrize(
    ("written", "mark"),
    {"ssp.": "subsp.", "fo.": "f.", "variety": "var.", "[infrasp.unranked]": "unranked", "natio": "natio"}.items(),
)
def test_a_rank_as_wcvp_abbreviates_it(written: str, mark: str) -> None:
    assert rank_mark(written) == mark
    assert rank_mark(None) is None
