"""Who is asked for records, and which of them may be used: the sections harvest and records."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from naflora_etl.recipe.section import Count, Section


class HarvestOptions(Section):
    sources: tuple[Literal["gbif", "idigbio", "archive"], ...] = ("gbif", "idigbio")
    """Who is asked; an archive is a file and asks nobody."""
    archives: tuple[str, ...] = ()
    """Darwin Core archives (zip or folder, or the address of a zip) for the source `archive`."""
    gbif_api: str = "https://api.gbif.org"
    """Root of the GBIF API."""
    gbif: Literal["auto", "search", "download"] = "auto"
    """How GBIF is asked: by pages, or for one archive with a DOI (needs an account); auto: by the number of taxa."""
    gbif_search_taxa: Count = 300
    """Taxa up to which `auto` searches; more take over 15 minutes of paging, for which GBIF wants downloads."""
    gbif_poll_s: Annotated[float, Field(gt=0)] = 60.0
    """First pause before asking whether GBIF has prepared a download; each next one is half as long again."""
    gbif_poll_longest_s: Annotated[float, Field(gt=0)] = 600.0
    """Longest such pause."""
    gbif_checklist_key: str = "7ddf754f-d193-4cc9-b351-99906754a03b"
    """Taxonomy by which GBIF understands names (Catalogue of Life XR); always sent, never left to a default."""
    idigbio_api: str = "https://search.idigbio.org"
    """Root of the iDigBio search API."""
    idigbio: Literal["search", "download"] = "search"
    """How iDigBio is asked: by pages, or for one archive of all genera, of which much is then set aside by name."""
    idigbio_download_api: str = "https://api.idigbio.org"
    """Root of the API that prepares iDigBio's downloads."""
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

    def ask_gbif_by(self, taxa: int) -> Literal["search", "download"]:
        """Return how GBIF is asked about so many taxa."""
        if self.gbif != "auto":
            return self.gbif
        return "download" if taxa > self.gbif_search_taxa else "search"


class RecordsOptions(Section):
    countries: tuple[str, ...] = ()
    """ISO codes of the region; everywhere when empty."""
    allow_licenses: tuple[str, ...] = ("CC0-1.0", "CC-BY-4.0", "CC-BY-NC-4.0", "PDM-1.0")
    """Licences under which images may be published; older versions count as their 4.0."""
    unknown_license: Literal["set_aside", "allow"] = "set_aside"
    """An image without an understandable licence is not ours to publish."""
