"""What a stage must remember before its table stands: small notes in the workspace, each written whole.

A table tells what was done; a note what was begun elsewhere (a job at a server) and must not be begun again.
"""

from __future__ import annotations

import json
from typing import Any

from naflora_etl.engine.workspace import Workspace


class Notes:
    """Notes by name: JSON objects that outlive a kill."""

    def __init__(self, workspace: Workspace, folder: str = "notes") -> None:
        self.workspace = workspace
        self.folder = folder

    def read(self, name: str) -> dict[str, Any] | None:
        """Return a note; None where there is none, or none that can be read."""
        path = f"{self.folder}/{name}.json"
        if not self.workspace.exists(path):
            return None
        try:
            note = json.loads(self.workspace.read(path))
        except ValueError:
            return None
        return note if isinstance(note, dict) else None

    def write(self, name: str, note: dict[str, Any]) -> None:
        """Write a note; it is on the disk when this returns."""
        self.workspace.write(f"{self.folder}/{name}.json", json.dumps(note, indent=1).encode())

    def remove(self, name: str) -> None:
        """Remove a note, if it is there."""
        self.workspace.remove(f"{self.folder}/{name}.json")
