"""The iDigBio look-alike: search, view, media and counts, with iDigBio's own limits and quirks."""

from __future__ import annotations

import json
import operator
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from aiohttp import web

from naflora_etl.sandbox.gatherings import Specimen
from naflora_etl.sandbox.herbaria import INSTITUTIONS
from naflora_etl.sandbox.idigbio_download import Downloads
from naflora_etl.sandbox.idigbio_record import find_uuid, write_media, write_record
from naflora_etl.sandbox.world import World

DEFAULT_LIMIT, MOST_A_PAGE, CEILING = 100, 5_000, 100_000
PENDING_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="200" height="60"><text x="10" y="35">Media pending</text></svg>'
)
PENDING_ONE_IN = 40
TOP = 10
TOKEN = re.compile(r"\w+")  # a hybrid's × is no letter and falls away
RANGES: dict[str, Callable[[str, str], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
Item = dict[str, Any]


class _Refused(Exception):
    """A query that cannot be understood."""


class Idigbio:
    """Answers for one world."""

    def __init__(self, world: World) -> None:
        self.world = world

    def routes(self) -> list[web.RouteDef]:
        """Return what is served."""
        routes: list[web.RouteDef] = []
        for path, handler in (
            ("/v2/search/records", self.search_records),
            ("/v2/search/media", self.search_media),
            ("/v2/summary/count/records", self.count_records),
            ("/v2/summary/count/media", self.count_media),
            ("/v2/summary/top/records", self.top_records),
        ):
            routes += [web.get(path, _refusing(handler)), web.post(path, _refusing(handler))]
        routes += Downloads(self.world, lambda rq: (self._records(rq), self._media({"rq": rq}))).routes()
        return [*routes, web.get("/v2/view/{type}/{uuid}", self.view), web.get("/v2/media/{uuid}", self.media)]

    async def search_records(self, query: Item) -> web.Response:
        """Answer a search for specimens."""
        return web.json_response(_page(self._records(query.get("rq", {})), query))

    async def search_media(self, query: Item) -> web.Response:
        """Answer a search for pictures, by their own fields (`mq`) and their specimen's (`rq`)."""
        return web.json_response(_page(self._media(query), query))

    async def count_records(self, query: Item) -> web.Response:
        """Answer how many specimens a query finds."""
        return web.json_response({"itemCount": len(self._records(query.get("rq", {})))})

    async def count_media(self, query: Item) -> web.Response:
        """Answer how many pictures a query finds."""
        return web.json_response({"itemCount": len(self._media(query))})

    async def top_records(self, query: Item) -> web.Response:
        """Answer how many specimens bear each value of the first field, and within it of the next one, and so on."""
        fields = query.get("top_fields") or ["scientificname"]
        fields = [fields] if isinstance(fields, str) else list(fields)
        return web.json_response(_top(self._records(query.get("rq", {})), fields, int(query.get("count", TOP))))

    async def view(self, request: web.Request) -> web.Response:
        """Answer for one record or picture."""
        kind = request.match_info["type"]
        if kind == "recordsets":
            return _view_recordset(request.match_info["uuid"])
        found = find_uuid(self.world, request.match_info["uuid"])
        if found is None or kind not in ("records", "mediarecords", "media") or (kind == "records") == bool(found[1]):
            return web.json_response({"error": "Not Found", "statusCode": 404}, status=404)
        specimen, picture = found
        if picture:
            return web.json_response(write_media(self.world, specimen, specimen.pictures[picture - 1]))
        return web.json_response(write_record(self.world, specimen))

    async def media(self, request: web.Request) -> web.Response:
        """Redirect to a picture; one that is missing or pending is answered 200, with an SVG that says so."""
        found = find_uuid(self.world, request.match_info["uuid"])
        if found is None or not found[1] or found[0].index % PENDING_ONE_IN == 7:
            return web.Response(text=PENDING_SVG, content_type="image/svg+xml")
        raise web.HTTPFound(found[0].pictures[found[1] - 1].url)

    def _records(self, wanted: Item) -> list[Item]:
        return [write_record(self.world, specimen) for specimen in self._find(wanted)]

    def _media(self, query: Item) -> list[Item]:
        media = [
            write_media(self.world, specimen, picture)
            for specimen in self._find(query.get("rq", {}))
            for picture in specimen.pictures
        ]
        wanted = query.get("mq", {})
        return [item for item in media if _fits(item["indexTerms"], wanted)]

    def _find(self, wanted: Item) -> Iterator[Specimen]:
        if not isinstance(wanted, dict):
            raise _Refused("rq must be an object")
        for specimen in self._candidates(wanted):
            if specimen.in_idigbio and _fits(write_record(self.world, specimen)["indexTerms"], wanted):
                yield specimen

    def _candidates(self, wanted: Item) -> Iterator[Specimen]:
        """Yield all specimens, or those of the genera that the query names, when it names any."""
        texts = wanted.get("genus", wanted.get("scientificname", wanted.get("canonicalname")))
        texts = [texts] if isinstance(texts, str) else texts
        genera = self.world.flora.genera
        if isinstance(texts, list) and all(isinstance(text, str) for text in texts):
            words = {word for text in texts for word in TOKEN.findall(text.lower())}
            flora = self.world.flora
            named = {
                genus.index
                for genus in genera
                if any(name.genus.lower() in words for at in genus.species for name in flora.species[at].names)
            }
            genera = tuple(genus for genus in genera if genus.index in named)
        for genus in genera:
            for index in genus.species:
                yield from self.world.specimens(index)


def _refusing(handler: Callable[[Item], Any]) -> Callable[[web.Request], Any]:
    async def answer(request: web.Request) -> web.Response:
        try:
            response: web.Response = await handler(await _read_query(request))
            return response
        except _Refused as fault:
            error = {"error": str(fault), "name": "ParameterParseError", "statusCode": 400}
            return web.json_response(error, status=400)

    return answer


async def _read_query(request: web.Request) -> Item:
    """Return the parameters of a GET or of a POST's JSON; rq, mq, sort and fields may be JSON inside of a string."""
    query: Item = dict(request.query)
    if request.method == "POST":
        try:
            body = await request.json()
        except ValueError:
            raise _Refused("the body is not JSON") from None
        query |= body if isinstance(body, dict) else {}
    for field in ("rq", "mq", "sort", "fields", "fields_exclude"):
        value = query.get(field)
        if isinstance(value, str) and value[:1] in "[{":
            try:
                query[field] = json.loads(value)
            except ValueError:
                raise _Refused(f"{field} is not JSON") from None
        elif isinstance(value, str) and field in ("rq", "mq"):
            raise _Refused(f"{field} is not JSON")
    return query


def _top(items: list[Item], fields: list[str], most: int) -> Item:
    answer: Item = {"itemCount": len(items)}
    if fields:
        groups: dict[str, list[Item]] = defaultdict(list)
        for item in items:
            if (value := item["indexTerms"].get(fields[0])) is not None:
                groups[str(value)].append(item)
        largest = sorted(groups.items(), key=lambda pair: (-len(pair[1]), pair[0]))[:most]
        answer[fields[0]] = {value: _top(own, fields[1:], most) for value, own in largest}
    return answer


def _page(items: list[Item], query: Item) -> Item:
    try:
        limit, offset = int(query.get("limit", DEFAULT_LIMIT)), int(query.get("offset", 0))
    except (TypeError, ValueError):
        raise _Refused("limit and offset must be numbers") from None
    limit = min(max(limit, 0), MOST_A_PAGE)
    if offset + limit > CEILING:
        raise _Refused(f"offset and limit lead beyond {CEILING}")
    items = _sort(items, query.get("sort") or [{"dqs": "desc"}])
    answer: Item = {
        "itemCount": len(items),
        "lastModified": max((item["indexTerms"]["datemodified"] for item in items), default=None),
        "items": [_cut(item, query) for item in items[offset : offset + limit]],
    }
    if not query.get("no_attribution"):
        answer["attribution"] = _attribution(items)
    return answer


def _sort(items: list[Item], orders: Any) -> list[Item]:
    """Sort as asked; the default (dqs) leaves many ties, in no order that anybody should rely on."""
    for order in reversed(orders if isinstance(orders, list) else [orders]):
        field, way = next(iter(order.items())) if isinstance(order, dict) else (str(order), "asc")
        way = way.get("order", "asc") if isinstance(way, dict) else way
        items = sorted(items, key=lambda item: str(item["indexTerms"].get(field, "")), reverse=way == "desc")
    return items


def _cut(item: Item, query: Item) -> Item:
    fields, out = query.get("fields"), query.get("fields_exclude") or []
    fields = [fields] if isinstance(fields, str) else fields
    cut = dict(item)
    if fields is not None:
        cut["indexTerms"] = {field: value for field, value in item["indexTerms"].items() if field in fields}
    if "data" in out or (fields is not None and not any(field.split(".")[0] == "data" for field in fields)):
        cut["data"] = {}
    return cut


def _attribution(items: list[Item]) -> list[Item]:
    counts = Counter(item["indexTerms"]["recordset"] for item in items)
    return [
        {
            "uuid": keeper.recordset,
            "itemCount": counts[keeper.recordset],
            "name": keeper.dataset_title,
            "description": f"Specimens of {keeper.name}.",
            "data_rights": keeper.record_license,
            "publisher": keeper.publisher_key,
            "contacts": [{"first_name": "Curator", "email": f"curator@{keeper.code.lower()}.example"}],
        }
        for keeper in INSTITUTIONS
        if counts[keeper.recordset]
    ]


def _view_recordset(uuid: str) -> web.Response:
    keeper = next((keeper for keeper in INSTITUTIONS if keeper.recordset == uuid.lower()), None)
    if keeper is None:
        return web.json_response({"error": "Not Found", "statusCode": 404}, status=404)
    told = {"uuid": keeper.recordset, "type": "recordsets", "data": {"collection_name": keeper.dataset_title}}
    return web.json_response(told | {"indexTerms": {"name": keeper.dataset_title, "uuid": keeper.recordset}})


def _fits(terms: Item, wanted: Item) -> bool:
    return all(_holds(terms.get(field), field, condition) for field, condition in wanted.items())


def _holds(value: Any, field: str, condition: Any) -> bool:
    """Return whether an indexed value meets a condition; `scientificname` is met by all its words in any order."""
    if isinstance(condition, list):
        return any(_holds(value, field, one) for one in condition)
    if isinstance(condition, dict):
        return _holds_typed(value, condition)
    if value is None:
        return False
    if isinstance(value, list):
        return bool(condition in value)
    if isinstance(condition, bool) or isinstance(value, bool):
        return str(value).lower() == str(condition).lower()
    if field in ("scientificname", "locality", "collector"):
        return set(TOKEN.findall(str(condition).lower())) <= set(TOKEN.findall(str(value)))
    return str(value) == str(condition).lower() or bool(value == condition)


def _holds_typed(value: Any, condition: Item) -> bool:
    kind = str(condition.get("type"))
    if kind in ("exists", "missing"):
        return (value is not None) is (kind == "exists")
    if kind == "prefix":
        return bool(str(value or "").startswith(str(condition.get("value", "")).lower()))
    if kind == "range":
        return value is not None and all(
            test(str(value), str(condition[way])) for way, test in RANGES.items() if way in condition
        )
    raise _Refused(f"unknown query type {kind!r}")
