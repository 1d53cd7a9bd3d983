"""What the commands share: how they find their data, show progress, say one line a stage, and end."""

from __future__ import annotations

import re
import shutil
import signal
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from naflora_etl.engine.faults import Fault

if TYPE_CHECKING:
    from naflora_etl.engine.progress import Progress
    from naflora_etl.engine.receipts import Receipt
    from naflora_etl.engine.workspace import Workspace
    from naflora_etl.recipe import Recipe

STOPPED = "Stopped. Nothing is lost: the same command goes on from here."
RUN_AGAIN = {
    "PACK_DAMAGED": "images in packs/ were damaged; run the same command again, and they are asked for anew",
    "HOST_TROUBLE": "images were out of reach; the same command, run later, asks for them again",
    "SOURCE_UNREADABLE": "answers of aggregators made no sense; the same command, run later, asks for them again",
    "SOURCE_UNREACHABLE": "questions to aggregators had no answer; the same command, run later, asks them again",
}


class Naflora(click.Group):
    """Turns what a user can mend into a sentence, and an interruption into a promise."""

    def __init__(self, *args: Any, headings: Mapping[str, Sequence[click.Command]], **options: Any) -> None:
        super().__init__(*args, **options)
        self.headings = headings
        for command in chain.from_iterable(headings.values()):
            self.add_command(command)

    def invoke(self, ctx: click.Context) -> Any:
        signal.signal(signal.SIGTERM, _interrupt)
        try:
            return super().invoke(ctx)
        except Fault as fault:
            raise click.ClickException(str(fault)) from fault
        except (KeyboardInterrupt, click.Abort):
            _stop(ctx)
        except BrokenPipeError:
            sys.stderr.close()
            ctx.exit(0)
        except OSError as error:
            if sentence := _told(error):
                raise click.ClickException(sentence) from error
            raise
        except BaseException as error:
            # what an event loop makes of an interruption that meets it at its very end; by name, for `asyncio` is slow
            if type(error).__name__ != "CancelledError":
                raise
            _stop(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for heading, commands in self.headings.items():
            with formatter.section(heading):
                formatter.write_dl([(command.name or "", command.get_short_help_str(80)) for command in commands])


def _told(error: OSError) -> str | None:
    from naflora_etl.engine.workspace import tell_error

    return tell_error(error)


def _stop(ctx: click.Context) -> None:
    """Say that all is well, and end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # once more would only spoil the end
    _hush()
    click.echo(STOPPED, err=True)
    ctx.exit(130)


def _hush() -> None:
    """Keep an event loop that was hit while it opened or closed from complaining when it is thrown away."""
    import logging
    import warnings

    sys.unraisablehook = lambda _: None
    warnings.simplefilter("ignore", RuntimeWarning)
    logging.getLogger("asyncio").disabled = True


def _interrupt(number: int, frame: object) -> None:
    """Take a request to end as Ctrl-C is taken: where work is asynchronous, it is cancelled in good order."""
    _hush()
    if callable(signal.getsignal(signal.SIGINT)):
        signal.raise_signal(signal.SIGINT)
    else:  # a job in the background, for which Ctrl-C is switched off
        raise KeyboardInterrupt


@contextmanager
def at_work(path: Path, work: str | None, serve: bool = True) -> Iterator[tuple[Recipe, Workspace]]:
    """Give the recipe and its workspace; a recipe with a sandbox gets one, running while the block lasts."""
    from naflora_etl.engine.workspace import Workspace
    from naflora_etl.recipe import read_recipe
    from naflora_etl.sandbox.embedded import sandbox_for

    recipe = read_recipe(path)
    workspace = Workspace(work or f"work/{recipe.name}")
    workspace.make()
    with sandbox_for(recipe, workspace, serve=serve) as ready:
        yield ready, workspace


@contextmanager
def watching(quiet: bool = False) -> Iterator[Progress]:
    """Show progress while the block lasts, when a person watches and nobody asked for quiet."""
    from naflora_etl.engine.progress import shown

    with shown(False if quiet else None) as progress:
        yield progress


def find_workspace(work: str | None) -> Workspace:
    """Return the named data folder, or the one under ./work that was built last."""
    from naflora_etl.engine.workspace import Workspace

    if work is not None:
        if "://" not in work and not Path(work).is_dir():
            raise Fault(f"{work} is not a data folder; `naflora build RECIPE --work {work}` would make it one.")
        return Workspace(work)
    built = sorted(Path("work").glob("*/tables"), key=lambda path: path.stat().st_mtime)
    if not built:
        raise Fault("there is no data folder under ./work; run `naflora build RECIPE` first, or name one with --work.")
    return Workspace(str(built[-1].parent))


def columns() -> int | None:
    """Return how wide the terminal is that is written to; None when no person reads along, and lines may be long."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def say(text: str) -> None:
    """Print a table or a text; on a terminal, a line too long for it goes on under its own last column."""
    width = columns()
    for line in text.splitlines():
        click.echo(line if width is None else fold(line, width))


def fold(line: str, width: int) -> str:
    """Return `line` broken where it reaches `width`, what follows under its last column in the line's first half."""
    if len(line) <= width:
        return line
    starts = [found.end() for found in re.finditer(r"(?:^|\S)(?: {2,})(?=\S)", line) if found.end() <= 0.6 * width]
    start = starts[-1] if starts else 0
    return textwrap.fill(
        line[start:], width, initial_indent=line[:start], subsequent_indent=" " * start, break_on_hyphens=False
    )


def tell(receipt: Receipt, unchanged: bool, issues: bool = True) -> None:
    """Say one line about a stage: what it was given, what came out, what was set aside and why."""
    aside = receipt.rows - receipt.clean
    line = f"{receipt.stage:<10} {receipt.given:>9,} given  {receipt.clean:>9,} clean  {aside:>9,} set aside"
    reasons = ""
    if issues and receipt.issues:
        first = list(receipt.issues.items())[:3]
        more = ", ..." if len(receipt.issues) > 3 else ""
        reasons = f"({', '.join(f'{name} {count:,}' for name, count in first)}{more})"
    seconds = int(receipt.seconds)
    end = "  unchanged" if unchanged else f"  {seconds // 60}m{seconds % 60:02d}s"
    width = columns()
    if reasons and width is not None and len(line) + len(reasons) + len(end) >= width:
        say(f"{line}{end}\n{'':11}{reasons}")
    else:
        click.echo(f"{line} {reasons}{end}" if reasons else line + end)
    for name, what_to_do in RUN_AGAIN.items():
        is_asked_again = name != "SOURCE_UNREADABLE" or receipt.stage == "harvest"  # not a row of an archive
        if issues and receipt.issues.get(name) and is_asked_again:
            say(f"           {receipt.issues[name]:,} {what_to_do}.")


def say_nothing(receipt: Receipt, unchanged: bool) -> None:
    """Say nothing; for a script that wants JSON alone."""


def as_json_values(receipt: Receipt) -> dict[str, Any]:
    """Return what a script wants to know of a stage."""
    return {
        "stage": receipt.stage,
        "given": receipt.given,
        "rows": receipt.rows,
        "clean": receipt.clean,
        "issues": receipt.issues,
        "seconds": receipt.seconds,
    }
