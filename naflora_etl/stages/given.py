"""The given tables: what the recipe brings along, read into the house's own words.

reads   the files that the recipe names
writes  checklist      one row per line of the checklists; a name that several have is one clean row
        wcvp           one row per name of the backbone
"""

from __future__ import annotations

import pyarrow as pa

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.stage import Stage
from naflora_etl.names.backbone import read_backbone
from naflora_etl.names.checklist import read_checklists
from naflora_etl.recipe import ChecklistOptions, WcvpOptions


def gather_checklists(*, options: ChecklistOptions) -> pa.Table:
    """Return every row of the checklists that the recipe names; raises Fault for a file that is none."""
    return read_checklists(options.paths, options)


def gather_backbone(*, options: WcvpOptions) -> pa.Table:
    """Return the backbone that the recipe names; raises Fault if it names none, or a file that is none."""
    if options.path is None:
        raise Fault("wcvp.path is not set; download WCVP's zip from Kew's data server and name it in the recipe.")
    return read_backbone(options.path, options.mapping, cached=False)  # the stage's own table is what is read again


CHECKLIST = Stage("checklist", reads=(), run=gather_checklists, version=2, files=lambda options: options.paths)
WCVP = Stage(
    "wcvp", reads=(), run=gather_backbone, version=2, files=lambda options: (options.path,) if options.path else ()
)
