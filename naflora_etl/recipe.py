"""A recipe: every knob on one page, frozen, a section per stage, a half-line of why each.

A recipe file is TOML and holds only what differs from the defaults below. An unknown key is refused with the nearest
known one named. Paths are relative to the recipe's own folder; `${NAME}` in a string is taken from the environment.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.resources import resource_folder
from naflora_etl.knobs import as_text, knobs

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """What all sections share: frozen, strict about keys, documented by the string under each field."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ChecklistOptions(Section):
    paths: tuple[str, ...] = ()
    """Files of names; several are merged (Canada + Greenland + United States)."""
    name_column: str | None = None
    """Column that holds the name; found by its usual headings when not said."""
    author_column: str | None = None
    """Column that holds the authors, when they stand apart from the name."""


class WcvpOptions(Section):
    path: str | None = None
    """The backbone: wcvp_names.csv or its zip, or any names table with `mapping`."""
    mapping: dict[str, str] = {}
    """WCVP column = column of the file, for a backbone in another layout (The Plant List)."""


class TaxaOptions(Section):
    ranks: tuple[str, ...] = ("Species",)
    """Ranks of accepted taxa that become classes."""
    infraspecific: Literal["lump", "set_aside"] = "lump"
    """lump: a variety counts as its species, as one class per species wants; set_aside: it is left out."""
    families: tuple[str, ...] = ()
    """Only these families; all when empty."""
    fuzzy_similarity: Share = 0.9
    """Least likeness of a misspelt name; below 0.9 rWCVP found matches untrustworthy."""


class HarvestOptions(Section):
    sources: tuple[Literal["gbif", "idigbio", "archive"], ...] = ("gbif", "idigbio")
    """Who is asked; an archive is a file and asks nobody."""
    archives: tuple[str, ...] = ()
    """Darwin Core archives (zip or folder) for the source `archive`."""
    gbif_api: str = "https://api.gbif.org"
    """Root of the GBIF API."""
    gbif_checklist_key: str = "7ddf754f-d193-4cc9-b351-99906754a03b"
    """Taxonomy by which GBIF understands names (Catalogue of Life XR); always sent, never left to a default."""
    idigbio_api: str = "https://search.idigbio.org"
    """Root of the iDigBio search API."""
    countries: tuple[str, ...] = ()
    """ISO codes of the countries whose records are asked for; all when empty. Changing it asks everything anew."""
    page_size: Annotated[int, Field(ge=1, le=300)] = 300
    """Records a page; GBIF clips silently above 300."""
    max_records_per_taxon: Count = 3000
    """Where paging stops for one taxon; more than enough for the cap, kind to the aggregator."""
    taxa_per_slice: Count = 20
    """Names a resumable slice; a kill repeats at most the slice in hand."""
    snapshot: str = "1"
    """Change this label to ask everything anew."""


class RecordsOptions(Section):
    countries: tuple[str, ...] = ()
    """ISO codes of the region; everywhere when empty."""
    allow_licenses: tuple[str, ...] = ("CC0-1.0", "CC-BY-4.0", "CC-BY-NC-4.0", "PDM-1.0")
    """Licences under which images may be published; older versions count as their 4.0."""
    unknown_license: Literal["set_aside", "allow"] = "set_aside"
    """An image without an understandable licence is not ours to publish."""


class SelectionOptions(Section):
    seed: int = 1
    """Which images of a species are taken; the same seed keeps the choice stable over years."""
    servers: Annotated[int, Field(ge=1)] | Literal["all"] = 15
    """How many image servers at most; the paper used 15. "all": as many as there are."""
    threshold: Count = 10
    """A species counts as covered from this many images on the chosen servers."""
    cap: Count = 100
    """Images a species at most; the paper's 100."""
    spares: Annotated[int, Field(ge=0)] = 10
    """Ranked replacements a species for images that turn out dead."""
    require_hosts: tuple[str, ...] = ()
    """Servers that must be among the chosen."""
    exclude_hosts: tuple[str, ...] = ()
    """Servers that must not be asked."""


