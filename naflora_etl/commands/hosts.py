"""hosts: the bill of every image server, and how its lane is at this moment."""

from __future__ import annotations

import json

import click

from naflora_etl.commands.options import built_option, json_option
from naflora_etl.console import columns, find_workspace, say


@click.command()
@built_option
@json_option
def hosts(work: str | None, as_json: bool) -> None:
    """Show the bill of every image server.

    Requests, bytes, seconds, retries, refusals and opt-outs, as one can show them to an institution; and which
    servers are left alone at this moment, and for how long, or asked more slowly, because they said it was too often.
    """
    import time

    from naflora_etl.engine.bill import bill_hosts, describe_bill
    from naflora_etl.engine.lane_files import describe_states, read_states, shared_folder
    from naflora_etl.engine.receipts import Receipts

    bills = bill_hosts(Receipts(find_workspace(work)).table("images"))
    states = read_states(shared_folder())
    if as_json:
        lanes = {host: state.as_dict(time.time()) for host, state in states.items()}
        click.echo(json.dumps({"hosts": [bill.as_dict() for bill in bills], "lanes": lanes}, indent=2))
        return
    click.echo(describe_bill(bills, columns()))
    for line in describe_states(states, time.time()):
        say(line)
