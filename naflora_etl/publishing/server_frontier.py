"""The frontier of image servers as a figure and as a table: what each further server buys, and what is proven."""

from __future__ import annotations

from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from naflora_etl.publishing.figures import INK, RULE, STYLE, TEST, TRAIN, as_svg

Certificate = dict[str, Any]
"""What ServerChoice.as_dict says, and servers.json holds."""


def draw_frontier(certificate: Certificate) -> str:
    """Return an SVG of the species covered by the best set of each number of servers.

    The band above reaches up to the bound: no set of so many servers lies above it. A filled point is proven best.
    """
    rows = certificate["frontier"]
    servers = np.array([row["k"] for row in rows])
    species = np.array([row["species"] for row in rows])
    bound = np.array([row["bound"] for row in rows])
    proven = np.array([row["proven"] for row in rows], dtype=bool)
    reachable, choice = certificate["reachable_species"], certificate["choice"]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.2, 4.2), layout="constrained")
        axes = figure.subplots()
        axes.axhline(reachable, color=INK, linewidth=0.8, linestyle=(0, (2, 3)))
        axes.fill_between(servers, species, bound, color=TEST, alpha=0.3, linewidth=0, label="not ruled out")
        axes.plot(servers, species, color=TRAIN, linewidth=1.2, zorder=2)
        axes.scatter(servers[proven], species[proven], 18, color=TRAIN, zorder=3, label="best, proven")
        axes.scatter(
            servers[~proven], species[~proven], 18, facecolor="white", edgecolor=TRAIN, zorder=3, label="best found"
        )
        axes.scatter([choice["k"]], [choice["species"]], 110, facecolor="none", edgecolor=INK, linewidth=1.4, zorder=4)
        low = min(species.min(initial=reachable), reachable)
        axes.set_ylim(max(0, low - 0.06 * max(1, reachable - low)), reachable + 0.08 * max(1, reachable - low))
        axes.annotate(
            f"chosen: {choice['k']} servers, {choice['species']:,} species", (choice["k"], choice["species"]),
            xytext=(12, -22), textcoords="offset points", color=INK,
        )  # fmt: skip
        axes.annotate(
            f"{reachable:,} species reachable by all {certificate['servers']} servers", (1, reachable),
            xycoords=("axes fraction", "data"), xytext=(-4, 4), textcoords="offset points", ha="right", color=INK,
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
