"""Opening a release: what learning takes from it, and what it says of a broken one."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from naflora_etl.engine.faults import Fault
from naflora_etl.learning.releases import open_release


def test_classes_and_parts(release: Path):
    opened = open_release(release)
    assert opened.classes.species[:2] == ("Acer rubrum", "Acer saccharum")
    assert opened.classes.groups("genus").tolist() == [0, 0, 1, 1, 2, 2]
    assert opened.classes.groups("family").tolist() == [1, 1, 0, 0, 2, 2]
    assert (len(opened.part("train")), len(opened.part("test"))) == (48, 18)
    assert list(opened.part("train").image_keys) == sorted(opened.part("train").image_keys)


def _edit(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    pq.write_table(change(pq.read_table(path)), path)


def _set(table: pa.Table, column: str, value: object) -> pa.Table:
    values = pa.array([value, *table[column].to_pylist()[1:]])
    return table.set_column(table.column_names.index(column), column, values)


BROKEN = {
    "no folder": (
        lambda at: at.rename(at.with_name("elsewhere")),
        "{at}: no such release folder; `naflora build` makes one.",
    ),
    "no manifest": (
        lambda at: (at / "manifest.parquet").unlink(),
        "{at} has no manifest.parquet, so it is no release folder; give the folder that holds it.",
    ),
    "no classes": (
        lambda at: (at / "classes.parquet").unlink(),
        "{at} has no classes.parquet, so it is no release folder; give the folder that holds it.",
    ),
    "manifest of another kind": (
        lambda at: _edit(at / "manifest.parquet", lambda table: table.drop_columns(["offset", "shard"])),
        "{at}/manifest.parquet has no column shard, offset; it was not made as a release of this kind.",
    ),
    "hole in the manifest": (
        lambda at: _edit(at / "manifest.parquet", lambda table: _set(table, "part", None)),
        "{at}/manifest.parquet has empty values in part; `naflora verify` tells all that is wrong with a release.",
    ),
    "class numbers with a gap": (
        lambda at: _edit(at / "classes.parquet", lambda table: table.filter(pc.not_equal(table["class_id"], 2))),
        "{at}/classes.parquet: class_id does not count from 0 to 4; `naflora verify` tells all that is wrong with a "
        "release.",
    ),
    "no class at all": (
        lambda at: _edit(at / "classes.parquet", lambda table: table.slice(0, 0)),
        "{at}/classes.parquet holds no classes; `naflora verify` tells all that is wrong with a release.",
    ),
    "image of an unknown class, and a missing shard": (
        lambda at: (
            _edit(at / "manifest.parquet", lambda table: _set(table, "class_id", 99)),
            (at / "train-000001.tar").unlink(),
        ),
        "{at} is not a whole release: 1 images are of classes that classes.parquet lacks, first 99; shard "
        "train-000001.tar is missing. `naflora verify` tells all that is wrong with a release.",
    ),
    "shard outside the folder": (
        lambda at: _edit(at / "manifest.parquet", lambda table: _set(table, "shard", "../secret.tar")),
        '{at} is not a whole release: "../secret.tar" is not the name of a file in it. `naflora verify` tells all that '
        "is wrong with a release.",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_release_is_told_in_one_sentence(case: str, make_release: Callable[..., Path]):
    folder = make_release(train=2, test=1)
    spoil, message = BROKEN[case]
    spoil(folder)
    with pytest.raises(Fault) as refusal:
        open_release(folder)
    assert str(refusal.value) == message.format(at=folder)


def test_a_truncated_shard_is_told_with_both_lengths(make_release: Callable[..., Path]):
    folder = make_release(train=2, test=1)
    shard = folder / "train-000000.tar"
    shard.write_bytes(shard.read_bytes()[:3000])
    with pytest.raises(Fault, match=r"shard train-000000\.tar is cut short \(3000 bytes, \d+ needed\)"):
        open_release(folder)


def test_a_truncated_manifest_is_no_parquet(make_release: Callable[..., Path]):
    folder = make_release(train=2, test=1)
    path = folder / "manifest.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(Fault, match=r"manifest\.parquet cannot be read as Parquet \(.*\); take it anew\.$"):
        open_release(folder)


def test_the_tarball_itself_is_not_a_folder(tmp_path: Path):
    (tmp_path / "demo-0.1.0.tar.gz").write_bytes(b"...")
    with pytest.raises(Fault, match="is a file; unpack the tarball"):
        open_release(tmp_path / "demo-0.1.0.tar.gz")


def test_scoring_needs_no_shards(make_release: Callable[..., Path]):
    folder = make_release(train=2, test=1)
    for shard in folder.glob("*.tar"):
        shard.unlink()
    assert len(open_release(folder, need_images=False).part("test")) == 6
