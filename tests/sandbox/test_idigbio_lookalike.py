"""iDigBio's look-alike: its query language, its limits and its inventions, through a real socket."""

from __future__ import annotations

import json
from typing import Any

import pytest
from asking import ask

from naflora_etl.sandbox.world import World


def search(world: World, kind: str = "records", **body: Any) -> dict[str, Any]:
    reply = ask(f"{world.idigbio_api}/v2/search/{kind}", body=body)
    assert reply.status == 200, reply.body
    return dict(reply.json)


def every(world: World, **body: Any) -> list[dict[str, Any]]:
    return list(search(world, limit=5000, sort=["uuid"], **body)["items"])


LIMITS = {"100 when nothing is said": (None, 100), "as asked": (7, 7), "5000 at most": (9999, 5000), "none": (0, 0)}


@pytest.mark.parametrize("case", LIMITS)
def test_a_page_holds(world: World, case: str) -> None:
    limit, size = LIMITS[case]
    page = search(world, **({} if limit is None else {"limit": limit}))
    assert len(page["items"]) == min(size, page["itemCount"])
    assert set(page) == {"itemCount", "lastModified", "items", "attribution"}
    assert set(search(world, no_attribution=True)) == {"itemCount", "lastModified", "items"}


def test_get_and_post_answer_alike(world: World) -> None:
    wanted = {"genus": world.flora.genera[0].name.genus.lower()}
    url = f"{world.idigbio_api}/v2/search/records"
    got = ask(url, {"rq": json.dumps(wanted), "limit": 5, "sort": "uuid"}).json
    assert got == ask(url, body={"rq": wanted, "limit": 5, "sort": "uuid"}).json


def test_pages_sorted_by_uuid_meet_without_gap_or_overlap(world: World) -> None:
    uuids: list[str] = []
    while len(uuids) < search(world, limit=0)["itemCount"]:
        uuids += [item["uuid"] for item in search(world, sort=["uuid"], limit=70, offset=len(uuids))["items"]]
    assert uuids == sorted(set(uuids))


def test_a_scientific_name_is_met_by_all_its_words_in_any_order(world: World) -> None:
    variety = next(name for name in world.flora.names() if name.infra_rank)
    several = every(world, rq={"scientificname": f"{variety.species} {variety.genus.upper()}"})
    names = {item["indexTerms"]["scientificname"] for item in several}
    assert len(names) > 1  # the variety came with its species
    assert all({variety.species, variety.genus.lower()} <= set(name.split()) for name in names)


FIRST = {"specificepithet": {"type": "exists"}}
CONDITIONS = {
    "a value": ({"institutioncode": "nwu"}, lambda t: t["institutioncode"] == "nwu"),
    "a value in capitals": ({"institutioncode": "NWU"}, lambda t: t["institutioncode"] == "nwu"),
    "one of several": ({"institutioncode": ["nwu", "grn"]}, lambda t: t["institutioncode"] in ("nwu", "grn")),
    "there is one": ({"infraspecificepithet": {"type": "exists"}}, lambda t: "infraspecificepithet" in t),
    "there is none": ({"eventdate": {"type": "missing"}}, lambda t: "eventdate" not in t),
    "beginning with": (
        {"catalognumber": {"type": "prefix", "value": "SKO"}},
        lambda t: t["catalognumber"][:3] == "sko",
    ),
    "in a range": (
        {"eventdate": {"type": "range", "gte": "1950", "lt": "1980"}},
        lambda t: "1950" <= t["eventdate"] < "1980",
    ),
    "both of two": (
        {"countrycode": "can", "hasImage": True},
        lambda t: t["countrycode"] == "can" and t["hasImage"],
    ),
}


@pytest.mark.parametrize("case", CONDITIONS)
def test_a_condition(world: World, case: str) -> None:
    wanted, holds = CONDITIONS[case]
    everything = [item["indexTerms"] for item in every(world)]
    kept = [item["indexTerms"] for item in every(world, rq=wanted)]
    assert 0 < len(kept) < len(everything)
    assert kept == [terms for terms in everything if _true(holds, terms)]


