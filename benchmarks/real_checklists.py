"""Every real checklist beside this clone, read: rows = clean + each issue, what was mended, CPU seconds.

python benchmarks/real_checklists.py [FOLDER]     FOLDER holds the lists; ../shared/data/checklist when not said
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path

from naflora_etl.engine.tables import count_issues
from naflora_etl.names.checklist import read_checklists
from naflora_etl.recipe import ChecklistOptions


def tell(paths: list[Path]) -> None:
    """Read these lists as one checklist and print its account."""
    began = time.process_time()
    table = read_checklists(paths, ChecklistOptions())
    spent = time.process_time() - began
    issues, clean = count_issues(table), table["issue"].null_count
    if len(table) != clean + sum(issues.values()):
        raise SystemExit(f"{len(table)} rows are not {clean} clean and {issues}")
    mended = {what: count for what, count in Counter(table["mended"].to_pylist()).items() if what}
    encodings = dict(Counter(table["encoding"].to_pylist()))
    sys.stdout.write(
        f"{' + '.join(path.name for path in paths)}\n  {len(table):,} rows = {clean:,} clean + {issues}\n"
        f"  mended {mended}, encodings {encodings}, in several lists {len(table) - table['also_in'].null_count:,}, "
        f"{spent:.1f} CPU s\n"
    )


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "../shared/data/checklist"
    lists = sorted(path for path in folder.iterdir() if path.is_file())
    for one in lists:
        tell([one])
    tell(lists)
