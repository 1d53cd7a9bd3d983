"""Addresses that are called plain are those that normalise_url would leave as they are, but for blanks."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naflora_etl.engine.spool import Spool
from naflora_etl.engine.workspace import Workspace
from naflora_etl.sources import darwincore as dwc
from naflora_etl.sources.darwincore import Media
from naflora_etl.sources.plainurls import PlainUrls

PLAIN = [
    "http://a.org/", "https://a.org/1.jpg", "https://a.org/a b.jpg", "http://a.org:8080/1", "http://a_b.org/~x/%20",
    "http://a.org/(x)'y'", "https://iiif.a.org/2/7/full/!1200,1200/0/default.jpg", "http://a.org/q?a=1&b=2",
    "http://a.org/a=b@c", "http://127.0.0.2:8640/1.jpg", "http://a.org//b", f"http://{'a' * 250}.org/1",
]  # fmt: skip
OTHER = [
    None, "", "http://a.org", "https://a.org?x=1", "http://a.org:80/1", "https://a.org:443/1", "HTTP://a.org/1",
    "http:/a.org/1", "http:///1", "http://A.org/1", "ftp://a.org/1", "http://a.org/1 ", "http://a.org/1#x",
    "http://a.org/?", "http://a.org/q?a=1&copy=2", "http://a.org/é.jpg", "http://a.org/[1]", "http://user@a.org/1",
    "http://localhost/1", "http://a.org/a&copy", "http://a.org/a ?x=1 2", "x http://a.org/1",
    "httpx://a.org/1", "http://a.org./1", "\0",
]  # fmt: skip
PARTS = [
    "http", "https", "HTTP", "ftp", "://", ":/", "//", "/", "a.org", "A.org", "a_b.org", "a..org", "a.org.", ":80",
    ":443", ":8080", ":0", "@", "1.jpg", "a b", " ", "?", "&", "a=1", "copy=2", "amp;", "#", "%20", "é", "'", '"',
    "[1]", "manifest", "MANIFEST.json", "/info.json", ".htm", ".HTML", "\t", "\n", "~", "^", "{", "|", "`", "\\", "<",
]  # fmt: skip


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlainUrls]:
    with Spool(Workspace(str(tmp_path_factory.mktemp("plain")))) as spool:
        yield PlainUrls(spool.query)


def test_which_addresses_are_plain(plain: PlainUrls) -> None:
    told = plain.tell(pa.chunked_array([PLAIN, OTHER], pa.string()))
    assert told.is_plain.tolist() == [True] * len(PLAIN) + [False] * len(OTHER)


def test_no_address_at_all(plain: PlainUrls) -> None:
    told = plain.tell(pa.chunked_array([[None, None]], pa.string()))
    assert not told.is_plain.any() and not told.no_page.any()


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.builds(
            "".join,
            st.one_of(
                st.lists(st.sampled_from(PARTS), max_size=8),
                st.lists(st.sampled_from(PARTS), max_size=6).map(lambda parts: ["http://a.org/", *parts]),
            ),
        ),
        min_size=1, max_size=40,
    )
)  # fmt: skip
def test_plain_is_what_normalising_leaves_as_it_is(plain: PlainUrls, urls: list[str]) -> None:
    told = plain.tell(pa.chunked_array([urls], pa.string()))
    places = told.places.to_pylist()
    for at, url in enumerate(urls):
        if told.is_plain[at]:
            assert dwc.normalise_url(url) == url.replace(" ", "%20")
            assert places[at] == dwc.host_of(url)
        if told.no_page[at]:
            assert dwc.media_issue(Media(url, None, None)) is None
