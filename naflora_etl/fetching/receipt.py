"""The door: a finished fetch says so at once, an unfinished one goes on; and the receipt, written last.

Nothing heavy is imported before there is something to do.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from naflora_etl import __version__
from naflora_etl.engine.faults import Fault
from naflora_etl.fetching.options import FetchOptions, Summary
from naflora_etl.fetching.shards import FORMS, STATE, replacing
from naflora_etl.issues import ASKED_ANEW
from naflora_etl.recipe import HttpOptions

FORMAT = 1


def fetch_list(
    path: Path, out: Path, *, options: FetchOptions, http: HttpOptions, progress: Callable[..., None]
) -> Summary:
    """Fetch every address of the list at `path` into shards under `out`; what is there already is not asked again."""
    with _locked(out):
        receipt = Receipt(path, out, options)
        told = receipt.still_holds()
        if told is None:
            from naflora_etl.fetching.run import run_list

            told = run_list(path, out, options=options, http=http, receipt=receipt, progress=progress)
    return told


class Receipt:
    """The receipt of an out folder: written last, and taken away before anything is changed."""

    def __init__(self, path: Path, out: Path, options: FetchOptions) -> None:
        self.path, self.out, self.options = path, out, options
        self.place = out / "receipt.json"
        self.settings = out / STATE / "settings.json"

    def still_holds(self) -> Summary | None:
        """Return what the receipt tells, when the same list and options would change nothing."""
        try:
            told = json.loads(self.place.read_text(encoding="utf-8"))
            summary = Summary(**told["summary"])
            same = told["list"] == self._list() and told["options"] == self._options()
        except (OSError, ValueError, KeyError, TypeError):
            return None
        form = FORMS[self.options.output]
        stands = all(form.stands(self.out / name, shard) for name, shard in summary.shards.items())
        if not same or not stands or self.options.again or ASKED_ANEW & set(summary.issues):
            return None
        summary.asked, summary.hosts, summary.reduced, summary.reduced_bytes = 0, {}, 0, 0
        return summary

    def check_settings(self) -> None:
        """Raise Fault when the folder is another's, or holds images that were made otherwise."""
        shaping = {"format": FORMAT} | self.options.shaping()
        if self.settings.exists():
            before = json.loads(self.settings.read_text(encoding="utf-8"))
            other = [name for name, value in shaping.items() if before.get(name) != value]
            if other:
                was, now = before.get(other[0]), shaping[other[0]]
                raise Fault(
                    f"{self.out} holds images made with {other[0]} {was}, not {now}; choose another folder with --out, "
                    "or remove that one."
                )
            return
        strange = [path.name for path in self.out.iterdir() if path.name != STATE]
        if strange:
            raise Fault(f"{self.out} holds {min(strange)}, which is no fetch's; choose an empty folder with --out.")
        with replacing(self.settings) as stream:
            stream.write(json.dumps(shaping, indent=1).encode())

    def withdraw(self) -> None:
        """Take the old receipt away, since it no longer holds."""
        self.place.unlink(missing_ok=True)

    def write(self, summary: Summary) -> None:
        """Write the receipt, as the last thing."""
        told = {
            "made_by": f"naflora_etl {__version__}",
            "list": self._list(),
            "options": self._options(),
            "summary": asdict(summary),
        }
        with replacing(self.place) as stream:
            stream.write(json.dumps(told, indent=1).encode() + b"\n")

    def _list(self) -> str:
        with self.path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    def _options(self) -> dict[str, Any]:
        columns = [self.options.key_column, self.options.url_column]
        return self.options.shaping() | {"shard_size": self.options.shard_size, "columns": columns}


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Make the folder, and keep every other fetch out of it; a killed process leaves no lock behind."""
    try:
        (out / STATE).mkdir(parents=True, exist_ok=True)
        stream = (out / STATE / "lock").open("w")
    except (FileExistsError, NotADirectoryError):
        raise Fault(f"{out} is a file; --out takes a folder.") from None
    except OSError as error:
        raise Fault(f"{out} cannot be written ({error.strerror}); choose another folder with --out.") from None
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Fault(f"{out} is in use by another naflora fetch; wait for it, or choose another --out.") from None
        yield
