"""`python -m naflora_etl.sandbox '{"species": 12}'`: a sandbox that ends when its stdin does."""

from __future__ import annotations

import sys

from naflora_etl.engine.faults import Fault
from naflora_etl.recipe import SandboxOptions
from naflora_etl.sandbox.server import run_sandbox


def main(options: str = "{}") -> int:
    """Run the sandbox that the JSON `options` describe; a fault is told in one sentence."""
    try:
        run_sandbox(
            SandboxOptions.model_validate_json(options),
            until_stdin_closes=True,
            announce=lambda line: sys.stdout.write(line + "\n") and sys.stdout.flush(),
        )
    except Fault as fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:2]))
