"""Other addresses of the same picture: smaller from its own server (IIIF), or an aggregator's copy of it.

Strings in, strings out. IIIF Image API 2.1 and 3.0, section 4: `{prefix}/{identifier}/{region}/{size}/{rotation}/
{quality}.{format}`. GBIF's cache: /v1/image/cache/[WxH/]occurrence/{gbifID}/media/{md5 of the identifier}, at most
1200 px. iDigBio: /v2/media/{uuid of the media record}?size=fullsize, which answers 200 with an SVG while it has none.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from urllib.parse import quote, urlsplit

from naflora_etl.recipe import ImagesOptions

GBIF_CACHE_PX = 1200
IDIGBIO_SEARCH, IDIGBIO_MEDIA = "//search.idigbio.org", "//api.idigbio.org"
"""iDigBio answers searches at one house and keeps media at another; a look-alike may do both at one."""
_ROTATION = r"!?\d+(?:\.\d+)?"
_QUALITY = r"(?:default|native|color|colour)\.(?:jpg|jpeg|png|tif|tiff|webp|jp2)"
_WHOLE = re.compile(rf"(?P<stem>.+/full)/(?P<size>[^/]+)/(?P<rest>(?:{_ROTATION})/{_QUALITY})", re.IGNORECASE)
_BOX = re.compile(r"\^?!?(\d*),(\d*)")


def smaller_form(url: str, long_side_px: int) -> str | None:
    """Return the address of the same picture with a long side of at most `long_side_px`, from the same IIIF service.

    None for an address that is no IIIF request for a whole picture, or that asks for as little already. Cut-outs, grey
    and turned pictures are left as they are asked for. `!w,h` is the same in both versions of the API: it fits the
    picture into a box, and keeps its proportions; a service of level 0 or 1 may refuse it.
    """
    parts = urlsplit(url)
    found = _WHOLE.fullmatch(parts.path)
    if parts.scheme not in ("http", "https") or found is None:
        return None
    if found["rest"].split("/")[0].lstrip("!") not in ("0", "360") or not _is_larger(found["size"], long_side_px):
        return None
    path = f"{found['stem']}/!{long_side_px},{long_side_px}/{found['rest']}"
    return parts._replace(path=path).geturl()


def wanted_px(options: ImagesOptions) -> int | None:
    """Return the long side that a service may scale an image down to before it sends it; None: not at all."""
    if not options.iiif or options.keep == "original" or not options.size_px:
        return None
    looked_at_px = 0 if options.redact == "none" else options.detect_px
    return max(options.size_px, looked_at_px, options.master_px if options.keep == "master" else 0)


def _is_larger(size: str, long_side_px: int) -> bool:
    """Return whether a size parameter may give more than `long_side_px`."""
    if size in ("full", "max", "^max"):
        return True
    if size.startswith(("pct:", "^pct:")):
        return False  # of what, nobody says
    box = _BOX.fullmatch(size)
    return box is not None and max(int(side or 0) for side in box.groups()) > long_side_px


def gbif_copy(gbif_id: str, identifier: str, *, api: str = "https://api.gbif.org/v1") -> str | None:
    """Return the address of GBIF's copy of a picture: of an occurrence, by the very `identifier` that it published."""
    if not gbif_id.isdigit() or not identifier:
        return None
    digest = hashlib.md5(identifier.encode(), usedforsecurity=False).hexdigest()
    return f"{gbif_copy_stem(api)}{gbif_id}/media/{digest}"


def gbif_copy_stem(api: str) -> str:
    """Return how the address of any of GBIF's copies begins."""
    return f"{api}/image/cache/{GBIF_CACHE_PX}x{GBIF_CACHE_PX}/occurrence/"


def idigbio_copy(media_uuid: str, *, api: str = "https://api.idigbio.org/v2") -> str | None:
    """Return the address of iDigBio's copy of a picture, by the uuid of its media record."""
    if not re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", media_uuid):
        return None
    return f"{api}/media/{quote(media_uuid.lower())}?size=fullsize"


def tell_copies(
    source: str, record_id: str, media_url: str | None, media_id: str | None, *, gbif_api: str, idigbio_api: str
) -> str | None:
    """Return where an aggregator keeps its own copy of a picture, as a JSON object by aggregator; None: nowhere."""
    url = None
    if source == "gbif":
        url = gbif_copy(record_id, media_url or "", api=f"{gbif_api}/v1")
    elif source == "idigbio":
        url = idigbio_copy(media_id or "", api=f"{idigbio_api.replace(IDIGBIO_SEARCH, IDIGBIO_MEDIA)}/v2")
    return json.dumps({source: url}) if url else None


def copies_from(told: str | None, lanes: Sequence[str]) -> list[str]:
    """Return the copies that the aggregators in `lanes` keep, in the order of `lanes`."""
    known = json.loads(told) if told else {}
    return [known[name] for name in lanes if name in known]
