"""How images are spread: counts and thresholds by hand, and what is no table."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner

from naflora_etl.cli import main
from naflora_etl.engine.faults import Fault
from naflora_etl.publishing.distribution import describe, draw_distribution, read_rows

ROWS = pa.table(
    {
        "taxon_name": ["Carex alba"] * 6 + ["Carex flava"] * 2 + ["Viola canina"] * 4 + [None],
        "family": ["Cyperaceae"] * 8 + ["Violaceae"] * 4 + [None],
    }
)


def test_the_shape_by_hand():
    found = describe(ROWS, rare=3, cap=5)
    assert str(found) == (
        "12 images of 3 classes: 2 to 6 a class, median 4, mean 4.0, SD 1.6. 1 more have no class.\n"
        "1 classes have fewer than 3 images (2 images); 1 have more than 5 (1 images above).\n"
        "  Cyperaceae       2 classes          8 images\n"
        "  Violaceae        1 classes          4 images"
    )
    assert found.sd == pytest.approx(np.std([6, 2, 4]))


def test_the_order_of_rows_has_no_say():
    shuffled = ROWS.take(pa.array(np.random.default_rng(1).permutation(13)))
    assert describe(shuffled).as_dict() == describe(ROWS).as_dict()


def test_a_table_as_biotrove_has_them_and_a_figure(tmp_path: Path):
    (tmp_path / "meta.csv").write_text(
        "photo_id,phylum,species\n1,Tracheophyta,alba\n2,Tracheophyta,alba\n3,Chordata,pica\n"
    )
    words = ["stats", str(tmp_path / "meta.csv"), "--by", "phylum", "--plot", str(tmp_path / "tail.png")]
    called = CliRunner().invoke(main, words)
    assert called.output.startswith("3 images of 2 classes: 1 to 2 a class, median 1.5")
    assert (tmp_path / "tail.png").read_bytes().startswith(b"\x89PNG")


def test_the_figure_of_a_long_tail_has_the_same_bytes_twice(tmp_path: Path):
    names = [f"species {number}" for number in range(60) for _ in range(1 + 3000 // (number + 1) // 10)]
    found = describe(pa.table({"taxon_name": names}), by=None, rare=10, cap=100)
    for name in ("one.png", "two.png"):
        draw_distribution(found, tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"by": "order"}, "there is no column order; there are taxon_name, family."),
        ({"class_column": "name"}, "there is no column name; there are taxon_name, family."),
    ],
)
def test_columns_that_are_not_there(options, sentence):
    with pytest.raises(Fault) as refusal:
        describe(ROWS, **options)
    assert str(refusal.value) == sentence


def test_what_is_no_table(tmp_path: Path):
    with pytest.raises(
        Fault, match=r"no such table; give a release folder, or a table of images as \.parquet or \.csv\.$"
    ):
        read_rows(tmp_path)
    (tmp_path / "manifest.parquet").write_text("nothing")
    with pytest.raises(Fault, match=r"manifest\.parquet cannot be read as a table"):
        read_rows(tmp_path)
