"""The model card: what it is, what it tells apart, how far to trust it, how to use it."""

from __future__ import annotations

from typing import Any

from naflora_etl.learning.cabinet.exported import Exported
from naflora_etl.learning.warp import sheet_shape


def card_text(exported: Exported, evaluation: dict[str, Any] | None) -> str:
    """Return README.md; `evaluation` is what evaluation.json of the run holds, if it was evaluated."""
    genera = {label.genus for label in exported.labels}
    families = {label.family for label in exported.labels}
    height, width = sheet_shape(exported.data)
    return f"""---
library_name: timm
pipeline_tag: image-classification
tags: [herbarium, botany, naflora]
---

# {exported.name}

Names the species on a herbarium sheet: {len(exported.labels):,} species of {len(genera):,} genera and
{len(families):,} families, listed in `labels.csv`. Architecture `{exported.arch}` (timm), made by {exported.made_by}.

Trained on the release whose `manifest.parquet` has the sha256 `{exported.release_manifest_sha256}`.

## How good

{_evaluated(evaluation)}

{_calibrated(exported)}

## How to use it

```
naflora identify SHEET.jpg --model THIS_FOLDER
naflora identify FOLDER --model THIS_FOLDER --out identified.csv
```

Without naflora: `model.onnx` takes `images`, N x 3 x {height} x {width} uint8 RGB
(fit: {exported.data.fit}, centre kept: {exported.data.centre_share:g}), and tells `probabilities`,
N x {len(exported.labels)}, in the order of `labels.csv`. Normalisation and softmax are inside.
`model.safetensors` holds
the same weights under timm's names, with `backbone.` and `head.` before them.

## What it is not for

- It knows these {len(exported.labels):,} species alone, and names one of them whatever it is shown.
- It has seen sheets whose labels were covered. Cover yours first (`naflora redact`), or expect other figures.
- An identification by a machine is a proposal: `identificationVerificationStatus` says unverified until a person has
  looked.
- Model and images have their own licences: before you publish, look at the release's `attribution.csv`, for a licence
  that forbids commerce or derivatives may bind what is made of its images.
"""


def _evaluated(evaluation: dict[str, Any] | None) -> str:
    if not evaluation:
        return "Not evaluated before it was exported (`naflora evaluate RUN RELEASE`)."
    lines = [f"On {evaluation['images']:,} test sheets of its release: top-1 {evaluation['top1']:.2%}.", ""]
    lines += ["| rank | macro-F1 | accuracy | classes tested |", "| --- | --- | --- | --- |"]
    for row in evaluation["ranks"]:
        lines.append(f"| {row['rank']} | {row['macro_f1']:.4f} | {row['accuracy']:.2%} | {row['classes']:,} |")
    return "\n".join(lines)


def _calibrated(exported: Exported) -> str:
    fitted = exported.calibration
    if not fitted:
        return "Not calibrated: its probabilities are the network's own, usually too sure."
    lines = [
        f"Calibrated on {fitted.sheets:,} held-out sheets: temperature {fitted.temperature:.3f}, expected calibration "
        f"error {fitted.ece_before:.3f} before and {fitted.ece_after:.3f} after. Sets of species promise to hold the "
        "right one so often, for sheets like those; measured two-fold, on the half that a fit had not seen:",
        "",
        "| promised | measured | species in a set |",
        "| --- | --- | --- |",
    ]
    for promised, found in fitted.measured.items():
        lines.append(f"| {float(promised):.0%} | {found['coverage']:.1%} | {found['species']:.2f} |")
    return "\n".join(lines)
