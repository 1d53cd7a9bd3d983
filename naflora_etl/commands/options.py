"""Arguments and options that several commands have."""

from __future__ import annotations

from pathlib import Path

import click

recipe_argument = click.argument("recipe", type=click.Path(path_type=Path))
work_option = click.option(
    "--work", metavar="URL", help="Data folder, a path or an fsspec URL. [default: work/<recipe's name>]"
)
built_option = click.option(
    "--work", metavar="URL", help="Data folder, a path or an fsspec URL. [default: the last one built under ./work]"
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
