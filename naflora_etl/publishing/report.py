"""report.html: one page that shows a release, and needs nothing but itself."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import pyarrow as pa
from markupsafe import Markup

from naflora_etl import __version__
from naflora_etl.publishing.citation import render_bibtex
from naflora_etl.publishing.contact import Pair
from naflora_etl.publishing.contents import Contents, Count
from naflora_etl.publishing.diff import KINDS
from naflora_etl.publishing.figures import draw_both, draw_long_tail, draw_years
from naflora_etl.publishing.flow import draw_flow
from naflora_etl.publishing.funnel import NO_FAILURE
from naflora_etl.publishing.leaks import audit_manifest
from naflora_etl.publishing.pages import read_template, render_page
from naflora_etl.publishing.server_frontier import draw_frontier, tell_steps

MOST_ROWS = 150
"""Rows of a table before the rest is only counted: the page of a million images is no larger than that of a hundred
thousand."""
MOST_STEPS = 60
YEARS = (1700, 2100)
"""Years of gathering that are drawn; others are slips of the pen."""


class Shown(NamedTuple):
    """The first rows of a table, and how many are left out."""

    shown: Sequence[Any]
    left_out: int


def render_report(contents: Contents, pairs: Sequence[Pair], reading: Mapping[str, Any] | None = None) -> str:
    """Return the page; the same contents give the same text. `reading` holds the figures of an independent reader.

    However large the release, the page stays within a few megabytes: it shows the first rows of each table, and counts
    the rest.
    """
    script = Markup(read_template("report/page.js"))  # ours alone, so nothing in it is to be escaped
    return render_page(
        "report.html",
        script=script,
        script_sha256=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        version=__version__,
        release=contents.release,
        name=contents.recipe["name"],
        is_sandbox=contents.recipe["is_sandbox"],
        figures=contents.figures,
        licences=contents.licences[:MOST_ROWS],
        licence=contents.licence,
        institutions=show(contents.institutions),
        datasets=show(contents.titles),
        families=show(contents.families),
        countries=show(contents.countries),
        audit=audit_manifest(contents.manifest),
        names=contents.names,
        changes=contents.changes,
        changed=contents.changes.counts if contents.changes else {},
        kinds=KINDS,
        bibtex=render_bibtex(contents),
        **_tell_way(contents),
        **_tell_species(contents.classes),
        **_tell_years(contents),
        **_tell_sheets(contents, pairs, reading),
        **_tell_servers(contents),
    )


def _tell_way(contents: Contents) -> dict[str, Any]:
    figures, funnel = contents.figures, contents.funnel
    return {
        "funnel": funnel,
        "silences": contents.silences,
        "flow": draw_both(lambda look: draw_flow(funnel, figures["train"], figures["test"], look)),
        "failures": [
            reason
            for step in funnel
            if step.stage == "images"
            for reason in step.reasons
            if reason.issue not in NO_FAILURE
        ],
    }


def _tell_species(classes: pa.Table) -> dict[str, Any]:
    rows = [
        {
            "name": row["taxon_name"],
            "authors": row["taxon_authors"] or "",
            "family": row["family"],
            "images": row["images_train"] + row["images_test"],
            "train": row["images_train"],
            "test": row["images_test"],
        }
        for row in classes.to_pylist()
    ]
    rows.sort(key=lambda row: (-row["images"], row["name"]))
    return {
        "species": show(rows, 2 * MOST_ROWS),
        "fewest": rows[-1]["images"] if rows else 0,
        "long_tail": draw_both(partial(draw_long_tail, classes)),
    }


def _tell_years(contents: Contents) -> dict[str, Any]:
    known = [year for year in contents.years if YEARS[0] <= year[0] <= YEARS[1]]
    drawn = sum(train + test for _, train, test in known)
    told = sum(train + test for _, train, test in contents.years)
    return {
        "years": known,
        "years_figure": draw_both(lambda look: draw_years(known, look)) if known else "",
        "years_unknown": contents.manifest.num_rows - told,
        "years_odd": told - drawn,
    }


def _tell_sheets(contents: Contents, pairs: Sequence[Pair], reading: Mapping[str, Any] | None) -> dict[str, Any]:
    return {
        "redaction": contents.redaction,
        "redact": contents.recipe["images"]["redact"],
        "reading": reading,
        "pairs": pairs,
        "before_px": contents.release["before_px"],
    }


def _tell_servers(contents: Contents) -> dict[str, Any]:
    certificate = contents.certificate
    steps = tell_steps(certificate) if certificate else []
    near = [step for place, step in enumerate(steps) if place < MOST_STEPS or step["is_chosen"]]
    return {
        "hosts": show(contents.hosts),
        "most_asked": max((host.images + host.failures for host in contents.hosts), default=0),
        "certificate": certificate,
        "steps": Shown(near, len(steps) - len(near)),
        "frontier": draw_both(lambda look: draw_frontier(certificate, look)) if certificate else None,
    }


def show(rows: Sequence[Any], most: int = MOST_ROWS) -> Shown:
    """Return the first `most` rows, and how many more there are."""
    return Shown(rows[:most], max(0, len(rows) - most))


def shorten(counts: Sequence[Count], longest: int) -> list[Count]:
    """Return `counts`, those beyond `longest` gathered into one."""
    if len(counts) <= longest:
        return list(counts)
    rest = counts[longest - 1 :]
    return [*counts[: longest - 1], Count(f"{len(rest)} others", *_sum(rest))]


def _sum(counts: Iterable[Count]) -> tuple[int, int]:
    images, tests = zip(*((count.images, count.test) for count in counts), strict=True)
    return sum(images), sum(tests)
