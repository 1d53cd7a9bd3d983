"""Specimens and their images joined to rows of the records table, one bucket at a time."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from naflora_etl.sources.distinct import Distinct
from naflora_etl.sources.licences import choose_license
from naflora_etl.sources.staging import BETWEEN

# A record's media hang on the first row that has their id. Media whose record is not there are a record without terms.
JOIN = """
with core as (select *, row_number() over (partition by link order by seq) as nth from specimens),
shown as (select *, row_number() over (partition by link order by seq) - 1 as medium from pictures),
joined as (
    select c.* exclude (nth, link, issue), p.medium, image_url, image_key, host, copy_urls, media_licenses,
        rightsHolder, creator,
        coalesce(c.issue, case when p.medium is null then 'NO_IMAGE' else image_issue end) as issue
    from core c left join shown p on p.link = c.link and c.nth = 1
    union all by name
    select p.* exclude (link, image_issue), 'IMAGE_WITHOUT_RECORD' as issue,
        left(sha256(source || '||' || source_record_id), 20) as specimen_key
    from shown p where link not in (select link from core where link is not null)
)
select *, stem || '/' || coalesce(medium::varchar, '-') as record_key
from joined
qualify row_number() over (partition by stem, medium order by seq) = 1
order by record_key
"""


class RowJoiner:
    """Joins buckets; `license_issue` returns why a licence will not do."""

    def __init__(self, query: Callable[..., pa.Table], license_issue: Callable[[str | None], str | None]) -> None:
        self._query = query
        text = pa.string()
        self._license = Distinct(_choose, text, text)
        self._license_issue = Distinct(lambda name: (license_issue(name),), text)

    def join(self, specimens: pa.Table, pictures: pa.Table) -> pa.Table:
        """Return the rows of one bucket, sorted by their key, with their licence and why it will not do.

        `issue` is what is wrong with record or image, `license_issue` comes after that.
        """
        rows = self._query(JOIN, specimens=specimens, pictures=pictures).combine_chunks()
        license_id, verbatim = self._license(rows["media_licenses"], rows["licenses"])
        has_image = rows["medium"].is_valid()
        nothing = pa.scalar(None, pa.string())
        license_id, verbatim = (pa.compute.if_else(has_image, told, nothing) for told in (license_id, verbatim))
        rows = rows.drop_columns(["media_licenses", "licenses", "stem"])
        rows = rows.append_column("license", license_id).append_column("license_verbatim", verbatim)
        return rows.append_column("license_issue", self._license_issue(license_id)[0])


def _choose(of_image: str | None, of_record: str | None) -> tuple[str | None, str | None]:
    return choose_license((of_image or "").split(BETWEEN), (of_record or "").split(BETWEEN))
