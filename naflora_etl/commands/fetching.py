"""fetch: any list of URLs into shards of finished images, without a recipe."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from naflora_etl.commands.options import json_option
from naflora_etl.console import watching
from naflora_etl.engine.faults import Fault

if TYPE_CHECKING:
    from naflora_etl.fetching.options import Summary
    from naflora_etl.recipe import HttpOptions


@click.command()
@click.argument("urls", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the shards and the manifest.")
@click.option("--size", default=1000, show_default=True, type=click.IntRange(min=16), help="Long side, never enlarged.")
@click.option("--quality", default=92, show_default=True, type=click.IntRange(1, 100), help="Of the JPEGs (4:2:0).")
@click.option(
    "--redact", type=click.Choice(["none", "union", "craft", "ppocr", "easyocr"]), default="none", show_default=True,
    help="Whose text boxes are covered; union is a build's own. With none, labels stay readable.",
)  # fmt: skip
@click.option(
    "--output", type=click.Choice(["webdataset", "files"]), default="webdataset", show_default=True,
    help="Tars of samples, or a folder a shard with a .jpg and a .json each.",
)  # fmt: skip
@click.option("--shard-size", default=1000, show_default=True, type=click.IntRange(min=1), help="Rows of URLS a shard.")
@click.option("--key-column", default="key", show_default=True, metavar="NAME", help="Column of the samples' keys.")
@click.option("--url-column", default="url", show_default=True, metavar="NAME", help="Column of the addresses.")
@click.option("--contact", envvar="NAFLORA_CONTACT", default="", help="Your e-mail or web page; servers are told it.")
@click.option("--concurrency", type=click.IntRange(min=1), help="Connections to one host at a time. [default: 2]")
@click.option("--per-second", type=click.FloatRange(min=0, min_open=True), help="Requests to one host. [default: 2]")
@click.option("--host-policy", type=click.Path(path_type=Path), help="A .toml with the section [http] of a recipe.")
@click.option("--allow-host", multiple=True, metavar="HOST", help="A private host that may be asked; repeatable.")
@click.option("--retries", type=click.IntRange(min=0), help="Tries more, after the first has failed. [default: 4]")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), help="Seconds for one answer. [default: 120]")
@click.option(
    "--iiif/--whole", default=True, show_default=True,
    help="Ask IIIF services for the size that is needed, the whole where they refuse; or always for the whole.",
)  # fmt: skip
@click.option("--again", is_flag=True, help="Ask again for what failed for good, too.")
@json_option
def fetch(urls: Path, out: Path, as_json: bool, **asked: Any) -> None:
    """Fetch the images of URLS into shards.

    URLS is a .parquet, .csv, .tsv, .jsonl or .txt with a column `url`, a column `key` (else keys are made of the URLs),
    and others, which travel along. Robots' rules, opt-outs and each host's limits hold. Run it again to go on after
    an interruption, and to ask again for what was out of reach; nothing finished is asked twice.
    """
    from naflora_etl.engine.workspace import tell_error
    from naflora_etl.fetching.options import FetchOptions
    from naflora_etl.fetching.receipt import fetch_list
    from naflora_etl.recipe import ImagesOptions

    options = FetchOptions(
        images=ImagesOptions(
            size_px=asked["size"], jpeg_quality=asked["quality"], redact=asked["redact"], iiif=asked["iiif"]
        ),
        output=asked["output"],
        shard_size=asked["shard_size"],
        again=asked["again"],
        key_column=asked["key_column"],
        url_column=asked["url_column"],
    )
    http = _manners(asked)
    began = time.monotonic()
    with watching(quiet=as_json) as progress:
        progress.begin("fetch")
        try:
            summary = fetch_list(urls, out, options=options, http=http, progress=progress)
        except OSError as error:
            if told := tell_error(error, str(out)):
                raise Fault(told.replace("--work", "--out")) from error
            raise
    click.echo(json.dumps(asdict(summary), indent=2) if as_json else _told(summary, out, time.monotonic() - began))


def _manners(asked: dict[str, Any]) -> HttpOptions:
    """Return the section http of the policy file, with what the options say put over it."""
    from pydantic import ValidationError

    from naflora_etl.recipe import HttpOptions, read_toml, tell_faults

    path: Path | None = asked["host_policy"]
    values: dict[str, Any] = {}
    if path is not None:
        if not path.is_file():
            raise Fault(f"{path}: no such file; --host-policy takes a .toml with the section [http] of a recipe.")
        values = dict(read_toml(path, example="naflora fetch URLS --out DIR"))
        if not isinstance(values.get("http"), dict):
            raise Fault(f"{path} has no section [http]; give it one as a recipe has it (docs/recipe.md).")
        values = dict(values["http"])
    try:
        http = HttpOptions.model_validate(values)
    except ValidationError as error:
        raise Fault("\n".join(f"{path}: {line}" for line in tell_faults(error, HttpOptions))) from None
    rates: dict[Literal["concurrency", "per_second"], Any] = {
        "concurrency": asked["concurrency"], "per_second": asked["per_second"],
    }  # fmt: skip
    changes = {
        "contact": asked["contact"] or http.contact,
        "default": http.default.model_copy(update={name: rate for name, rate in rates.items() if rate is not None}),
        "allow_private_hosts": (*http.allow_private_hosts, *asked["allow_host"]),
        "tries": asked["retries"] + 1 if asked["retries"] is not None else http.tries,
        "total_timeout_s": asked["timeout"] or http.total_timeout_s,
    }
    return http.model_copy(update=changes)


def _told(summary: Summary, out: Path, seconds: float) -> str:
    failed = sum(summary.issues.values())
    lines = [f"{_counted(summary.rows, 'row')}  {_counted(summary.images, 'image')}  {failed:,} set aside"]
    if summary.asked:
        lines[0] += f"  {summary.asked:,} asked in {seconds:.0f} s ({summary.asked / seconds:.1f}/s)"
    else:
        lines[0] += "  nothing to do"
    from naflora_etl.issues import ISSUES

    for issue, count in summary.issues.items():
        lines.append(f"    {count:>9,}  {issue:<24} {RUN_AGAIN_FETCH.get(issue, ISSUES[issue])}")
    if summary.reduced:
        size = summary.reduced_bytes / 1e6
        lines.append(f"{summary.reduced:,} came from IIIF services as small as is needed: {size:,.1f} MB.")
    if summary.auto_keys:
        lines.append("The list has no keys; each is made of its URL (the same as a build's image_key).")
    size = sum(shard["bytes"] for shard in summary.shards.values())
    shards = _counted(len(summary.shards), "shard")
    lines.append(f"{out}: {shards}, {size / 1e6:,.0f} MB, manifest.parquet, receipt.json")
    return "\n".join(lines)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s'[: count != 1]}"


RUN_AGAIN_FETCH = {
    "HOST_TROUBLE": "Out of reach at every try; the same command, run later, asks for them again.",
    "ADDRESS_REFUSED": "Not http(s), or a private or loopback address; --allow-host names one that may be asked.",
}
