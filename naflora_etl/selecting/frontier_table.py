"""The frontier as lines of text: what each further server buys, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence

from naflora_etl.selecting.servers import ServerChoice

LONGEST = 60


def describe_frontier(choice: ServerChoice) -> str:
    """Return a line for each number of servers: species, share, gain, capped images, bound, gap, and who joins."""
    lines = ["servers  species   share     gain     images    bound     gap  who joins (who leaves)"]
    before: tuple[str, ...] = ()
    species = 0
    for step in choice.frontier:
        gain, species = step.covered_species - species, step.covered_species
        share = step.covered_species / max(1, choice.reachable_species)
        gap = "proven" if step.is_proven else f"{100 * step.gap:.2f} %"
        mark = "*" if len(step.hosts) == len(choice.hosts) else " "
        lines.append(
            f"{mark}{len(step.hosts):>6} {step.covered_species:>8,} {100 * share:>6.2f}% {gain:>+8,} "
            f"{step.capped_images:>10,} {step.bound:>8,} {gap:>7}  {_change(before, step.hosts)}"
        )
        before = step.hosts
    return "\n".join(lines)


def _change(before: Sequence[str], now: Sequence[str]) -> str:
    joins, leaves = sorted(set(now) - set(before)), sorted(set(before) - set(now))
    text = ", ".join(joins) + (f" ({', '.join(leaves)})" if leaves else "")
    return text if len(text) <= LONGEST else text[: LONGEST - 4] + " ..."
