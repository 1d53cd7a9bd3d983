"""verify: a whole release passes; whatever is wrong with one is found and named."""

from __future__ import annotations

import json
import random
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from small_world import SmallWorld, draw_jpeg, key_of, make_world

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.tables import read_parquet, write_parquet
from naflora_etl.publishing.bundle import write_tarballs
from naflora_etl.publishing.checksums import render_sums, sum_stream
from naflora_etl.publishing.verify import verify_release

CopyRelease = Callable[[], Path]


def told(path: Path) -> str:
    return "\n".join(map(str, verify_release(path)))


def sum_anew(folder: Path) -> None:
    """Make SHA256SUMS right again, so that only the promise itself can give a change away."""
    sums = {}
    for path in folder.iterdir():
        if path.name != "SHA256SUMS":
            with path.open("rb") as stream:
                sums[path.name] = sum_stream(stream).sha256
    (folder / "SHA256SUMS").write_bytes(render_sums(sums))


def change_table(folder: Path, name: str, column: str, values: Callable[[list[Any]], list[Any]]) -> None:
    table = read_parquet(folder / f"{name}.parquet")
    number = table.column_names.index(column)
    made = pa.array(values(table[column].to_pylist()), table[column].type)
    with (folder / f"{name}.parquet").open("wb") as stream:
        write_parquet(table.set_column(number, column, made), stream)


def release_of(world: SmallWorld) -> Path:
    world.pack_shards()
    world.write_release()
    return world.release


def test_sums_that_list_nothing_promise_nothing(copy_release: CopyRelease) -> None:
    folder = copy_release()
    (folder / "SHA256SUMS").write_bytes(b"")
    assert told(folder) == "SHA256SUMS: it lists no file; take the file anew from where the release came from."


MARKERS = {
    "of another release": (b'{"SHA256SUMS": "00"}', "it names another SHA256SUMS, so another release was published"),
    "no marker": (b"[]", "it is no marker of a published release"),
    "no JSON": (b"\xff", "it is no marker of a published release"),
}


@pytest.mark.parametrize(("marker", "sentence"), MARKERS.values(), ids=MARKERS)
def test_a_marker_that_is_not_this_release_s_is_found(copy_release: CopyRelease, marker: bytes, sentence: str) -> None:
    folder = copy_release()
    (folder / "PUBLISHED.json").write_bytes(marker)
    assert told(folder).startswith(f"PUBLISHED.json: {sentence}")


# what is whole


def test_a_whole_release_keeps_its_promises_as_a_folder_a_tarball_and_in_parts(release: Path, tmp_path: Path) -> None:
    whole, _ = write_tarballs(release, tmp_path / "whole", name="small-0.1.0")
    *parts, _ = write_tarballs(release, tmp_path / "parts", name="small-0.1.0", part_size_bytes=9_999)
    for path in (release, whole, parts[0], parts[-1]):
        assert told(path) == ""


def test_progress_is_told_in_bytes_to_the_end(release: Path) -> None:
    seen: list[tuple[int, int, str]] = []
    verify_release(release, lambda done, total, note="": seen.append((done, total, note)))
    total = sum(path.stat().st_size for path in release.iterdir())
    assert seen[-1][1] == total and seen[-1][0] == total - (release / "SHA256SUMS").stat().st_size


# a single changed byte


def test_a_flipped_bit_anywhere_in_the_folder_is_found(copy_release: CopyRelease) -> None:
    folder, dice = copy_release(), random.Random(7)
    for path in sorted(folder.iterdir()):
        body = path.read_bytes()
        for place in {0, len(body) - 1, *(dice.randrange(len(body)) for _ in range(4))}:
            flipped = bytearray(body)
            flipped[place] ^= 1 << dice.randrange(8)
            path.write_bytes(flipped)
            assert path.name in told(folder), f"byte {place} of {path.name}"
        path.write_bytes(body)
    assert told(folder) == ""