class ImagesOptions(Section):
    size_px: Annotated[int, Field(ge=16)] = 1000
    """Long side of the finished image; the paper's 1000. Never enlarged."""
    jpeg_quality: Annotated[int, Field(ge=1, le=100)] = 92
    """4:2:0 JPEG; 92 keeps the paper's ~150 kB a sheet."""
    redact: Literal["craft", "none"] = "craft"
    """Detector whose text boxes are covered; none only for images that bear no text."""
    detect_px: Annotated[int, Field(ge=320)] = 2560
    """Long side on which text is looked for; 2560 found 95 % of verified words, 1280 82 %."""
    coarse_px: Annotated[int, Field(ge=0)] = 0
    """When above 0, text is found roughly at this size, then looked at closely only there; 1280 halves the cost."""
    grow: Annotated[float, Field(ge=0, le=2)] = 0.1
    """Boxes are grown by this share of their short side on each side before they are covered."""
    noise_seed: int = 1
    """Seed of the noise laid over the text, so that the same sheet gives the same bytes."""
    max_source_bytes: Count = 200_000_000
    """Larger bodies are refused while they arrive."""
    max_source_pixels: Count = 400_000_000
    """Larger images are refused by their header, before any decoding."""
    min_side_px: Count = 200
    """Smaller images are thumbnails or placeholders."""
    snapshot: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,40}$")] = "1"
    """Change this label to ask again for images that were gone or broken; finished ones stay."""
    images_per_slice: Count = 500
    """Images a resumable slice (species stay whole); a slice is one pack and one Prefect task."""


class SplitOptions(Section):
    seed: int = 2
    """Which specimens are tested on; must differ from selection's seed in meaning, so it has a salt of its own."""
    minimum: Count = 10
    """Images a species at least, counted after the downloads; a class with fewer is left out."""
    test_share: Share = 0.2
    """The paper's 80/20."""
    min_test: Count = 2
    """Test images a class at least; the paper's two."""
    min_train: Count = 1
    """Training images a class at least."""


class ShardsOptions(Section):
    samples_per_shard: Count = 1000
    """Samples a tar at most; about 150 MB at 1000 px."""
    shuffle_seed: int = 3
    """Samples are shuffled once, so that a shard is a fair sample."""


class ReleaseOptions(Section):
    title: str = "Untitled herbarium dataset"
    """Title of the dataset card."""
    version: str = "0.1.0"
    """Version of the release; part of the tarball's name."""
    description: str = ""
    """A paragraph for the dataset card."""
    publisher: str = ""
    """Who publishes it."""
    contact_sheet: Count = 12
    """Images on the report's contact sheet."""


class HostPolicy(Section):
    concurrency: Count = 2
    """Connections at a time; iDigBio's own ingestor uses 2."""
    per_second: Annotated[float, Field(gt=0)] = 2.0
    """Requests a second at most."""


class HttpOptions(Section):
    contact: str = ""
    """E-mail or web page in the User-Agent; needed before anybody but loopback is asked."""
    default: HostPolicy = HostPolicy()
    """Manners towards a host that is not named below."""
    hosts: dict[str, HostPolicy] = {}
    """Manners towards single hosts, by host name (with port, where it has one)."""
    allow_private_hosts: tuple[str, ...] = ()
    """Loopback or private hosts (host:port, or host) that may be asked; the sandbox's own are added by themselves."""
    tries: Count = 5
    """Tries for a transient failure, with exponential back-off and full jitter, or as Retry-After says."""
    total_timeout_s: Annotated[float, Field(gt=0)] = 120.0
    """Deadline for one answer, body included."""
    max_wait_s: Annotated[float, Field(ge=0)] = 120.0
    """Longest Retry-After that is waited for within a run; a longer one makes the failure transient."""
    obey_robots: bool = True
    """robots.txt of image servers, asked once a host."""


class SandboxOptions(Section):
    seed: int = 1
    """The same seed makes the same world, to the pixel."""
    species: Count = 12
    """Species that grow in it."""
    specimens_per_species: Count = 16
    """Mean number of specimens a species; a long tail around it."""
    port: Annotated[int, Field(ge=1024, le=65535)] = 8640
    """Port on every loopback address of the world; fixed, since it is part of each image's URL."""
    min_sheet_px: Count = 3000
    """Long side of the smallest sheet."""
    max_sheet_px: Count = 6000
    """Long side of the largest sheet."""

    @model_validator(mode="after")
    def _sizes_in_order(self) -> SandboxOptions:
        if self.min_sheet_px > self.max_sheet_px:
            raise ValueError(f"min_sheet_px {self.min_sheet_px} is above max_sheet_px {self.max_sheet_px}")
        return self


