"""Distances between genera along a tree in Newick form, for the `distances` of the competition."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import newick
import numpy as np
from numpy.typing import NDArray

from naflora_etl.engine.faults import Fault

Numbers = NDArray[np.int64]
Lengths = NDArray[np.float64]
ALLOWED = "name a tree in Newick form with branch lengths, whose tips are called Genus or Genus_species"


class Distances(NamedTuple):
    """Distances along a tree."""

    pairs: Lengths
    """[genera, genera], in the order asked for; NaN for a genus that the tree lacks, and for one with itself."""
    missing: tuple[str, ...]
    """Genera that the tree lacks."""


def measure_distances(path: str, genera: Sequence[str]) -> Distances:
    """Return the patristic distances between `genera`: the lengths of all branches between their tips, summed.

    Of a genus with several tips the first by the alphabet stands for it. Raises Fault for what is no such tree.
    """
    root = _read_tree(path)
    tips = _find_tips(root, set(genera), path)
    pairs = np.full((len(genera), len(genera)), np.nan)
    numbers = {id(tips[genus]): number for number, genus in enumerate(genera) if genus in tips}
    below: dict[int, tuple[Numbers, Lengths]] = {}
    for node, depth in _from_the_tips_up(root):
        parts = [below.pop(id(child)) for child in node.descendants]
        if id(node) in numbers:
            parts.append((np.array([numbers[id(node)]]), np.array([depth])))
        for at, (here, its_depths) in enumerate(parts):
            for there, other_depths in parts[:at]:
                between = its_depths[:, None] + other_depths[None, :] - 2 * depth
                pairs[np.ix_(here, there)] = between
                pairs[np.ix_(there, here)] = between.T
        if parts:
            below[id(node)] = np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
        else:
            below[id(node)] = np.empty(0, np.int64), np.empty(0)
    return Distances(pairs, tuple(genus for genus in genera if genus not in tips))


def list_distances(found: Distances) -> Iterator[dict[str, Any]]:
    """Yield the rows of the competition's `distances`, x before y, six digits after the point."""
    for x, row in enumerate(found.pairs):
        for y in range(x + 1, len(row)):
            if not np.isnan(row[y]):
                yield {"genus_id_x": x, "genus_id_y": y, "distance": round(float(row[y]), 6)}


def _read_tree(path: str) -> Any:
    try:
        trees = newick.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Fault(f"release.tree: {path}: no such file; {ALLOWED}.") from None
    except RecursionError:
        raise Fault(f"release.tree: {path} is nested too deeply to be read; take a tree of genera.") from None
    except (ValueError, UnicodeDecodeError) as error:
        raise Fault(f"release.tree: {path} cannot be read ({str(error).splitlines()[0]}); {ALLOWED}.") from None
    if len(trees) != 1:
        raise Fault(f"release.tree: {path} holds {len(trees)} trees; name a file with one.")
    return trees[0]


def _find_tips(root: Any, genera: set[str], path: str) -> dict[str, Any]:
    """Return the tip that stands for each genus."""
    tips: dict[str, Any] = {}
    has_lengths = False
    for node, _ in _from_the_tips_up(root):
        has_lengths |= bool(node.length)
        name = (node.unquoted_name or "").replace("_", " ")
        genus = name.partition(" ")[0]
        if not node.descendants and genus in genera:
            known = tips.get(genus)
            if known is None or name < known.unquoted_name.replace("_", " "):
                tips[genus] = node
    if not tips or not has_lengths:
        lacks = "has none of our genera at its tips" if has_lengths else "has no branch lengths"
        raise Fault(f"release.tree: {path} {lacks}; {ALLOWED}.")
    return tips


def _from_the_tips_up(root: Any) -> Iterator[tuple[Any, float]]:
    """Yield each node after all below it, with its distance from the root; deep trees too."""
    waiting: list[tuple[Any, float, bool]] = [(root, 0.0, False)]
    while waiting:
        node, depth, done = waiting.pop()
        if done or not node.descendants:
            yield node, depth
            continue
        waiting.append((node, depth, True))
        waiting += [(child, depth + child.length, False) for child in node.descendants]
