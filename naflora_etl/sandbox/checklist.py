"""The sandbox's checklist, as a Tropicos name search exports it, with the faults that real exports have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from naflora_etl.sandbox.flora import Species, TaxonName
from naflora_etl.sandbox.names_table import write_names_table
from naflora_etl.sandbox.world import World

HEADER = "Family\t!\tScientific Name\tAuthor\tReference\tDate"
MARKS = ("", "", "", "!", "", "*", "", "**")  # legitimate, doubtful, illegitimate, as Tropicos judges
SHORTEST_MISSPELT = 15, 6  # letters of name and epithet; a slip in a shorter one is beyond what can be mended


@dataclass(frozen=True)
class Given:
    """The two files that a recipe is given."""

    checklist_path: Path
    wcvp_path: Path


def write_given(world: World, folder: Path) -> Given:
    """Write checklist and names table into `folder`, the same bytes every time; return where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    given = Given(folder / "sandbox_checklist.dat", folder / "wcvp_names.csv")
    _write_if_changed(given.checklist_path, checklist_text(world).encode())
    _write_if_changed(given.wcvp_path, write_names_table(world).encode())
    return given


def checklist_text(world: World) -> str:
    """Return the export: quoted cells, tabs, CRLF, quotation marks inside cells left as they are."""
    rows = ["\t".join(f'"{cell}"' for cell in row) for row in _rows(world)]
    return "\r\n".join([HEADER, *rows]) + "\r\n"


def _rows(world: World) -> Iterator[tuple[str, ...]]:
    random = Random(f"{world.options.seed}/checklist")
    for family in dict.fromkeys(genus.name.family for genus in world.flora.genera):
        yield family, "!!", family, "Bercht. & Tamm", "Prir. Rostlin 254", "1820"
    for genus in world.flora.genera:
        yield _row(random, genus.name)
        for index in genus.species:
            yield from _species_rows(random, world, world.flora.species[index])
    yield from _strange_rows(random, world)


def _species_rows(random: Random, world: World, species: Species) -> Iterator[tuple[str, ...]]:
    """Yield how the list happens to name a species: well, by an old name, misspelt, or without authors."""
    accepted = species.accepted
    synonyms = [name for name in species.names if name.status == "Synonym"]
    way = species.index % 5
    if way == 1 and synonyms:
        yield _row(random, synonyms[0])
    elif way == 2:
        family, mark, written, *rest = _row(random, accepted)
        yield family, mark, _misspell(random, written), *rest
    elif way == 4 and species.place:  # the first of a genus has homonyms, and needs its authors
        yield (*_row(random, accepted)[:3], "", "", "")
    else:
        yield _row(random, accepted)
        if way == 3 and synonyms:
            yield _row(random, synonyms[0])
    for name in species.names:
        if name.infraspecies:
            yield _row(random, name)
            autonym = f"{accepted.canonical} {name.infra_rank} {accepted.species}"
            yield accepted.family, "", autonym, "", "", ""
        if name.status == "Illegitimate":  # a homonym, told apart by its author alone
            yield _row(random, name)


def _strange_rows(random: Random, world: World) -> Iterator[tuple[str, ...]]:
    genera = world.flora.genera
    yield genera[0].name.family, "", "Fabularia inventoris", "Nob.", "Fl. Nusquam 1", "1901"
    yield _row(random, world.flora.unplaced[0])
    synonyms = [name for name in world.flora.names() if name.status == "Synonym"]
    seen = Counter(name.canonical for name in synonyms)
    twins = [name for name in synonyms if seen[name.canonical] > 1]
    if twins:
        yield (*_row(random, twins[0])[:3], "", "", "")
    word = genera[0].name.genus
    first = world.flora.species[0].accepted.species
    yield genera[0].name.family, "", f"{word} cf. {first}", "", "", ""
    yield genera[0].name.family, "", f"{word} {first} × {word} {world.flora.unplaced[0].species}", "", "", ""


def _row(random: Random, name: TaxonName) -> tuple[str, ...]:
    reference = f"{name.reference}{name.page}" if name.reference else ""
    date = f"{name.year} [{name.year - 1}]" if random.random() < 0.1 else str(name.year)
    return name.family, random.choice(MARKS), name.canonical, name.authors, reference, date


def _misspell(random: Random, name: str) -> str:
    """Return the name with one slip of the pen in its epithet: a letter lost or doubled."""
    epithet = name.rindex(" ") + 1
    if len(name) < SHORTEST_MISSPELT[0] or len(name) - epithet < SHORTEST_MISSPELT[1]:
        return name
    at = random.randrange(epithet + 2, len(name) - 2)
    slip = random.choice(("lost", "doubled"))
    return name[:at] + ("" if slip == "lost" else name[at] * 2) + name[at + 1 :]


def _write_if_changed(path: Path, data: bytes) -> None:
    if not path.is_file() or path.read_bytes() != data:
        path.write_bytes(data)
