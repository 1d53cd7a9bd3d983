"""What a build leaves in its folder: what is compared after a kill."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

from naflora_etl.engine.tables import read_parquet
from naflora_etl.engine.workspace import UNFINISHED


def contents(folder: Path, pattern: str = "*") -> dict[str, str]:
    """Return the sha256 of each file below a folder."""
    files = [path for path in sorted(folder.rglob(pattern)) if path.is_file()]
    return {str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest() for path in files}


def finished_keys(work: Path) -> set[str]:
    """Return the images that are finished: on a bench, or in the index of a pack."""
    benched = {path.stem for path in work.glob("bench/*/*.json") if not path.name.startswith(".")}
    packed = (read_parquet(path)["key"].to_pylist() for path in work.glob("packs/*.parquet"))
    return benched.union(*packed)


def let_time_pass(work: Path) -> None:
    """Make old what a kill cut off in the midst of writing: the next build removes it, as nobody is at work on it."""
    for path in work.rglob(f"{UNFINISHED}*"):
        if path.is_file():
            os.utime(path, (0, 0))
