"""Which of a model's classes may be answered: a taxon alone, or what stands on a checklist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from naflora_etl.engine.faults import Fault
from naflora_etl.learning.cabinet.exported import Label

Flags = npt.NDArray[np.bool_]
COLUMNS = {"family": "family", "genus": "genus", "species": "taxon_name"}


def only(labels: Sequence[Label], rules: Iterable[str]) -> Flags:
    """Return which classes the rules leave, `rank=NAME` each: any of the names of one rank, and all ranks together.

    Raises Fault for a rule of another form, a name that the model does not know, and rules that leave nothing.
    """
    wanted: dict[str, set[str]] = {}
    for rule in rules:
        rank, equals, name = (part.strip() for part in rule.partition("="))
        if rank not in COLUMNS or not equals or not name:
            raise Fault(f"--only {rule}: write family=NAME, genus=NAME or species=NAME.")
        known = {getattr(label, COLUMNS[rank]) for label in labels}
        if name not in known:
            nearest = difflib.get_close_matches(name, known, 1, 0)
            raise Fault(f"--only {rule}: the model knows no such {rank}; the nearest it knows is {nearest[0]}.")
        wanted.setdefault(rank, set()).add(name)
    held = np.array([all(getattr(label, COLUMNS[rank]) in names for rank, names in wanted.items()) for label in labels])
    if not held.any():
        raise Fault(f"--only {' --only '.join(rules)}: no species of the model is of all of them; ask for one rank.")
    return held


def on_checklist(labels: Sequence[Label], names: set[str], *, where: str) -> Flags:
    """Return which classes stand among `names` (names without authors, or ids); Fault when none does."""
    held = np.array([label.taxon_name in names or (label.taxon_id or None) in names for label in labels])
    if not held.any():
        raise Fault(
            f"{where}: none of its {len(names):,} names is among the {len(labels):,} species of the model; accepted "
            "names are compared (`naflora match` finds them)."
        )
    return held
