"""A process of its own that asks one host many times: `lane_worker.py LANES URL REQUESTS CONCURRENCY PER_SECOND`."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from pathlib import Path

from naflora_etl.engine.http import HttpClient
from naflora_etl.engine.lanes import Lanes
from naflora_etl.recipe import HttpOptions


def main(folder: str, url: str, requests: str, concurrency: str, per_second: str) -> None:
    host = url.split("/")[2]
    manners = {"concurrency": int(concurrency), "per_second": float(per_second)}
    options = HttpOptions.model_validate({"allow_private_hosts": [host], "default": manners})
    client = HttpClient(options, Lanes(Path(folder)))

    async def work() -> None:
        async with client.session() as ask:
            answers = await asyncio.gather(*(ask(f"{url}?{number}") for number in range(int(requests))))
        sys.stdout.write(str(dict(Counter(answer.issue or "ok" for answer in answers))))

    client.run(work())


if __name__ == "__main__":
    main(*sys.argv[1:])
