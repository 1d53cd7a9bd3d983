"""report.html: one page that shows a release, and needs nothing but itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from naflora_etl.publishing.contact import Pair
from naflora_etl.publishing.contents import Contents, Count
from naflora_etl.publishing.figures import draw_long_tail
from naflora_etl.publishing.leaks import audit_manifest
from naflora_etl.publishing.pages import render_page
from naflora_etl.publishing.server_frontier import draw_frontier, tell_steps

LONGEST = 15
"""Rows of a table before the rest is told in one."""


def render_report(contents: Contents, pairs: Sequence[Pair], reading: Mapping[str, Any] | None = None) -> str:
    """Return the page; the same contents give the same text. `reading` holds the figures of an independent reader."""
    audit = audit_manifest(contents.manifest)
    return render_page(
        "report.html",
        release=contents.release,
        name=contents.recipe["name"],
        is_sandbox=contents.recipe["is_sandbox"],
        figures=contents.figures,
        funnel=contents.funnel,
        hosts=contents.hosts,
        licences=contents.licences,
        licence=contents.licence,
        redaction=contents.redaction,
        redact=contents.recipe["images"]["redact"],
        institutions=shorten(contents.institutions),
        families=shorten(contents.families),
        countries=shorten(contents.countries),
        pairs=pairs,
        reading=reading,
        audit=audit,
        shares=audit.institutions[:LONGEST],
        certificate=contents.certificate,
        steps=tell_steps(contents.certificate) if contents.certificate else (),
        frontier=Markup(draw_frontier(contents.certificate)) if contents.certificate else None,
        long_tail=Markup(draw_long_tail(contents.classes)),  # matplotlib escapes the names itself
    )


def shorten(counts: Sequence[Count], longest: int = LONGEST) -> list[Count]:
    """Return `counts`, those beyond `longest` gathered into one."""
    if len(counts) <= longest:
        return list(counts)
    rest = counts[longest - 1 :]
    return [*counts[: longest - 1], Count(f"{len(rest)} others", sum(count.images for count in rest))]
