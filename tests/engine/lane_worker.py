"""A process of its own that asks one host many times: `lane_worker.py LANES URL REQUESTS CONCURRENCY PER_SECOND`.

It tells how many answers were what, and in a second line the moments at which it took its turns.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from pathlib import Path

import pytest
from raw_server import note_turns

from naflora_etl.engine.http import HttpClient
from naflora_etl.engine.lanes import Lanes
from naflora_etl.recipe import HttpOptions


def main(folder: str, url: str, requests: str, concurrency: str, per_second: str) -> None:
    host = url.split("/")[2]
    manners = {"concurrency": int(concurrency), "per_second": float(per_second)}
    options = HttpOptions.model_validate({"allow_private_hosts": [host], "default": manners})
    client, turns = HttpClient(options, Lanes(Path(folder))), note_turns(pytest.MonkeyPatch())

    async def work() -> None:
        async with client.session() as ask:
            answers = await asyncio.gather(*(ask(f"{url}?{number}") for number in range(int(requests))))
        sys.stdout.write(f"{dict(Counter(answer.issue or 'ok' for answer in answers))}\n")

    client.run(work())
    sys.stdout.write(" ".join(repr(turn) for turn in turns))


if __name__ == "__main__":
    main(*sys.argv[1:])
