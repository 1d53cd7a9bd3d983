"""naflora: from a recipe to a release, and from a release to a model.

Nothing heavy is imported before a command needs it, so that `naflora --help` answers at once.
"""

from __future__ import annotations

import click

from naflora_etl import __version__
from naflora_etl.commands import (
    auditing,
    building,
    cabinet,
    captions,
    choosing,
    contrast,
    fetching,
    hosts,
    judging,
    learning,
    models,
    naming,
    redacting,
    releasing,
    renewing,
    sandbox,
    sharding,
    subsetting,
)
from naflora_etl.console import Naflora

HEADINGS: dict[str, tuple[click.Command, ...]] = {
    "From a recipe": (
        building.build, renewing.reharvest, building.plan, building.status, hosts.hosts, building.why,
        building.list_knobs,
    ),
    "A release": (
        releasing.release,
        releasing.verify,
        releasing.publish,
        auditing.audit,
        releasing.diff,
        subsetting.subset,
        sharding.shard,
    ),
    "Learning": (
        learning.train,
        learning.evaluate,
        judging.predict,
        judging.ensemble,
        judging.compare,
        judging.costs,
        learning.score,
    ),
    "Images and words": (captions.captions, captions.stats, contrast.clip, contrast.zeroshot),
    "At the cabinet": (cabinet.export, cabinet.identify_sheets, cabinet.review),
    "Names": (naming.match,),
    "Choosing": (choosing.servers,),
    "Images": (fetching.fetch, redacting.redact),
    "Around it": (models.models, sandbox.sandbox),
}


@click.group(
    cls=Naflora, headings=HEADINGS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="naflora")
def main() -> None:
    """Build a published dataset of herbarium sheets from a checklist, and train models on it.

    \b
    naflora build recipes/demo.toml      the whole way, on the embedded sandbox
    naflora status                       what came out, stage by stage
    naflora why KEY                      one name's, record's or image's life
    """
