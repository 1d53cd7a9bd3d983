"""Time the choice of servers at full size: python benchmarks/servers.py [frontier | servers | stay] [--seed 1].

The instance is drawn, not real, in the shape of what is known of NAFlora: 17,000 species with a long-tailed number of
images, 100 hosts, half a million counts; the fifteen largest hosts are as unequal as the published download list
(../shared/data/naflora/download_hosts_counts.tsv when it is there), and each host has regions of its own flora.
`frontier`: all numbers of servers up to 60. `servers`: fifteen, and how near the proof comes. `stay`: harvest after
harvest with 1 % of the images gone and 3 % new, how many of fifteen servers change, with and without prefer_hosts.
"""

from __future__ import annotations

import argparse
import csv
import resource
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from naflora_etl.selecting.frontier import Effort
from naflora_etl.selecting.servers import Wish, choose_servers

LIST = Path(__file__).parents[2] / "shared" / "data" / "naflora" / "download_hosts_counts.tsv"
IN_LIST = 15


def weigh_hosts(hosts: int) -> np.ndarray:
    """Return the size of each host: the published fifteen, then a tail; a power law where the list is not there."""
    weight = 1.0 / np.arange(1, hosts + 1) ** 1.1
    if LIST.is_file() and hosts > IN_LIST:
        with LIST.open(encoding="utf-8") as stream:
            urls = [float(row["n_urls_in_list"]) for row in csv.DictReader(stream, delimiter="\t")]
        known = np.sort(urls)[::-1]
        # the fifteen best hold 65 % of the images, as in the instance of the notes
        weight[:IN_LIST] = 0.65 * known / known.sum()
        weight[IN_LIST:] *= 0.35 / weight[IN_LIST:].sum()
    return weight / weight.sum()


def make_matrix(*, species: int, hosts: int, cells: int, seed: int) -> np.ndarray:
    """Return species x hosts: images; about `cells` are not zero, the same for the same seed."""
    rng = np.random.default_rng(seed)
    region_of_host, region_of_species = rng.integers(0, 8, hosts), rng.integers(0, 8, species)
    at_home = np.where(region_of_species[:, None] == region_of_host[None, :], 3.0, 0.5)
    likely = rng.lognormal(0, 1.7, species)[:, None] * weigh_hosts(hosts)[None, :] * at_home
    low, high = 0.0, 1e9
    for _ in range(60):
        scale = (low + high) / 2
        filled = np.sum(-np.expm1(-scale * likely))
        low, high = (scale, high) if filled < cells else (low, scale)
    return rng.poisson(scale * likely)


def as_counts(matrix: np.ndarray) -> pa.Table:
    """Return the long table of a matrix: species, host, n."""
    rows, columns = np.nonzero(matrix)
    return pa.table({
        "species": pa.array([f"{row + 1}-az" for row in rows.tolist()]),
        "host": pa.array([f"h{column:03d}.example.org" for column in columns.tolist()]),
        "n": pa.array(matrix[rows, columns].astype(np.int64)),
    })


def stay(matrix: np.ndarray, seed: int, harvests: int, say) -> None:  # type: ignore[no-untyped-def]
    """Print how many servers change from harvest to harvest, freely and with the earlier ones preferred."""
    rng = np.random.default_rng(seed)
    none = Effort(nodes=0, others=0, seconds=1e-3)
    free = kept = choose_servers(as_counts(matrix), Wish(servers=15), none)
    changes = {"free": 0, "kept": 0}
    for harvest in range(1, harvests + 1):
        matrix = rng.binomial(matrix, 0.99) + rng.poisson(0.03 * matrix)
        counts = as_counts(matrix)
        now_free = choose_servers(counts, Wish(servers=15), none)
        now_kept = choose_servers(counts, Wish(servers=15, prefer=kept.hosts), none)
        changes["free"] += len(set(now_free.hosts) - set(free.hosts))
        changes["kept"] += len(set(now_kept.hosts) - set(kept.hosts))
        lost = now_free.chosen.covered_species - now_kept.chosen.covered_species
        say(f"harvest {harvest}: changed so far {changes}, species given up {lost}\n")
        free, kept = now_free, now_kept


def main() -> None:
    """Make the instance, choose, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("what", nargs="?", choices=("frontier", "servers", "stay"), default="frontier")
    for name, value in (("species", 17_000), ("hosts", 100), ("cells", 500_000), ("seed", 1), ("harvests", 10)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--seconds", type=float, help="time for search and proof: 22, or 150 with `servers`")
    asked = parser.parse_args()
    say = sys.stdout.write
    matrix = make_matrix(species=asked.species, hosts=asked.hosts, cells=asked.cells, seed=asked.seed)
    if asked.what == "stay":
        stay(matrix, asked.seed, asked.harvests, say)
        return
    counts = as_counts(matrix)
    wish = Wish(servers=15 if asked.what == "servers" else "frontier")
    seconds = asked.seconds or (150.0 if asked.what == "servers" else 22.0)
    start, cpu = time.perf_counter(), time.process_time()
    choice = choose_servers(counts, wish, Effort(seconds=seconds))
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    say(f"{counts.num_rows} counts, {int(matrix.sum())} images\n{choice.explanation}\n")
    say(f"{wall:.1f} s, {cpu:.1f} CPU s, peak {peak_mib:.0f} MiB\n")
    for step in choice.frontier:
        say(f"{len(step.hosts):4d} servers {step.covered_species:7d} species, bound {step.bound:6d}, {step.gap:.2%}\n")


if __name__ == "__main__":
    main()
