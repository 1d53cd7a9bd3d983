"""export, identify, review: a trained model for the people who keep sheets."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

import click

from naflora_etl.commands.options import json_option
from naflora_etl.console import watching
from naflora_etl.engine.faults import Fault

if TYPE_CHECKING:
    from naflora_etl.learning.cabinet.exported import Exported
    from naflora_etl.learning.cabinet.identify import Identification

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("run", type=_PATH)
@click.option("--out", type=_PATH, required=True, help="Folder of the model.")
@click.option("--calibrate", type=_PATH, metavar="RELEASE", help="Fit probabilities and sets on its test part.")
@click.option("--force", is_flag=True, help="Write over a model that lies in the folder already.")
@json_option
def export(run: Path, out: Path, calibrate: Path | None, force: bool, as_json: bool) -> None:
    """Make a model that needs no torch of a trained run.

    RUN is the folder that `naflora train` wrote. Written are model.onnx (normalisation and softmax inside),
    model.safetensors, labels.csv, model.json and a model card. Needs the extra `export`.
    """
    from naflora_etl.learning.cabinet.export import export_run

    with watching(quiet=as_json) as progress:
        progress.begin("calibrate" if calibrate else "export")
        result = export_run(run, out, calibrate=calibrate, force=force, progress=progress)
    click.echo(result.exported.facts_text().rstrip() if as_json else str(result))


@click.command(name="identify")
@click.argument("sheets", metavar="SHEET_OR_FOLDER", type=_PATH)
@click.option("--model", type=_PATH, required=True, help="Folder that `naflora export` wrote.")
@click.option("--out", type=_PATH, help="Darwin Core CSV. [default for a folder: standard output]")
@click.option("--top", type=click.IntRange(min=1), default=5, show_default=True, help="Likeliest species to tell.")
@click.option("--coverage", type=float, default=0.9, show_default=True, help="How often a set holds the right species.")
@click.option(
    "--only", "rules", multiple=True, metavar="RANK=NAME", help="Only this family, genus, species; repeatable."
)
@click.option("--checklist", type=_PATH, help="Only species on this list (CSV, TSV, XLSX, text; accepted names).")
@click.option("--force", is_flag=True, help="Write over the file --out.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Of the network.")
@json_option
def identify_sheets(  # noqa: PLR0913  # a command has as many arguments as options
    sheets: Path,
    model: Path,
    out: Path | None,
    top: int,
    coverage: float,
    rules: tuple[str, ...],
    checklist: Path | None,
    force: bool,
    threads: int,
    as_json: bool,
) -> None:
    """Name the species on a sheet, or on every sheet of a folder.

    Tells the likeliest species with what their genera and families have together, and, where the model was calibrated,
    a set of candidates that holds the right one as often as --coverage says: "Carex, 4 candidates". Needs no torch.
    """
    from naflora_etl.learning.cabinet.exported import read_exported
    from naflora_etl.learning.cabinet.identify import find_files, identify
    from naflora_etl.learning.cabinet.inference import Classifier
    from naflora_etl.learning.cabinet.masks import on_checklist, only

    if out and out.exists() and not (force and out.is_file()):
        mend = "name another, or write over it with --force" if out.is_file() else "name a file, a .csv"
        raise Fault(f"{out} is there already; {mend}.")
    exported = read_exported(model)
    among = only(exported.labels, rules) if rules else None
    if checklist:
        listed = on_checklist(exported.labels, _names_on(checklist), where=str(checklist))
        among = listed if among is None else among & listed
        if not among.any():
            raise Fault(f"{checklist}: none of its species is left by --only {' --only '.join(rules)}.")
    paths = find_files(sheets, leave=out)
    classifier = Classifier(exported, threads)
    with ExitStack() as stack:
        progress = stack.enter_context(watching(quiet=as_json))
        progress.begin("identify")
        found = identify(paths, classifier, top=top, coverage=coverage, among=among, progress=progress)
        if out or (sheets.is_dir() and not as_json):
            root = sheets if sheets.is_dir() else sheets.parent
            counts = _write_table(stack, found, root, out, exported, coverage)
            click.echo(_summary(counts, out), err=out is None)
            return
        told = list(found)
    if as_json:
        values = [one.as_dict() for one in told]
        click.echo(json.dumps(values if sheets.is_dir() else values[0], indent=2, ensure_ascii=False))
    elif told[0].issue:
        raise Fault(f"{sheets}: {told[0].finding()}")
    else:
        click.echo(_slip(told[0], exported, coverage))


@click.command()
@click.argument("run", type=_PATH)
@click.argument("release_folder", metavar="RELEASE", type=_PATH)
@click.option("--out", type=_PATH, required=True, help="Folder for review.csv and review.html.")
@click.option("--part", type=click.Choice(["test", "train"]), default="test", show_default=True, help="Whose labels.")
@click.option("--most", type=click.IntRange(min=1), default=200, show_default=True, help="Sheets on the page.")
@json_option
def review(run: Path, release_folder: Path, out: Path, part: Literal["test", "train"], most: int,
           as_json: bool) -> None:  # fmt: skip
    """List the sheets whose labels a model confidently disputes.

    RUN is a run or an exported model. The page shows each sheet beside one of its label's species and one of the
    model's; the table holds the collections' numbers, and a column for your verdict.
    """
    from naflora_etl.learning.cabinet.review import review_labels
    from naflora_etl.learning.cabinet.tellers import open_teller
    from naflora_etl.learning.releases import check_same_classes, open_release

    name, classes, tell = open_teller(run)
    release = open_release(release_folder)
    check_same_classes(classes, release.classes, run=run, release=release.folder)
    with watching(quiet=as_json) as progress:
        progress.begin("review")
        found = review_labels(release, tell, out, name=name, part=part, most=most, progress=progress)
    click.echo(json.dumps(found.as_dict(), indent=2) if as_json else str(found))


def _names_on(checklist: Path) -> set[str]:
    """Return the names without authors, and in a table of `naflora match` the accepted ones."""
    from naflora_etl.names.namelist import read_name_list
    from naflora_etl.names.parse import parse_name

    read = read_name_list(checklist)
    columns = set(read.table.column_names)
    accepted = [name for column in ("accepted_name", "accepted_id", "taxon_id") if column in columns
                for name in read.table[column].to_pylist()]  # fmt: skip
    written = [parse_name(name).canonical for name in read.names if name]
    return {name for name in [*accepted, *written] if name}


def _write_table(
    stack: ExitStack, found: Iterable[Identification], root: Path, out: Path | None, exported: Exported, coverage: float
) -> Counter[str]:
    import io
    from datetime import UTC, datetime

    from naflora_etl.engine.workspace import Workspace
    from naflora_etl.learning.cabinet.darwincore import write_rows

    stream: IO[str] = sys.stdout
    if out:
        raw = stack.enter_context(Workspace(str(out.parent)).writing(out.name))
        stream = wrapped = io.TextIOWrapper(raw, encoding="utf-8", newline="", write_through=True)
        stack.callback(wrapped.detach)  # its workspace closes it
    date = datetime.now(UTC).date().isoformat()
    rows = write_rows(stream, found, root=root, model=exported.title, date=date, coverage=coverage)
    return Counter(one.issue or (one.rank or "higher" if one.candidates else "uncalibrated") for one in rows)


def _summary(counts: Counter[str], out: Path | None) -> str:
    ranks = {"species": "to a species", "genus": "to a genus", "family": "to a family", "higher": "across families"}
    ranks["uncalibrated"] = "by a model that was not calibrated"
    named = ", ".join(f"{counts[rank]:,} {how}" for rank, how in ranks.items() if counts[rank])
    aside = {issue: count for issue, count in counts.items() if issue not in ranks}
    told = f"{out or 'standard output'}: {counts.total():,} files, {named or 'none identified'}"
    return told + (
        f"; set aside: {', '.join(f'{issue} {count:,}' for issue, count in aside.items())}." if aside else "."
    )


def _slip(one: Identification, exported: Exported, coverage: float) -> str:
    promise = f" ({coverage:.0%} of such answers hold the right species)" if one.candidates else " (not calibrated)"
    lines = [f"{one.path.name}: {one.finding()}{promise}"]
    names = [(some.label.taxon_name, some.label.genus, some.label.family) for some in one.top]
    wide = [max(len(row[column]) for row in names) for column in range(3)]
    for some, row in zip(one.top, names, strict=True):
        species, genus, family = (name.ljust(width) for name, width in zip(row, wide, strict=True))
        lines.append(
            f"  {some.probability:6.1%}  {species}   {genus} {some.genus_probability:6.1%}   "
            f"{family} {some.family_probability:6.1%}"
        )
    return "\n".join([*lines, f"by {exported.title}"])
