"""Batches of rows: what is kept of them beside the shelf."""

from __future__ import annotations

import pyarrow as pa

from naflora_etl.engine.spool import Spool
from naflora_etl.engine.workspace import Workspace
from naflora_etl.sources.parting import Batches


def test_the_hashes_of_a_batch_do_not_keep_its_other_columns_in_memory(tmp_path):
    # DuckDB gives the columns of an answer as one piece of memory: a view of one of them holds them all
    with Spool(Workspace(str(tmp_path))) as spool:
        nothing = pa.table({"stem_hash": pa.array([], pa.uint64()), "text": pa.array([], pa.string())})
        batches = Batches(spool.shelf("rows"), nothing, "is_odd")
        batches.add(spool.query("select hash(i) as stem_hash, repeat('x', 40) as text from range(1000) t(i)"))
    (hashes,) = batches.hashes
    assert len(hashes) == 1000
    assert hashes.flags.owndata
