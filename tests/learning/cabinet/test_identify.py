"""Identifying sheets: slips, tables, masks; all without torch."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from naflora_etl.cli import main
from naflora_etl.engine.faults import Fault
from naflora_etl.learning.cabinet.exported import read_exported
from naflora_etl.learning.cabinet.identify import agree, find_files, identify
from naflora_etl.learning.cabinet.inference import Classifier
from naflora_etl.learning.cabinet.masks import on_checklist, only

SPECIES = ("Acer rubrum", "Acer saccharum", "Carex alba", "Carex flava", "Viola canina", "Viola odorata")


@pytest.fixture(scope="module")
def sheets(tmp_path_factory: pytest.TempPathFactory, draw_sheet) -> Path:
    """A folder as folders are: sheets, one of them in a folder within, a list, a broken image, a hidden file."""
    folder = tmp_path_factory.mktemp("sheets")
    (folder / "drawer").mkdir()
    for class_id in range(6):
        (folder / f"sheet-{class_id}.jpg").write_bytes(draw_sheet(class_id, 100))
    (folder / "drawer" / "sheet-6.jpg").write_bytes(draw_sheet(2, 101))
    (folder / "list.csv").write_text("barcode\n")
    (folder / "torn.jpg").write_bytes(draw_sheet(1, 102)[:900])
    (folder / ".DS_Store").write_bytes(b"\0")
    return folder


def call(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, [str(word) for word in words])
    return result.exit_code, result.output


def test_torch_is_never_imported(model: Path, sheets: Path, tmp_path: Path):
    """Where an import of torch, timm or torchvision is an error, a folder is identified all the same."""
    code = (
        "import sys\n"
        "for name in ('torch', 'timm', 'torchvision', 'onnxscript', 'scipy'): sys.modules[name] = None\n"
        "from naflora_etl.cli import main\n"
        "main(sys.argv[1:])\n"
    )
    words = ["identify", sheets, "--model", model, "--out", tmp_path / "found.csv", "--only", "genus=Carex"]
    done = subprocess.run([sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, check=True)
    assert "9 files" in done.stdout


def test_a_slip_for_one_sheet(model: Path, sheets: Path):
    code, told = call("identify", sheets / "sheet-2.jpg", "--model", model)
    lines = told.splitlines()
    assert code == 0
    assert lines[0].startswith("sheet-2.jpg: ")
    assert lines[0].endswith("(90% of such answers hold the right species)")
    assert len(lines) == 1 + 5 + 1
    assert lines[-1].startswith("by tiny (")


def test_species_add_up_to_genera_and_families(model: Path, sheets: Path):
    one = next(identify([sheets / "sheet-0.jpg"], Classifier(read_exported(model)), top=50))
    assert len(one.top) == 6  # more than there are: all
    assert sum(some.probability for some in one.top) == pytest.approx(1)
    for some in one.top:
        mates = [mate.probability for mate in one.top if mate.label.genus == some.label.genus]
        assert some.genus_probability == pytest.approx(sum(mates))
        assert some.family_probability == pytest.approx(sum(mates))  # here a family is a genus
    assert [some.probability for some in one.top] == sorted((some.probability for some in one.top), reverse=True)


@pytest.mark.parametrize(
    ("numbers", "agreed"),
    [((2,), ("species", "Carex alba")), ((2, 3), ("genus", "Carex")), ((0, 2), (None, None))],
)
def test_a_set_climbs_to_where_it_agrees(model: Path, numbers, agreed):
    labels = read_exported(model).labels
    assert agree([labels[number] for number in numbers]) == agreed


def test_a_larger_promise_is_a_larger_set(model: Path, sheets: Path):
    classifier, paths = Classifier(read_exported(model)), [sheets / f"sheet-{number}.jpg" for number in range(6)]
    sizes = [
        [len(one.candidates) for one in identify(paths, classifier, coverage=coverage)] for coverage in (0.8, 0.9, 0.99)
    ]
    assert all(few <= some <= all_ == 6 for few, some, all_ in zip(*sizes, strict=True))
    with pytest.raises(Fault, match=r"--coverage 0\.5: the model was calibrated for 0\.8, 0\.9, 0\.95, 0\.99\.$"):
        next(identify(paths, classifier, coverage=0.5))


def test_a_table_of_a_folder_is_darwin_core(model: Path, sheets: Path, tmp_path: Path):
    out = tmp_path / "found.csv"
    code, told = call("identify", sheets, "--model", model, "--out", out)
    assert code == 0
    assert told.startswith(f"{out}: 9 files, ")
    assert told.endswith("set aside: NOT_AN_IMAGE 1, IMAGE_DAMAGED 1.\n")
    rows = {row["associatedMedia"]: row for row in csv.DictReader(out.read_text(encoding="utf-8").splitlines())}
    assert list(rows) == ["drawer/sheet-6.jpg", "list.csv", *(f"sheet-{number}.jpg" for number in range(6)), "torn.jpg"]
    assert rows["list.csv"] | {"associatedMedia": "", "issue": ""} == dict.fromkeys(rows["list.csv"], "")
    assert {name: row["issue"] for name, row in rows.items() if row["issue"]} == {
        "list.csv": "NOT_AN_IMAGE",
        "torn.jpg": "IMAGE_DAMAGED",
    }
    for row in (row for row in rows.values() if not row["issue"]):
        assert row["identificationVerificationStatus"] == "unverified"
        assert len(json.loads(row["dynamicProperties"])["likeliest"]) == 5
        assert bool(row["identificationQualifier"]) == (row["taxonRank"] != "species")


def test_a_table_without_out_goes_to_standard_output_alone(model: Path, sheets: Path):
    result = CliRunner().invoke(main, ["identify", str(sheets), "--model", str(model)])
    assert len(list(csv.DictReader(result.stdout.splitlines()))) == 9
    assert result.stderr.startswith("standard output: 9 files")


def test_json_for_a_script(model: Path, sheets: Path):
    _, told = call("identify", sheets / "sheet-5.jpg", "--model", model, "--json", "--top", 50)
    one = json.loads(told)
    assert [len(one["top"]), one["issue"]] == [6, None]
    _, told = call("identify", sheets, "--model", model, "--json")
    assert len(json.loads(told)) == 9


def test_a_mask_leaves_the_rest_out_and_shares_anew(model: Path, sheets: Path, tmp_path: Path):
    (tmp_path / "flora.csv").write_text("scientificName\nCarex alba Scop.\nViola canina L.\nPoa annua L.\n")
    _, told = call(
        "identify", sheets / "sheet-0.jpg", "--model", model, "--json", "--checklist", tmp_path / "flora.csv"
    )
    top = json.loads(told)["top"]
    assert {some["label"]["taxon_name"] for some in top} == {"Carex alba", "Viola canina"}
    assert sum(some["probability"] for some in top) == pytest.approx(1)
    _, told = call("identify", sheets / "sheet-0.jpg", "--model", model, "--json", "--only", "family=Cyperaceae")
    assert {some["label"]["genus"] for some in json.loads(told)["top"]} == {"Carex"}


@pytest.mark.parametrize(
    ("rules", "kept"),
    [
        (["genus=Carex"], [2, 3]),
        (["genus=Carex", "genus=Acer"], [0, 1, 2, 3]),
        (["family=Violaceae", "species=Viola canina"], [4]),
    ],
)
def test_rules(model: Path, rules, kept):
    assert np.flatnonzero(only(read_exported(model).labels, rules)).tolist() == kept


@pytest.mark.parametrize(
    ("rules", "sentence"),
    [
        (["tribe=Cariceae"], "--only tribe=Cariceae: write family=NAME, genus=NAME or species=NAME."),
        (["genus"], "--only genus: write family=NAME, genus=NAME or species=NAME."),
        (["genus=Carx"], "--only genus=Carx: the model knows no such genus; the nearest it knows is Carex."),
        (
            ["genus=Acer", "family=Violaceae"],
            "--only genus=Acer --only family=Violaceae: no species of the model is of all of them; ask for one rank.",
        ),
    ],
)
def test_rules_that_cannot_be_kept(model: Path, rules, sentence):
    with pytest.raises(Fault) as refusal:
        only(read_exported(model).labels, rules)
    assert str(refusal.value) == sentence


def test_a_checklist_of_other_plants_is_refused(model: Path):
    with pytest.raises(Fault) as refusal:
        on_checklist(read_exported(model).labels, {"Poa annua"}, where="flora.csv")
    assert str(refusal.value) == (
        "flora.csv: none of its 1 names is among the 6 species of the model; accepted names are compared "
        "(`naflora match` finds them)."
    )


def test_what_is_no_sheet_is_a_sentence(model: Path, sheets: Path, tmp_path: Path):
    code, told = call("identify", sheets / "list.csv", "--model", model)
    assert code == 1
    assert told == f"Error: {sheets / 'list.csv'}: this is not an image; give sheets as JPEG, PNG or TIFF.\n"
    with pytest.raises(Fault, match=r"no such file or folder; give a sheet, or a folder of sheets\.$"):
        find_files(tmp_path / "nowhere")
    with pytest.raises(Fault, match=r"holds no files; give a folder of sheets\.$"):
        find_files(tmp_path)


def test_an_earlier_table_is_not_written_over_unasked(model: Path, sheets: Path, tmp_path: Path):
    table = tmp_path / "found.csv"
    table.write_text("somebody's remarks")
    words = ("identify", sheets, "--model", model, "--out", table)
    code, told = call(*words)
    assert (code, table.read_text()) == (1, "somebody's remarks")
    assert told == f"Error: {table} is there already; name another, or write over it with --force.\n"
    assert call(*words, "--force")[0] == 0
    assert table.read_text().startswith("associatedMedia,")
    code, told = call("identify", sheets, "--model", model, "--out", tmp_path, "--force")
    assert (code, told) == (1, f"Error: {tmp_path} is there already; name a file, a .csv.\n")


def test_a_camera_that_lay_on_its_side_changes_nothing(model: Path, sheets: Path, tmp_path: Path):
    with Image.open(sheets / "sheet-1.jpg") as sheet:
        upright = sheet.convert("RGB")
    upright.save(tmp_path / "upright.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter to the right to see it upright
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    classifier = Classifier(read_exported(model))
    one, other = identify([tmp_path / "upright.png", tmp_path / "turned.png"], classifier)
    assert one.top == other.top
