"""servers: which image servers to ask, from counts in a file or from a build's own records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from naflora_etl.commands.options import json_option
from naflora_etl.console import find_workspace, say, watching
from naflora_etl.engine.faults import Fault


@click.command()
@click.argument("counts", required=False, type=click.Path(path_type=Path))
@click.option("--work", metavar="URL", help="Instead of COUNTS: the clean records of this data folder.")
@click.option("--threshold", type=int, default=10, show_default=True, help="Images that make a species covered.")
@click.option("--cap", type=int, default=100, show_default=True, help="Images of a species that count in ties.")
@click.option("--servers", "most", metavar="K", type=int, help="At most so many servers.")
@click.option("--coverage", metavar="F", type=float, help="As few as cover this share of the reachable species.")
@click.option("--frontier", is_flag=True, help="As many as the knee of the frontier says. [default]")
@click.option("--require", metavar="HOST", multiple=True, help="Must be among them. Repeatable.")
@click.option("--exclude", metavar="HOST", multiple=True, help="Must not be. Repeatable.")
@click.option("--cost", "costs", metavar="HOST=X", multiple=True, help="Cost of a request, 1 when not said; for ties.")
@click.option("--prefer", metavar="HOST", multiple=True, help="A server of an earlier choice, kept if cheap.")
@click.option("--within", type=float, default=0.002, show_default=True, help="Share of species to give up for that.")
@click.option("--seconds", type=float, help="Time for search and proof. [default: 22 to 600, by size]")
@click.option("--out", metavar="F.json", type=click.Path(path_type=Path), help="Write the frontier as JSON.")
@click.option("--plot", metavar="F.svg", type=click.Path(path_type=Path), help="Draw the frontier.")
@json_option
def servers(counts: Path | None, out: Path | None, plot: Path | None, as_json: bool, **asked: Any) -> None:
    """Choose the fewest image servers, with a proof.

    COUNTS is a long table, Parquet or CSV: species, host, n (unique images). Printed are the best set found of each
    number of servers, and the bound that no set of so many beats; it is called proven where the two meet.
    """
    from naflora_etl.selecting.countfile import count_records, read_counts
    from naflora_etl.selecting.frontier_table import describe_frontier
    from naflora_etl.selecting.servers import choose_servers

    wish, effort = _wish(asked), _effort(asked)
    if (counts is None) == (asked["work"] is None):
        raise Fault("servers needs counts: give a file (species, host, n), or a built data folder with --work.")
    with watching(quiet=as_json) as progress:
        progress.begin("servers")
        if counts is not None:
            table, first_line = read_counts(counts)
            choice = choose_servers(table, wish, effort, first_line)
        else:
            choice = choose_servers(count_records(_records(asked["work"])), wish, effort)
    certificate = choice.as_dict()
    text = json.dumps(certificate, indent=2, ensure_ascii=False)
    if plot is not None:
        from naflora_etl.publishing.server_frontier import draw_frontier

        _write(plot, draw_frontier(certificate))
    if out is not None:
        _write(out, text + "\n")
    if as_json:
        click.echo(text)
        return
    for remark in choice.remarks:
        click.echo(remark, err=True)
    say(describe_frontier(choice))
    click.echo()
    say(f"{choice.explanation} ({choice.seconds:.1f} s)")
    for host in choice.hosts:
        click.echo(host)


def _records(work: str) -> Any:
    from naflora_etl.engine.receipts import Receipts

    return Receipts(find_workspace(work)).table("records", ["taxon_id", "host"], clean=True)


def _wish(asked: dict[str, Any]) -> Any:
    from naflora_etl.selecting.servers import Wish

    if sum((asked["most"] is not None, asked["coverage"] is not None, asked["frontier"])) > 1:
        raise Fault("--servers, --coverage and --frontier are three demands; say one of them.")
    return Wish(
        servers=asked["most"] if asked["most"] is not None else "frontier",
        coverage=asked["coverage"],
        threshold=asked["threshold"],
        cap=asked["cap"],
        require=asked["require"],
        exclude=asked["exclude"],
        costs=dict(map(_cost, asked["costs"])),
        prefer=asked["prefer"],
        within=asked["within"],
    )


def _cost(text: str) -> tuple[str, float]:
    host, _, cost = text.rpartition("=")
    try:
        return (host, float(cost)) if host else (_refuse(text), 0.0)
    except ValueError:
        return _refuse(text), 0.0


def _refuse(text: str) -> str:
    raise Fault(f'--cost "{text}" is not understood; write it as HOST=2.5.')


def _effort(asked: dict[str, Any]) -> Any:
    from naflora_etl.selecting.frontier import Effort

    if asked["seconds"] is None:
        return None
    if not asked["seconds"] > 0:
        raise Fault("--seconds is a time above 0.")
    return Effort(seconds=asked["seconds"])


def _write(path: Path, text: str) -> None:
    from naflora_etl.engine.workspace import telling

    if not path.parent.is_dir():
        raise Fault(f"{path.parent} is not a folder; make it, or write elsewhere.")
    if path.is_dir():
        raise Fault(f"{path} is a folder; name a file in it.")
    beside = path.with_name(f".{path.name}.partial")
    with telling(str(path)):
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
