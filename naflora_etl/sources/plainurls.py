"""Addresses that stand in one spelling already, told apart from those that normalise_url must see, a column at a time.

Most are told by their letters and by the place they name, of which there are few; a pattern is asked about the rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html.entities import html5
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.sources.bytewise import beside_path, count_letters, last_letters
from naflora_etl.sources.distinct import Distinct
from naflora_etl.sources.encoded import encode, flat

PLACE = r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_-])?\.[a-z0-9_-]*[a-z0-9_-](?::[1-9][0-9]{0,3})?"
LONGEST_PLACE = 255
# an address that is normal already but for blanks in its path: normalise_url would quote these and no more
PLAIN = (
    rf"https?://{PLACE}/[A-Za-z0-9/%:@!$'()*+,;=~._ -]*"
    r"(?:\?[A-Za-z0-9/?%:@!$()*+,;=~._-]+(?:&[A-Za-z0-9_.-]+=[A-Za-z0-9/?%:@!$()*+,=~._-]*)*)?"
)
# HTML reads &copy=1 as a sign and the rest, without any semicolon
SIGNS = "|".join(name for name in html5 if not name.endswith(";"))
# what is rare is looked for by its letters first, which costs a tenth of a pattern
IS_PLAIN = rf"""
select regexp_full_match(url, '{PLAIN.replace("'", "''")}')
    and not ((contains(url, ':80/') or contains(url, ':443/'))
        and regexp_matches(url, '^(http://[^/]*:80/|https://[^/]*:443/)'))
    and not ends_with(url, ' ') and not (contains(url, '&') and regexp_matches(url, '&(?:{SIGNS})')) as is_plain
from asked
"""
PLACES = "select nullif(split_part(url, '/', 3), '') as place from asked"
LAST_OF_PAGES = np.frombuffer(b"tTnNmMlL", np.uint8)
"""What the path of a manifest or a web page ends with (darwincore.media_issue)."""


class Told(NamedTuple):
    """What is told of each address of a column; an address that is null is not plain."""

    places: pa.DictionaryArray
    """Host, and port where one is told, of those that are plain; of the others anything."""
    is_plain: np.ndarray
    no_page: np.ndarray
    """Whether it is plain and surely names neither a manifest nor a web page; others may not either."""


class PlainUrls:
    """Tells which addresses are plain: normalise_url would but quote the blanks in their path."""

    def __init__(self, query: Callable[..., pa.Table]) -> None:
        self._query = query
        self._is_place = Distinct(lambda place: (_is_place(place),), pa.bool_())

    def tell(self, column: pa.ChunkedArray) -> Told:
        """Return what is told of a column of addresses as they were given."""
        url = flat(column)
        places = encode(self._query(PLACES, asked=pa.table({"url": url}))["place"])
        is_short = _names_place_first(url, places) & self._is_place(places)[0].to_numpy(zero_copy_only=False)
        last = last_letters(url)
        is_short &= (count_letters(url, beside_path) == 0) & (last != ord(" "))
        is_plain = is_short.copy()
        others = np.flatnonzero(~is_short & pc.is_valid(url).to_numpy(zero_copy_only=False))
        if len(others):
            found = self._query(IS_PLAIN, asked=pa.table({"url": url.take(pa.array(others))}))["is_plain"]
            is_plain[others] = found.to_numpy()
        return Told(places, is_plain, is_short & ~np.isin(last, LAST_OF_PAGES))


def _names_place_first(url: pa.StringArray, places: pa.DictionaryArray) -> np.ndarray:
    """Return which addresses are http(s), then their place, then a slash."""
    scheme = np.zeros(len(url), np.int64)
    for start in ("http://", "https://"):
        scheme[pc.fill_null(pc.starts_with(url, start), False).to_numpy(zero_copy_only=False)] = len(start)
    lengths = np.append(pc.binary_length(places.dictionary).to_numpy(), 0)  # the last is for null
    ends = scheme + lengths[pc.fill_null(places.indices, -1).to_numpy()]
    return np.asarray((scheme > 0) & (pc.fill_null(pc.binary_length(url), 0).to_numpy() > ends))


def _is_place(text: str | None) -> bool:
    """Return whether a place is spelt as normalise_url spells it; of ports that it may leave out the pattern tells."""
    if text is None or len(text) > LONGEST_PLACE or text.endswith((":80", ":443")):
        return False
    return re.fullmatch(PLACE, text) is not None
