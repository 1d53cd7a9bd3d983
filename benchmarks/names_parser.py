"""The parser against gnparser's own test document: canonical forms of its plant names, every miss told.

    python benchmarks/names_parser.py [../shared/data] [--all]

A case is a plant name if its first word is a genus of plants (The Plant List's North American genera, the checklists,
the Alaska flora with its mosses and lichens), gnparser could parse it, and it bears no mark of another code: a virus, a
bacterium, a surrogate, a subgenus in parentheses before an epithet. --all tells the misses among all parsed names, too.
Compared is the full canonical form with ranks in WCVP's abbreviations and only the lowest rank and epithet, as WCVP has
them; the old `*` is a rank untold.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from naflora_etl.engine.tables import read_parquet
from naflora_etl.names.parse import parse_name, rank_mark
from naflora_etl.names.spelling import plain_letters

_CASE = re.compile(r"```json\n(.*?)\n```", re.DOTALL)
_OTHER_CODES = ("virus", "bacteria", "candidatus", "surrogate")
_RANK = re.compile(r"^[a-z]+\.$|^proles$|^lusus$|^\[[a-z.]+\]$")


def read_cases(data: Path) -> list[dict[str, Any]]:
    """Return gnparser's cases."""
    text = (data / "names/gnparser_test_data.md").read_text(encoding="utf-8")
    return [json.loads(case) for case in _CASE.findall(text)]


def plant_genera(data: Path) -> set[str]:
    """Return the genera of plants that the shared data know."""
    (path,) = (data / "names/tpl11").glob("*.parquet")
    genera = set(read_parquet(path, ["Genus"])["Genus"].unique().to_pylist())
    for path in sorted((data / "checklist").iterdir()):
        text = path.read_text(encoding="utf-8", errors="replace")
        genera |= {word.strip('×"') for word in re.findall(r'(?:^|[",\t×])([A-Z][a-z-]{2,}) [a-z×]', text)}
    for line in (data / "names/gold_alaska/accs2canon_match.psv").read_text(encoding="utf-8").splitlines():
        genera.add(line.split("|")[4])
    return genera


def expected(canonical: str) -> str:
    """Return gnparser's canonical form as WCVP would have it: ranks abbreviated alike, only the lowest one."""
    return plain_letters("×".join(map(_lowest_rank, canonical.split("×"))).strip(" "))


def _lowest_rank(part: str) -> str:
    words = [rank_mark(word) or word if _RANK.match(word) else word for word in part.split(" ") if word != "*"]
    lower = [at for at, word in enumerate(words) if word[:1].islower() and not _RANK.match(word)]
    if len(lower) < 3:
        return " ".join(words)
    ranked = _RANK.match(words[lower[-1] - 1]) is not None
    return " ".join([*words[: lower[0] + 1], *words[lower[-1] - ranked :]])


def is_right(case: dict[str, Any]) -> bool:
    """Say whether the parser reads the case's canonical form."""
    parsed = parse_name(case["verbatim"])
    return not parsed.reason and parsed.canonical == expected(case["canonical"]["full"])


def main(data: Path, everything: bool) -> None:
    """Print the share of right canonical forms, and every miss."""
    cases, genera = read_cases(data), plant_genera(data)
    told = [case for case in cases if case["parsed"] and not any(key in case for key in _OTHER_CODES)]
    told = [case for case in told if not re.match(r"\W*\S+ \([A-Z][a-z.-]+\) [a-z]", case["verbatim"])]
    plants = [case for case in told if re.split(r"[ ×]", case["canonical"]["simple"].strip("× "))[0] in genera]
    silent = [case for case in cases if not case["parsed"]]
    for what, chosen in (("plant names", plants), ("all names but other codes'", told)):
        wrong = [case for case in chosen if not is_right(case)]
        say(f"{what}: {len(chosen) - len(wrong)} of {len(chosen)} ({1 - len(wrong) / len(chosen):.4f})")
        if what == "plant names" or everything:
            for case in wrong:
                parsed = parse_name(case["verbatim"])
                wanted = expected(case["canonical"]["full"])
                say(f"  {case['verbatim']!r}: {parsed.reason or parsed.canonical!r}, not {wanted!r}")
    read = [case for case in silent if not parse_name(case["verbatim"]).reason]
    say(f"no names, says gnparser: {len(silent)}, read as names here: {len(read)}")


def say(text: str) -> None:
    """Write a line of the report."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--all"]
    main(Path(arguments[0] if arguments else "../shared/data"), "--all" in sys.argv)
