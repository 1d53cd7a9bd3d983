"""Time the split at full size: python benchmarks/split.py [--images 1050000] [--classes 15501] [--seed 1].

The images are drawn, not real: class sizes in the shape of published counts
(../shared/data/naflora/herbarium2022_train_counts.tsv when it is there), gatherings and second views of specimens, a
few images with the same bytes, and difference hashes as alike within a herbarium as those of real sheets are (two
differ in 21 of 64 bits on average). Then a second release, with 1 % gone and 3 % new, splits with the first as its
ledger, and without. Each step in CPU seconds, with the peak of memory so far. `--near` measures on real sheets instead
(../shared/data/images) how many bits apart the same picture and different sheets are.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.engine.tables import write_parquet
from naflora_etl.publishing.leaks import COLUMNS as AUDITED
from naflora_etl.publishing.leaks import audit_manifest
from naflora_etl.recipe import SplitOptions
from naflora_etl.selecting.ledger import COLUMNS as RELEASED
from naflora_etl.stages.split import split_images

DATA = Path(__file__).parents[2] / "shared" / "data"
HERBARIA = 60


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def class_sizes(images: int, classes: int, rng: np.random.Generator) -> np.ndarray:
    """Return images a class, 10 to 100, drawn from the published counts when they are there."""
    path = DATA / "naflora" / "herbarium2022_train_counts.tsv"
    if path.is_file():
        with path.open(encoding="utf-8") as stream:
            known = np.array([int(row["n_train_images"]) for row in csv.DictReader(stream, delimiter="\t")])
        drawn = rng.choice(known, classes) / 0.8
    else:
        drawn = rng.lognormal(4.0, 0.8, classes)
    for _ in range(20):
        drawn = np.clip(drawn * images / drawn.sum(), 10, 100)
    return np.rint(drawn).astype(int)


def make_images(images: int, classes: int, seed: int, start: int = 0) -> pa.Table:
    """Return the columns of the table images that the split reads; `start` numbers the keys, so none comes twice."""
    rng = np.random.default_rng([seed, start])
    taxon = np.repeat(np.arange(classes), class_sizes(images, classes, np.random.default_rng(seed)))
    if start:
        taxon = rng.choice(taxon, images)
    rows = len(taxon)
    number = np.arange(start, start + rows)
    keys = [hashlib.sha256(b"%d" % n).hexdigest() for n in number.tolist()]
    other = rng.integers(0, max(start, rows), rows)  # any image, of any class
    second_view, shared = rng.random(rows) < 0.04, rng.random(rows) < 0.004
    specimen = np.where(second_view & (rng.random(rows) < 0.98), np.maximum(number - 1, 0), number)
    specimen = np.where(shared, other, specimen)
    # gatherings: mostly alone, some of two to eight duplicates in other herbaria, of the class before or after too
    gathering = np.where(rng.random(rows) < 0.15, number // 4, number + 10**9)
    unknown = rng.random(rows) < 0.3
    weight = 1 / np.arange(1, HERBARIA + 1) ** 1.1
    herbarium = rng.choice(HERBARIA, rows, p=weight / weight.sum())
    likely = np.random.default_rng(seed).beta(1, 1, (HERBARIA, 64))
    words = np.zeros(rows, np.uint64)
    for bit in range(64):
        words |= (rng.random(rows) < likely[herbarium, bit]).astype(np.uint64) << np.uint64(bit)
    alike = rng.random(rows) < 0.003
    words[1:][alike[1:]] = words[:-1][alike[1:]] ^ np.uint64(5)
    texts = [f"{word:016x}" for word in words.tolist()]
    same_bytes = rng.random(rows) < 0.002
    return pa.table({
        "image_key": [key[:20] for key in keys],
        "taxon_id": [f"{n}-az" for n in taxon.tolist()],
        "specimen_key": [f"s{n}" for n in specimen.tolist()],
        "gathering_key": [None if u else f"g{n}" for n, u in zip(gathering.tolist(), unknown.tolist(), strict=True)],
        "source_sha256": [keys[n - 1] if same else keys[n] for n, same in enumerate(same_bytes.tolist())],
        "dhash": texts,
        "institution": [f"H{n}" for n in herbarium.tolist()],
    })  # fmt: skip


def measured(name: str, work: Callable[[], Any]) -> Any:
    before, wall = time.process_time(), time.monotonic()
    found = work()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    cpu = time.process_time() - before
    say(f"{name:<34} {cpu:7.1f} CPU s {time.monotonic() - wall:7.1f} s {peak:6.2f} GiB so far")
    return found


def tell(table: pa.Table) -> None:
    """Print what became of the images."""
    clean = table.filter(pc.is_null(table["issue"]))
    issues = {row["values"]: row["counts"] for row in table["issue"].drop_null().value_counts().to_pylist()}
    by_class = clean.group_by(["class_id", "part"]).aggregate([([], "count_all")])
    tested = by_class.filter(pc.equal(by_class["part"], "test"))
    whole = clean.group_by("class_id").aggregate([([], "count_all")])
    sizes = dict(zip(whole["class_id"].to_pylist(), whole["count_all"].to_pylist(), strict=True))
    got = dict(zip(tested["class_id"].to_pylist(), tested["count_all"].to_pylist(), strict=True))
    at_quota = np.mean([got.get(n, 0) == max(2, round(0.2 * size)) for n, size in sizes.items()])
    spanning = int(pc.sum(pc.greater(clean["group_species"], 1)).as_py() or 0)
    share = sum(got.values()) / clean.num_rows
    say(
        f"    {clean.num_rows:,} images, {len(sizes):,} classes, {share:.3%} test, {at_quota:.2%} of the classes at "
        f"their quota, least test {min(got.values())}, {spanning:,} in groups of several species; {issues}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1_050_000)
    parser.add_argument("--classes", type=int, default=15_501)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--near", action="store_true")
    asked = parser.parse_args()
    if asked.near:
        measure_near()
        return
    images = make_images(asked.images, asked.classes, asked.seed)
    taxa = pa.table({"taxon_id": [f"{n}-az" for n in range(asked.classes)],
                     "taxon_name": [f"Name {n:05d}" for n in range(asked.classes)]})  # fmt: skip
    say(f"{images.num_rows:,} images of {asked.classes:,} classes")
    measured("drawing them up to here", lambda: None)
    first = measured("split", lambda: split_images(images, taxa, options=SplitOptions()))
    tell(first)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "manifest.parquet"
        part = first.filter(pc.is_null(first["issue"])).select(["image_key", "part"])
        manifest = images.join(part, "image_key", join_type="inner")
        with path.open("wb") as stream:
            write_parquet(manifest.select(RELEASED), stream)
        rng = np.random.default_rng(asked.seed)
        stay = images.filter(pa.array(rng.random(images.num_rows) > 0.01))
        later = pa.concat_tables([stay, make_images(images.num_rows * 3 // 100, asked.classes, asked.seed, 2 * 10**6)])
        say(f"{later.num_rows:,} images a year later")
        for name, options in (("split with the ledger", SplitOptions(ledger=(str(path),))),
                              ("split from scratch", SplitOptions())):  # fmt: skip
            second = measured(name, partial(split_images, later, taxa, options=options))
            tell(second)
            both = part.join(second.select(["image_key", "part"]), "image_key", right_suffix="_now", join_type="inner")
            both = both.filter(pc.is_valid(both["part_now"]))
            moved = int(pc.sum(pc.not_equal(both["part"], both["part_now"])).as_py() or 0)
            say(f"    {moved:,} of {both.num_rows:,} changed sides")
    audited = manifest.append_column("institutionCode", manifest["institution"])
    for name in set(AUDITED) - set(audited.column_names):
        source = {"sha256": "source_sha256", "taxon_name": "taxon_id"}.get(name)
        empty = pa.nulls(audited.num_rows, pa.string())
        audited = audited.append_column(name, audited[source] if source else empty)
    found = measured("leakage audit", lambda: audit_manifest(audited.select(AUDITED)))
    say(f"    { {leak.kind: leak.groups for leak in found.leaks} }")


def measure_near() -> None:
    """Print how far apart the same picture and different sheets are, in bits of the difference hash."""
    import cv2

    from naflora_etl.imaging.quality import difference_hash

    cv2.setNumThreads(1)
    sets = ("violaceae_1000px/images/*/*.jpg", "nybg_aocr/sheets/*.jpg", "leafmachine_colour/*.jpg",
            "vouchervision_colour/*.jpg")  # fmt: skip
    words, of_set, of_folder = [], [], []
    changed: dict[str, list[int]] = {}
    for number, pattern in enumerate(sets):
        for path in sorted((DATA / "images").glob(pattern)):
            sheet = cv2.imread(str(path), cv2.IMREAD_REDUCED_COLOR_4 if "_1000px" not in pattern else cv2.IMREAD_COLOR)
            scale = 800 / max(sheet.shape)
            sheet = cv2.resize(sheet, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            words.append(int(difference_hash(sheet), 16))
            of_set.append(number)
            of_folder.append(path.parent.name)
            for name, other in alter(sheet).items():
                changed.setdefault(name, []).append((words[-1] ^ int(difference_hash(other), 16)).bit_count())
    say(f"{len(words)} sheets; bits set {sorted(word.bit_count() for word in words)[:: len(words) - 1]}")
    for name, bits in changed.items():
        shares = "  ".join(f"<= {most}: {np.mean(np.array(bits) <= most):6.1%}" for most in (0, 2, 4, 6, 8))
        say(f"{name:<22} median {np.median(bits):4.1f}, most {max(bits):2d};  {shares}")
    all_words = np.array(words, np.uint64)
    left, right = np.triu_indices(len(words), 1)
    apart = np.bitwise_count(all_words[left] ^ all_words[right])
    told, folder = np.array(of_set), np.array(of_folder)
    pairs = {
        "different sheets": np.ones(len(left), bool),
        "of one herbarium (NY)": (told[left] == 1) & (told[right] == 1),
        "of one species": (told[left] == 0) & (folder[left] == folder[right]),
    }
    pairs["different sheets"] &= told[left] != told[right]
    for name, which in pairs.items():
        bits = apart[which]
        say(f"{name:<22} {which.sum():,} pairs: mean {bits.mean():.1f}, sd {bits.std():.1f}, least {bits.min()}")


def alter(sheet: np.ndarray) -> dict[str, np.ndarray]:
    """Return the same picture as others might publish it."""
    import cv2

    height, width = sheet.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 1, 1)
    covered = sheet.copy()
    covered[int(height * 0.85) : int(height * 0.97), int(width * 0.6) : int(width * 0.97)] = 230
    return {
        "JPEG quality 50": cv2.imdecode(cv2.imencode(".jpg", sheet, [cv2.IMWRITE_JPEG_QUALITY, 50])[1], 1),
        "half the size": cv2.resize(sheet, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
        "brighter (gamma 0.7)": (255 * (sheet / 255.0) ** 0.7).astype(np.uint8),
        "label covered": covered,
        "turned by 1 degree": cv2.warpAffine(sheet, turn, (width, height), borderMode=cv2.BORDER_REPLICATE),
        "cropped by 1 %": sheet[height // 100 : -(height // 100), width // 100 : -(width // 100)],
        "cropped by 3 %": sheet[height * 3 // 100 : -(height * 3 // 100), width * 3 // 100 : -(width * 3 // 100)],
    }


if __name__ == "__main__":
    main()
