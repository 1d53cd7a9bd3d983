"""sandbox: a small world on loopback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from naflora_etl.engine.faults import Fault


@click.group()
def sandbox() -> None:
    """Serve a small world on loopback.

    GBIF and iDigBio look-alikes and image hosts, to try a client against.
    """


@sandbox.command("serve")
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same world.")
@click.option("--species", default=12, show_default=True, help="Species that grow in it.")
@click.option("--specimens-per-species", default=16, show_default=True, help="Mean number of specimens a species.")
@click.option("--min-sheet-px", default=3000, show_default=True, help="Long side of the smallest sheet.")
@click.option("--max-sheet-px", default=6000, show_default=True, help="Long side of the largest sheet.")
@click.option("--quarter", default=0, show_default=True, help="Quarters of a year that passed in it.")
@click.option("--drop-share", default=0.0, show_default=True, help="Share of image requests that are cut.")
@click.option("--dies-after", default=0, show_default=True, help="Pictures till the steady server cuts all; 0: never.")
@click.option("--gbif-lists", default=1.0, show_default=True, help="Share of its records that GBIF's search knows.")
@click.option("--download-s", default=0.0, show_default=True, help="Seconds that GBIF takes to prepare a download.")
@click.option("--port", default=8600, show_default=True, help="Port on every loopback address of the world.")
@click.option("--given", type=click.Path(path_type=Path), help="Folder to write its checklist and names table into.")
def serve_sandbox(given: Path | None, **options: Any) -> None:
    """Run the sandbox until Ctrl-C.

    It says where it answers; <GBIF address>/sandbox/log tells every request it got.
    """
    from pydantic import ValidationError

    from naflora_etl.recipe import SandboxOptions
    from naflora_etl.sandbox.checklist import write_given
    from naflora_etl.sandbox.server import run_sandbox
    from naflora_etl.sandbox.world import build_world

    try:
        chosen = SandboxOptions(**options)
    except ValidationError as error:
        fault = error.errors()[0]
        raise click.UsageError(f"--{str(fault['loc'][0]).replace('_', '-')}: {fault['msg']}.") from None
    if given is not None:
        try:
            files = write_given(build_world(chosen), given)
        except OSError as error:
            raise Fault(f"{given} cannot be written ({error.strerror}); choose another folder.") from None
        click.echo(f"{files.checklist_path}\n{files.wcvp_path}")
    run_sandbox(chosen, announce=click.echo)


@sandbox.command("archive")
@click.option("--records", type=click.IntRange(min=1), required=True, help="Images in all, both aggregators together.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A .zip, or the name of a folder.")
@click.option("--species", type=click.IntRange(12, 100_000), default=15_501, show_default=True, help="Species shown.")
@click.option("--seed", default=1, show_default=True, help="The same seed writes the same bytes.")
def write_sandbox_archive(records: int, out: Path, species: int, seed: int) -> None:
    """Write Darwin Core archives of any size, up to NAFlora's 8,800,000 images and beyond.

    GBIF's download and iDigBio's of the same herbaria, a quarter of the specimens in both, a few rows broken as real
    ones are; beside them the truth, names, and a recipe that builds records from them.
    """
    from naflora_etl.sandbox.mass_archive import write_mass

    try:
        files = write_mass(out, records, species=species, seed=seed)
    except OSError as error:
        raise Fault(f"{error.filename or out} cannot be written ({error.strerror}); choose another --out.") from None
    for path in (files.gbif, files.idigbio, files.truth, files.recipe):
        click.echo(str(path))
