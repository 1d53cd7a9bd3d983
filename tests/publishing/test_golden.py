"""The small release to the byte: what changes here changes every release, and wants a reason in the commit."""

from __future__ import annotations

import hashlib
from pathlib import Path

GOLDEN = {
    "attribution.csv": "51526992736448e0",
    "sample_submission.csv": "8bf14cd6e673e1b2",
    "test-00000.tar": "813a26570fa8f331",
    "test_metadata.json": "651a360bde2d7162",
    "train-00000.tar": "6021e92df559f993",
    "train-00001.tar": "5caf629e3113048e",
    "train_metadata.json": "e4dfefe56380a6d5",
}


def test_the_files_that_others_read_are_the_same_to_the_byte(release: Path) -> None:
    found = {name: hashlib.sha256((release / name).read_bytes()).hexdigest()[:16] for name in GOLDEN}
    assert found == GOLDEN
