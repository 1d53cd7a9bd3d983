"""GBIF's download API against a scripted GBIF: one request whatever happens, the archive piece by piece."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from naflora_etl.engine.answers import Answer
from naflora_etl.engine.blobs import Blobs
from naflora_etl.engine.faults import Fault
from naflora_etl.engine.notes import Notes
from naflora_etl.engine.workspace import Workspace
from naflora_etl.recipe import HarvestOptions
from naflora_etl.sources import gbif_errand
from naflora_etl.sources.gbif_download import (
    MOST_VALUES,
    ask_for,
    find_marked,
    posted_body,
    read_key,
    read_records,
    read_status,
    without_person,
)
from naflora_etl.sources.gbif_errand import PATIENCE, Download
from naflora_etl.sources.gbif_login import Login, find_login
from naflora_etl.sources.paging import Unreadable

COL_XR = "7ddf754f-d193-4cc9-b351-99906754a03b"
KEY = "0000001-261102000000000"
LOGIN = Login("tess", "s3cr3t", "tess@example.org")
OPTIONS = HarvestOptions(gbif_poll_s=0.001, gbif_poll_longest_s=0.002)
REQUEST = "https://api.gbif.org/v1/occurrence/download/request"


# the question


def test_one_question_asks_for_all_taxa() -> None:
    (query,) = ask_for(["5WZLF", "4KR", "5WZLF"], HarvestOptions(countries=("us", "CA")))
    assert query == {
        "format": "DWCA",
        "checklistKey": COL_XR,
        "predicate": {
            "type": "and",
            "predicates": [
                {"type": "in", "key": "TAXON_KEY", "values": ["4KR", "5WZLF"], "checklistKey": COL_XR},
                {"type": "equals", "key": "BASIS_OF_RECORD", "value": "PRESERVED_SPECIMEN"},
                {"type": "equals", "key": "MEDIA_TYPE", "value": "StillImage"},
                {"type": "in", "key": "COUNTRY", "values": ["CA", "US"]},
            ],
        },
    }


def test_no_question_has_more_values_than_gbif_takes() -> None:
    queries = ask_for([f"K{number}" for number in range(MOST_VALUES + 5)], HarvestOptions(countries=("US",)))
    values = [query["predicate"]["predicates"][0]["values"] for query in queries]
    assert [len(part) for part in values] == [MOST_VALUES - 3, 8]
    assert len(set().union(*values)) == MOST_VALUES + 5
    assert ask_for([], HarvestOptions()) == []


def test_pygbif_would_ask_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    pygbif_download = import_module("pygbif.occurrences.download")
    sent: dict[str, Any] = {}

    class Said:
        status_code, text = 201, KEY

    monkeypatch.setattr(pygbif_download.requests, "post", lambda url, **given: sent.update(given, url=url) or Said())
    (query,) = ask_for(["5WZLF"], OPTIONS)
    pygbif_download.download(
        query["predicate"], "DWCA", LOGIN.user, LOGIN.password, LOGIN.email, checklistKey=COL_XR
    )
    ours, theirs = posted_body(query, LOGIN, "m"), json.loads(sent["data"])
    for name in ("creator", "predicate", "format", "checklistKey"):
        assert ours[name] == theirs[name], name
    assert sent["url"] == REQUEST.replace("https", "http"), "why pygbif does not send it: a password in the open"
    assert "timeout" not in sent


@pytest.mark.parametrize(("said", "key"), [(KEY, KEY), (f'"{KEY}"\n', KEY), ("", None), ("<html>", None)])
def test_the_key_is_read(said: str, key: str | None) -> None:
    if key is None:
        with pytest.raises(Unreadable):
            read_key(said.encode())
    else:
        assert read_key(said.encode()) == key


def told(state: str = "SUCCEEDED", **more: Any) -> dict[str, Any]:
    return {"key": KEY, "status": state, "doi": "10.15468/dl.abcdef", "created": "2026-11-02T10:00:00Z"} | more


def test_the_status_is_read_and_cited() -> None:
    status = read_status(json.dumps(told(doi="https://doi.org/10.15468/dl.abcdef", size=7)).encode(), KEY, OPTIONS)
    assert status.link == f"{REQUEST}/{KEY}.zip" and status.size_bytes == 7
    assert status.citation == "GBIF.org (2026-11-02) GBIF Occurrence Download https://doi.org/10.15468/dl.abcdef"
    with pytest.raises(Unreadable):
        read_status(b'{"message": "?"}', KEY, OPTIONS)


def test_what_is_kept_of_an_answer_names_nobody() -> None:
    asked = posted_body(ask_for(["A"], OPTIONS)[0], LOGIN, "mark")
    kept = json.dumps(without_person(json.dumps(told(request=asked)).encode()))
    assert "tess" not in kept and "TAXON_KEY" in kept


def test_a_download_is_known_again_by_its_mark() -> None:
    mine = {"key": KEY, "request": posted_body(ask_for(["A"], OPTIONS)[0], LOGIN, "m1")}
    body = json.dumps({"results": [{"key": "other", "request": {}}, "odd", mine]}).encode()
    assert (find_marked(body, "m1"), find_marked(body, "m2")) == (KEY, None)


# the login

MISSING = {
    "nothing": ({}, "GBIF_USER, GBIF_PWD, GBIF_EMAIL are not set"),
    "no password": ({"GBIF_USER": "u", "GBIF_EMAIL": "e"}, "GBIF_PWD is not set"),
    "an e-mail for a name": ({"GBIF_USER": "u@x.y", "GBIF_PWD": "p", "GBIF_EMAIL": "e"}, "wants the user name"),
}


def set_login(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    for name in ("GBIF_USER", "GBIF_PWD", "GBIF_EMAIL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("naflora_etl.sources.gbif_login._from_keyring", lambda user: "")


@pytest.mark.parametrize("case", MISSING)
def test_without_an_account_it_is_told(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    values, sentence = MISSING[case]
    set_login(monkeypatch, values)
    with pytest.raises(Fault, match=sentence):
        find_login("https://api.gbif.org")


def test_a_password_never_goes_in_the_open_nor_into_a_text(monkeypatch: pytest.MonkeyPatch) -> None:
    set_login(monkeypatch, {"GBIF_USER": "u", "GBIF_PWD": "s3cr3t", "GBIF_EMAIL": "e"})
    with pytest.raises(Fault, match="in the open; write https"):
        find_login("http://api.gbif.org")
    login = find_login("http://127.10.0.1:8640")
    assert login.password == "s3cr3t" and "s3cr3t" not in repr(login)


def test_the_keyring_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ring:
        @staticmethod
        def get_password(service: str, user: str) -> str:
            return f"{service}-{user}"

    monkeypatch.setitem(__import__("sys").modules, "keyring", Ring)
    for name, value in (("GBIF_USER", "tess"), ("GBIF_EMAIL", "e")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("GBIF_PWD", raising=False)
    assert find_login("https://api.gbif.org").password == "gbif-tess"


# the errand


def make_zip(rows: int = 3) -> bytes:
    head = 'encoding="UTF-8" fieldsTerminatedBy="\\t" fieldsEnclosedBy="" ignoreHeaderLines="1"'
    meta = (
        f'<archive><core {head} rowType="http://rs.tdwg.org/dwc/terms/Occurrence"><files><location>occurrence.txt'
        '</location></files><id index="0"/><field index="1" term="http://rs.tdwg.org/dwc/terms/scientificName"/></core>'
        f'<extension {head} rowType="http://rs.gbif.org/terms/1.0/Multimedia"><files><location>multimedia.txt'
        '</location></files><coreid index="0"/><field index="1" term="http://purl.org/dc/terms/identifier"/>'
        "</extension></archive>"
    )
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("meta.xml", meta)
        archive.writestr("occurrence.txt", "gbifID\tname\n" + "".join(f"{n}\tAcer n{n}\n" for n in range(rows)))
        media = "".join(f"{n}\thttp://a.org/{n}.jpg\n" for n in range(rows))
        archive.writestr("multimedia.txt", f"gbifID\tid\n{media}")
    return body.getvalue()


class Gbif:
    """A GBIF that answers by a script: statuses to a request, states of the download, then the zip."""

    def __init__(self, posts: tuple[Any, ...] = (201,), states: tuple[Any, ...] = ("RUNNING", "SUCCEEDED")) -> None:
        self.posts, self.states, self.zip, self.etag = list(posts), list(states), make_zip(), '"v1"'
        self.jobs: list[dict[str, Any]] = []
        self.log: list[str] = []
        self.before_piece: Callable[[int], None] = lambda start: None

    async def __call__(
        self, url: str, *, method: str = "GET", json: Any = None, headers: Any = None, max_bytes: int | None = None,
        tries: int | None = None,
    ) -> Answer:  # fmt: skip
        self.log.append(f"{method} {url.split('/download/')[-1]}")
        if method == "POST":
            assert tries == 1, "a request is never sent twice by itself"
            assert headers == LOGIN.headers()
            return self.post(url, json)
        if "/user/tess?" in url:
            assert headers == LOGIN.headers()
            return self.say(url, 200, json_bytes({"results": self.jobs}))
        if url.endswith(".zip"):
            return self.send(url, method, headers or {})
        assert headers is None, "nobody else hears the password"
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if isinstance(state, int):
            return self.say(url, state, b"")
        return self.say(url, 200, json_bytes(told(state, size=len(self.zip), request=self.jobs[0]["request"])))

    def post(self, url: str, body: dict[str, Any]) -> Answer:
        said = self.posts.pop(0)
        if said in (201, "lost"):
            self.jobs.append({"key": KEY, "request": body})
        return self.say(url, None if said == "lost" else said, KEY.encode())

    def send(self, url: str, method: str, headers: dict[str, str]) -> Answer:
        about = {"etag": self.etag, "content-length": str(len(self.zip))}
        if method == "HEAD":
            return self.say("https://files.gbif.org/" + url.rsplit("/", 1)[-1], 200, b"", about)
        assert url.startswith("https://files.gbif.org/"), "pieces are asked for where the redirect leads"
        start, end = map(int, headers["Range"].removeprefix("bytes=").split("-"))
        self.before_piece(start)
        about |= {"content-range": f"bytes {start}-{end}/{len(self.zip)}"}
        return self.say(url, 206, self.zip[start : end + 1], about)

    def say(self, url: str, status: int | None, body: bytes, headers: dict[str, str] | None = None) -> Answer:
        issue = None if status is not None and status < 400 else "HOST_TROUBLE"
        return Answer(url, status, headers or {}, b"" if issue else body, issue, datetime(2026, 11, 2, tzinfo=UTC))

    @property
    def posted(self) -> int:
        return sum(line.startswith("POST") for line in self.log)


def json_bytes(value: Any) -> bytes:
    return json.dumps(value).encode()


def download(folder: Path, said: list[str] | None = None) -> Download:
    workspace = Workspace(str(folder))
    (query,) = ask_for(["A", "B"], OPTIONS)
    tell = (said if said is not None else []).append
    return Download(query, 0, OPTIONS, lambda: LOGIN, Blobs(workspace), Notes(workspace), tell)


def bring(gbif: Gbif, folder: Path, said: list[str] | None = None) -> list[dict[str, Any]]:
    return asyncio.run(download(folder, said).bring(gbif))


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gbif_errand, "PIECE_BYTES", 200)


def test_a_download_comes_with_its_doi(tmp_path: Path) -> None:
    gbif = Gbif(states=("PREPARING", "SUSPENDED", "RUNNING", "SUCCEEDED"))
    status, archive = bring(gbif, tmp_path)
    assert (status["page_key"], archive["page_key"]) == ("gbif:download/0000/status", "gbif:download/0000")
    assert archive["doi"] == "10.15468/dl.abcdef" and archive["citation"].startswith("GBIF.org (2026-11-02)")
    assert (archive["record_count"], archive["size_bytes"]) == (3, len(gbif.zip))
    assert gbif.posted == 1 and gbif.log.count(f"GET {KEY}") == 4
    blobs = Blobs(Workspace(str(tmp_path)))
    records = list(read_records(blobs.file(archive["blob"]), "gbif:download/0000"))
    assert [(r.source, r.record_id, r.media[0].url) for r in records][:1] == [("gbif", "0", "http://a.org/0.jpg")]
    assert not any(b"tess" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_what_is_here_is_not_asked_for_again(tmp_path: Path) -> None:
    first = bring(Gbif(), tmp_path)
    gbif = Gbif()
    assert bring(gbif, tmp_path) == first and gbif.log == []


@pytest.mark.parametrize("status", [420, 429])
def test_a_full_queue_is_waited_for(status: int, tmp_path: Path) -> None:
    said: list[str] = []
    gbif = Gbif(posts=(*(status for _ in range(PATIENCE + 3)), 201))
    bring(gbif, tmp_path, said)
    assert gbif.posted == PATIENCE + 4 and len(gbif.jobs) == 1
    assert said[0] == "GBIF prepares three downloads of this user already; waiting for one to end"


def test_a_request_whose_answer_was_lost_is_found_and_not_posted_again(tmp_path: Path) -> None:
    gbif = Gbif(posts=("lost",))
    bring(gbif, tmp_path)
    assert gbif.posted == 1 and len(gbif.jobs) == 1


def test_a_request_that_never_arrived_is_posted_again(tmp_path: Path) -> None:
    gbif = Gbif(posts=(None, 503, 201))
    bring(gbif, tmp_path)
    assert gbif.posted == 3 and len(gbif.jobs) == 1


class Killed(BaseException):
    pass


@pytest.mark.parametrize("moment", ["POST", "key", "poll", "piece"])
def test_a_kill_at_any_moment_leaves_one_request(moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gbif, polls = Gbif(states=("RUNNING", "RUNNING", "SUCCEEDED")), 0

    def killed(*given: Any) -> Any:
        raise Killed

    def killed_later(start: int) -> None:
        if start >= 400:
            raise Killed

    with monkeypatch.context() as patch:
        if moment == "POST":  # it came through, and the process died before it heard so
            patch.setattr(gbif, "post", lambda url, body: [Gbif.post(gbif, url, body), killed()])
        elif moment == "key":
            patch.setattr(gbif_errand, "read_key", killed)
        elif moment == "poll":
            patch.setattr(gbif_errand, "read_status", killed)
        gbif.before_piece = killed_later if moment == "piece" else gbif.before_piece
        with pytest.raises(Killed):
            bring(gbif, tmp_path)
    polls = len(gbif.log)
    starts: list[int] = []
    gbif.before_piece = starts.append
    _, archive = bring(gbif, tmp_path)
    assert archive["record_count"] == 3
    assert gbif.posted == 1 and len(gbif.jobs) == 1 and polls
    assert starts[0] == (400 if moment == "piece" else 0), "pieces that came are not asked for again"


REFUSALS = {
    401: "does not know GBIF_USER",
    403: "does not let GBIF_USER",
    413: "too long or too complex",
    410: "is gone",
    400: "refuses the request",
}


@pytest.mark.parametrize("status", REFUSALS)
def test_a_refusal_is_told_plainly_and_at_once(status: int, tmp_path: Path) -> None:
    gbif = Gbif(posts=(status,))
    with pytest.raises(Fault, match=REFUSALS[status]) as fault:
        bring(gbif, tmp_path)
    assert gbif.posted == 1 and "s3cr3t" not in str(fault.value)


@pytest.mark.parametrize("state", ["KILLED", "CANCELLED", "FAILED", "FILE_ERASED"])
def test_a_download_that_came_to_nothing_is_told_and_asked_for_anew(state: str, tmp_path: Path) -> None:
    gbif = Gbif(posts=(201, 201), states=("RUNNING", state))
    with pytest.raises(Fault, match=f"download {KEY} came to nothing"):
        bring(gbif, tmp_path)
    gbif.states, gbif.jobs = ["SUCCEEDED"], []
    bring(gbif, tmp_path)
    assert gbif.posted == 2


@pytest.mark.parametrize("status", [404, 410])
def test_a_download_that_gbif_forgot_is_told(status: int, tmp_path: Path) -> None:
    with pytest.raises(Fault, match=rf"knows no download {KEY} any more \({status}\)"):
        bring(Gbif(states=(status,)), tmp_path)


def test_silence_is_borne_for_a_while_and_the_download_kept(tmp_path: Path) -> None:
    gbif = Gbif(states=(503, 503, "RUNNING", 503, "SUCCEEDED"))
    assert bring(gbif, tmp_path / "a")
    gbif = Gbif(states=(503,))
    with pytest.raises(Fault, match="`naflora build` goes on with it"):
        bring(gbif, tmp_path / "b")
    gbif.states = ["SUCCEEDED"]
    assert bring(gbif, tmp_path / "b") and gbif.posted == 1


def test_an_archive_that_changed_half_way_is_fetched_from_its_start(tmp_path: Path) -> None:
    gbif = Gbif()

    def change(start: int) -> None:
        if start == 400 and gbif.etag == '"v1"':
            gbif.etag, gbif.zip = '"v2"', make_zip(4)

    gbif.before_piece = change
    with pytest.raises(Fault, match="no part of it"):
        bring(gbif, tmp_path)
    assert bring(gbif, tmp_path)[1]["record_count"] == 4 and gbif.posted == 1


def test_a_damaged_archive_is_fetched_again_and_not_requested_again(tmp_path: Path) -> None:
    gbif = Gbif()
    whole, gbif.zip = gbif.zip, gbif.zip[:-30] + bytes(30)
    with pytest.raises(Fault, match="no whole Darwin Core archive; `naflora build` fetches it again"):
        bring(gbif, tmp_path)
    gbif.zip = whole
    assert bring(gbif, tmp_path)[1]["record_count"] == 3 and gbif.posted == 1


@pytest.mark.real
def test_a_real_download_reads_as_records_of_gbif() -> None:
    place = Path(__file__).parents[2].parent / "shared/data/gbif/dwca/gbif_download_with_multimedia"
    if not place.is_dir():
        pytest.skip(f"{place} is not here")
    records = list(read_records(nullcontext(str(place)), "gbif:download/0000"))
    assert len(records) == 1310 and {record.source for record in records} == {"gbif"}
    assert sum(len(record.media) for record in records) == 1362
    assert all(record.record_id.isdigit() and len(record.terms["datasetKey"]) == 36 for record in records)
