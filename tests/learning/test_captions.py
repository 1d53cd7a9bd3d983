"""Captions: LiT's template, BioTrove's ten texts, and columns chosen by what separates classes."""

import math

import numpy as np
import pytest

from naflora_etl.engine.faults import Fault
from naflora_etl.learning.caption_rows import caption_texts
from naflora_etl.learning.captions import (
    LIT_TEMPLATE,
    biotrove_facts,
    biotrove_texts,
    check_template,
    choose_columns,
    conditional_entropy,
    fill_template,
)

MONARCH = {
    "kingdom": "Animalia",
    "phylum": "Arthropoda",
    "class": "Insecta",
    "order": "Lepidoptera",
    "family": "Nymphalidae",
    "genus": "Danaus",
    "species": "plexippus",
    "scientificName": "Danaus plexippus",
    "common_name": "Monarch",
    "supercategory": "Insects",
}
MAPLE = {
    "taxon_name": "Acer rubrum",
    "family": "Sapindaceae",
    "genus": "Acer",
    "species": "rubrum",
    "common_name": None,
}
TAXON = "Animalia Arthropoda Insecta Lepidoptera Nymphalidae Danaus plexippus"
TAGGED = (
    "kingdom Animalia phylum Arthropoda class Insecta order Lepidoptera family Nymphalidae "
    "genus Danaus species plexippus"
)
# what BioTrove's own generator writes for the monarch
TEN_TEXTS = {
    "com": "a photo of Monarch.",
    "common_name": "Monarch.",
    "sci": "a photo of Danaus plexippus.",
    "sci_com": "a photo of Danaus plexippus with common name Monarch.",
    "scientific_name": "Danaus plexippus.",
    "taxon": f"a photo of {TAXON}.",
    "taxonTag": f"a photo of {TAGGED}.",
    "taxonTag_com": f"a photo of {TAGGED} with common name Monarch.",
    "taxon_com": f"a photo of {TAXON} with common name Monarch.",
    "taxonomic_name": f"{TAXON}.",
}


def test_the_ten_texts_of_biotrove():
    assert list(biotrove_texts(MONARCH).items()) == list(TEN_TEXTS.items())


def test_the_json_of_biotrove():
    assert biotrove_facts("171", MONARCH) == {
        "photo_id": "171",
        "text": "This is a photo of Danaus plexippus.",
        "photo_of_taxon": f"a photo of {TAXON}.",
        "photo_of_detailed_taxon": f"a photo of {TAGGED}.",
        "photo_of_detailed_taxon_with_common": f"a photo of {TAGGED} with common name Monarch.",
        "photo_of_taxon_with_common": f"a photo of {TAXON} with common name Monarch.",
        "taxonomic_name": f"{TAXON}.",
    }


def test_what_is_not_known_is_left_out():
    assert biotrove_texts(MAPLE) == {
        "sci": "a photo of Acer rubrum.",
        "scientific_name": "Acer rubrum.",
        "taxon": "a photo of Plantae Tracheophyta Sapindaceae Acer rubrum.",
        "taxonTag": "a photo of kingdom Plantae phylum Tracheophyta family Sapindaceae genus Acer species rubrum.",
        "taxonomic_name": "Plantae Tracheophyta Sapindaceae Acer rubrum.",
    }


@pytest.mark.parametrize(
    ("template", "row", "caption"),
    [
        (LIT_TEMPLATE, MONARCH, "A photo of the Monarch Insects Danaus plexippus."),
        ("The {common} {supercategory} {scientific}", MONARCH, "The Monarch Insects Danaus plexippus"),
        (LIT_TEMPLATE, MAPLE, "A photo of the Plants Acer rubrum."),
        ("A sheet of {taxon_name}, {common_name}.", MAPLE, "A sheet of Acer rubrum,."),
        ("{genus} ({family})", MAPLE, "Acer (Sapindaceae)"),
    ],
)  # fmt: skip
def test_templates(template: str, row: dict, caption: str):
    assert fill_template(template, row) == caption


KNOWN = "common, common_name, genus, kingdom, phylum, scientific, scientificName, supercategory"


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("A photo of {leaf}.", f'--template "A photo of {{leaf}}.": there is no column leaf; there are {KNOWN}.'),
        ("A photo.", f'--template "A photo.": it names no column; there are {KNOWN}.'),
        ("A {genus", '--template "A {genus" cannot be read (expected \'}\' before end of string); write '
         '"A photo of {taxon_name}."'),
    ],
)  # fmt: skip
def test_templates_that_cannot_be_filled(template: str, sentence: str):
    with pytest.raises(Fault) as refusal:
        check_template(template, ["genus"])
    assert str(refusal.value) == sentence


def test_conditional_entropy_by_hand():
    # four classes, told apart in pairs by one bit: one bit is left
    assert conditional_entropy(np.arange(4), np.array([0, 0, 1, 1])) == pytest.approx(1)
    assert conditional_entropy(np.arange(3), np.zeros(3, np.int64)) == pytest.approx(math.log2(3))


# two images of each species; genus and epithet separate them together, a common name that two share does not
SPECIES = ["Acer rubrum", "Acer alba", "Carex alba", "Carex flava"]
COLUMNS = {
    "kingdom": ["Plantae"] * 8,
    "family": ["Sapindaceae"] * 4 + ["Cyperaceae"] * 4,
    "genus": ["Acer"] * 4 + ["Carex"] * 4,
    "species": ["rubrum"] * 2 + ["alba"] * 4 + ["flava"] * 2,
    "catalogNumber": list("abcdefgh"),
}
LABELS = [name for name in SPECIES for _ in range(2)]


@pytest.mark.parametrize(
    ("columns", "chosen"),
    [
        (("kingdom", "family", "genus", "species"), ["species", "family"]),  # the genus adds nothing to the family
        (("genus", "species"), ["species", "genus"]),
        (("kingdom", "catalogNumber"), []),  # one value, and one an image
        (("family", "catalogNumber"), ["family"]),
    ],
)
def test_columns_are_chosen_by_what_separates_classes(columns, chosen):
    assert choose_columns({name: COLUMNS[name] for name in columns}, LABELS) == chosen


def test_a_name_that_separates_all_stands_alone():
    assert choose_columns({**COLUMNS, "taxon_name": LABELS}, LABELS) == ["taxon_name"]


def test_a_text_that_images_lack_is_refused():
    rows = [{**MAPLE, "image_key": "a", "class_id": 0}, {**MONARCH, "image_key": "b", "class_id": 1}]
    with pytest.raises(Fault) as refusal:
        caption_texts(rows, template=LIT_TEMPLATE, kind="com")
    assert str(refusal.value) == "--text com: 1 images have no common name; give them with --names, or take sci."
    with pytest.raises(Fault, match="--text latin: there is no such text; there are all, com, common_name"):
        caption_texts(rows, template=LIT_TEMPLATE, kind="latin")
    how, texts = caption_texts(rows, template=LIT_TEMPLATE, columns="genus, species")
    assert (how, texts(rows[0])) == ('"A photo of the {genus} {species}."', {"txt": "A photo of the Acer rubrum."})


def test_a_release_is_captioned_by_its_class_and_not_by_what_a_collection_wrote():
    row = {"taxon_name": "Carex alba", "scientificName": "Carex nivea Hartm. ex Steud."}
    assert fill_template(LIT_TEMPLATE, row) == "A photo of the Plants Carex alba."
    assert biotrove_texts(row)["sci"] == "a photo of Carex alba."
