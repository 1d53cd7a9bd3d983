"""Time the choice of servers on a large synthetic instance: python benchmarks/servers.py [--servers 15] [--seed 1].

The instance is drawn, not real: species with a long-tailed number of images, hosts of very unequal size, each host
with regions of its own flora. Its size is that of the published dataset (17,000 species, 100 hosts, 0.5 M counts).
"""

from __future__ import annotations

import argparse
import resource
import sys
import time

import numpy as np
import pyarrow as pa

from naflora_etl.selecting.servers import choose_servers


def make_counts(*, species: int, hosts: int, cells: int, seed: int) -> pa.Table:
    """Return a long table of counts: taxon_id, host, n; about `cells` rows, the same for the same seed."""
    rng = np.random.default_rng(seed)
    host_weight = 1 / np.arange(1, hosts + 1) ** 1.1
    region_of_host, region_of_species = rng.integers(0, 8, hosts), rng.integers(0, 8, species)
    at_home = np.where(region_of_species[:, None] == region_of_host[None, :], 3.0, 0.5)
    likely = rng.lognormal(0, 1.7, species)[:, None] * host_weight[None, :] * at_home
    low, high = 0.0, 1e9
    for _ in range(60):
        scale = (low + high) / 2
        filled = np.sum(-np.expm1(-scale * likely))
        low, high = (scale, high) if filled < cells else (low, scale)
    n = rng.poisson(scale * likely)
    rows, columns = np.nonzero(n)
    return pa.table({
        "taxon_id": pa.array([f"{row + 1}-az" for row in rows.tolist()]),
        "host": pa.array([f"h{column:03d}.example.org" for column in columns.tolist()]),
        "n": pa.array(n[rows, columns].astype(np.int64)),
    })


def main() -> None:
    """Make the instance, choose, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    for name, value in (("species", 17_000), ("hosts", 100), ("cells", 500_000), ("servers", 15), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=value)
    asked = parser.parse_args()
    counts = make_counts(species=asked.species, hosts=asked.hosts, cells=asked.cells, seed=asked.seed)
    before_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = time.perf_counter()
    choice = choose_servers(counts, servers=asked.servers, threshold=10)
    seconds = time.perf_counter() - start
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    say = sys.stdout.write
    say(f"{counts.num_rows} counts, {int(np.asarray(counts['n']).sum())} images\n{choice.explanation}\n")
    say(f"{seconds:.1f} s, peak {peak_mib:.0f} MiB (before the choice {before_mib:.0f} MiB)\n")
    for step in choice.history:
        say(f"{len(step.hosts):4d} servers {step.covered_species:7d} species {step.capped_images:9d} images\n")


if __name__ == "__main__":
    main()