@pytest.mark.parametrize("cut", [None, 60_000], ids=["whole", "in parts"])
def test_a_flipped_bit_anywhere_in_a_tarball_is_found(release: Path, tmp_path: Path, cut: int | None) -> None:
    *paths, _ = write_tarballs(release, tmp_path, name="s", part_size_bytes=cut)
    dice = random.Random(8)
    for path in paths:
        body = path.read_bytes()
        headers = [0, 100, 124, 156, 257, 345, 511] if path is paths[0] else []
        for place in {*headers, len(body) - 1, *(dice.randrange(len(body)) for _ in range(12))}:
            flipped = bytearray(body)
            flipped[place] ^= 1 << dice.randrange(8)
            path.write_bytes(flipped)
            try:
                assert told(paths[0]), f"byte {place} of {path.name}"
            except Fault as fault:
                assert "is not a whole tarball" in str(fault)
        path.write_bytes(body)
    assert told(paths[0]) == ""


@pytest.mark.parametrize("change", ["lost", "added", "cut short", "grown"])
def test_lost_added_and_cut_files_are_found(copy_release: CopyRelease, change: str) -> None:
    folder = copy_release()
    shard = folder / "train-00000.tar"
    if change == "lost":
        shard.unlink()
    elif change == "added":
        (folder / "train-00009.tar").write_bytes(shard.read_bytes())
    elif change == "cut short":
        shard.write_bytes(shard.read_bytes()[:3000])
    else:
        shard.write_bytes(shard.read_bytes() + bytes(512))
    expected = "train-00009.tar: SHA256SUMS does not list it" if change == "added" else "train-00000.tar: "
    assert expected in told(folder)


@pytest.mark.parametrize("name", ["recipe.json", "manifest.parquet", "classes.parquet", "train_metadata.json"])
def test_a_lost_document_is_named_and_no_crash(copy_release: CopyRelease, name: str) -> None:
    folder = copy_release()
    (folder / name).unlink()
    assert told(folder) == f"{name}: it is missing; take the file anew from where the release came from."


# promises that checksums alone do not keep


