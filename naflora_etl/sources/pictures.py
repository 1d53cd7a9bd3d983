"""Media as columns -> the images that the records table tells of, in batches of any size."""

from __future__ import annotations

from collections.abc import Callable
from html.entities import html5

import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.sources import alternatives
from naflora_etl.sources import darwincore as dwc
from naflora_etl.sources.distinct import Distinct

STAGED = pa.schema([
    ("seq", pa.int64()),
    *((name, pa.string()) for name in (
        "stem", "link", "source", "page_key", "source_record_id", "url", "kind", "format", "licenses", "rightsHolder",
        "creator", "media_id")),
])  # fmt: skip
"""Media as they are staged, whoever sent them."""
DESCRIBED = pa.schema([
    ("seq", pa.int64()),
    *((name, pa.string()) for name in (
        "stem", "link", "source", "page_key", "source_record_id", "image_url", "image_key", "host", "copy_urls",
        "media_licenses", "rightsHolder", "creator", "image_issue")),
])  # fmt: skip
TEXT = pa.string()
Query = Callable[..., pa.Table]

# an address that is normal already but for blanks in its path: normalise_url would quote these and no more
PLAIN = (
    r"https?://[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_-])?\.[a-z0-9_-]*[a-z0-9_-](?::[1-9][0-9]{0,3})?"
    r"/[A-Za-z0-9/%:@!$'()*+,;=~._ -]*"
    r"(?:\?[A-Za-z0-9/?%:@!$()*+,;=~._-]+(?:&[A-Za-z0-9_.-]+=[A-Za-z0-9/?%:@!$()*+,=~._-]*)*)?"
)
# HTML reads &copy=1 as a sign and the rest, without any semicolon
SIGNS = "|".join(name for name in html5 if not name.endswith(";"))
PATH = "lower(regexp_replace(coalesce(url, ''), '[?#].*$', '', 's'))"
SPLIT = rf"""
select coalesce(regexp_full_match(url, '{PLAIN.replace("'", "''")}')
        and not regexp_matches(url, '^(http://[^/]*:80/|https://[^/]*:443/)')
        and not ends_with(url, ' ') and not regexp_matches(url, '&(?:{SIGNS})'), false) as is_plain,
    regexp_matches({PATH}, '(/manifest|manifest\.json|/info\.json)$') as is_manifest,
    regexp_matches({PATH}, '\.html?$') as is_page,
    regexp_matches(coalesce(url, ''), '^([?#]|$)') as is_empty,
    case when not is_plain then url end as odd
from staged
"""
DESCRIBE = """
with told as (
    select *, case when is_plain then replace(url, ' ', '%20') else odd_url end as image_url,
        case when is_empty then 'NO_IMAGE' when kind_issue is not null then kind_issue
            when is_manifest then 'IMAGE_IS_MANIFEST' when is_page then 'IMAGE_IS_WEB_PAGE' end as shown
    from staged
)
select seq, stem, link, source, page_key, source_record_id, image_url,
    case when shown is null then left(sha256(image_url), 20) end as image_key,
    regexp_extract(image_url, '^https?://([^/?#]*)', 1) as host,
    case when shown is null and image_url is not null then case
        when source = 'gbif' and regexp_full_match(source_record_id, '[0-9]+') and url != ''
            then '{"gbif": "' || ? || source_record_id || '/media/' || md5(url) || '"}'
        when source = 'idigbio' then odd_copy end end as copy_urls,
    licenses as media_licenses, rightsHolder, creator,
    coalesce(shown, case when image_url is null then 'URL_UNUSABLE' end) as image_issue
from told
"""


class PictureWriter:
    """Describes batches of staged media; `gbif_api` and `idigbio_api` are where these keep copies."""

    def __init__(self, query: Query, *, gbif_api: str, idigbio_api: str) -> None:
        self._query = query
        self._gbif_copies = alternatives.gbif_copy_stem(f"{gbif_api}/v1")
        self._url = Distinct(lambda text: (dwc.normalise_url(text),), TEXT)
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
        split = self._query(SPLIT, staged=staged)
        columns = {name: split[name] for name in ("is_plain", "is_manifest", "is_page", "is_empty")}
        columns["odd_url"] = self._url(split["odd"])[0]
        columns["kind_issue"] = self._kind(staged["kind"], staged["format"])[0]
        has_ids = staged["media_id"].null_count < staged.num_rows
        columns["odd_copy"] = self._copy(staged["media_id"])[0] if has_ids else pa.nulls(staged.num_rows, TEXT)
        for name, column in columns.items():
            staged = staged.append_column(name, column)
        described = self._query(DESCRIBE, [self._gbif_copies], staged=staged)
        described = described.set_column(
            described.schema.get_field_index("host"), "host", pc.if_else(pc.equal(described["host"], ""),
            pa.scalar(None, TEXT), described["host"]))  # fmt: skip
        return described.cast(DESCRIBED).combine_chunks()
