"""The way on real input: the authors' own checklists, The Plant List, SEINet's archive, real sheets."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pyarrow as pa
import pytest
from click.testing import CliRunner

from naflora_etl.cli import main
from naflora_etl.engine.receipts import Receipts
from naflora_etl.engine.tables import read_parquet
from naflora_etl.engine.workspace import Workspace
from naflora_etl.publishing.verify import verify_release

ROOT = Path(__file__).parents[2]
DATA = ROOT / "../shared/data"
PORT = 8651
"""Not the benchmark's own, so that both can run at once."""
SHEETS = 7

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is absent: the real input cannot be read"),
]


def naflora(*arguments: str) -> str:
    shown = CliRunner().invoke(main, list(arguments), catch_exceptions=False)
    assert shown.exit_code == 0, shown.output
    return shown.output


def funnel_of(work: Path) -> dict[str, tuple[int, dict[str, int]]]:
    """Return {stage: (clean rows, set aside by reason)}."""
    rows = json.loads(naflora("status", "--json", "--work", str(work)))
    return {row["stage"]: (row["clean"], row["issues"]) for row in rows}


def table_of(work: Path, stage: str) -> pa.Table:
    return Receipts(Workspace(str(work))).table(stage)


@pytest.fixture(scope="module")
def seinet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("seinet") / "data"
    naflora("build", str(ROOT / "recipes/real-seinet.toml"), "--until", "selection", "--work", str(work))
    return work


def test_the_authors_checklists_meet_the_plant_list(seinet: Path) -> None:
    funnel = funnel_of(seinet)
    assert funnel["checklist"] == (28_754, {"CHECKLIST_NAME_REPEATED": 3_354}), "names of both countries"
    assert funnel["wcvp"] == (761_993, {})
    assert funnel["taxa"] == (
        22_242,
        # most of the names not found are of genera that this extract of The Plant List lacks whole (Salix, Trifolium)
        {
            "NAME_NOT_FOUND": 2_756, "RANK_NOT_WANTED": 2_675, "NAME_UNPLACED": 881, "NAME_NEEDS_REVIEW": 105,
            "NAME_AMBIGUOUS": 95,
        },
    )  # fmt: skip
    taxa = table_of(seinet, "taxa")
    assert Counter(taxa["match_type"].to_pylist()) == {
        "exact_with_author": 20_024, "none": 5_536, "exact": 2_743, "fuzzy": 451,
    }  # fmt: skip
    assert len(taxa["taxon_id"].drop_null().unique()) == 16_227


def test_seinets_archive_becomes_records_and_a_choice_of_images(seinet: Path) -> None:
    """1,894 specimens and 776 media: 1,914 rows, of which the 16,226 other taxa of the checklist come apart."""
    funnel = funnel_of(seinet)
    assert funnel["records"] == (
        695,
        {
            "NO_RECORDS": 16_226, "NO_IMAGE": 943, "IMAGE_IS_WEB_PAGE": 2, "OUTSIDE_REGION": 146,
            "RECORD_IS_OBSERVATION": 121, "RECORD_IS_LIVING": 1, "NAME_DOUBTFUL": 5,
            "NAME_NOT_ON_CHECKLIST": 1,
        },
    )  # fmt: skip
    assert funnel["selection"] == (584, {"HOST_NOT_CHOSEN": 111})
    rows = [row for row in table_of(seinet, "records").to_pylist() if row["issue"] != "NO_RECORDS"]
    assert len(rows) == 1_914
    assert len({row["source_record_id"] for row in rows}) == 1_894
    assert sum(row["image_url"] is not None for row in rows) == 776
    assert len({row["host"] for row in rows if row["host"]}) == 21


def test_of_two_licences_that_contradict_the_stricter_holds(seinet: Path) -> None:
    clean = [row for row in table_of(seinet, "records").to_pylist() if row["issue"] is None]
    assert Counter(row["license"] for row in clean) == {"CC-BY-NC-SA": 694, "CC0-1.0": 1}


