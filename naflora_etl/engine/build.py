"""Run a stage: skip, slice, run, check, commit. The same five verbs for every stage."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from pydantic import BaseModel

from naflora_etl.engine import progress
from naflora_etl.engine.ahead import work_ahead
from naflora_etl.engine.blobs import Blobs
from naflora_etl.engine.contracts import Contract, check_table, read_contract
from naflora_etl.engine.folders import Folder
from naflora_etl.engine.http import HttpClient
from naflora_etl.engine.notes import Notes
from naflora_etl.engine.packs import ADDRESS, Packs
from naflora_etl.engine.promises import BrokenPromise, Promise
from naflora_etl.engine.receipts import Receipt, Receipts, digest_of, digest_path
from naflora_etl.engine.slices import count_slices, given_tables
from naflora_etl.engine.spool import Spool
from naflora_etl.engine.stage import Stage
from naflora_etl.engine.tables import count_issues, cut_windows, parquet_bytes, read_parquet, sha256_of
from naflora_etl.engine.workspace import Workspace


@dataclass(frozen=True)
class SliceJob:
    """One slice of one stage: all that a worker, here or on another machine, needs to run it."""

    stage: Stage
    url: str
    recipe: BaseModel
    fingerprint: str
    number: int
    of: int

    @property
    def place(self) -> str:
        """Folder of the parts that are being made."""
        return f"tables/{self.stage.name}/{self.fingerprint[:12]}"

    @property
    def part(self) -> str:
        """Name of the part that the slice makes."""
        return f"part-{self.number:05d}.parquet"

    def piece(self, number: int) -> str:
        """Name of one of the parts of a slice that streams."""
        return f"part-{self.number:05d}-{number:04d}.parquet"


Mapper = Callable[[Callable[[SliceJob], str], Sequence[SliceJob]], Iterable[str]]


def map_here(run: Callable[[SliceJob], str], jobs: Sequence[SliceJob]) -> Iterable[str]:
    """Run the jobs in this process, one after the other; a slice keeps all cores busy by itself."""
    return [run(job) for job in jobs]


@dataclass(frozen=True)
class Site:
    """Where and with what a recipe is built."""

    workspace: Workspace
    recipe: BaseModel
    mapper: Mapper = map_here
    tell: Callable[[Receipt, bool], None] = field(default=lambda receipt, unchanged: None)


def build_stage(stage: Stage, site: Site) -> Receipt:
    """Bring one stage's table up to date and return its receipt.

    Raises Fault for what a user can mend, BrokenPromise for a stage that breaks its contract.
    """
    started = time.monotonic()
    receipts = Receipts(site.workspace)
    inputs = _inputs(stage, site, receipts)
    fingerprint = digest_of(inputs)
    old = receipts.find(stage.name)
    if old is not None and old.fingerprint == fingerprint:
        spoilt = _spoilt_parts(stage, site.workspace, old)
        if not spoilt and _folder_holds(stage, site.workspace, old):
            site.tell(old, True)
            return old
        _forget(stage, site.workspace, spoilt)
    progress.current().begin(stage.name)
    parts = _run_slices(stage, site, fingerprint)
    receipt = _commit(stage, site.workspace, fingerprint, inputs, parts, time.monotonic() - started)
    progress.current().end()
    site.tell(receipt, False)
    return receipt


# skip


def _inputs(stage: Stage, site: Site, receipts: Receipts) -> dict[str, Any]:
    recipe = site.recipe
    options = getattr(recipe, stage.name)
    given = {name: _require(receipts, name, stage) for name in stage.reads}
    inputs: dict[str, Any] = {
        "stage": stage.name,
        "version": stage.version,
        "contract": read_contract(stage.name).digest,
        "options": options.model_dump(mode="json"),
        "also": {name: getattr(recipe, name).model_dump(mode="json") for name in stage.also},
        "tables": {name: receipt.digest for name, receipt in given.items()},
        "files": {path: digest_path(path) for path in (stage.files(options) if stage.files else ())},
    }
    if "recipe" in stage.uses:
        inputs["recipe"] = recipe.model_dump(mode="json")
    return inputs


def _require(receipts: Receipts, name: str, stage: Stage) -> Receipt:
    receipt = receipts.find(name)
    if receipt is None:
        raise BrokenPromise(f"{stage.name} reads {name}, which is not built; put it first in pipeline.py.")
    return receipt


def _spoilt_parts(stage: Stage, workspace: Workspace, old: Receipt) -> list[str]:
    """Return the parts to be made again: damaged, with failures worth another try, or pointing at lost images."""
    packs = Packs(workspace, "") if "packs" in stage.uses else None
    return [
        path
        for path, body in Receipts(workspace).vouched_parts(old)
        if body is None
        or ((stage.transient or packs) and _is_worth_another_try(read_parquet(io.BytesIO(body)), stage, packs))
    ]


def _is_worth_another_try(part: pa.Table, stage: Stage, packs: Packs | None) -> bool:
    if stage.transient & count_issues(part).keys():
        return True
    return packs is not None and set(ADDRESS) <= set(part.column_names) and packs.has_lost(part)


def _folder_holds(stage: Stage, workspace: Workspace, old: Receipt) -> bool:
    """Return whether every file that was published is in place, with the size it had."""
    return "folder" not in stage.uses or old.folder.items() <= Folder(workspace, stage.name).published().items()


def _forget(stage: Stage, workspace: Workspace, parts: list[str]) -> None:
    """Take away parts of a committed table; the receipt goes first, so a crash loses nothing."""
    workspace.remove(f"tables/{stage.name}/receipt.json")
    for path in parts:
        workspace.remove(path)


# slice


def _run_slices(stage: Stage, site: Site, fingerprint: str) -> list[str]:
    of = count_slices(site.workspace.url, stage, fingerprint, site.recipe)
    jobs = [SliceJob(stage, site.workspace.url, site.recipe, fingerprint, number, of) for number in range(of)]
    there = _made_before(stage, site.workspace, jobs)
    missing = [job for job in jobs if job.part not in there]
    made = there | dict(zip((job.part for job in missing), site.mapper(run_slice, missing), strict=True))
    return [name for job in jobs for name in made[job.part].split(" ")]


def _made_before(stage: Stage, workspace: Workspace, jobs: Sequence[SliceJob]) -> dict[str, str]:
    """Return, by name, the parts that an interrupted run left whole.

    A stage that publishes a folder starts anew: the folder that lies there may be another run's. So does one that
    streams, as nothing tells how many parts are still to come.
    """
    if "folder" in stage.uses or stage.streams:
        return {}
    found = set(workspace.names(jobs[0].place))
    bodies = ((job.part, workspace.read(f"{job.place}/{job.part}")) for job in jobs if job.part in found)
    return {part: _named(part, body) for part, body in bodies if _is_readable(body)}


def _is_readable(body: bytes) -> bool:
    try:
        read_parquet(io.BytesIO(body))
    except (pa.ArrowException, OSError):
        return False
    return True


# run


def run_slice(job: SliceJob) -> str:
    """Run one slice of a stage and write its part; return the part's name and sha256.

    A stage that streams gives several parts; their names stand one after the other, with spaces between.
    """
    workspace, stage = Workspace(job.url), job.stage
    receipts = Receipts(workspace)
    tables = given_tables(job.url, stage, job.fingerprint, job.recipe, job.number)
    effects = _effects(job, workspace, receipts)
    options = {f"{name}_options": getattr(job.recipe, name) for name in stage.also}
    made = stage.run(*tables, options=getattr(job.recipe, stage.name), **options, **effects)
    promise = Promise(stage, tables)
    parts = [made] if isinstance(made, pa.Table) else made

    def write(numbered: tuple[int, pa.Table]) -> str:
        number, part = numbered
        name, body = job.piece(number) if stage.streams else job.part, parquet_bytes(promise.check(part))
        workspace.write(f"{job.place}/{name}", body)
        return _named(name, body)

    names = list(work_ahead(write, enumerate(parts), 1))
    promise.check_account()
    if "packs" in effects:
        effects["packs"].clear_bench()
    return " ".join(names)


def _effects(job: SliceJob, workspace: Workspace, receipts: Receipts) -> dict[str, Any]:
    makers: dict[str, Callable[[], Any]] = {
        "http": lambda: HttpClient(getattr(job.recipe, "http")),  # noqa: B009 - the engine knows no recipe class
        "blobs": lambda: Blobs(workspace),
        "notes": lambda: Notes(workspace),
        "packs": lambda: Packs(workspace, f"{job.fingerprint[:12]}-{job.number:05d}"),
        "folder": lambda: _begun(Folder(workspace, job.stage.name)),
        "tables": lambda: Tables(receipts),
        "slice": lambda: job.number,
        "recipe": lambda: job.recipe,
        "progress": lambda: _SliceProgress(job),
        "spool": lambda: Spool(workspace),
    }
    return {name: makers[name]() for name in job.stage.uses}


def _begun(folder: Folder) -> Folder:
    folder.begin()
    return folder


@dataclass(frozen=True)
class Tables:
    """Whole committed tables, set-aside rows too, for a stage that tells about all of them."""

    receipts: Receipts

    def whole(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Return every row of a committed table; of `columns`, where they are named, no more than these."""
        return self.receipts.table(name, columns)

    def windows(self, name: str, rows: int, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Yield every row of a committed table, `rows` at a time, so that it need not fit into memory."""
        return cut_windows(self.receipts.pieces(name, columns), rows)

    def metadata(self, name: str) -> dict[bytes, bytes]:
        """Return what stands beside the rows of a committed table."""
        return self.receipts.metadata(name)

    def receipt(self, name: str) -> Receipt | None:
        """Return the receipt of a committed table."""
        return self.receipts.find(name)


@dataclass(frozen=True)
class _SliceProgress:
    job: SliceJob

    def __call__(self, done: int, total: int, note: str = "") -> None:
        where = f"slice {self.job.number + 1} of {self.job.of} " if self.job.of > 1 else ""
        progress.current()(done, total, where + note)


# commit


def _commit(
    stage: Stage, workspace: Workspace, fingerprint: str, inputs: dict[str, Any], parts: list[str], seconds: float
) -> Receipt:
    receipts = Receipts(workspace)
    folder = fingerprint[:12]
    receipt = Receipt(stage.name, fingerprint, tuple(f"{folder}/{part}" for part in parts), 0, 0, inputs=_plain(inputs))
    contract = read_contract(stage.name)
    # a part was checked when it was made, and so were all parts of a stage that streams; slices only each by itself
    columns = contract.arrow_schema.names if len(parts) > 1 and not stage.streams else _counted(contract)
    table = pa.concat_tables([_part(workspace, path, columns) for path in receipts.parts(receipt)])
    faults = check_table(table, contract) if len(parts) > 1 and not stage.streams else []
    if faults:
        workspace.remove(f"tables/{stage.name}/{folder}")
        raise BrokenPromise(f"stage {stage.name} breaks its promises:\n  " + "\n  ".join(faults))
    if "folder" in stage.uses:
        workspace.remove(f"tables/{stage.name}/receipt.json")  # the old table must not vouch for the new folder
        Folder(workspace, stage.name).commit()
    issues = count_issues(table)
    first = receipts.find(stage.reads[0]) if stage.reads else None
    receipt = Receipt(
        stage=stage.name,
        fingerprint=fingerprint,
        parts=receipt.parts,
        rows=table.num_rows,
        clean=table.num_rows - sum(issues.values()),
        issues=issues,
        given=first.clean if first else table.num_rows,
        inputs=receipt.inputs,
        seconds=round(seconds, 3),
        folder=Folder(workspace, stage.name).published() if "folder" in stage.uses else {},
    )
    receipts.write(receipt)
    if "packs" in stage.uses:
        workspace.remove("bench")  # what an interrupted build of another recipe left there
    for name in workspace.names(f"tables/{stage.name}"):
        if name not in ("receipt.json", folder):
            workspace.remove(f"tables/{stage.name}/{name}")
    return receipt


def _counted(contract: Contract) -> list[str]:
    """Return the columns by which rows are counted: the issue, or the first one where there is none."""
    names = contract.arrow_schema.names
    return ["issue"] if "issue" in names else names[:1]


def _part(workspace: Workspace, path: str, columns: Sequence[str]) -> pa.Table:
    with workspace.open(path) as stream:
        return read_parquet(stream, columns)


def _named(part: str, body: bytes) -> str:
    return f"{part}:{sha256_of(body)}"


def _plain(inputs: dict[str, Any]) -> dict[str, str]:
    return {name: value if isinstance(value, str) else digest_of(value) for name, value in inputs.items()}
