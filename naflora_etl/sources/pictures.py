"""Media as columns -> the images that the records table tells of, in batches of any size."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from naflora_etl.sources import alternatives
from naflora_etl.sources import darwincore as dwc
from naflora_etl.sources.distinct import Distinct
from naflora_etl.sources.encoded import ENCODED, as_kind, first_encoded, only_where
from naflora_etl.sources.plainurls import PlainUrls
from naflora_etl.sources.specimens import LINK, STEM

STAGED = pa.schema([
    ("seq", pa.int64()),
    *((name, pa.string()) for name in (
        "owner", "link", "source", "page_key", "source_record_id", "url", "kind", "format", "licenses",
        "rightsHolder", "creator", "media_id")),
])  # fmt: skip
"""Media as they are staged, whoever sent them."""
KINDS = {
    "seq": pa.int64(), **dict.fromkeys(("stem_hash", "link_hash", "image_hash"), pa.uint64()),
    **dict.fromkeys(
        ("owner", "source", "page_key", "host", "media_licenses", "rightsHolder", "creator", "image_issue"), ENCODED),
}  # fmt: skip
DESCRIBED = pa.schema([
    (name, KINDS.get(name, pa.string())) for name in (
        "seq", "owner", "source", "page_key", "source_record_id", "image_url", "image_key", "host", "copy_urls",
        "media_licenses", "rightsHolder", "creator", "image_issue", "stem_hash", "link_hash", "image_hash")
])  # fmt: skip
"""Media as they are described: texts that repeat are encoded, and an `image_hash` of 0 stands for no image."""
TEXT = pa.string()
Query = Callable[..., pa.Table]

PATH = "lower(regexp_replace(url, '[?#].*$', '', 's'))"
DESCRIBE = rf"""
with told as (
    select *, case when odd is not null or url is null then odd_url when contains(url, ' ')
            then replace(url, ' ', '%20') else url end as image_url
    from asked
), shown as (
    select *, case when url is null or url = '' or starts_with(url, '?') or starts_with(url, '#') then 'NO_IMAGE'
            when kind_issue is not null then kind_issue
            when no_page then null
            when (contains(lower(url), 'manifest') or contains(lower(url), '/info.json'))
                and regexp_matches({PATH}, '(/manifest|manifest\.json|/info\.json)$') then 'IMAGE_IS_MANIFEST'
            when contains(lower(url), '.htm') and regexp_matches({PATH}, '\.html?$') then 'IMAGE_IS_WEB_PAGE'
            end as shown
    from told
), keyed as (
    select *, case when shown is null then left(sha256(image_url), 20) end as image_key from shown
)
select image_url, image_key,
    case when image_key is not null then case
        when source = 'gbif' and regexp_full_match(source_record_id, '[0-9]+') and url != ''
            then '{{"gbif": "' || ? || source_record_id || '/media/' || md5(url) || '"}}'
        when source = 'idigbio' then odd_copy end end as copy_urls,
    coalesce(shown, case when image_url is null then 'URL_UNUSABLE' end) as image_issue,
    {STEM} as stem_hash, {LINK} as link_hash,
    case when image_key is null then 0 else hash(image_key) end as image_hash
from keyed
"""


class PictureWriter:
    """Describes batches of staged media; `gbif_api` and `idigbio_api` are where these keep copies."""

    def __init__(self, query: Query, *, gbif_api: str, idigbio_api: str) -> None:
        self._query = query
        self._gbif_copies = alternatives.gbif_copy_stem(f"{gbif_api}/v1")
        self._plain = PlainUrls(query)
        self._url = Distinct(_normal, TEXT, TEXT)
        self._kind = Distinct(lambda kind, form: (dwc.kind_issue(kind, form),), TEXT)
        self._copy = Distinct(
            lambda media_id: (
                media_id and alternatives.tell_copies(
                    "idigbio", "", None, media_id, gbif_api=gbif_api, idigbio_api=idigbio_api
                ),
            ),
            TEXT,
        )  # fmt: skip

    def describe(self, staged: pa.Table) -> pa.Table:
        """Return the images of staged media (STAGED), in their order (DESCRIBED)."""
        url = self._plain.tell(staged["url"])
        odd = only_where(~url.is_plain, staged["url"])
        odd_url, odd_host = self._url(odd)
        has_ids = staged["media_id"].null_count < staged.num_rows
        nothing = pa.nulls(staged.num_rows, TEXT)
        asked = {name: staged[name] for name in ("owner", "link", "source", "source_record_id", "url")} | {
            "odd": odd,
            "odd_url": odd_url,
            "no_page": pa.array(url.no_page),
            "kind_issue": self._kind(staged["kind"], staged["format"])[0],
            "odd_copy": self._copy(staged["media_id"])[0] if has_ids else nothing,
        }
        told = self._query(DESCRIBE, [self._gbif_copies], asked=pa.table(asked))
        columns = {name: staged[name] for name in DESCRIBED.names if name in staged.column_names}
        columns |= {name: told[name] for name in told.column_names} | {
            "media_licenses": staged["licenses"], "host": first_encoded(only_where(url.is_plain, url.places), odd_host),
        }  # fmt: skip
        return pa.table([as_kind(columns[field.name], field.type) for field in DESCRIBED], schema=DESCRIBED)


def _normal(text: str | None) -> tuple[str | None, str | None]:
    """Return an address in its one spelling, and the host that it names."""
    url = dwc.normalise_url(text)
    return url, url and dwc.host_of(url)
