"""Where the state of the lanes lies: in memory for one process, or in locked files that all processes share.

A lane of a host is a folder: `state` holds a HostState and is locked for the microseconds of a change; `slot-0`,
`slot-1` ... are locked (flock) for as long as a request is out. The kernel drops the locks of a process that dies, so
a kill -9 leaves nothing to clear up. On a folder that several machines share (NFS, Lustre with -o flock) the same
locks hold between them.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, unquote

from naflora_etl.engine.breaker import HostState
from naflora_etl.engine.faults import Fault

FOLDER_VARIABLE = "NAFLORA_LANES"
LONGEST_NAME = 150
LOCK_TRIES, LOCK_AGAIN_S = 400, 0.0005


class Busy(Exception):
    """Another process changes the state at this very moment; look again in a millisecond."""


class LaneStore(Protocol):
    """The state of one host, and its slots."""

    def peek(self) -> HostState:
        """Return the state as it is, perhaps a moment old."""

    def change(self, change: Callable[[HostState], None], *, must: bool = False) -> None:
        """Apply `change` under the lock; Busy when it is taken, unless it `must` be done."""

    def take_slot(self, limit: int) -> int | None:
        """Take one of the first `limit` slots; None when all are taken."""

    def free_slot(self, slot: int) -> None:
        """Give a slot back."""


class MemoryLane:
    """A lane of this process alone."""

    def __init__(self) -> None:
        self.state = HostState()
        self.taken: set[int] = set()
        self.lock = threading.RLock()

    def peek(self) -> HostState:
        """Return the state."""
        return self.state

    def change(self, change: Callable[[HostState], None], *, must: bool = False) -> None:
        """Apply `change`."""
        with self.lock:
            change(self.state)

    def take_slot(self, limit: int) -> int | None:
        """Take a slot; called under the lock of `change`."""
        slot = next((number for number in range(limit) if number not in self.taken), None)
        if slot is not None:
            self.taken.add(slot)
        return slot

    def free_slot(self, slot: int) -> None:
        """Give a slot back."""
        with self.lock:
            self.taken.discard(slot)


class FileLane:
    """A lane that every process shares which sees the same folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state_path = str(folder / "state")
        self.slots: dict[int, int] = {}
        """File descriptors of the slots that this process holds."""
        self.lock = threading.RLock()
        _ALL.add(self)

    def peek(self) -> HostState:
        """Return the state without waiting for its lock."""
        with self._opened(self.state_path) as file:
            return HostState.unpack(os.pread(file, 4096, 0))

    def change(self, change: Callable[[HostState], None], *, must: bool = False) -> None:
        """Apply `change` under the locks of this process and of all."""
        with self.lock, self._opened(self.state_path) as file:
            _lock(file, LOCK_TRIES if must else 1)
            before = os.pread(file, 4096, 0)
            state = HostState.unpack(before)
            change(state)
            after = state.pack()
            if after != before:
                os.pwrite(file, after, 0)
                if len(before) > len(after):
                    os.ftruncate(file, len(after))

    def take_slot(self, limit: int) -> int | None:
        """Take a slot; called under the lock of `change`."""
        for slot in range(limit):
            if slot in self.slots:
                continue
            file = self._open(str(self.folder / f"slot-{slot}"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(file)
                continue
            self.slots[slot] = file
            return slot
        return None

    def free_slot(self, slot: int) -> None:
        """Give a slot back: closing the file drops its lock."""
        with self.lock:
            file = self.slots.pop(slot, None)
            if file is not None:
                os.close(file)

    def forget(self) -> None:
        """Let go of what a fork copied from its parent, which holds it still."""
        self.lock = threading.RLock()
        for file in self.slots.values():
            with suppress(OSError):
                os.close(file)
        self.slots.clear()

    @contextmanager
    def _opened(self, path: str) -> Iterator[int]:
        file = self._open(path)
        try:
            yield file
        finally:
            os.close(file)

    def _open(self, path: str) -> int:
        # opened anew each time: a folder that was swept away (/tmp) must not leave processes with different files
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        try:
            return os.open(path, flags, 0o600)
        except FileNotFoundError:
            self.folder.mkdir(parents=True, exist_ok=True)
            return os.open(path, flags, 0o600)


def _lock(file: int, tries: int) -> None:
    for left in range(tries - 1, -1, -1):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not left:
                raise Busy from None
            time.sleep(LOCK_AGAIN_S)
        else:
            return


_ALL: weakref.WeakSet[FileLane] = weakref.WeakSet()


def _forget_all() -> None:
    for lane in list(_ALL):
        lane.forget()


os.register_at_fork(after_in_child=_forget_all)


def shared_folder(wanted: str = "") -> Path:
    """Return the folder of the lanes: the environment's, else `wanted`, else this user's on this machine.

    The last lies in the system's folder for temporary files, not in the login session's, which a cron job has not:
    all processes of a user must find the same one. Raises Fault when it cannot be used.
    """
    named = os.environ.get(FOLDER_VARIABLE) or wanted
    own = Path(tempfile.gettempdir()) / f"naflora_etl-{os.getuid()}"
    folder = Path(named).expanduser() if named else own / "lanes"
    try:
        if not named:
            own.mkdir(mode=0o700, exist_ok=True)
            if own.is_symlink() or own.stat().st_uid != os.getuid():
                raise Fault(f"{own} is another user's; name a folder of your own in {FOLDER_VARIABLE}.")
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError
    except OSError:
        raise Fault(
            f"{folder}, where processes share the lanes of hosts, cannot be written; "
            f"name another folder in {FOLDER_VARIABLE} or http.lanes."
        ) from None
    return folder


def folder_of(lanes: Path, host: str) -> Path:
    """Return the folder of a host's lane."""
    name = quote(host, safe="")
    return lanes / (name if len(name) <= LONGEST_NAME else hashlib.sha256(host.encode()).hexdigest())


def read_states(lanes: Path) -> dict[str, HostState]:
    """Return the state of every host that has a lane in the folder, for whoever looks."""
    found = {}
    for path in sorted(lanes.glob("*/state")):
        with suppress(OSError):
            found[unquote(path.parent.name)] = HostState.unpack(path.read_bytes())
    return found


def describe_states(states: Mapping[str, HostState], now: float) -> Iterator[str]:
    """Yield a sentence for every host that is left alone at this moment, or asked more slowly than recipes allow."""
    for host, state in states.items():
        if pause := state.pause_left(now):
            yield f"{host} asked to be left alone for another {pause:.0f} s."
        if pace := state.slowed_to:
            yield f"{host} said that it was asked too often; now it is asked {pace:.2g} times a second."
        if rest := state.rest_left(now):
            yield f"{host} failed {state.failures} times in a row and is left alone for another {rest:.0f} s."
