"""The time, which SOURCE_DATE_EPOCH may fix for a reproducible build."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from naflora_etl.engine.faults import Fault


def now() -> datetime:
    """Return the present moment in UTC, or the one that SOURCE_DATE_EPOCH (seconds since 1970) names."""
    fixed = os.environ.get("SOURCE_DATE_EPOCH")
    try:
        return datetime.fromtimestamp(int(fixed), UTC) if fixed else datetime.now(UTC)
    except (ValueError, OverflowError, OSError):
        raise Fault(f'SOURCE_DATE_EPOCH is "{fixed}"; it takes whole seconds since 1970. Mend or unset it.') from None