class Recipe(Section):
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,59}$")]
    """Short name; the data folder and the tarball are called after it."""
    checklist: ChecklistOptions = ChecklistOptions()
    wcvp: WcvpOptions = WcvpOptions()
    taxa: TaxaOptions = TaxaOptions()
    harvest: HarvestOptions = HarvestOptions()
    records: RecordsOptions = RecordsOptions()
    selection: SelectionOptions = SelectionOptions()
    images: ImagesOptions = ImagesOptions()
    split: SplitOptions = SplitOptions()
    shards: ShardsOptions = ShardsOptions()
    release: ReleaseOptions = ReleaseOptions()
    http: HttpOptions = HttpOptions()
    sandbox: SandboxOptions | None = None
    """When present, the recipe runs against the embedded sandbox, which gives checklist, backbone and hosts."""


class RecipeError(Fault):
    """A recipe that cannot be used; its text says where, what was found and what to do."""


def read_recipe(path: str | Path) -> Recipe:
    """Read a TOML recipe, or one of the shipped ones by its name; paths in it are seen from its own folder.

    Raises RecipeError for a file that is missing, is not TOML, or holds a key or value that no knob takes.
    """
    path = Path(path)
    shipped = resource_folder("recipes") / f"{path}.toml"
    if not path.exists() and shipped.is_file():
        path = shipped
    return make_recipe(read_toml(path, example="naflora build recipes/demo.toml"), folder=path.parent, where=str(path))


def read_toml(path: Path, *, example: str) -> dict[str, Any]:
    """Return the values of a TOML file; raises RecipeError, which names `example` when there is no such file."""
    if path.is_dir():
        raise RecipeError(f"{path} is a folder; give the recipe file in it, a .toml.")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecipeError(f"{path}: no such recipe. `{example}` shows one that works.") from None
    except UnicodeDecodeError:
        raise RecipeError(f"{path} is not text (UTF-8); a recipe is a TOML file.") from None
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{path} is not TOML: {error}.") from None
    except OSError as error:
        raise RecipeError(f"{path} cannot be read: {error.strerror}.") from None


def make_recipe(values: dict[str, Any], *, folder: Path, where: str = "recipe") -> Recipe:
    """Return the recipe that `values` (as TOML gives them) describe; all faults are told in one RecipeError."""
    try:
        recipe = Recipe.model_validate(_expand(values, where))
    except ValidationError as error:
        raise RecipeError("\n".join(f"{where}: {line}" for line in tell_faults(error, Recipe))) from None
    return recipe.model_copy(
        update={
            "checklist": recipe.checklist.model_copy(
                update={"paths": tuple(_absolute(p, folder) for p in recipe.checklist.paths)}
            ),
            "wcvp": recipe.wcvp.model_copy(
                update={"path": _absolute(recipe.wcvp.path, folder) if recipe.wcvp.path else None}
            ),
            "harvest": recipe.harvest.model_copy(
                update={"archives": tuple(_absolute(p, folder) for p in recipe.harvest.archives)}
            ),
        }
    )


def _absolute(path: str, folder: Path) -> str:
    return path if "://" in path else str((folder / path).resolve())


def _expand(value: Any, where: str) -> Any:
    if isinstance(value, dict):
        return {key: _expand(item, where) for key, item in value.items()}
    if isinstance(value, list):
        return [_expand(item, where) for item in value]
    if not isinstance(value, str):
        return value

    def variable(match: re.Match[str]) -> str:
        name, default = match.group(1), match.group(2)
        found = os.environ.get(name, default)
        if found is None:
            raise RecipeError(f"{where}: ${{{name}}} is not set in the environment; set it, or write the value itself.")
        return found

    return re.sub(r"\$\{(\w+)(?::-([^}]*))?\}", variable, value)


def tell_faults(error: ValidationError, model: type[BaseModel]) -> Iterator[str]:
    """Yield a sentence for every fault; an unknown key is told with the nearest known knob of `model`."""
    known = [name for name, _, _ in knobs(model)] + list(model.model_fields)
    for fault in error.errors():
        place = ".".join(str(part) for part in fault["loc"])
        if fault["type"] == "extra_forbidden":
            nearest = difflib.get_close_matches(place, known, 1, 0)
            yield f"{place} is not a known knob; the nearest known one is {nearest[0]}."
        elif fault["type"] == "missing":
            yield f"{place} is missing; it is required."
        else:
            yield f"{place} = {as_text(fault['input'])}: {fault['msg'][0].lower()}{fault['msg'][1:]}."
