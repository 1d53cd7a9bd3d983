"""Tarballs: whole or in parts, the same bytes every time, nothing overwritten, nothing half-published."""

from __future__ import annotations

import errno
import hashlib
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from naflora_etl.engine.faults import Fault
from naflora_etl.publishing.bundle import SliceWriter, parse_size, write_tarballs

CopyRelease = Callable[[], Path]


def listing(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [("2GB", 2_000_000_000), ("500MB", 500_000_000), ("1.5GiB", 1_610_612_736), ("64 kB", 64_000), ("4096", 4096)],
)
def test_a_size_is_read(text: str, size_bytes: int) -> None:
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "2 gigs", "0", "1e9", "nan"])
def test_what_is_no_size_is_told(text: str) -> None:
    with pytest.raises(Fault, match="is not a size; write it as"):
        parse_size(text)


def test_the_same_folder_gives_the_same_tarball(release: Path, copy_release: CopyRelease, tmp_path: Path) -> None:
    copy = copy_release()
    for number, path in enumerate(sorted(copy.iterdir(), reverse=True)):
        path.touch()
        path.chmod(0o600 if number % 2 else 0o755)
    first = write_tarballs(release, tmp_path / "a", name="small-0.1.0")
    write_tarballs(copy, tmp_path / "b", name="small-0.1.0")
    assert [path.name for path in first] == ["small-0.1.0.tar", "SHA256SUMS"]
    assert listing(tmp_path / "a") == listing(tmp_path / "b")


def test_the_tarball_unpacks_into_one_folder_that_holds_the_release(release: Path, tmp_path: Path) -> None:
    tarball, _ = write_tarballs(release, tmp_path / "out", name="small-0.1.0")
    with tarfile.open(tarball) as tar:
        tar.extractall(tmp_path, filter="data")
    assert listing(tmp_path / "small-0.1.0") == listing(release)


def test_parts_are_slices_that_cat_joins(release: Path, tmp_path: Path) -> None:
    whole, _ = write_tarballs(release, tmp_path / "whole", name="s")
    *parts, sums = write_tarballs(release, tmp_path / "parts", name="s", part_size_bytes=50_000)
    assert [path.name for path in parts] == [f"s.tar.part-{number:03d}" for number in range(1, len(parts) + 1)]
    assert {path.stat().st_size for path in parts[:-1]} == {50_000} and len(parts) > 2
    assert b"".join(path.read_bytes() for path in parts) == whole.read_bytes()
    subprocess.run(["sha256sum", "--check", "--strict", sums.name], cwd=sums.parent, check=True, capture_output=True)


def test_a_tarball_that_is_there_already_stays_when_it_is_the_same(release: Path, tmp_path: Path) -> None:
    write_tarballs(release, tmp_path, name="s")
    before = listing(tmp_path)
    write_tarballs(release, tmp_path, name="s")
    assert listing(tmp_path) == before


def test_a_different_one_is_not_overwritten_unless_told(release: Path, tmp_path: Path) -> None:
    (tmp_path / "s.tar").write_bytes(b"precious")
    with pytest.raises(Fault, match=r"s\.tar is there already and differs; remove it, raise release.version"):
        write_tarballs(release, tmp_path, name="s")
    assert [path.name for path in tmp_path.iterdir()] == ["s.tar"] and (tmp_path / "s.tar").read_bytes() == b"precious"
    write_tarballs(release, tmp_path, name="s", overwrite=True)
    assert tarfile.is_tarfile(tmp_path / "s.tar")


def test_parts_of_another_cut_are_not_left_to_be_joined(release: Path, tmp_path: Path) -> None:
    many = write_tarballs(release, tmp_path, name="s", part_size_bytes=20_000)
    with pytest.raises(Fault, match="is there already and differs"):
        write_tarballs(release, tmp_path, name="s", part_size_bytes=50_000)
    few = write_tarballs(release, tmp_path, name="s", part_size_bytes=50_000, overwrite=True)
    assert len(few) < len(many)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in few)


def test_checksums_of_other_releases_stay_in_the_list(release: Path, tmp_path: Path) -> None:
    write_tarballs(release, tmp_path, name="s-1")
    write_tarballs(release, tmp_path, name="s-2")
    assert [line.split()[1] for line in (tmp_path / "SHA256SUMS").read_text().splitlines()] == ["s-1.tar", "s-2.tar"]


def test_a_full_disk_is_told_and_leaves_nothing(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = SliceWriter.write

    def fill(self: SliceWriter, data: bytes) -> int:
        if self.place > 30_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(self, data)

    monkeypatch.setattr(SliceWriter, "write", fill)
    with pytest.raises(Fault, match="the disk is full; nothing was published there"):
        write_tarballs(release, tmp_path / "out", name="s", part_size_bytes=20_000)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("place", [".", "dist", "dist/deep"])
def test_a_tarball_is_not_written_into_the_release_that_it_packs(copy_release: CopyRelease, place: str) -> None:
    folder = copy_release()
    before = listing(folder)
    with pytest.raises(Fault, match="and a release holds its own files only; name a place outside of it"):
        write_tarballs(folder, folder / place, name="s")
    assert listing(folder) == before


def test_bad_places_and_names_are_told(release: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(Fault, match="cannot be used"):
        write_tarballs(release, tmp_path / "file", name="s")
    with pytest.raises(Fault, match="no release folder"):
        write_tarballs(tmp_path, tmp_path / "out", name="s")
    with pytest.raises(Fault, match="cannot be the name of a tarball"):
        write_tarballs(release, tmp_path / "out", name="../s")
    with pytest.raises(Fault, match="take a larger --part-size"):
        write_tarballs(release, tmp_path / "out", name="s", part_size_bytes=5)