def _true(holds: Any, terms: dict[str, Any]) -> bool:
    try:
        return bool(holds(terms))
    except KeyError:
        return False


def test_media_know_their_records_and_records_their_media(world: World) -> None:
    wanted = {"genus": world.flora.genera[1].name.genus.lower()}
    records = {item["uuid"]: item for item in every(world, rq=wanted)}
    media = search(world, "media", rq=wanted, limit=5000)["items"]
    assert media
    for item in media:
        owner = records[item["indexTerms"]["records"][0]]
        assert item["uuid"] in owner["indexTerms"]["mediarecords"]
        assert item["type"] == "mediarecords"
    assert sum(len(item["indexTerms"]["mediarecords"]) for item in records.values()) == len(media)


def test_media_can_be_asked_for_by_their_own_fields(world: World) -> None:
    uri = search(world, "media", limit=1)["items"][0]["indexTerms"]["accessuri"]
    assert search(world, "media", mq={"accessuri": uri})["itemCount"] == 1


def test_the_collection_date_is_partly_made_up(world: World) -> None:
    terms = [item["indexTerms"] for item in every(world, rq={"eventdate": {"type": "exists"}})]
    years_only = [term for term in terms if len(term["eventdate"]) == 4]
    assert years_only
    assert all(len(term["datecollected"][:10]) == 10 for term in years_only)  # a day that nobody ever wrote down


def test_the_same_specimen_bears_the_same_image_in_both_aggregators(world: World) -> None:
    theirs = {item["indexTerms"]["accessuri"] for item in search(world, "media", limit=5000)["items"]}
    gbif = ask(f"{world.gbif_api}/v1/occurrence/search", {"limit": 300, "basisOfRecord": "PRESERVED_SPECIMEN"}).json
    ours = {medium["identifier"] for record in gbif["results"] for medium in record["media"]}
    assert ours & theirs
    assert ours - theirs
    assert theirs - ours


REFUSED = {
    "rq that is no JSON": {"rq": "genus:acer"},
    "rq cut short": {"rq": '{"genus": '},
    "a type of its own": {"rq": '{"genus": {"type": "near"}}'},
    "a limit that is no number": {"limit": "many"},
    "a page beyond 100,000": {"offset": 99_950},
}


@pytest.mark.parametrize("case", REFUSED)
def test_400_for(world: World, case: str) -> None:
    reply = ask(f"{world.idigbio_api}/v2/search/records", REFUSED[case])
    assert (reply.status, reply.json["name"]) == (400, "ParameterParseError")


def test_view_count_and_fields(world: World) -> None:
    item = every(world)[3]
    assert ask(f"{world.idigbio_api}/v2/view/records/{item['uuid']}").json == item
    assert ask(f"{world.idigbio_api}/v2/view/records/{item['uuid'][:-1]}").status == 404
    assert ask(f"{world.idigbio_api}/v2/view/records/nonsense").status == 404
    counted = ask(f"{world.idigbio_api}/v2/summary/count/records", {"rq": '{"genus": "nusquamia"}'}).json
    assert counted == {"itemCount": 0}
    cut = search(world, fields=["uuid", "genus"], limit=1)["items"][0]
    assert (set(cut["indexTerms"]), cut["data"]) == ({"uuid", "genus"}, {})


def test_pending_media_are_answered_200_with_an_svg(world: World) -> None:
    items = search(world, "media", limit=5000)["items"]
    replies = [ask(f"{world.idigbio_api}/v2/media/{item['uuid']}") for item in items]
    pending = [reply for reply in replies if reply.status == 200]
    assert pending
    assert all(reply.headers["Content-Type"].startswith("image/svg+xml") for reply in pending)
    assert {reply.status for reply in replies} == {200, 302}
