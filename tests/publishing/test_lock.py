"""lock.json: a release names all that it was made from, and whatever differs from it is named before a build."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner
from small_world import SMALL, make_world

from naflora_etl.cli import main
from naflora_etl.engine.faults import Fault
from naflora_etl.engine.tables import cut_windows
from naflora_etl.publishing.bundle import write_tarballs
from naflora_etl.publishing.checksums import parse_sums
from naflora_etl.publishing.lock import TABLES, Lock, check_files, check_ready, check_stage, digest_table, read_lock
from naflora_etl.recipe import Recipe, make_recipe

Change = Callable[[dict[str, Any]], object]


def small_recipe(folder: Path, **sections: Any) -> Recipe:
    values = SMALL | {"release": {"audit_sample": 0}} | sections
    return make_recipe(values, folder=folder)


@pytest.fixture
def lock(release: Path) -> Lock:
    return read_lock(release)


def test_a_lock_names_inputs_answers_seeds_code_libraries_and_files(release: Path, lock: Lock) -> None:
    told = lock.values
    assert (told["name"], told["version"]) == ("small", "0.1.0")
    assert told["seeds"] == {"images.noise_seed": 1, "selection.seed": 1, "shards.shuffle_seed": 3, "split.seed": 2}
    assert set(told["tables"]) == set(TABLES) and told["tables"]["shards"]["rows"] == 10
    assert told["libraries"]["numpy"] and len(told["code"]["sha256"]) == 64
    sums = parse_sums((release / "SHA256SUMS").read_bytes())
    assert told["files"] == {name: digest for name, digest in sums.items() if name != "lock.json"}
    check_files(lock, sums)


def test_a_lock_is_read_from_a_folder_a_tarball_and_by_itself(release: Path, lock: Lock, tmp_path: Path) -> None:
    tarball, _ = write_tarballs(release, tmp_path, name="small-0.1.0")
    assert read_lock(tarball).values == read_lock(release / "lock.json").values == lock.values


def test_the_same_recipe_files_code_and_libraries_are_let_through(lock: Lock, tmp_path: Path) -> None:
    check_ready(lock, small_recipe(tmp_path, http={"contact": "somebody@else.org"}))


DIFFERENT: dict[str, tuple[Change, str]] = {
    "a seed": (lambda v: v["recipe"]["split"].update(seed=9), "split.seed is 2, the lock says 9"),
    "a library": (lambda v: v["libraries"].update(numpy="1.0"), 'the lock says "1.0"'),
    "a file": (lambda v: v["inputs"].update({"wcvp.path: wcvp.zip": "ab" * 32}),
               "wcvp.path: wcvp.zip has sha256 not there, the lock says"),
    "the code": (lambda v: v["code"].update(sha256="ab" * 32), "the code: sha256 is"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "sentence"), DIFFERENT.values(), ids=DIFFERENT)
def test_what_differs_is_named(lock: Lock, tmp_path: Path, change: Change, sentence: str) -> None:
    values = json.loads(json.dumps(lock.values))
    change(values)
    with pytest.raises(Fault, match=r"asks for something else: .*Bring back what differs") as told:
        check_ready(Lock("lock.json", values), small_recipe(tmp_path))
    assert sentence in str(told.value)


@pytest.mark.slow
def test_a_given_file_with_other_bytes_is_named(tmp_path: Path) -> None:
    (tmp_path / "flora.csv").write_text("name\nAcer rubrum\n")
    recipe = small_recipe(tmp_path, checklist={"paths": ["flora.csv"]})
    world = make_world(tmp_path / "world", checklist={"paths": [str(tmp_path / "flora.csv")]})
    world.pack_shards()
    world.write_release()
    check_ready(read_lock(world.release), recipe)
    (tmp_path / "flora.csv").write_text("name\nAcer nigrum\n")
    with pytest.raises(Fault, match=r"checklist\.paths: flora.csv has sha256 "):
        check_ready(read_lock(world.release), recipe)


def test_a_table_that_comes_out_otherwise_is_named_with_its_likely_cause(lock: Lock, tmp_path: Path) -> None:
    world = make_world(tmp_path)
    check_stage(lock, "harvest", world.tables["harvest"])
    with pytest.raises(Fault, match=r"harvest came out with 2 rows where the lock has 3.*aggregators answer otherwise"):
        check_stage(lock, "harvest", world.tables["harvest"].slice(1))
    with pytest.raises(Fault, match="images came out with 13 rows, as many as the lock has, and other ones"):
        check_stage(lock, "images", world.tables["images"].take(list(range(12, -1, -1))))


def test_when_and_where_from_a_row_came_does_not_count(tmp_path: Path) -> None:
    table = pa.table({"image_key": ["a"], "fetched_at": [1], "pack": ["x.tar"]})
    later = pa.table({"image_key": ["a"], "fetched_at": [2], "pack": ["y.tar"]})
    assert digest_table(table) == digest_table(later)
    assert digest_table(table) != digest_table(pa.table({"image_key": ["b"]}))


@pytest.mark.parametrize("sizes", [(7,), (3, 4), (1, 0, 5, 1), (2, 2, 2, 1)], ids=str)
def test_however_a_table_was_cut_its_windows_are_the_same(sizes: tuple[int, ...]) -> None:
    keys = iter("abcdefg")
    pieces = [pa.table({"key": pa.array([next(keys) for _ in range(size)], pa.string())}) for size in sizes]
    assert [window["key"].to_pylist() for window in cut_windows(pieces, 3)] == [list("abc"), list("def"), ["g"]]


def test_of_a_table_without_rows_there_is_one_window() -> None:
    empty = pa.table({"key": pa.array([], pa.string())})
    assert [window.num_rows for window in cut_windows([empty, empty], 3)] == [0]
    assert [window.num_rows for window in cut_windows([empty.slice(0, 0), pa.table({"key": list("abc")})], 3)] == [3]


def test_files_with_other_bytes_are_named(lock: Lock) -> None:
    with pytest.raises(Fault, match=r"1 files came out with other bytes than .* names, first README.md"):
        check_files(lock, lock.values["files"] | {"README.md": "0" * 64})


def test_what_is_no_lock_is_told_in_a_sentence(release: Path, tmp_path: Path) -> None:
    for number, (body, sentence) in enumerate(
        {
            "{": "is not a lock of a release",
            "[]": "is not a lock of a release",
            '{"lock": 7}': "has form 7, this version knows 1",
            '{"lock": 1}': "lacks code, files, inputs, libraries, recipe, tables",
        }.items()
    ):
        path = tmp_path / f"{number}.json"
        path.write_text(body)
        with pytest.raises(Fault, match=sentence):
            read_lock(path)
    told = CliRunner().invoke(main, ["build", "demo", "--locked", str(tmp_path / "nowhere")])
    assert told.exit_code == 1 and "no such release" in told.output
