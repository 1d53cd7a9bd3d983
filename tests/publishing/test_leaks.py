"""The leakage audit: on a clean release, and with a leak of each kind planted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner

from naflora_etl.cli import main
from naflora_etl.engine.faults import Fault
from naflora_etl.engine.tables import parquet_bytes
from naflora_etl.publishing.leaks import COLUMNS, audit_leaks, audit_manifest, describe_audit

SHEET, NEAR, FAR = "00ff00ff0f0f0f0f", "00ff00ff0f0f0f07", "00ff00ff0f0f0000"


def manifest(*changed: dict[str, str | None]) -> pa.Table:
    """Return six images, three of each part, alike in nothing but the species; `changed` changes the first ones."""
    rng = np.random.default_rng(1)
    rows: list[dict[str, Any]] = []
    for number in range(6):
        rows.append({
            "image_key": f"image {number}", "part": ("train", "test")[number % 2], "taxon_id": "1-az",
            "taxon_name": "Acer rubrum", "sha256": f"s{number}", "source_sha256": f"b{number}",
            "specimen_key": f"sheet {number}", "gathering_key": None,
            "institutionCode": ("NY", "MO", None)[number // 2], "collectionCode": None,
            "dhash": f"{int(rng.integers(1 << 62)):016x}",
        })  # fmt: skip
    for row, values in zip(rows, changed, strict=False):
        row.update(values)
    return pa.table({name: pa.array([row[name] for row in rows], pa.string()) for name in COLUMNS})


# facts of the first images, of which the even ones are trained on -> (groups, train, test) by kind
PLANTED: dict[str, tuple[tuple[dict[str, str | None], ...], dict[str, tuple[int, int, int]]]] = {
    "nothing": ((), {}),
    "the same finished bytes": (({"sha256": "x"}, {"sha256": "x"}), {"exact": (1, 1, 1)}),
    "the same bytes fetched and finished count once": (
        ({"sha256": "x", "source_sha256": "y"}, {"sha256": "x", "source_sha256": "y"}), {"exact": (1, 1, 1)},
    ),
    "three images of a specimen": (({"specimen_key": "x"},) * 3, {"specimen": (1, 2, 1)}),
    "two gatherings": (
        ({"gathering_key": "x"}, {"gathering_key": "x"}, {"gathering_key": "y"}, {"gathering_key": "y"}),
        {"gathering": (2, 2, 2)},
    ),
    "within a part is no leak": (({"specimen_key": "x"}, {}, {"specimen_key": "x"}), {}),
    "near": (({"dhash": SHEET}, {"dhash": NEAR}), {"near": (1, 1, 1)}),
    "equal": (({"dhash": SHEET},) * 3, {"near": (1, 2, 1)}),
    "not near": (({"dhash": SHEET}, {"dhash": FAR}), {}),
    "equal, of two species": (
        ({"dhash": SHEET}, {"dhash": SHEET, "taxon_id": "2-az"}), {"near_across": (1, 1, 1)}
    ),
    "near, of two species": (({"dhash": SHEET}, {"dhash": NEAR, "taxon_id": "2-az"}), {}),
    "blank": (({"dhash": "0" * 16},) * 2, {}),
    "no hash": (({"dhash": None},) * 2, {}),
}


@pytest.mark.parametrize(("changed", "expected"), PLANTED.values(), ids=PLANTED)
def test_planted_leaks(
    changed: tuple[dict[str, str | None], ...], expected: dict[str, tuple[int, int, int]]
) -> None:
    audit = audit_manifest(manifest(*changed))
    assert {leak.kind: (leak.groups, leak.train, leak.test) for leak in audit.leaks if leak.groups} == expected
    assert audit.is_clean == (not {"exact", "specimen", "gathering"} & set(expected))
    for leak in audit.leaks:
        assert len(leak.examples) == leak.groups
        for row in leak.examples:
            assert (int(row["train"][-1]) % 2, int(row["test"][-1]) % 2) == (0, 1)


def test_institutions_and_what_is_not_known() -> None:
    audit = audit_manifest(manifest({"dhash": None}))
    assert [(row["institution"], row["train"], row["test_share"]) for row in audit.institutions] == [
        ("MO", 1, 0.333333), ("NY", 1, 0.333333), ("unknown", 1, 0.333333),
    ]  # fmt: skip
    assert audit.untold == {"specimen_key": 0, "gathering_key": 6, "source_sha256": 0, "dhash": 1}
    assert "Not known, so not compared: 6 have no gathering_key, 1 have no dhash" in describe_audit(audit, "here")


def test_the_command(release: Path, copy_release: Callable[[], Path]) -> None:
    told = CliRunner().invoke(main, ["audit", str(release)])
    assert (told.exit_code, "Nothing that must stay apart" in told.output) == (0, True)
    broken = copy_release()
    from naflora_etl.engine.tables import read_parquet

    table = read_parquet(broken / "manifest.parquet")
    at = table.column_names.index("specimen_key")
    table = table.set_column(at, "specimen_key", pa.array(["one sheet"] * table.num_rows))
    (broken / "manifest.parquet").write_bytes(parquet_bytes(table))
    told = CliRunner().invoke(main, ["audit", str(broken), "--json"])
    assert told.exit_code == 1
    assert "train and test are not apart (1 by specimen)" in told.stderr
    assert json.loads(told.stdout)["leaks"]["specimen"]["groups"] == 1


def test_no_release(tmp_path: Path) -> None:
    with pytest.raises(Fault, match="no such release"):
        audit_leaks(tmp_path / "gone")
    (tmp_path / "manifest.parquet").write_bytes(b"none")
    with pytest.raises(Fault, match="cannot be read"):
        audit_leaks(tmp_path)
