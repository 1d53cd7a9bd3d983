"""release, verify, diff, publish: what leaves the house."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from naflora_etl.commands.options import json_option, recipe_argument, work_option
from naflora_etl.console import at_work, say_nothing, tell, watching


@click.command()
@recipe_argument
@click.option("--out", type=click.Path(path_type=Path), default=Path("dist"), show_default=True, help="Folder for it.")
@click.option("--part-size", metavar="SIZE", help="Cut the tarball into parts of this size (2GB, 500MB).")
@work_option
@json_option
def release(recipe: Path, out: Path, part_size: str | None, work: str | None, as_json: bool) -> None:
    """Build RECIPE and write the release's tarball.

    With its checksums, and the same bytes every time. Parts are joined by `cat NAME.tar.part-* | tar x`.
    """
    from naflora_etl.pipeline import build_recipe
    from naflora_etl.publishing.bundle import parse_size, write_tarballs

    part_size_bytes = parse_size(part_size) if part_size else None
    with at_work(recipe, work) as (ready, workspace), watching(quiet=as_json) as progress:
        build_recipe(ready, workspace, tell=say_nothing if as_json else tell)
        progress.begin("tarball")
        name = f"{ready.name}-{ready.release.version}"
        paths = write_tarballs(
            workspace.local("release"), out, name=name, part_size_bytes=part_size_bytes, progress=progress
        )
    click.echo(json.dumps([str(path) for path in paths], indent=2) if as_json else "\n".join(map(str, paths)))


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@json_option
def verify(path: Path, as_json: bool) -> None:
    """Check that a release keeps its promises.

    PATH is a release folder, a tarball of one, or any part of a tarball in parts. Every byte is read; the command
    fails when a promise is broken, and says which.
    """
    from naflora_etl.publishing.verify import verify_release

    with watching(quiet=as_json) as progress:
        progress.begin("verify")
        findings = verify_release(path, progress)
    if as_json:
        click.echo(json.dumps([str(finding) for finding in findings], indent=2))
    for finding in [] if as_json else findings:
        click.echo(str(finding), err=True)
    if findings:
        raise click.ClickException(f"{path} breaks {len(findings)} promise{'s'[: len(findings) != 1]}.")
    if not as_json:
        click.echo(f"{path} keeps its promises.")


@click.command()
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Parquet file with a row per image that changed.")
@json_option
def diff(old: Path, new: Path, out: Path | None, as_json: bool) -> None:
    """Tell what changed from one release to the next.

    OLD and NEW are release folders or tarballs. Told are images added, withdrawn, relabelled, fetched anew and moved,
    classes in and out, and whether the test set is untouched.
    """
    from naflora_etl.publishing.diff import compare_releases, describe_difference, write_changes
    from naflora_etl.publishing.parcel import refuse_inside

    if out is not None:
        refuse_inside(out, old, new, or_same=True)
    found = compare_releases(old, new)
    if out is not None:
        write_changes(found, out)
    click.echo(json.dumps(found.as_dict(), indent=2) if as_json else describe_difference(found), nl=as_json)


@click.command()
@click.argument("folder", metavar="RELEASE", type=click.Path(path_type=Path))
@click.option("--to", required=True, metavar="PLACE", help="A folder, or s3://bucket/name-of-the-release.")
@click.option("--single-writer", is_flag=True, help="Go on where the store lets a marker be written over.")
@json_option
def publish(folder: Path, to: str, single_writer: bool, as_json: bool) -> None:
    """Bring a release to where its users find it.

    RELEASE is a release folder, or the folder of its tarballs. Whatever is there already is not sent again, so a
    publication that was interrupted goes on. PUBLISHED.json is written last, and never over another: without it there
    is no release at PLACE. Credentials and endpoint of an S3 store come from the environment (AWS_PROFILE,
    AWS_ENDPOINT_URL ...), as for every client of S3.
    """
    from naflora_etl.publishing.publish import publish_release
    from naflora_etl.publishing.targets import open_target

    with watching(quiet=as_json) as progress:
        progress.begin("publish")
        done = publish_release(folder, open_target(to), single_writer=single_writer, progress=progress)
    if as_json:
        click.echo(json.dumps(asdict(done), indent=2))
        return
    was = f"{done.sent:,} of them sent now" if done.sent else "all of them there already"
    click.echo(f"Published: {done.where}, {done.files:,} files, {done.size_bytes:,} bytes, {was}.")
