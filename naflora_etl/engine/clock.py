"""The time, which SOURCE_DATE_EPOCH may fix for a reproducible build."""

from __future__ import annotations

import os
from datetime import UTC, datetime


def now() -> datetime:
    """Return the present moment in UTC, or the one that SOURCE_DATE_EPOCH (seconds since 1970) names."""
    fixed = os.environ.get("SOURCE_DATE_EPOCH")
    return datetime.fromtimestamp(int(fixed), UTC) if fixed else datetime.now(UTC)
