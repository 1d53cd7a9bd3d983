"""What leaves the house: the sections shards and release."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from naflora_etl.recipe.section import Count, Section


class ShardsOptions(Section):
    samples_per_shard: Count = 1000
    """Samples a tar at most; about 150 MB at 1000 px."""
    shuffle_seed: int = 3
    """Samples are shuffled once, so that a shard is a fair sample."""
    label: Literal["json", "cls"] = "json"
    """What stands beside each .jpg: .json with names and keys, or .cls with the number of the class alone."""
    test_halves: bool = False
    """Tars of their own for the public and private halves of the test part; off, for their names tell the halves."""


class ReleaseOptions(Section):
    title: str = "Untitled herbarium dataset"
    """Title of the dataset card."""
    version: str = "0.1.0"
    """Version of the release; part of the tarball's name."""
    description: str = ""
    """A paragraph for the dataset card."""
    publisher: str = ""
    """Who publishes it."""
    date: Annotated[str, Field(pattern=r"^(\d{4}-\d{2}-\d{2})?$")] = ""
    """Day of publication, YYYY-MM-DD; no clock is asked, so that the same build gives the same bytes."""
    url: str = ""
    """Page where the release can be found."""
    doi: Annotated[str, Field(pattern=r"^(10\.\d{4,9}/\S+)?$")] = ""
    """DOI of the release, 10.5281/zenodo.123."""
    tree: str | None = None
    """A tree in Newick form with branch lengths: distances between genera in train_metadata.json; none without it."""
    fetch_times: bool = False
    """Tell when each image was fetched; off, so that two builds from the same answers give the same bytes."""
    sizes_px: tuple[Count, ...] = ()
    """Smaller copies of all images beside, by long side ([288, 480]): size-288/ can be trained on by itself."""
    previous: str | None = None
    """The release before this one, a folder or a tarball: the report tells what changed since."""
    contact_sheet: Annotated[int, Field(ge=0, le=100)] = 12
    """Sheets that the report shows before and after; 0 shows none, for rights that forbid it."""
    before_px: Annotated[int, Field(ge=16, le=200)] = 120
    """Long side of what a sheet looked like before; no word is to be read at 120, large print guessed at 200."""
    audit_sample: Annotated[int, Field(ge=0)] = 12
    """Finished images that Tesseract reads for the report, where it is installed; 0 reads none."""
