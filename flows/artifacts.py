"""What a flow run leaves to look at: a progress bar over the stages, and the funnel as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast
from uuid import UUID

from prefect.artifacts import create_markdown_artifact, create_progress_artifact, update_progress_artifact
from prefect.logging import get_run_logger

from naflora_etl.engine.receipts import Receipt
from naflora_etl.issues import ISSUES


class BuildProgress:
    """One bar over all stages; a stage's slices move it within its share."""

    def __init__(self, stages: Sequence[str], key: str) -> None:
        self.stages = list(stages)
        self.share = 100 / len(stages)
        self.shown = 0
        made = create_progress_artifact(0.0, key=key, description=f"next: {self.stages[0]}")
        self.artifact = cast(UUID, made)  # a coroutine only where one is awaited

    def stage_done(self, receipt: Receipt, unchanged: bool) -> None:
        """Tell that a stage's table is up to date."""
        place = self.stages.index(receipt.stage) + 1
        following = f"next: {self.stages[place]}" if place < len(self.stages) else "done"
        self._show(place * self.share, f"{receipt.stage} {'unchanged' if unchanged else 'built'}, {following}")
        get_run_logger().info(
            "%s: %s given, %s clean, %s set aside%s",
            receipt.stage,
            f"{receipt.given:,}",
            f"{receipt.clean:,}",
            f"{receipt.rows - receipt.clean:,}",
            ", unchanged" if unchanged else "",
        )

    def slices_done(self, stage: str, done: int, of: int) -> None:
        """Tell that `done` of a stage's slices have ended."""
        self._show((self.stages.index(stage) + done / of) * self.share, f"{stage}: {done} of {of} slices")

    def _show(self, percent: float, note: str) -> None:
        # a thousand slices shall not make a thousand requests
        if int(percent) > self.shown or percent >= 100:
            self.shown = int(percent)
            update_progress_artifact(self.artifact, round(min(percent, 100.0), 1), description=note)


def write_summary(text: str, key: str) -> None:
    """Leave `text` (Markdown) as the run's summary artifact."""
    create_markdown_artifact(text, key=key, description="What came out, stage by stage, and what was set aside.")


def describe_funnel(receipts: Sequence[Receipt], title: str) -> str:
    """Return the funnel of `receipts` as Markdown: a row per stage, and a row per issue with its sentence."""
    lines = [f"# {title}", "", "| stage | given | clean | set aside | seconds |", "| --- | ---: | ---: | ---: | ---: |"]
    lines += [f"| {r.stage} | {r.given:,} | {r.clean:,} | {r.rows - r.clean:,} | {r.seconds:,.1f} |" for r in receipts]
    issues = [
        f"| {receipt.stage} | {issue} | {count:,} | {ISSUES[issue]} |"
        for receipt in receipts
        for issue, count in receipt.issues.items()
    ]
    if issues:
        lines += ["", "## Set aside", "", "| stage | issue | rows | meaning |", "| --- | --- | ---: | --- |", *issues]
    return "\n".join(lines) + "\n"
