"""A curator's list of likely mislabels: which sheets stand on it, in what order, and what it says of them."""

import csv
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from naflora_etl.cli import main
from naflora_etl.engine.faults import Fault
from naflora_etl.learning.cabinet.review import Tell, Told, differs_at, find_disputes, review_labels
from naflora_etl.learning.cabinet.tellers import open_teller
from naflora_etl.learning.releases import Part, open_release


def relabel(folder: Path, planted: dict[int, int]) -> list[str]:
    """Give the first test sheet of each class another label; return the keys, in order of `planted`."""
    table = pq.read_table(folder / "manifest.parquet")
    rows, keys = [row | {"catalogNumber": None, "institutionCode": "NY"} for row in table.to_pylist()], []
    for was, now in planted.items():
        row = next(row for row in rows if row["part"] == "test" and row["class_id"] == was)
        keys.append(row["image_key"])
        row |= {"class_id": now, "catalogNumber": f"NY-{was}"}
    pq.write_table(pa.Table.from_pylist(rows), folder / "manifest.parquet")
    return keys


def knowing(folder: Path) -> Tell:
    """A teller that knows what was drawn, as surely as its class is easy: .95 for the first, less for the next."""
    rows = pq.read_table(folder / "manifest.parquet").to_pylist()
    drawn = {row["image_key"]: row["class_id"] for row in rows}

    def tell(part: Part) -> Iterator[np.ndarray]:
        for key in part.image_keys:
            sure = 0.95 - 0.1 * drawn[key]
            told = np.full((1, 6), (1 - sure) / 5)
            told[0, drawn[key]] = sure
            yield told

    return tell


def test_planted_mislabels_are_found_the_surest_first(make_release: Callable[..., Path], tmp_path: Path):
    folder = make_release()
    tell = knowing(folder)
    keys = relabel(folder, {3: 2, 0: 4})
    found = review_labels(open_release(folder), tell, tmp_path / "review", name="a knowing one")
    assert str(found) == f"{tmp_path / 'review'}: the model confidently disputes 2 of 18 labels."
    rows = list(csv.DictReader((tmp_path / "review" / "review.csv").read_text().splitlines()))
    assert [row["image_key"] for row in rows] == [keys[1], keys[0]]
    assert [(row["label"], row["predicted"], row["differs_at"]) for row in rows] == [
        ("Viola canina", "Acer rubrum", "family"),
        ("Carex alba", "Carex flava", "species"),
    ]
    assert [(row["institutionCode"], row["catalogNumber"], row["verdict"]) for row in rows] == [
        ("NY", "NY-0", ""),
        ("NY", "NY-3", ""),
    ]


def test_the_page_shows_each_beside_its_like(make_release: Callable[..., Path], tmp_path: Path):
    folder = make_release()
    tell = knowing(folder)
    relabel(folder, {3: 2, 0: 4})
    found = review_labels(open_release(folder), tell, tmp_path / "out", name="a knowing one", most=1)
    assert (found.disputed, found.shown) == (2, 1)
    page = (tmp_path / "out" / "review.html").read_text()
    assert page.count("<article>") == 1
    assert page.count('src="data:image/jpeg;base64,') == 3
    assert "the surest 1 are here" in re.sub(r"\s+", " ", page)
    # nothing comes from elsewhere
    assert "http" not in page


def test_a_hard_class_asks_for_less_certainty_than_an_easy_one():
    # class 0 is told at .9 of its own sheets, class 1 at .5 of its own
    told = Told(
        predicted=np.array([0, 1, 0, 1, 0]),
        confidence=np.array([0.9, 0.5, 0.8, 0.6, 0.95]),
        of_label=np.array([0.9, 0.5, 0.2, 0.4, 0.05]),
    )
    labels = np.array([0, 1, 1, 0, 1])
    # usual: class 0 (.9 + .4) / 2 = .65, class 1 (.5 + .2 + .05) / 3 = .25
    assert find_disputes(told, labels, 2).tolist() == [4, 2, 3]
    shy = Told(told.predicted, np.array([0.9, 0.5, 0.6, 0.6, 0.95]), told.of_label)
    assert find_disputes(shy, labels, 2).tolist() == [4, 3]  # .6 is less than class 0 usually has


@pytest.mark.parametrize(("one", "other", "rank"), [(0, 1, "species"), (0, 2, "family")])
def test_differs_at(release: Path, one: int, other: int, rank: str):
    assert differs_at(open_release(release).classes, one, other) == rank


def test_a_run_and_its_export_say_the_same(run: Path, model: Path, release: Path, tmp_path: Path):
    for who in (run, model):
        called = CliRunner().invoke(main, ["review", str(who), str(release), "--out", str(tmp_path / who.name)])
        assert called.exit_code == 0, called.output
        assert re.search(r"confidently disputes \d+ of 18 labels\.$", called.output.strip())
    part = open_release(release).part("test")
    by_torch, by_onnx = (np.concatenate(list(open_teller(who)[2](part))) for who in (run, model))
    assert (by_torch.argmax(axis=1) == by_onnx.argmax(axis=1)).all()


def test_what_is_refused(run: Path, release: Path, make_release: Callable[..., Path], tmp_path: Path):
    other = make_release(classes=5)
    called = CliRunner().invoke(main, ["review", str(run), str(other), "--out", str(tmp_path / "out")])
    assert "has 5; they differ first at class 5: Viola odorata in" in called.output
    assert not (tmp_path / "out").exists()
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(
        Fault, match=r"is not empty, and may hold somebody's verdicts; give a new or an empty folder\.$"
    ):
        review_labels(open_release(release), knowing(release), tmp_path, name="")
