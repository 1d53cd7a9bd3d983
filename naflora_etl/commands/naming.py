"""match: any list of names against any backbone, outside a build."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from naflora_etl.commands.options import json_option
from naflora_etl.engine.faults import Fault

_FILE = click.Path(path_type=Path)


@click.command(name="match")
@click.argument("names", type=_FILE, required=False)
@click.option("--backbone", type=_FILE, help="WCVP (file or zip), a Darwin Core table, or another by --mapping.")
@click.option("--mapping", "mappings", multiple=True, metavar="WCVP=FILE", help="Column of WCVP = column of the file.")
@click.option("--out", type=_FILE, help="Write here, .csv, .tsv or .parquet. [default: CSV to standard output]")
@click.option("--review", type=_FILE, help="Write the doubtful names here; filled in, it is a file of overrides.")
@click.option("--overrides", type=_FILE, help="Decisions that win: name, accepted_id (or `drop`), who, why.")
@click.option("--name-column", metavar="COLUMN", help="Column that holds the names.")
@click.option("--author-column", metavar="COLUMN", help="Column that holds the authors, when they stand apart.")
@click.option("--diff", "versions", type=_FILE, nargs=2, metavar="OLD NEW", help="Compare two backbones instead.")
@json_option
def match(  # noqa: PLR0913  # a command has as many arguments as options
    names: Path | None,
    backbone: Path | None,
    mappings: tuple[str, ...],
    out: Path | None,
    review: Path | None,
    overrides: Path | None,
    name_column: str | None,
    author_column: str | None,
    versions: tuple[Path, Path] | None,
    as_json: bool,
) -> None:
    """Give every name of a list one verdict.

    NAMES is a list of any kind (CSV, TSV, XLSX, Parquet, plain text); each of its rows comes back, in order, with its
    own columns in front. What was found goes to --out, counts that add up to the screen.
    """
    from naflora_etl.names.matching import make_table, match_files, summarise
    from naflora_etl.names.overrides import read_overrides
    from naflora_etl.names.review import make_review, refuse_decided
    from naflora_etl.names.tablefile import check_table_path, csv_text, refuse_overwriting, write_table

    for path in (out, review):
        if path:
            check_table_path(path)
    given = {"list": names, "backbone": backbone, "file of overrides": overrides}
    given |= dict(zip(("older backbone", "newer backbone"), versions or (), strict=False))
    refuse_overwriting({"--out": out, "--review": review}, given)
    mapping = _read_mapping(mappings)
    if versions:
        _compare(versions, mapping, out, as_json)
        return
    if names is None or backbone is None:
        raise click.UsageError("give a list and a backbone: naflora match NAMES --backbone FILE")
    if review:
        refuse_decided(review)
    decisions = read_overrides(overrides) if overrides else None
    matched = match_files(
        names, backbone, mapping=mapping, name_column=name_column, author_column=author_column, overrides=decisions
    )
    table, summary = make_table(matched), summarise(matched)
    own = matched.names.table.column_names
    renamed = [new for old, new in zip(own, table.column_names, strict=False) if old != new]
    if out:
        write_table(table, out)
    else:
        sys.stdout.write(csv_text(table))
    if review:
        sheet = make_review(matched)
        write_table(sheet, review)
        summary["to_review"] = len(sheet)
    by = matched.backbone.as_sentence() if matched.backbone else ""
    _say(summary, renamed, as_json, by=by, aside=out is None)


def _read_mapping(mappings: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for text in mappings:
        column, equals, own = text.partition("=")
        if not (column.strip() and equals and own.strip()):
            raise Fault(f"--mapping {text}: write WCVP_COLUMN=FILE_COLUMN, as in plant_name_id=ID.")
        pairs[column.strip()] = own.strip()
    return pairs


def _compare(versions: tuple[Path, Path], mapping: dict[str, str], out: Path | None, as_json: bool) -> None:
    from naflora_etl.names.diff import compare_backbones, count_changes
    from naflora_etl.names.tablefile import csv_text, write_table

    changes = compare_backbones(*versions, mapping=mapping)
    counts = count_changes(changes)
    if out:
        write_table(changes, out)
    else:
        sys.stdout.write(csv_text(changes))
    told = json.dumps(counts, indent=2) if as_json else ", ".join(f"{name} {count:,}" for name, count in counts.items())
    click.echo(told, err=out is None or not as_json)


def _say(summary: Mapping[str, Any], renamed: list[str], as_json: bool, *, by: str, aside: bool) -> None:
    """Tell the counts: sentences to standard error; JSON to standard output, unless the table goes there."""
    if as_json:
        click.echo(json.dumps(summary, indent=2, ensure_ascii=False), err=aside)
        return
    lines = [f"{summary['rows']:,} names: {summary['clean']:,} clean, leading to {summary['taxa']:,} taxa."]
    for what in ("verdicts", "rules", "issues", "overrides"):
        if summary[what]:
            lines.append(f"{what:<10}" + ", ".join(f"{name} {count:,}" for name, count in summary[what].items()))
    if summary["mended"]:
        lines.append(f"{summary['mended']:,} names were mended of encoding faults before they were matched.")
    if by:
        lines.append(f"By the backbone {by}, {summary['backbone']['rows']:,} names.")
    if renamed:
        lines.append(f"Own columns renamed, since ours are called so: {', '.join(renamed)}.")
    for issue, count in summary["backbone"]["set_aside"].items():
        lines.append(f"{count:,} rows of the backbone were not used: {issue}.")
    if "to_review" in summary:
        lines.append(f"{summary['to_review']:,} doubtful names to review: fill in accepted_id, give it as --overrides.")
    click.echo("\n".join(lines), err=True)
