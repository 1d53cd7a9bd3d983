"""release: the folder to publish is whole, tells the truth, and comes out the same every time."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from pathlib import Path

import pytest
from small_world import SmallWorld, key_of, make_table, make_world

from naflora_etl.engine.contracts import check_table, read_contract
from naflora_etl.engine.faults import Fault
from naflora_etl.engine.tables import read_parquet
from naflora_etl.publishing.verify import verify_release

FILES = [
    "ACKNOWLEDGEMENTS.txt", "CITATION.cff", "README.md", "SHA256SUMS", "attribution.csv", "citations.bib",
    "citations.json", "classes.parquet", "croissant.json", "datapackage.json", "datasets.parquet",
    "derived_dataset.json", "excluded.parquet", "host_bill.csv", "lock.json", "manifest.parquet", "names.parquet",
    "recipe.json", "report.html", "sample_submission.csv", "specimens.parquet", "test-00000.tar", "test_metadata.json",
    "train-00000.tar", "train-00001.tar", "train_metadata.json", "withdrawn.csv",
]  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> SmallWorld:
    world = make_world(tmp_path_factory.mktemp("world"), release={"title": "A <small> & honest set", "version": "1.2"})
    world.pack_shards()
    world.tables["release"] = world.write_release()
    return world


def test_the_table_lists_the_files_as_they_are(world: SmallWorld) -> None:
    made = world.tables["release"]
    assert check_table(made, read_contract("release")) == []
    assert made["path"].to_pylist() == FILES == sorted(path.name for path in world.release.iterdir())
    for row in made.to_pylist():
        data = (world.release / row["path"]).read_bytes()
        assert (row["size_bytes"], row["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())


def test_the_same_tables_give_the_same_bytes_in_another_place(world: SmallWorld, tmp_path: Path) -> None:
    again = make_world(tmp_path / "elsewhere", release={"title": "A <small> & honest set", "version": "1.2"})
    again.pack_shards()
    assert again.write_release().equals(world.tables["release"])


@pytest.mark.parametrize("name", ["manifest", "classes", "excluded", "specimens", "datasets", "names"])
def test_published_tables_keep_their_contracts(world: SmallWorld, name: str) -> None:
    assert check_table(read_parquet(world.release / f"{name}.parquet"), read_contract(name)) == []


def test_the_manifest_joins_what_the_stages_know(world: SmallWorld) -> None:
    manifest = read_parquet(world.release / "manifest.parquet")
    assert manifest["image_key"].to_pylist() == world.tables["shards"]["image_key"].to_pylist()
    row = next(r for r in manifest.to_pylist() if r["image_key"] == key_of("http://127.0.0.3/w-10/1.jpg"))
    told = {
        "part": "train", "class_id": 0, "taxon_name": "Acer rubrum", "taxon_authors": "L.", "family": "Sapindaceae",
        "specimen_key": "NY:00000001", "gathering_key": "smith|1|1901", "institutionCode": "MO|<b>",
        "license": "CC-BY-4.0", "license_verbatim": 'CC, "as is"', "source": "gbif", "text_boxes": 1,
        "image_url": "http://127.0.0.3/w-10/1.jpg", "source_width_px": 480,
    }  # fmt: skip
    assert {name: row[name] for name in told} == told


def test_classes_count_their_images(world: SmallWorld) -> None:
    rows = read_parquet(world.release / "classes.parquet").to_pylist()
    assert [(r["class_id"], r["taxon_name"], r["images_train"], r["images_test"]) for r in rows] == [
        (0, "Acer rubrum", 3, 1),
        (1, "Acer saccharum", 2, 1),
        (2, "Viola × odorata", 2, 1),
    ]


def test_excluded_names_everything_that_was_set_aside(world: SmallWorld) -> None:
    rows = read_parquet(world.release / "excluded.parquet").to_pylist()
    assert [(r["stage"], r["issue"]) for r in rows] == [
        ("records", "LICENSE_UNKNOWN"),
        ("records", "NO_RECORDS"),
        ("selection", "OVER_CAP"),
        *sorted(
            [("images", "HTTP_GONE"), ("images", "SPARE_NOT_NEEDED")],
            key=lambda pair: key_of(f"http://127.0.0.4/{pair[1]}.jpg"),
        ),
        ("split", "TOO_FEW_IMAGES"),
    ]
    assert rows[-1]["image_url"] == "http://127.0.0.4/TOO_FEW_IMAGES.jpg"
    assert rows[-1]["record_key"] == "gbif:94/0"


def test_attribution_names_every_image(world: SmallWorld) -> None:
    with (world.release / "attribution.csv").open(encoding="utf-8", newline="") as stream:
        rows = {row["image_key"]: row for row in csv.DictReader(stream)}
    assert sorted(rows) == world.tables["shards"]["image_key"].to_pylist()
    assert rows[key_of("http://127.0.0.3/w-10/1.jpg")] == {
        "image_key": key_of("http://127.0.0.3/w-10/1.jpg"), "creator": "", "rightsHolder": "The Herbarium",
        "institution": "MO|<b>", "license": "CC-BY-4.0", "license_verbatim": 'CC, "as is"',
        "url": "http://127.0.0.3/w-10/1.jpg", "source": "gbif",
    }  # fmt: skip


def test_the_report_needs_nothing_but_itself(world: SmallWorld) -> None:
    page = (world.release / "report.html").read_text()
    assert "A &lt;small&gt; &amp; honest set" in page and "<small> &" not in page
    assert "MO|&lt;b&gt;" in page
    assert not re.search(r"<link|@import|url\(http|<script[^>]|src=\"(?!data:)", page) and page.count("<script>") == 1
    assert page.count('src="data:image/jpeg;base64,') == 2 * 6, "six images had a thumbnail from before"
    apart = page[page.index('id="apart"') : page.index('id="makers"')]
    for sentence in ("no file, no specimen, no gathering", "pictures of one species that look the same, 4 bits of 64"):
        assert sentence in apart
    makers = page[page.index('id="makers"') : page.index('id="where"')]
    table = makers[: makers.index("Images of each data set")]
    shares = [re.findall(r'<td class="n">([^<]*)</td>', row) for row in re.findall(r"<tr>.*?</tr>", table)][1:]
    assert sum(int(train) for _, _, train, _ in shares) == 7 and sum(int(test) for _, _, _, test in shares) == 3
    for sentence in ("The server has no such image", "No name of the backbone is like it", "SPARE_NOT_NEEDED"):
        assert sentence in page


def test_the_card_counts_and_computes(world: SmallWorld) -> None:
    card = (world.release / "README.md").read_text()
    head = card.split("---\n")[1]
    assert 'pretty_name: "A <small> & honest set"' in head and "license: cc-by-nc-4.0" in head
    assert "| 10 | 7 | 3 | 3 | 2 | 2 | 10 | 2 |" in card
    assert "| MO\\|&lt;b> | 3 |" in card
    assert "12 boxes" in card and "`distances` is empty" in card


def test_the_published_recipe_leaks_no_path_and_no_person(tmp_path: Path) -> None:
    for name in ("flora.csv", "wcvp.zip"):
        (tmp_path / name).write_text(name)
    world = make_world(
        tmp_path, checklist={"paths": ["flora.csv"]}, wcvp={"path": "wcvp.zip"}, http={"contact": "me@example.org"}
    )
    world.pack_shards()
    world.write_release()
    text = (world.release / "recipe.json").read_text()
    assert json.loads(text)["checklist"]["paths"] == ["flora.csv"]
    for path in world.release.iterdir():
        assert str(tmp_path).encode() not in path.read_bytes() and b"me@example.org" not in path.read_bytes(), path.name


def test_the_release_tells_which_backbone_its_names_are_from(world: SmallWorld) -> None:
    told = json.loads((world.release / "recipe.json").read_text())["backbone"]
    assert told == {"file": "wcvp.zip", "layout": "wcvp", "version": "12", "sha256": "ab" * 32}
    assert "version 12, sha256 abababababab |" in (world.release / "README.md").read_text()


def test_a_licence_nobody_stated_is_published_as_such_when_the_recipe_allows_it(tmp_path: Path) -> None:
    world = make_world(tmp_path, records={"unknown_license": "allow"})
    world.change("records", key_of("http://127.0.0.3/w-10/1.jpg"), license=None)
    world.pack_shards()
    world.write_release()
    licenses = read_parquet(world.release / "manifest.parquet")["license"].to_pylist()
    assert licenses.count("NOASSERTION") == 1
    assert "do not add up to one" in (world.release / "README.md").read_text()


def test_a_class_of_a_genus_is_published_under_its_name(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    for row in world.tables["split"].to_pylist():
        if row["class_id"] is not None and row["class_id"] < 2:  # both maples
            world.change("split", row["image_key"], class_id=0, class_key="genus:Acer")
        elif row["class_id"] == 2:
            world.change("split", row["image_key"], class_id=1)
    world.pack_shards()
    world.write_release()
    rows = read_parquet(world.release / "classes.parquet").to_pylist()
    assert [(r["taxon_id"], r["taxon_name"], r["genus"], r["family"], r["images_train"]) for r in rows] == [
        ("genus:Acer", "Acer", "Acer", "Sapindaceae", 5),
        ("w-2", "Viola × odorata", "Viola", "Violaceae", 2),
    ]
    manifest = read_parquet(world.release / "manifest.parquet")
    assert set(manifest["taxon_name"].to_pylist()) == {"Acer", "Viola × odorata"}
    assert not verify_release(world.release)


def test_a_class_that_lost_all_its_images_keeps_its_number(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    for row in world.tables["split"].to_pylist():
        if row["class_id"] == 1:
            world.change("images", row["image_key"], pack="gone.tar")
    world.pack_shards()
    world.write_release()
    rows = read_parquet(world.release / "classes.parquet").to_pylist()
    assert [(r["class_id"], r["images_train"] + r["images_test"]) for r in rows] == [(0, 4), (1, 0), (2, 3)]


def test_what_is_missing_in_what_was_given_is_told(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    rows = [row | {"family": None} if row["taxon_id"] == "w-2" else row for row in world.tables["taxa"].to_pylist()]
    world.tables["taxa"] = make_table("taxa", rows)
    world.pack_shards()
    with pytest.raises(Fault, match="column family: 3 values are missing"):
        world.write_release()


def test_nothing_to_publish_is_told(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    world.tables["shards"] = make_table("shards", [])
    with pytest.raises(Fault, match="no image came through to the end"):
        world.write_release()


def test_the_report_tells_what_changed_since_the_release_before(world: SmallWorld, tmp_path: Path) -> None:
    later = make_world(tmp_path, release={"version": "2", "previous": str(world.release)})
    moved = key_of("http://127.0.0.3/w-10/1.jpg")
    later.tables["taxa"] = make_table(
        "taxa",
        [
            row | {"taxon_name": "Acer novum"} if row["taxon_id"] == "w-11" else row
            for row in later.tables["taxa"].to_pylist()
        ],
    )
    later.change("split", moved, issue="TOO_FEW_IMAGES", class_id=None, part=None)
    later.pack_shards()
    later.write_release()
    page = (later.release / "report.html").read_text()
    told = page[page.index('id="changes"') : page.index('id="cite"')]
    assert "Since small 1.2: 10 images then, 9 now." in told and "The test set is untouched" in told
    assert "<i>Acer saccharum</i>" in told and "<i>Acer novum</i>" in told
    assert str(tmp_path) not in (later.release / "recipe.json").read_text()


def test_a_release_before_that_is_not_there_is_told(tmp_path: Path) -> None:
    world = make_world(tmp_path, release={"previous": str(tmp_path / "none")})
    world.pack_shards()
    with pytest.raises(Fault, match="none"):
        world.write_release()


def test_the_bill_names_every_server(world: SmallWorld) -> None:
    with (world.release / "host_bill.csv").open(newline="") as stream:
        assert list(csv.reader(stream)) == [
            ["host", "images", "size_bytes", "in_vain", "reasons"],
            ["127.0.0.2", "5", "45000", "0", ""],
            ["127.0.0.3", "5", "45000", "0", ""],
            ["127.0.0.4", "1", "0", "1", "HTTP_GONE 1"],
        ]
