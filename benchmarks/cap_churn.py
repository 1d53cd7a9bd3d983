"""How many choices of the cap change from one harvest to the next: python benchmarks/cap_churn.py.

400 species of log-normal size, drawn; one image in a hundred is withdrawn and three in a hundred are new. Told is the
share of the chosen, still available images that are chosen no more, plain and spread over institutions (or any values).
"""

from __future__ import annotations

import sys

import numpy as np
import pyarrow as pa

from naflora_etl.selecting.draw import rank_images

CAP = 100
VALUES = {"20 alike": (20, 0.0), "100, Zipf's law": (100, 1.2), "30, a few large": (30, 1.5)}
"""What is spread over: how many values, and the exponent of their sizes."""

Images = list[tuple[str, str, str]]


def chosen(images: Images, values: np.ndarray | None) -> set[str]:
    """Return the images within the cap; each is (taxon, specimen, key)."""
    columns = [pa.array(column) for column in zip(*images, strict=True)]
    ranks = rank_images(*columns, seed=1, spread=None if values is None else pa.array(values))
    return {image[2] for image, rank in zip(images, ranks.tolist(), strict=True) if rank <= CAP}


def churn(seed: int, count: int, exponent: float) -> tuple[float, float]:
    """Return the share of choices that change, plain and spread."""
    rng = np.random.default_rng(seed)
    sizes = np.minimum(rng.lognormal(4.5, 1.2, 400).astype(int) + 1, 3000)
    images = [(f"t{t}", f"s{t}-{n}", f"i{t}-{n}") for t, size in enumerate(sizes.tolist()) for n in range(size)]
    weights = 1 / np.arange(1, count + 1) ** exponent
    values = rng.choice(count, len(images), p=weights / weights.sum()).astype(str)
    stays = rng.random(len(images)) > 0.01
    like = rng.integers(0, len(images), len(images) * 3 // 100)
    later = [image for image, kept in zip(images, stays, strict=True) if kept]
    there = {image[2] for image in later}
    later += [(images[j][0], f"new s{i}", f"new i{i}") for i, j in enumerate(like.tolist())]
    shares = []
    for spread in (False, True):
        before = chosen(images, values if spread else None) & there
        after = chosen(later, np.concatenate([values[stays], values[like]]) if spread else None)
        shares.append(len(before - after) / len(before))
    return shares[0], shares[1]


def main() -> None:
    """Print the shares for each kind of values."""
    for name, (count, exponent) in VALUES.items():
        told = [churn(seed, count, exponent) for seed in range(3)]
        plain, spread = ([f"{share:.2%}" for share in shares] for shares in zip(*told, strict=True))
        sys.stdout.write(f"{name}: plain {', '.join(plain)}; spread {', '.join(spread)}\n")


if __name__ == "__main__":
    main()
