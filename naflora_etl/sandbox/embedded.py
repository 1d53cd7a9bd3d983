"""A sandbox for the time of one block: found running or started beside, and the recipe pointed at it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any

from naflora_etl.engine.faults import Fault
from naflora_etl.recipe import HarvestOptions, Recipe, SandboxOptions
from naflora_etl.sandbox.checklist import write_given
from naflora_etl.sandbox.herbaria import hosts_of
from naflora_etl.sandbox.world import GBIF_ADDRESS, IDIGBIO_ADDRESS, build_world, digest_options

if TYPE_CHECKING:
    from naflora_etl.engine.workspace import Workspace

START_S = 30.0
ASK_AGAIN_S = 0.05
STOP_S = 5.0


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox's addresses; hosts are host:port."""

    gbif_api: str
    idigbio_api: str
    hosts: tuple[str, ...]


@contextmanager
def sandbox_for(recipe: Recipe, workspace: Workspace, *, serve: bool = True) -> Iterator[Recipe]:
    """Yield the recipe, pointed at a sandbox that runs while the block lasts; as it is when it asks for none.

    With `serve` false nothing is started: enough for whoever only reads what was built.
    """
    if recipe.sandbox is None:
        yield recipe
        return
    ready = point_recipe(recipe, _given_folder(recipe.sandbox, workspace))
    if not serve:
        yield ready
        return
    with sandbox_running(recipe.sandbox):
        yield ready


@contextmanager
def sandbox_running(options: SandboxOptions) -> Iterator[Sandbox]:
    """Yield the sandbox of these options: one that runs already, or one that is started and ends with the block.

    Raises Fault when its port is taken by something else, or when it does not answer within START_S.
    """
    sandbox = addresses_of(options)
    if _ask_who(options):
        yield sandbox
        return
    with tempfile.TemporaryFile() as said:
        command = [sys.executable, "-m", "naflora_etl.sandbox", options.model_dump_json()]
        # a session of its own: Ctrl-C is for the build, which ends the sandbox when it has ended itself
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said, start_new_session=True
        )
        try:
            _await_answer(process, options, said)
            yield sandbox
        finally:
            _stop(process)


def addresses_of(options: SandboxOptions) -> Sandbox:
    """Return where the sandbox of these options answers, running or not."""
    gbif, idigbio = f"{GBIF_ADDRESS}:{options.port}", f"{IDIGBIO_ADDRESS}:{options.port}"
    images = tuple(host.name for host in hosts_of(options.port))
    return Sandbox(f"http://{gbif}", f"http://{idigbio}", (gbif, idigbio, *images))


def point_recipe(recipe: Recipe, folder: Path) -> Recipe:
    """Return the recipe with the sandbox's checklist, names table, APIs and hosts wherever it names none itself.

    Checklist and names table are written into `folder`, the same bytes every time.
    """
    if recipe.sandbox is None:
        return recipe
    given = write_given(build_world(recipe.sandbox), folder)
    sandbox, usual = addresses_of(recipe.sandbox), HarvestOptions()
    harvest: dict[str, Any] = {}
    if recipe.harvest.gbif_api == usual.gbif_api:
        harvest["gbif_api"] = sandbox.gbif_api
    if recipe.harvest.idigbio_api == usual.idigbio_api:
        harvest["idigbio_api"] = sandbox.idigbio_api
    if recipe.harvest.idigbio_download_api == usual.idigbio_download_api:
        harvest["idigbio_download_api"] = sandbox.idigbio_api
    hosts = (*recipe.http.allow_private_hosts, *sandbox.hosts)
    paths = recipe.checklist.paths or (str(given.checklist_path),)
    return recipe.model_copy(
        update={
            "checklist": recipe.checklist.model_copy(update={"paths": paths}),
            "wcvp": recipe.wcvp.model_copy(update={"path": recipe.wcvp.path or str(given.wcvp_path)}),
            "harvest": recipe.harvest.model_copy(update=harvest),
            "http": recipe.http.model_copy(update={"allow_private_hosts": tuple(dict.fromkeys(hosts))}),
        }
    )


def _given_folder(options: SandboxOptions, workspace: Workspace) -> Path:
    """Return where the given files lie: in a local data folder; beside the machine's other caches for one far away."""
    if workspace.is_local:
        return workspace.local("given")
    from platformdirs import user_cache_path

    return user_cache_path("naflora_etl") / "sandbox" / digest_options(options)[:16]


def _ask_who(options: SandboxOptions) -> bool:
    """Return whether this very sandbox answers at its port; raises Fault when another one does."""
    url = f"http://{GBIF_ADDRESS}:{options.port}/sandbox"
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=5) as answer:
            known = json.load(answer).get("sandbox")
    except (OSError, ValueError, AttributeError, HTTPException):
        return False
    if known != digest_options(options):
        raise Fault(f"another sandbox answers at {url}, with other options; stop it, or set sandbox.port.")
    return True


def _await_answer(process: subprocess.Popen[bytes], options: SandboxOptions, said: Any) -> None:
    patience = time.monotonic() + START_S
    while not _ask_who(options):
        if process.poll() is not None or time.monotonic() > patience:
            said.seek(0)
            last = said.read().decode(errors="replace").strip().rsplit("\n", 1)[-1]
            raise Fault(
                last or f"the sandbox gave no answer within {START_S:.0f} seconds; try `naflora sandbox serve`."
            )
        time.sleep(ASK_AGAIN_S)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
