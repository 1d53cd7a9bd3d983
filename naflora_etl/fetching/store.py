"""What is done of a list and what is not: the state of an out folder, which outlives any kill.

    OUT/00000.tar ...            finished shards
    OUT/manifest.parquet         a row per row of the list
    OUT/receipt.json             written last
    OUT/.fetch/00000.parquet     a finished shard's rows; without it the shard does not count
    OUT/.fetch/00000.journal     what is finished of a shard that is not whole yet
    OUT/.fetch/old-*             shards and journals of another list, from which what is asked again is taken
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.engine.tables import read_parquet, write_parquet
from naflora_etl.fetching.asked import Asked
from naflora_etl.fetching.journal import Journal, Record
from naflora_etl.fetching.manifest import MANIFEST, label_of, manifest_rows
from naflora_etl.fetching.options import UNASKED, FetchOptions
from naflora_etl.fetching.shards import FORMS, STATE, Place, Sample, put_in_place, remove, replacing
from naflora_etl.issues import ASKED_ANEW


class Found(NamedTuple):
    """An image, or a lasting failure, that an earlier run finished: facts, and a way to its bytes."""

    facts: dict[str, Any]
    read: Callable[[], bytes]


class Store:
    """The out folder of one list."""

    def __init__(self, out: Path, asked: Asked, options: FetchOptions) -> None:
        self.out, self.asked, self.options = out, asked, options
        self.state = out / STATE
        self.form = FORMS[options.output]
        self.shards = -(-asked.rows // options.shard_size)
        self.found: dict[int, Found] = {}
        """What earlier runs finished of shards that are not whole, by row."""
        self.passing: dict[int, dict[str, Any]] = {}
        """Failures of this run that may pass; not kept, since the next run asks again."""
        self._journals = {number: Journal(self.state / f"{_stem(number)}.journal") for number in range(self.shards)}

    def open(self) -> list[int]:
        """Look at what is there; return the rows that are to be asked, in order."""
        self.state.mkdir(parents=True, exist_ok=True)
        for path in sorted(self.state.glob("*.next")):
            self._promote(path)
        whole = {number for number in range(self.shards) if self._is_whole(number)}
        self._set_aside(whole)
        broken = [number for number in range(self.shards) if number not in whole]
        if broken:
            self._find(broken)
        return [row for number in broken for row in self.rows(number) if self._is_wanted(row)]

    def open_shards(self) -> list[int]:
        """Return the numbers of the shards that are not whole."""
        return [number for number in range(self.shards) if not self._part(number).exists() or number in self._reopened]

    def rows(self, number: int) -> range:
        """Return the rows of a shard."""
        begin = number * self.options.shard_size
        return range(begin, min(begin + self.options.shard_size, self.asked.rows))

    def shard_of(self, row: int) -> int:
        """Return the number of a row's shard."""
        return row // self.options.shard_size

    def keep(self, row: int, facts: dict[str, Any], image: bytes) -> None:
        """Keep what became of a row; from several threads."""
        if facts["issue"] in ASKED_ANEW:
            self.passing[row] = facts
        else:
            named = {"key": self.asked.key(row), "url": self.asked.url(row)}
            self._journals[self.shard_of(row)].append(named | facts, image)

    def finish(self, number: int) -> None:
        """Write a shard of which every row is decided, and its part of the manifest."""
        known = self._known(number)
        places: dict[int, Place] = {}
        beside = self.state / f"{_stem(number)}.partial"
        target = self.out / self.form.name(_stem(number))
        pictured = [row for row in self.rows(number) if row in known and known[row].facts["issue"] is None]
        told: dict[str, Any] = {"samples": 0, "bytes": 0}
        remove(beside)
        if pictured:
            written = self.form.write(self._samples(number, pictured, known), beside)
            places = dict(zip(pictured, written, strict=True))
            told = self.form.measure(beside, len(pictured))
        facts = {row: self._facts(row, known) for row in self.rows(number)}
        table = manifest_rows(self.asked, self.rows(number), facts, places, target.name)
        promise = {"asked": self._digest(number), "shard": json.dumps(told)}
        with replacing(self.state / f"{_stem(number)}.next") as stream:
            write_parquet(table.replace_schema_metadata(promise), stream)
        self._promote(self.state / f"{_stem(number)}.next")
        self._journals[number].path.unlink(missing_ok=True)
        for row in self.rows(number):
            self.found.pop(row, None)
            self.passing.pop(row, None)

    def close(self) -> dict[str, dict[str, Any]]:
        """Write the manifest and clear away what is no longer needed; return what is told of each shard."""
        parts = [read_parquet(self._part(number)) for number in range(self.shards)]
        with replacing(self.out / "manifest.parquet") as stream:
            write_parquet(pa.concat_tables([part.replace_schema_metadata() for part in parts]), stream)
        for path in self.state.glob("old-*"):
            remove(path)
        told = {number: json.loads(part.schema.metadata[b"shard"]) for number, part in enumerate(parts)}
        return {self.form.name(_stem(number)): shard for number, shard in told.items() if shard["samples"]}

    # what is there

    def _part(self, number: int) -> Path:
        return self.state / f"{_stem(number)}.parquet"

    def _digest(self, number: int) -> str:
        rows = self.rows(number)
        return self.asked.digest(rows.start, rows.stop)

    def _promote(self, following: Path) -> None:
        """Bring a written shard into place and then its part; or throw both away, where a kill was quicker."""
        stem = following.stem
        beside, target = self.state / f"{stem}.partial", self.out / self.form.name(stem)
        away = beside.with_name(f"{beside.name}.away")
        if away.exists() and not target.exists():
            away.rename(target)
        told = _promise(following)
        shard = told[1] if told else None
        if shard and shard["samples"]:
            if beside.exists() and self.form.measure(beside, shard["samples"]) == shard:
                put_in_place(beside, target)
            if not target.exists() or self.form.measure(target, shard["samples"]) != shard:
                shard = None
        elif shard:
            remove(target)
        if shard:
            following.replace(following.with_suffix(".parquet"))
        else:
            following.unlink()
        remove(beside)
        remove(away)

    def _is_whole(self, number: int) -> bool:
        told = _promise(self._part(number))
        if told is None or told[0] != self._digest(number):
            return False
        if told[1]["samples"] and not self.form.stands(self.out / self.form.name(_stem(number)), told[1]):
            return False
        issues = read_parquet(self._part(number), ["issue"])["issue"].unique().to_pylist()
        return not (set(issues) - {None} - UNASKED if self.options.again else ASKED_ANEW & set(issues))

    def _set_aside(self, whole: set[int]) -> None:
        """Put away, under other names, the shards and journals of another list: new ones take their names."""
        self._reopened: set[int] = set()
        for part in sorted(self.state.glob("[0-9]*.parquet")):
            number, told = int(part.stem), _promise(part)
            if number in whole:
                continue
            if told and number < self.shards and told[0] == self._digest(number):
                self._reopened.add(number)
                continue
            mark = f"old-{(told[0] if told else 'unreadable')[:8]}-{part.stem}"
            shard = self.out / self.form.name(part.stem)
            if told and shard.exists():
                remove(self.state / self.form.name(mark))
                shard.rename(self.state / self.form.name(mark))
            part.replace(self.state / f"{mark}.parquet")
        for stray in self.out.glob(self.form.name("[0-9]" * 5)):  # a shard without its part does not count
            if not self._part(int(stray.name[:5])).exists():
                remove(stray)
        listed = self.state / "list"
        digest = hashlib.sha256("".join(map(self._digest, range(self.shards))).encode()).hexdigest()
        before = listed.read_text(encoding="utf-8") if listed.exists() else digest
        if before != digest:
            for journal in self.state.glob("[0-9]*.journal"):
                journal.replace(journal.with_name(f"old-{before[:8]}-{journal.name}"))
        listed.write_text(digest, encoding="utf-8")

    def _find(self, broken: list[int]) -> None:
        """Fill `found` for the rows of shards that are not whole: journals say more than parts, both more than old."""
        place: dict[tuple[Any, Any], int] = {}
        for number in broken:
            for row in self.rows(number):
                if self.asked.issues[row] is None:
                    place[self.asked.key(row), self.asked.url(row)] = row
        for part in sorted(self.state.glob("old-*.parquet")):
            self._find_in_part(part, self.state / self.form.name(part.stem), place)
        for number in broken:
            if self._part(number).exists():
                self._find_in_part(self._part(number), self.out / self.form.name(_stem(number)), place)
        for path in [*sorted(self.state.glob("old-*.journal")), *sorted(self.state.glob("[0-9]*.journal"))]:
            journal = Journal(path)
            for record in journal.mend():
                mine = place.get((record.facts.get("key"), record.facts.get("url")))
                if mine is not None:
                    self.found[mine] = _from_journal(journal, record)

    def _find_in_part(self, part: Path, shard: Path, place: dict[tuple[Any, Any], int]) -> None:
        with suppress(OSError, pa.ArrowException, KeyError):
            table = read_parquet(part, [field.name for field in MANIFEST])
            for facts in table.filter(pc.invert(pc.is_in(table["issue"], pa.array(sorted(ASKED_ANEW))))).to_pylist():
                row = place.get((facts["key"], facts["url"]))
                if row is None:
                    continue
                if facts["issue"] is None:
                    where = Place(facts["offset"], facts["length_bytes"])
                    image = self.form.read(shard, facts["key"], where)
                    if hashlib.sha256(image).hexdigest() != facts["sha256"]:
                        continue  # damaged: it is asked again
                    self.found[row] = Found(facts, _reader(self.form.read, shard, facts["key"], where))
                else:
                    self.found[row] = Found(facts, bytes)

    def _is_wanted(self, row: int) -> bool:
        if self.asked.issues[row] is not None:
            return False
        found = self.found.get(row)
        if found is not None and self.options.again and found.facts["issue"] is not None:
            del self.found[row]
            return True
        return found is None

    # one shard

    def _known(self, number: int) -> dict[int, Found]:
        known = {row: self.found[row] for row in self.rows(number) if row in self.found}
        journal = self._journals[number]
        rows = {self.asked.key(row): row for row in self.rows(number) if self.asked.issues[row] is None}
        for record in journal.records():
            own = rows.get(record.facts.get("key", ""))
            if own is not None and record.facts.get("url") == self.asked.url(own):
                known[own] = _from_journal(journal, record)
        return known

    def _facts(self, row: int, known: dict[int, Found]) -> dict[str, Any]:
        if self.asked.issues[row] is not None:
            return {"issue": self.asked.issues[row]}
        return self.passing[row] if row in self.passing else known[row].facts

    def _samples(self, number: int, pictured: list[int], known: dict[int, Found]) -> Iterator[Sample]:
        rows = self.rows(number)
        given = self.asked.table.slice(rows.start, len(rows)).to_pylist()
        for row in pictured:
            label = label_of(given[row - rows.start], known[row].facts)
            yield Sample(self.asked.key(row), known[row].read(), label)


def _stem(number: int) -> str:
    return f"{number:05d}"


def _promise(part: Path) -> tuple[str, dict[str, Any]] | None:
    """Return what a part says of its rows (a digest) and its shard (size, sha256); None when it cannot be read."""
    if not part.exists():
        return None
    try:
        metadata = read_parquet(part, ["issue"]).schema.metadata or {}
        return metadata[b"asked"].decode(), json.loads(metadata[b"shard"])
    except (OSError, pa.ArrowException, KeyError, ValueError):
        return None


def _from_journal(journal: Journal, record: Record) -> Found:
    return Found(record.facts, lambda: journal.read(record))


def _reader(read: Callable[[Path, str, Place], bytes], shard: Path, key: str, place: Place) -> Callable[[], bytes]:
    return lambda: read(shard, key, place)
