"""A machine of its own, as far as lanes go: `turn_worker.py LANES URL REQUESTS CONCURRENCY PER_SECOND`."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from flows.lanes import HostTurns, Pace
from naflora_etl.engine.http import HttpClient
from naflora_etl.engine.lanes import Lanes
from naflora_etl.recipe import HttpOptions


def main(folder: str, url: str, requests: str, concurrency: str, per_second: str) -> None:
    manners = {"concurrency": int(concurrency), "per_second": float(per_second)}
    options = HttpOptions.model_validate({"allow_private_hosts": [url.split("/")[2]], "default": manners})
    turns = HostTurns(Pace(longest_s=2, idle_s=0.3, rest_s=2, ask_again_s=0.5))
    client = HttpClient(options, Lanes(Path(folder), turns))

    async def work() -> None:
        async with client.session() as ask:
            answers = await asyncio.gather(*(ask(f"{url}?{number}") for number in range(int(requests))))
        sys.stdout.write(str(dict(Counter(answer.issue or "ok" for answer in answers))))

    client.run(work())


if __name__ == "__main__":
    main(*sys.argv[1:])