BROKEN_TABLES: dict[str, tuple[str, str, Callable[[list[Any]], list[Any]], str]] = {
    "an offset is wrong": ("manifest", "offset", lambda v: [v[0] + 512, *v[1:]], "while the manifest says"),
    "a sha256 is wrong": ("manifest", "sha256", lambda v: ["0" * 64, *v[1:]], "not those of the manifest's sha256"),
    "a size is wrong": ("manifest", "width_px", lambda v: [1, *v[1:]], "has 48 x 64 pixels, while the manifest says 1"),
    "a specimen in both parts": ("manifest", "specimen_key", lambda v: ["X"] * len(v),
                                 "specimen_key that stands in train and in test: 1, first X"),
    "a gathering in both parts": ("manifest", "gathering_key", lambda v: ["G"] * len(v),
                                  "gathering_key that stands in train and in test: 1, first G"),
    "a licence outside the policy": ("manifest", "license", lambda v: ["CC-BY-ND-4.0", *v[1:]],
                                     "licence that recipe.json does not allow: 1, first CC-BY-ND-4.0"),
    "a licence is missing": ("manifest", "license", lambda v: [None, *v[1:]], "1 values are missing"),
    "boxes are missing": ("manifest", "text_quads", lambda v: [None, *v[1:]], "images without the boxes"),
    "boxes were cut": ("manifest", "text_quads", lambda v: ["[]"] * len(v), "images without the boxes"),
    "a class was renamed": ("classes", "taxon_name", lambda v: ["Acer album", *v[1:]], "class 0 is "),
    "a class counts wrongly": ("classes", "images_test", lambda v: [9, *v[1:]], "class 0 has 9 images in test"),
    "a part is unknown": ("manifest", "part", lambda v: ["dev", *v[1:]], "are not one of train, test"),
    "images changed sides": ("manifest", "part", lambda v: ["test" if part == "train" else "train" for part in v],
                             "images whose part is not that of their shard: 10"),
    "an image was relabelled": ("manifest", "class_id", lambda v: [v[1], *v[1:]], "its class_id is 2"),
    "an image in two classes": ("manifest", "image_key", lambda v: [v[1], *v[1:]], "primary keys stand more than once"),
    "a key is no key": ("manifest", "image_key", lambda v: ["../../etc", *v[1:]], "do not match"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN_TABLES.values(), ids=BROKEN_TABLES)
def test_a_table_that_says_otherwise_is_found(copy_release: CopyRelease, case: tuple[Any, ...]) -> None:
    name, column, values, sentence = case
    folder = copy_release()
    change_table(folder, name, column, values)
    sum_anew(folder)
    assert sentence in told(folder)


def without_last(body: bytes) -> bytes:
    values = json.loads(body)
    (values["images"] if isinstance(values, dict) else values).pop()
    return json.dumps(values).encode()


BROKEN_FILES: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "an image left the train metadata": ("train_metadata.json", without_last, "the manifest's 7 training images"),
    "an image left the test metadata": ("test_metadata.json", without_last, "the manifest's 3 test images"),
    "a key left the train metadata": ("train_metadata.json", lambda b: b.replace(b'"genera"', b'"genus"'), "its keys"),
    "a label in the test metadata": ("test_metadata.json", lambda b: b.replace(b'"license"', b'"category_id"'),
                                     "other keys than"),
    "the metadata is no JSON": ("train_metadata.json", lambda b: b[:-4], "cannot be understood"),
    "the submission is short": ("sample_submission.csv", lambda b: b[: b.rindex(b"2,")], "3 test images"),
    "a licence in the attribution": ("attribution.csv", lambda b: b.replace(b"CC0-1.0", b"CC-BY-4.0"),
                                     "not those of the manifest"),
    "the recipe is empty": ("recipe.json", lambda b: b"{}", "recipe.json: it cannot be understood"),
    "the manifest is no Parquet": ("manifest.parquet", lambda b: b"PAR1", "cannot be read as Parquet"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN_FILES.values(), ids=BROKEN_FILES)
def test_a_file_that_says_otherwise_is_found(copy_release: CopyRelease, case: tuple[Any, ...]) -> None:
    name, change, sentence = case
    folder = copy_release()
    (folder / name).write_bytes(change((folder / name).read_bytes()))
    sum_anew(folder)
    assert sentence in told(folder)


def test_a_shard_in_anothers_place_is_told_once(copy_release: CopyRelease) -> None:
    folder = copy_release()
    shards = folder / "train-00000.tar", folder / "train-00001.tar"
    bodies = [shard.read_bytes() for shard in shards]
    for shard, body in zip(shards, reversed(bodies), strict=True):
        shard.write_bytes(body)
    sum_anew(folder)
    found = told(folder).splitlines()
    for shard in shards:
        (told_once,) = [line for line in found if line.startswith(shard.name)]
        assert "files of other samples, and none of the manifest's" in told_once


def test_many_samples_with_one_fault_are_told_once(copy_release: CopyRelease) -> None:
    folder = copy_release()
    change_table(folder, "manifest", "sha256", lambda values: ["0" * 64] * len(values))
    sum_anew(folder)
    found = [line for line in told(folder).splitlines() if line.startswith("train-00000.tar")]
    assert len(found) == 1 and " images with other bytes, first " in found[0]


BROKEN_LOCKS = {
    "another kind of value": (b"[]", "lock.json: it is not a lock of a release"),
    "half of it": (b'{"lock": 1, "code": {}}', "lock.json: it lacks files, inputs, libraries, recipe, tables"),
    "of another release": (None, "lock.json: files that it names otherwise than SHA256SUMS: 1, first test-00000.tar"),
}


@pytest.mark.parametrize(("body", "sentence"), BROKEN_LOCKS.values(), ids=BROKEN_LOCKS)
def test_a_lock_that_is_none_or_another_s_is_found(
    copy_release: CopyRelease, body: bytes | None, sentence: str
) -> None:
    folder = copy_release()
    if body is None:
        values = json.loads((folder / "lock.json").read_bytes())
        values["files"]["test-00000.tar"] = "0" * 64
        body = json.dumps(values).encode()
    (folder / "lock.json").write_bytes(body)
    sum_anew(folder)
    assert sentence in told(folder)


def test_what_a_jpeg_carries_besides_pixels_is_found(tmp_path: Path) -> None:
    named = draw_jpeg(0, comment=b"Acer rubrum, det. J. Smith")
    key = key_of("http://127.0.0.2/w-10/0.jpg")
    found = told(release_of(make_world(tmp_path, jpegs={0: named})))
    assert f"{key}.jpg: it holds more than pixels: a comment" in found and found.count("\n") == 0


def test_a_class_without_test_images_is_found(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    world.change("images", key_of("http://127.0.0.3/w-10/3.jpg"), pack="gone.tar")
    assert told(release_of(world)) == (
        "classes.parquet: class 0 (Acer rubrum) has no image in test; build the release anew."
    )


SPLITS: dict[str, tuple[dict[str, Any], str]] = {
    "the minimum": ({"minimum": 4, "min_test": 1},
                    "fewer images than split.minimum = 4 in recipe.json: 2, first class 1 (Acer saccharum) with 3"),
    "to test on": ({"minimum": 3, "min_test": 2},
                   "to test on than split.min_test = 2 in recipe.json: 3, first class 0 (Acer rubrum) with 1"),
    "to train on": ({"minimum": 3, "min_test": 1, "min_train": 3},
                    "to train on than split.min_train = 3 in recipe.json: 2, first class 1 (Acer saccharum) with 2"),
}  # fmt: skip


@pytest.mark.parametrize(("knobs", "sentence"), SPLITS.values(), ids=SPLITS)
def test_a_class_below_the_recipes_minima_is_found(tmp_path: Path, knobs: dict[str, Any], sentence: str) -> None:
    found = told(release_of(make_world(tmp_path, split=knobs)))
    assert sentence in found and found.count("\n") == 0


def test_no_boxes_are_asked_for_when_nothing_was_to_be_covered(tmp_path: Path) -> None:
    world = make_world(tmp_path, images={"redact": "none"})
    for row in world.tables["images"].to_pylist():
        world.change("images", row["image_key"], text_quads=None, text_boxes=None, text_share=None, detector=None)
    folder = release_of(world)
    assert told(folder) == ""
    assert pc.all(pc.is_null(read_parquet(folder / "manifest.parquet")["detector"])).as_py()


# what is no release


def test_what_is_no_release_is_told_in_a_sentence(tmp_path: Path, release: Path) -> None:
    for name in ("empty", "other", "dist", "killed"):
        (tmp_path / name).mkdir()
    (tmp_path / "other" / "notes.txt").write_text("x")
    (tmp_path / "junk.tar").write_bytes(b"no tar at all" * 100)
    (tmp_path / "zero.tar").write_bytes(b"")
    (tmp_path / "killed" / ".partial-s.tar.part-001").write_bytes(b"")
    (tmp_path / "blank.tar").write_bytes(bytes(10_240))
    *parts, _ = write_tarballs(release, tmp_path / "dist", name="s", part_size_bytes=50_000)
    cases = {
        tmp_path / "nowhere": "no such release; `naflora build` makes one",
        tmp_path / "empty": "is an empty folder; give a release folder",
        tmp_path / "other": "is no release folder",
        tmp_path / "killed": "holds a tarball that was not finished; run the same `naflora release` again",
        tmp_path / "junk.tar": "is not a whole tarball",
        tmp_path / "zero.tar": "is not a whole tarball",
        tmp_path / "blank.tar": "holds no release",
        tmp_path / "dist": "holds tarballs; give one of them, such as",
    }
    for path, sentence in cases.items():
        with pytest.raises(Fault, match=sentence):
            verify_release(path)
    parts[1].unlink()
    with pytest.raises(Fault, match=r"lacks s\.tar\.part-002; put all parts"):
        verify_release(parts[0])


@pytest.mark.parametrize(
    ("has_sums", "sentence"),
    [(True, r"lacks s\.tar\.part-{:03}; put all"), (False, r"is a part after s\.tar\.part-{:03} missing\?")],
    ids=["with the sums beside", "without"],
)
def test_a_last_part_that_is_missing_is_named(release: Path, tmp_path: Path, has_sums: bool, sentence: str) -> None:
    *parts, sums = write_tarballs(release, tmp_path, name="s", part_size_bytes=50_000)
    parts[-1].unlink()
    if not has_sums:
        sums.unlink()
    with pytest.raises(Fault, match=sentence.format(len(parts) - (not has_sums))):
        verify_release(parts[0])


def test_a_tar_of_something_else_is_no_release(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with tarfile.open(tmp_path / "notes.tar", "w") as tar:
        tar.add(tmp_path / "notes.txt", "notes.txt")
    with pytest.raises(Fault, match="holds no release"):
        verify_release(tmp_path / "notes.tar")
