"""A sandbox for the time of a block: started, shared, told apart, and gone with whoever started it."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from asking import SMALL, ask, free_port

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.workspace import Workspace
from naflora_etl.recipe import Recipe, SandboxOptions, make_recipe
from naflora_etl.sandbox.embedded import point_recipe, sandbox_for, sandbox_running
from naflora_etl.sandbox.world import World


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.10.0.1", port)) == 0


def eventually(is_so: bool, port: int) -> bool:
    patience = time.monotonic() + 8
    while answers(port) != is_so and time.monotonic() < patience:
        time.sleep(0.05)
    return answers(port) == is_so


def test_it_runs_while_the_block_lasts() -> None:
    options = SandboxOptions(port=free_port(), **SMALL)
    with sandbox_running(options) as sandbox:
        assert ask(f"{sandbox.gbif_api}/sandbox").json["options"]["port"] == options.port
        assert ask(f"{sandbox.idigbio_api}/v2/search/records?limit=1").json["itemCount"] > 0
        assert len(sandbox.hosts) == 10
    assert not answers(options.port)


def test_one_that_runs_already_is_used_and_left_running(world: World) -> None:
    with sandbox_running(world.options):
        pass
    assert answers(world.options.port)


def test_another_world_at_the_port_is_refused(world: World) -> None:
    other = world.options.model_copy(update={"seed": 99})
    with (
        pytest.raises(Fault, match=r"another sandbox answers at .*; stop it, or set sandbox\.port\."),
        sandbox_running(other),
    ):
        pass


def test_a_port_in_use_is_told_in_a_sentence() -> None:
    port = free_port()
    with socket.socket() as squatter:
        squatter.bind(("127.10.1.3", port))
        squatter.listen()
        with pytest.raises(Fault) as told, sandbox_running(SandboxOptions(port=port, **SMALL)):
            pass
    assert str(told.value) == f"127.10.1.3:{port} is in use; stop what listens there, or set sandbox.port."


ENDINGS = {"stdin closes": None, "SIGTERM": signal.SIGTERM, "Ctrl-C": signal.SIGINT}


@pytest.mark.parametrize("ending", ENDINGS)
def test_it_ends_cleanly_when(ending: str) -> None:
    options = SandboxOptions(port=free_port(), **SMALL)
    command = [sys.executable, "-m", "naflora_etl.sandbox", options.model_dump_json()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin and process.stdout and process.stderr
        assert b"The sandbox answers: 12 species" in process.stdout.readline()
        number = ENDINGS[ending]
        if number is None:
            process.stdin.close()
        else:
            process.send_signal(number)
        assert process.wait(8) == 0
        assert process.stderr.read() == b""


def test_it_does_not_outlive_a_parent_that_was_killed() -> None:
    options = SandboxOptions(port=free_port(), **SMALL)
    code = (
        "import sys, time; from naflora_etl.recipe import SandboxOptions; "
        "from naflora_etl.sandbox.embedded import sandbox_running\n"
        "with sandbox_running(SandboxOptions.model_validate_json(sys.argv[1])): time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, options.model_dump_json()]) as parent:
        assert eventually(True, options.port)
        parent.kill()
    assert eventually(False, options.port)


def recipe_of(**sections: object) -> Recipe:
    return make_recipe({"name": "t", "sandbox": {"port": 8999, **SMALL}, **sections}, folder=Path("/nowhere"))


def test_a_recipe_is_pointed_at_the_sandbox(tmp_path: Path) -> None:
    ready = point_recipe(recipe_of(), tmp_path)
    assert ready.checklist.paths == (str(tmp_path / "sandbox_checklist.dat"),)
    assert ready.wcvp.path == str(tmp_path / "wcvp_names.csv")
    assert ready.harvest.gbif_api == "http://127.10.0.1:8999"
    assert ready.harvest.idigbio_api == "http://127.10.0.2:8999"
    assert "127.10.1.8:8999" in ready.http.allow_private_hosts


def test_what_a_recipe_says_itself_stays(tmp_path: Path) -> None:
    own = recipe_of(
        checklist={"paths": ["mine.csv"]}, wcvp={"path": "names.zip"}, harvest={"gbif_api": "http://127.0.0.1:1"},
        http={"allow_private_hosts": ["127.0.0.1:1"]},
    )  # fmt: skip
    ready = point_recipe(own, tmp_path)
    assert (ready.checklist, ready.wcvp, ready.harvest.gbif_api) == (own.checklist, own.wcvp, "http://127.0.0.1:1")
    assert ready.http.allow_private_hosts[0] == "127.0.0.1:1"


def test_a_recipe_without_a_sandbox_gets_none(tmp_path: Path) -> None:
    plain = make_recipe({"name": "t"}, folder=tmp_path)
    with sandbox_for(plain, Workspace(str(tmp_path))) as ready:
        assert ready is plain
    assert list(tmp_path.iterdir()) == []


def test_a_recipe_can_be_read_without_starting_anything(tmp_path: Path) -> None:
    with sandbox_for(recipe_of(), Workspace(str(tmp_path)), serve=False) as ready:
        assert Path(ready.checklist.paths[0]).is_file()
        assert not answers(8999)
