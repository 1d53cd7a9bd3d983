"""A reharvest, told: in sentences, as JSON values, and as a page with names."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from naflora_etl.engine.workspace import Workspace
from naflora_etl.issues import ISSUES
from naflora_etl.renewing.brake import Held
from naflora_etl.renewing.change import FACTS, KINDS, Change, count_taxa
from naflora_etl.renewing.confirmation import Confirmation
from naflora_etl.renewing.inquiry import News
from naflora_etl.renewing.run import Outcome

ROWS_ON_THE_PAGE = 50
TAXA_IN_A_SENTENCE = 3


def describe_outcome(outcome: Outcome) -> str:
    """Return what a reharvest found and did, a sentence a line."""
    lines = [_tell_news(news) for news in outcome.news]
    lines += [f"The archive {place} is another one than was harvested." for place in outcome.new_archives]
    if outcome.change is None:
        silent = any(news.is_silent for news in outcome.news)
        said = "Nothing new was heard" if silent else "Nothing is new"
        return "\n".join([*lines, f"{said}; nothing was done."])
    counts, change = outcome.change.counts, outcome.change
    lines += [_tell_held(held) for held in outcome.held]
    if not any(counts.values()):
        lines.append("No fact that we use of any image changed, and none was withdrawn.")
    for kind, count in counts.items():
        if count:
            said = f"{KINDS[kind]}{_tell_taxa(change, kind, outcome.names)}"
            lines.append(f"{count:>7,} {kind.replace('_', ' ')}: {said}.")
    published = sum(row["image_key"] in outcome.published_before for row in change.of_kind("withdrawn"))
    if published:
        lines.append(f"{published:,} of those withdrawn stood in an earlier release; withdrawn.csv names them.")
    lines += [_tell_confirmation(source, told) for source, told in outcome.confirmed.items()]
    return "\n".join(lines)


def outcome_values(outcome: Outcome) -> dict[str, Any]:
    """Return the same as JSON values, with every image that differs."""
    values: dict[str, Any] = {
        "label": outcome.label,
        "is_new": outcome.change is not None,
        "asked": {
            news.source: {
                "since": news.since,
                "questions": news.questions,
                "taxa": len(news.taxa),
                "is_silent": news.is_silent,
            }
            for news in outcome.news
        },
        "new_archives": outcome.new_archives,
        "counts": outcome.change.counts if outcome.change else dict.fromkeys(KINDS, 0),
        "confirmed": {
            source: {"missing": told.missing, "asked": told.asked, "gone": told.gone, "alive": told.alive}
            for source, told in outcome.confirmed.items()
        },
        "held": [asdict(held) for held in outcome.held],
        "images": [_image_values(row, outcome) for row in outcome.change.rows.to_pylist()] if outcome.change else [],
    }
    return values


def _image_values(row: Mapping[str, Any], outcome: Outcome) -> dict[str, Any]:
    names = outcome.names
    told = {name: row[name] for name in ("image_key", "kind", "source", "source_record_id", "institutionCode")}
    told |= {"catalogNumber": row["catalogNumber"], "image_url": row["image_url"]}
    told |= {"old_name": names.get(row["old_taxon_id"] or ""), "new_name": names.get(row["new_taxon_id"] or "")}
    told |= {"issue": row["new_issue"], "was_published": row["image_key"] in outcome.published_before}
    differing = [name for name in FACTS if row[f"differs_{name}"]] if row["kind"] in ("changed", "moved") else []
    return told | {"facts": differing}


def render_page(outcome: Outcome, title: str) -> str:
    """Return the page (Markdown): the sentences, then the images of each kind, the first ones by name."""
    said = [f"- {line.strip()}" for line in describe_outcome(outcome).split("\n")]
    lines = [f"# {title}: reharvest {outcome.label}", "", *said]
    images = outcome_values(outcome)["images"]
    for kind, meaning in KINDS.items():
        rows = [image for image in images if image["kind"] == kind]
        rows.sort(key=lambda image: (image["new_name"] or image["old_name"] or "", image["image_url"] or ""))
        if not rows:
            continue
        lines += ["", f"## {kind.replace('_', ' ').capitalize()} ({len(rows):,}: {meaning})", ""]
        lines += ["| species | institution | number | what | image |", "| --- | --- | --- | --- | --- |"]
        lines += [_page_row(image) for image in rows[:ROWS_ON_THE_PAGE]]
        if len(rows) > ROWS_ON_THE_PAGE:
            lines += ["", f"... and {len(rows) - ROWS_ON_THE_PAGE:,} more; `--json` has them all."]
    return "\n".join(lines) + "\n"


def keep_page(outcome: Outcome, title: str, workspace: Workspace) -> str | None:
    """Write page and values into the workspace, under `changes/`; return the page's path there, None without any."""
    if outcome.change is None:
        return None
    place = f"changes/{outcome.label}"
    workspace.write(f"{place}.md", render_page(outcome, title).encode())
    workspace.write(f"{place}.json", json.dumps(outcome_values(outcome), indent=1).encode())
    return f"{place}.md"


