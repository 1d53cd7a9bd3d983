"""The frontier of image servers as a figure and as a table: what each further server buys, and what is proven."""

from __future__ import annotations

from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from naflora_etl.publishing.figures import CARD, INK, RULE, TEST, TRAIN, WIDE, Look, as_svg

Certificate = dict[str, Any]
"""What ServerChoice.as_dict says, and servers.json holds."""


FIRST_DRAWN, MOST_DRAWN = 60, 120
"""Numbers of servers that have a point of their own in the figure."""


def tell_steps(certificate: Certificate) -> list[dict[str, Any]]:
    """Return the frontier's rows, each with its gain, who joins, who leaves, and whether it is the chosen number."""
    steps, hosts, species = [], set[str](), 0
    for row in certificate["frontier"]:
        here = set(row["hosts"])
        steps.append(
            row
            | {
                "gain": row["species"] - species,
                "joins": sorted(here - hosts),
                "leaves": sorted(hosts - here),
                "is_chosen": row["k"] == certificate["choice"]["k"],
            }
        )
        hosts, species = here, row["species"]
    return steps


def _thin(rows: list[dict[str, Any]], chosen: int) -> list[dict[str, Any]]:
    """Return the rows that are drawn: the first ones all, for there the line is steep, then as many as can be told."""
    shown = {*range(FIRST_DRAWN), *np.linspace(0, len(rows) - 1, MOST_DRAWN).astype(int).tolist()}
    return [row for place, row in enumerate(rows) if place in shown or row["k"] == chosen]


def draw_frontier(certificate: Certificate, look: Look = WIDE) -> str:
    """Return an SVG of the species covered by the best set of each number of servers.

    The band above reaches up to the bound: no set of so many servers lies above it. A filled point is proven best.
    """
    rows = _thin(certificate["frontier"], certificate["choice"]["k"])
    servers = np.array([row["k"] for row in rows])
    species = np.array([row["species"] for row in rows])
    bound = np.array([row["bound"] for row in rows])
    proven = np.array([row["proven"] for row in rows], dtype=bool)
    reachable, choice = certificate["reachable_species"], certificate["choice"]
    with matplotlib.rc_context(look.style):
        figure = Figure(figsize=(look.width_in, 4.2), layout="constrained")
        axes = figure.subplots()
        axes.axhline(reachable, color=INK, linewidth=0.8, linestyle=(0, (2, 3)))
        if (bound > species).any():
            axes.fill_between(servers, species, bound, color=TEST, alpha=0.3, linewidth=0, label="not ruled out")
        axes.plot(servers, species, color=TRAIN, linewidth=1.2, zorder=2)
        for which, face, label in ((proven, TRAIN, "best, proven"), (~proven, CARD, "best found")):
            if which.any():
                axes.scatter(servers[which], species[which], 18, facecolor=face, edgecolor=TRAIN, zorder=3, label=label)
        # in the legend, where it hides no point wherever the choice lies
        chosen = f"chosen: {choice['k']} server{'s'[: choice['k'] != 1]}, {choice['species']:,} species"
        axes.scatter(
            [choice["k"]], [choice["species"]], 110, facecolor="none", edgecolor=INK, linewidth=1.4, zorder=4,
            label=chosen,
        )  # fmt: skip
        low = max(0, min(species.min(initial=reachable), reachable - 1))
        room = max(1, reachable - low)
        axes.set_ylim(max(0, low - 0.06 * room), max(1, reachable + 0.1 * room))
        if len(rows) == 1:
            axes.set_xlim(servers[0] - 1, servers[0] + 1)
        # on the left, where few servers leave room below the line
        everybody = f"all {certificate['servers']} servers" if certificate["servers"] != 1 else "the only server"
        axes.annotate(
            f"{reachable:,} species reachable by {everybody}", (0, reachable),
            xycoords=("axes fraction", "data"), xytext=(4, 4), textcoords="offset points", color=INK,
        )  # fmt: skip
        axes.set_xlabel("image servers asked")
        axes.set_ylabel(f"species with {certificate['threshold']} images or more")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.grid(axis="y", color=RULE, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.legend(frameon=False, loc="lower right")
        axes.tick_params(length=0)
        for side in ("top", "right", "left", "bottom"):
            axes.spines[side].set_visible(False)
        return as_svg(figure)
