"""What a stage promised, held against what it returns: its contract, its keys, and that nothing vanished."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.engine.contracts import check_table, conform, read_contract
from naflora_etl.engine.stage import Stage
from naflora_etl.engine.tables import RowHasher


class BrokenPromise(Exception):
    """A stage returned a table that breaks its contract or loses rows; the old table stays as it was."""


class Promise:
    """Checks the parts of a table as they come, and at the end the whole, of which only keys are remembered."""

    def __init__(self, stage: Stage, given: list[pa.Table]) -> None:
        self.stage = stage
        self.contract = read_contract(stage.name)
        self.given = given
        self.parts = 0
        self._came: set[Any] = set()
        self._keys: list[np.ndarray] = []
        self._hasher = RowHasher() if stage.streams and self.contract.primary_key else None

    def check(self, part: pa.Table) -> pa.Table:
        """Return a part in the contract's order and types; raises BrokenPromise, with all that is wrong with it."""
        table = conform(part, self.contract)
        faults = check_table(table, self.contract)
        self._tell(faults)
        self.parts += 1
        if self.stage.accounts_for:
            self._came.update(pc.unique(table[self.stage.accounts_for]).to_pylist())
        if self._hasher is not None:
            self._keys.append(self._hasher.hash(table.select(list(self.contract.primary_key))))
        return table

    def check_account(self) -> None:
        """Raise BrokenPromise where a key that was given did not come back, or one stands in two parts."""
        self._tell([*self._lost(), *self._repeated()])

    def _lost(self) -> list[str]:
        key = self.stage.accounts_for
        if not key:
            return []
        given = self.given[self.stage.reads.index(self.stage.accounts_from or self.stage.reads[0])]
        wanted = pc.unique(given[key]).drop_null().to_pylist()
        lost = [value for value in wanted if value not in self._came]
        if not lost:
            return []
        return [f"{self.stage.name}: {len(lost)} of {len(wanted)} given {key} did not come back, first {lost[0]}."]

    def _repeated(self) -> list[str]:
        keys = np.sort(np.concatenate(self._keys)) if self._keys else np.zeros(0, np.uint64)
        twice = int((keys[1:] == keys[:-1]).sum())
        return [f"{self.stage.name}: {twice} primary keys stand in more than one part."] if twice else []

    def _tell(self, faults: list[str]) -> None:
        if faults:
            told = "\n  ".join(faults)
            raise BrokenPromise(f"stage {self.stage.name} breaks its promises; nothing was written:\n  {told}")
