"""Time the choice of servers at full size: python benchmarks/servers.py [frontier | servers | stay | few] [--seed 1].

The instance is drawn, not real, in the shape of what is known of NAFlora: 17,000 species with a long-tailed number of
images, 100 hosts, half a million counts; the fifteen largest hosts are as unequal as the published download list
(../shared/data/naflora/download_hosts_counts.tsv when it is there), and each host has regions of its own flora.
`frontier`: all numbers of servers up to 60. `servers`: fifteen, and how near the proof comes. `stay`: harvest after
harvest with 1 % of the images gone and 3 % new, how many of fifteen servers change, with and without prefer_hosts.
`few`: thirty hosts in teams that cover a species only together, pure and amid other images, or all alike, or natural:
whether every number of servers is proven, and in what time.
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


def in_teams(rng: np.random.Generator, together: int, noise: float) -> np.ndarray:
    """Return 2,500 species on thirty hosts in teams: ten images spread over one team, and on average `noise` a host."""
    matrix = rng.poisson(noise * rng.lognormal(0, 1.5, (2500, 30)) / np.exp(1.5**2 / 2))
    teams = rng.permutation(30).reshape(-1, together)
    part = np.full(together, 10 // together)
    part[: 10 % together] += 1
    np.add.at(matrix, (np.arange(2500)[:, None], teams[rng.integers(0, len(teams), 2500)]), part)
    return matrix


def few(seed: int, seconds: float, say) -> None:  # type: ignore[no-untyped-def]
    """Print for each kind of instance of thirty hosts how many numbers of servers are proven, and the time."""
    rng = np.random.default_rng(seed)
    flat = rng.integers(0, 4, (3000, 30)) * (rng.random((3000, 30)) < 0.25)
    kinds = {f"teams of {n}, {noise:g} others a host": in_teams(rng, n, noise) for n in (2, 3) for noise in (0, 0.5)}
    kinds |= {"all alike": flat, "natural": make_matrix(species=5000, hosts=30, cells=30_000, seed=seed)}
    for kind, matrix in kinds.items():
        start, cpu = time.perf_counter(), time.process_time()
        choice = choose_servers(as_counts(matrix), Wish(servers="frontier"), Effort(seconds=seconds))
        proven = sum(step.is_proven for step in choice.frontier)
        say(
            f"{kind}: {choice.reachable_species} species reachable, {proven} of {len(choice.frontier)} proven by "
            f"{choice.by}; {time.perf_counter() - start:.1f} s, {time.process_time() - cpu:.1f} CPU s\n"
        )
    say(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB\n")


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
    parser.add_argument("what", nargs="?", choices=("frontier", "servers", "stay", "few"), default="frontier")
    for name, value in (("species", 17_000), ("hosts", 100), ("cells", 500_000), ("seed", 1), ("harvests", 10)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--seconds", type=float, help="for search and proof: 22; 150 with `servers`, 600 with `few`")
    asked = parser.parse_args()
    say = sys.stdout.write
    if asked.what == "few":
        few(asked.seed, asked.seconds or 600.0, say)
        return
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
