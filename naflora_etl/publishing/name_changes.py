"""Why an image bears another name than in the release before: what changed in the names, or in its record."""

from __future__ import annotations

import pyarrow as pa

from naflora_etl.engine.tables import query_tables

NAMES = "names.parquet"
"""What became of every name of the checklists; the first releases lack it."""
SPELT = "the backbone spells the same taxon otherwise"
MEMORY = "1GB"
"""What the join of all changes with the names may hold before it spills."""
UNTOLD = "one of the releases has no names.parquet, so nobody can tell"

# Both releases' verdicts on a name as the checklist wrote it: which led to the old taxon, and now leads to the new.
MOVED = """
    select o.taxon_id as old_taxon_id, n.taxon_id as new_taxon_id,
        min(printf('%s: %s of %s, now %s of %s', concat_ws(' ', n.scientificName, n.scientificNameAuthorship),
            coalesce(lower(o.taxon_status), 'a name'), o.taxon_name,
            coalesce(lower(n.taxon_status), 'a name'), n.taxon_name)) as moved
    from known_old o join known_new n
        on o.scientificName = n.scientificName
            and coalesce(o.scientificNameAuthorship, '') = coalesce(n.scientificNameAuthorship, '')
    where o.taxon_id is not null and n.taxon_id is not null
    group by all"""
GONE = """
    select o.taxon_id as old_taxon_id, min(coalesce(n.issue, 'no longer on the checklist')) as gone
    from known_old o left join known_new n on n.scientificName = o.scientificName
    where o.taxon_id is not null and n.taxon_id is null group by all"""
CAUSES = f"""
    select c.*, case
        when not (c.relabelled or c.renamed) then null
        when c.renamed then '{SPELT}'
        when c.old_record_name is distinct from c.new_record_name and c.old_record_name is not null
            and c.new_record_name is not null
            then printf('its record was named %s and is named %s', c.old_record_name, c.new_record_name)
        when m.moved is not null then m.moved
        when g.gone is not null then printf('names that led to %s: %s', c.old_name, g.gone)
        when c.new_record_name is not null
            then printf('the backbone leads %s, as its record is named, elsewhere', c.new_record_name)
        else 'nothing in both tables of names tells'
    end as cause
    from changes c left join ({MOVED}) m using (old_taxon_id, new_taxon_id) left join ({GONE}) g using (old_taxon_id)
    order by c.image_key"""


def tell_causes(changes: pa.Table, known_old: pa.Table | None, known_new: pa.Table | None) -> pa.Table:
    """Return `changes` with a column `cause`: why an image was relabelled or renamed, a sentence; null for the others.

    `known_old` and `known_new` are the tables of names of the releases; without both only the taxon's own renaming and
    a record that is named otherwise can be told.
    """
    if known_old is None or known_new is None:
        return query_tables(
            f"""select c.*, case when c.renamed then '{SPELT}' when c.relabelled then '{UNTOLD}' end as cause
                from changes c order by c.image_key""",
            memory_limit=MEMORY,
            changes=changes,
        )
    return query_tables(CAUSES, memory_limit=MEMORY, changes=changes, known_old=known_old, known_new=known_new)
