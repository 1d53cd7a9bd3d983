"""How often the sheet measures are wrong: real sheets taken for something else, other pictures taken for sheets.

    python benchmarks/sheetness.py [--shared ../shared] [--others FOLDER ...]

Other pictures are any folder of photographs; those of docs/images.md are Debian's mate-backgrounds and
plasma-workspace-wallpapers (many of living plants), scikit-learn's and scikit-image's samples. Each is also tried cut
to the shape of a sheet, so that its width does not give it away.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from naflora_etl.imaging.decode import decode_image
from naflora_etl.imaging.faults import ImageFault
from naflora_etl.imaging.resize import shrink_image
from naflora_etl.imaging.sheetness import measure_sheetness

ROOT = Path(__file__).resolve().parents[1]
Pixels = npt.NDArray[np.uint8]
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


def pictures(folder: Path) -> Iterator[tuple[Path, Pixels]]:
    """Yield the pictures below a folder at 1000 px; of several sizes of one (a folder `images`) the largest alone."""
    files = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES and path.is_file()]
    largest: dict[Path, Path] = {}
    for path in files:
        key = path.parent if path.parent.name.startswith("images") and "contents" in path.parts else path
        if key not in largest or path.stat().st_size > largest[key].stat().st_size:
            largest[key] = path
    for path in largest.values():
        if "plant_masks" in path.parts or path.stem == "screenshot":
            continue
        try:
            yield path, shrink_image(decode_image(path.read_bytes(), need_px=1000, max_pixels=10**9).pixels, 1000)
        except ImageFault as fault:
            sys.stderr.write(f"{path}: {fault}\n")


def looks(rgb: Pixels) -> str:
    """Return what a picture looks like, nothing on it covered."""
    return measure_sheetness(rgb, np.zeros((1, 1), np.uint8)).looks


def cut_upright(rgb: Pixels) -> Pixels:
    """Return the middle of a picture in the shape of a sheet, 2 : 3."""
    height, width = rgb.shape[:2]
    new_width, new_height = min(width, height * 2 // 3), min(height, width * 3 // 2)
    left, top = (width - new_width) // 2, (height - new_height) // 2
    return np.ascontiguousarray(rgb[top : top + new_height, left : left + new_width])


def main() -> None:
    """Print the table, and whatever was taken for what it is not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    parser.add_argument("--others", type=Path, nargs="*", default=[])
    chosen = parser.parse_args()
    sys.stdout.write("| pictures | how many | sheet | blank | other |\n| --- | --- | --- | --- | --- |\n")
    folders = sorted(path for path in (chosen.shared / "data/images").iterdir() if path.is_dir())
    for folder in [*folders, *chosen.others]:
        seen: dict[str, Counter[str]] = {"": Counter(), ", cut upright": Counter()}
        for path, rgb in pictures(folder):
            for how, counts in seen.items():
                verdict = looks(cut_upright(rgb) if how else rgb)
                counts[verdict] += 1
                if (verdict == "sheet") != (folder in folders) and not (how and folder in folders):
                    sys.stderr.write(f"{path}{how}: {verdict}\n")
        for how, counts in seen.items():
            if not how or folder not in folders:
                row = " | ".join(str(counts[verdict]) for verdict in ("sheet", "blank", "other"))
                sys.stdout.write(f"| {folder.name}{how} | {counts.total()} | {row} |\n")


if __name__ == "__main__":
    main()
