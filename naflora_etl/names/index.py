"""The backbone laid out for looking up: each name is one integer, sorted, so that the names of a genus lie together."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.names.ranks import rank_mark
from naflora_etl.names.spelling import fold_word
from naflora_etl.names.texts import read_texts

_BITS = 21  # for each of genus, epithet, infraspecific epithet: two million different words, 63 bits a name
_MOST_STEPS = 20


class BackboneIndex:
    """Rows of a backbone by the folded words of their names; a row is a position in the table it was made from.

    Holds two integers a row and each distinct word once, so 1.4 million names take about 100 MB beside the table.
    One name is looked up without numpy or Arrow, whose calls cost more than the look-up and may let another thread in.
    """

    def __init__(self, wcvp: pa.Table) -> None:
        self.table = wcvp.combine_chunks()
        self._genera: dict[str, int] = {"": 0}
        self._words: dict[str, int] = {"": 0}
        genus = _encode(self.table["genus"], self._genera)
        species = _encode(self.table["species"], self._words)
        infraspecies = _encode(self.table["infraspecies"], self._words)
        if max(len(self._genera), len(self._words)) > 1 << _BITS:
            raise OverflowError(f"the backbone holds more than {1 << _BITS:,} different words")
        keys = (genus << 2 * _BITS) | (species << _BITS) | infraspecies
        order: npt.NDArray[np.int64] = np.argsort(keys, kind="stable")
        self._sorted: npt.NDArray[np.int64] = keys[order]
        self._order, self._keys = order.data, self._sorted.data
        starts = np.searchsorted(self._sorted, np.arange(len(self._genera) + 1) << 2 * _BITS)
        self._starts: list[int] = starts.tolist()  # where each genus begins
        # Few words stand in these columns, so they are kept as numbers too.
        self._status, self._statuses = _few(self.table["taxon_status"])
        self._rank, self._ranks = _few(self.table["taxon_rank"])
        accepted = pc.index_in(self.table["accepted_plant_name_id"], value_set=_whole(self.table["plant_name_id"]))
        self._accepted = memoryview(_whole(accepted).fill_null(-1).cast(pa.int64()).to_numpy())
        self._cells = {name: read_texts(_whole(self.table[name])) for name in self.table.column_names}
        self._spellings = list(self._words)
        self._genus_names = list(self._genera)
        self._epithets: dict[int, list[str]] = {}
        self._like_genera: dict[str, list[str]] = {}
        self._homes: list[int] | None = None

    def like_genera(self, genus: str, choose: Callable[[str, Sequence[str]], list[str]]) -> list[str]:
        """Return what `choose` chooses for a folded genus out of all of them; asked once, as names share genera."""
        if genus not in self._like_genera:
            self._like_genera[genus] = choose(genus, self._genus_names)
        return self._like_genera[genus]

    def find(self, genus: str, epithet: str = "", infraspecific: str = "") -> list[int]:
        """Return the rows whose words fold to these (already folded) ones, in the order of the table."""
        code, word, below = self._genera.get(genus), self._words.get(epithet), self._words.get(infraspecific)
        if code is None or word is None or below is None:
            return []
        key, keys, end = (code << 2 * _BITS) | (word << _BITS) | below, self._keys, self._starts[code + 1]
        first = last = bisect_left(keys, key, self._starts[code], end)
        while last < end and keys[last] == key:
            last += 1
        return self._order[first:last].tolist()

    def has(self, words: tuple[str, ...]) -> bool:
        """Say whether any row's words fold to these."""
        return bool(self.find(*words))

    def has_genus(self, genus: str) -> bool:
        """Say whether any row stands under this folded genus."""
        return genus in self._genera

    def epithets(self, genus: str) -> list[str]:
        """Return the distinct folded species epithets under a folded genus; empty if there is no such genus."""
        code = self._genera.get(genus)
        if code is None:
            return []
        if code not in self._epithets:
            keys = self._keys[self._starts[code] : self._starts[code + 1]].tolist()
            codes = dict.fromkeys(key >> _BITS & (1 << _BITS) - 1 for key in keys)
            self._epithets[code] = [self._spellings[word] for word in codes if word]
        return self._epithets[code]

    def genera_of(self, epithet: str) -> int:
        """Return under how many genera a folded epithet stands: a word at home in many is no slip of the pen."""
        if self._homes is None:
            shift = (1 << _BITS) - 1
            species = np.unique(self._sorted >> _BITS) & shift
            below = np.unique((self._sorted >> 2 * _BITS << _BITS) | (self._sorted & shift)) & shift
            self._homes = np.bincount(np.concatenate([species, below]), minlength=len(self._words)).tolist()
        code = self._words.get(epithet)
        return 0 if code is None else self._homes[code]

    def infraspecific(self, genus: str, epithet: str) -> list[str]:
        """Return the distinct folded infraspecific epithets under a folded species."""
        code = self._genera[genus]
        start, end = (code << 2 * _BITS) | (self._words[epithet] << _BITS), self._starts[code + 1]
        first = bisect_left(self._keys, start + 1, self._starts[code], end)
        last = bisect_left(self._keys, start + (1 << _BITS), first, end)
        codes = dict.fromkeys(key & (1 << _BITS) - 1 for key in self._keys[first:last].tolist())
        return [self._spellings[word] for word in codes]

    def text(self, row: int, column: str) -> str | None:
        """Return one cell."""
        return self._cells[column](row)

    def status(self, row: int) -> str:
        """Return the taxon_status of a row."""
        return self._statuses[self._status[row]]

    def rank(self, row: int) -> str:
        """Return the taxon_rank of a row."""
        return self._ranks[self._rank[row]]

    def rank_mark(self, row: int) -> str | None:
        """Return the infraspecific rank of a row as WCVP abbreviates it, however its backbone writes it (fo., ssp.)."""
        return rank_mark(self.text(row, "infraspecific_rank"))

    def hybrid_marks(self, row: int) -> tuple[bool, bool]:
        """Return whether the row's name bears a hybrid mark at the genus, and at the species."""
        return self.text(row, "genus_hybrid") is not None, self.text(row, "species_hybrid") is not None

    def is_hybrid(self, row: int) -> bool:
        """Say whether the row's name bears a hybrid mark at genus or species."""
        return any(self.hybrid_marks(row))

    def accepted(self, row: int) -> int | None:
        """Return the row that a name leads to; None if to none, to an id that is not there, or round in a ring."""
        for _ in range(_MOST_STEPS):
            following = self._accepted[row]
            if following == row:
                return row
            if following < 0:
                return None
            row = following
        return None


def _encode(column: pa.ChunkedArray, codes: dict[str, int]) -> npt.NDArray[np.int64]:
    """Return each cell's number in `codes`, which grows by the folded words that it has not yet; null is 0."""
    encoded = _whole(column).dictionary_encode()
    spellings = encoded.dictionary.to_pylist()
    numbers = np.array([codes.setdefault(fold_word(word), len(codes)) for word in spellings] + [0], np.int64)
    taken: npt.NDArray[np.int64] = numbers[encoded.indices.fill_null(len(spellings)).to_numpy()]
    return taken


def _few(column: pa.ChunkedArray) -> tuple[memoryview, list[str]]:
    """Return a column of few words as (numbers, words)."""
    encoded = _whole(column).dictionary_encode()
    words = [*encoded.dictionary.to_pylist(), ""]
    return memoryview(encoded.indices.fill_null(len(words) - 1).to_numpy()), words


def _whole(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