def test_servers_are_chosen_by_what_they_hold(seinet: Path) -> None:
    rows = table_of(seinet, "selection").to_pylist()
    assert Counter(row["host"] for row in rows if row["role"] == "chosen") == {
        "cch2.org": 221, "swbiodiversity.org": 179, "api.idigbio.org": 86, "data.huh.harvard.edu": 55,
        "bry.byu.edu": 43,
    }  # fmt: skip


def test_names_meet_the_rows_of_wcvp(tmp_path: Path) -> None:
    """The extract holds Poa and Clethra only; a synonym of a genus beyond it has no accepted taxon there."""
    checklists = sorted(DATA.joinpath("checklist").glob("Tropicos*.dat"))
    recipe = tmp_path / "wcvp.toml"
    recipe.write_text(
        f'name = "wcvp"\n[checklist]\npaths = {json.dumps([str(path.resolve()) for path in checklists])}\n'
        f"[wcvp]\npath = {json.dumps(str((DATA / 'names/wcvp_extract/wcvp_names.csv').resolve()))}\n",
        encoding="utf-8",
    )
    naflora("build", str(recipe), "--until", "taxa", "--work", str(tmp_path / "data"))
    funnel = funnel_of(tmp_path / "data")
    assert funnel["wcvp"] == (3_687, {})
    aside = {"NAME_NOT_FOUND": 25_892, "RANK_NOT_WANTED": 2_675, "NAME_UNPLACED": 11}
    assert funnel["taxa"] == (173, aside | {"NAME_ILLEGITIMATE": 2, "NAME_INVALID": 1})


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    path = ROOT / "benchmarks/real_sheets.py"
    spec = importlib.util.spec_from_file_location("real_sheets", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_archive_names_every_sheet_by_its_latest_determination(benchmark: ModuleType) -> None:
    sheets = {sheet["catalogNumber"]: sheet["scientificName"] for sheet in benchmark.list_sheets(DATA / "images")}
    assert len(sheets) == 79
    assert sheets["NY_01334454"] == "Capraria biflora L."  # 1996; a slip of 1919 only says C. b.
    assert sheets["NY_01498110"] == "Mitreola petiolata (J.F. Gmel.) Torr. & A. Gray"  # the label: Cynoctonum mitreola
    assert sheets["NY_01498031"] == "Linociera"
    assert sheets["SWMT01849"] == "Cannabis sativa"


@pytest.mark.slow
def test_real_sheets_go_the_whole_way(benchmark: ModuleType, tmp_path: Path) -> None:
    """The last sheets are of two species: five of Spigelia anthelmia, two of Polypremum procumbens."""
    assert benchmark.build(DATA.parent, tmp_path, port=PORT, limit=SHEETS).returncode == 0
    work, release = tmp_path / "data", tmp_path / "data/release"
    funnel = funnel_of(work)
    assert funnel["records"] == (SHEETS, {"NO_RECORDS": 16_225})
    for stage in ("selection", "images", "split", "shards"):
        assert funnel[stage] == (SHEETS, {}), stage
    assert verify_release(release) == []

    manifest = read_parquet(release / "manifest.parquet").to_pylist()
    assert Counter((row["taxon_name"], row["part"]) for row in manifest) == {
        ("Polypremum procumbens", "train"): 1, ("Polypremum procumbens", "test"): 1,
        ("Spigelia anthelmia", "train"): 4, ("Spigelia anthelmia", "test"): 1,
    }  # fmt: skip
    train = json.loads((release / "train_metadata.json").read_text(encoding="utf-8"))
    test = json.loads((release / "test_metadata.json").read_text(encoding="utf-8"))
    assert (len(train["images"]), len(train["annotations"]), len(train["categories"]), len(test)) == (5, 5, 2, 2)
    assert {image["image_id"] for image in train["images"]} | {str(image["image_id"]) for image in test} == {
        row["image_id"] for row in manifest
    }
    # every sheet has labels; not one of them came out untouched
    assert min(row["text_boxes"] for row in manifest) > 20

    # nobody serves the sheets any more, and nobody needs to be asked
    before = {path.name: path.read_bytes() for path in release.iterdir()}
    assert benchmark.rebuild(DATA.parent, tmp_path).returncode == 0
    assert {path.name: path.read_bytes() for path in release.iterdir()} == before