def _page_row(image: Mapping[str, Any]) -> str:
    what = ", ".join(image["facts"])
    if image["kind"] == "moved":
        what = f"was {image['old_name'] or 'unknown'}"
    elif image["kind"] == "set_aside":
        what = f"{image['issue']}: {ISSUES[image['issue']]}"
    elif image["kind"] == "withdrawn":
        what = "stood in an earlier release" if image["was_published"] else ""
    cells = (image["new_name"] or image["old_name"], image["institutionCode"], image["catalogNumber"], what)
    said = [" ".join(str(cell or "").split()).replace("|", "\\|") for cell in (*cells, image["image_url"])]
    return f"| {' | '.join(said)} |"


def _tell_news(news: News) -> str:
    if news.is_silent:
        return f"{news.source} gave no usable answer, so nothing of it was asked for; what it sent before is kept."
    asked = f"{news.questions:,} question{'s' if news.questions != 1 else ''}"
    if not news.taxa:
        return f"{news.source}: nothing new since {news.since} ({asked})."
    return f"{news.source}: something may be new of {len(news.taxa):,} taxa since {news.since} ({asked})."


def _tell_held(held: Held) -> str:
    gone = f"only {held.gone} are gone" if held.gone else "none is gone"
    return (
        f"{held.source} does not list {held.lost:,} of its {held.images:,} images any more, but of {held.asked} "
        f"records asked for by key {gone}: taken for trouble of the source, and all that it sent before is kept. Where "
        "the loss is meant, `--accept-losses` lets them go."
    )


def _tell_taxa(change: Change, kind: str, names: Mapping[str, str]) -> str:
    rows = change.of_kind(kind)
    if kind == "set_aside":
        told: Sequence[tuple[str, int]] = Counter(row["new_issue"] for row in rows).most_common()
    elif kind == "moved":
        pairs = [tuple(names.get(row[side], row[side]) for side in ("old_taxon_id", "new_taxon_id")) for row in rows]
        told = Counter(" -> ".join(pair) for pair in pairs).most_common()
    else:
        told = count_taxa(rows, "new_taxon_id" if kind in ("added", "changed") else "old_taxon_id", names)
    first = ", ".join(f"{name} {count:,}" for name, count in told[:TAXA_IN_A_SENTENCE])
    return f" ({first}{', ...' if len(told) > TAXA_IN_A_SENTENCE else ''})"


def _tell_confirmation(source: str, told: Confirmation) -> str:
    records = "record is" if told.missing == 1 else "records are"
    said = f"{told.missing:,} {records} not listed at {source} any more; "
    said += f"of {told.asked} asked for by key {told.gone} {'is' if told.gone == 1 else 'are'} gone"
    if told.alive:
        first = ", ".join(f"{one['record']} ({one['name']})" for one in told.alive[:TAXA_IN_A_SENTENCE])
        said += f", {len(told.alive)} answered and so only left our question: {first}"
    if told.silent:
        said += f", {told.silent} gave no answer"
    return said + "."
