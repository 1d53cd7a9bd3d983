"""What runs cost and what they are worth, side by side."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from naflora_etl.engine.faults import Fault

COLUMNS = ("run", "arch", "parameters", "minutes", "images_per_second", "device", "macro_f1", "top1")


def cost_rows(runs: Sequence[Path]) -> list[dict[str, Any]]:
    """Return a row for each run, the best first; those not evaluated stand last. Raises Fault for what is no run."""
    rows = []
    for run in runs:
        try:
            metrics = json.loads((run / "metrics.json").read_text())
        except OSError:
            raise Fault(f"{run} has no metrics.json; `naflora train` writes it when it ends or is stopped.") from None
        evaluation = run / "evaluation.json"
        score = json.loads(evaluation.read_text()) if evaluation.is_file() else None
        rows.append({
            "run": str(run),
            "arch": metrics["arch"],
            "parameters": metrics["parameters"],
            "minutes": metrics["seconds"] / 60 * metrics.get("processes", 1),
            "images_per_second": metrics["images_per_second"],
            "device": metrics["device"],
            "macro_f1": score["ranks"][0]["macro_f1"] if score else None,
            "top1": score["top1"] if score else None,
        })  # fmt: skip
    return sorted(rows, key=lambda row: -(row["macro_f1"] or -1))


def cost_table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as a Markdown table."""
    lines = [f"| {' | '.join(COLUMNS)} |", f"|{' --- |' * len(COLUMNS)}"]
    for row in rows:
        cells = [_cell(column, row[column]) for column in COLUMNS]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(column: str, value: Any) -> str:
    if value is None:
        return "-"
    if column == "parameters":
        return f"{value:,}"
    return (
        f"{value:.4f}" if column in ("macro_f1", "top1") else f"{value:.1f}" if isinstance(value, float) else str(value)
    )
