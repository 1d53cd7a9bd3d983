"""The report in a real browser: Debian's Chromium, without a screen, by desk and phone, by day and night.

Deque's axe-core goes over the page for whoever cannot see it, or has no mouse.
"""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from large_contents import make_contents
from small_world import draw_jpeg

from naflora_etl.publishing.contact import Pair
from naflora_etl.publishing.report import render_report

CHROMIUM = shutil.which("chromium")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
DESK, PHONE = (1200, 900), (390, 844)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt-get install chromium"),
]

Open = Callable[..., AbstractContextManager[Any]]


@pytest.fixture(scope="module")
def page_file(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    sheet = "data:image/jpeg;base64," + base64.b64encode(draw_jpeg(1)).decode()
    pairs = [Pair(f"{number:020x}", "Acer <rubrum>", "NY", 3, 48, 64, sheet, sheet) for number in range(3)]
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render_report(make_contents(release, 1_200), pairs), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def open_page(page_file: Path) -> Iterator[Open]:
    """Open the page in a browser that has never been anywhere; at its end, nothing was complained of or asked for."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)

        @contextmanager
        def open_one(size: tuple[int, int] = DESK, **options: Any) -> Iterator[Any]:
            width, height = size
            context = browser.new_context(viewport={"width": width, "height": height}, **options)
            page, complaints = context.new_page(), []
            page.on("console", lambda message: complaints.append(message.text))
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("request", lambda request: complaints.append(request.url))
            page.goto(page_file.as_uri())
            yield page
            context.close()
            assert [told for told in complaints if told != page_file.as_uri() and not told.startswith("data:")] == []

        yield open_one
        browser.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_whoever_opens_it_can_read_it(open_page: Open, size: tuple[int, int], scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    with open_page(size, color_scheme=scheme, bypass_csp=True) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == size[0], "nothing sticks out at the side"
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, paper[4:-1].split(","))) < 150) == (scheme == "dark")
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") == size[0]
        drawn = page.locator("#way figure svg:visible")
        assert drawn.count() == 1 and drawn.bounding_box()["width"] <= size[0]
        if (size, scheme) in ((DESK, "light"), (PHONE, "dark")):  # seconds each: every size once, every scheme once
            assert [fault["help"] for fault in Axe().run(page).response["violations"]] == []


def test_a_table_sorts_by_a_click_and_by_the_keyboard(open_page: Open) -> None:
    with open_page() as page:
        table = page.get_by_role("region", name="Images of each institution").locator("table")
        heading = table.get_by_role("columnheader", name="test")
        read = "rows => rows.filter(row => !row.hidden).map(row => Number(row.cells[5].textContent))"
        heading.get_by_role("button").click()
        first = table.locator("tbody tr").evaluate_all(read)
        assert heading.get_attribute("aria-sort") == "descending" and first == sorted(first, reverse=True)
        heading.get_by_role("button").press("Enter")
        again = table.locator("tbody tr").evaluate_all(read)
        assert heading.get_attribute("aria-sort") == "ascending" and again == sorted(again) and again != first


def test_a_long_table_is_searched_and_opened(open_page: Open) -> None:
    with open_page() as page:
        rows = page.locator("#where tbody tr:visible")
        told = page.locator("#where tbody tr").all_text_contents()
        assert (len(told), rows.count()) == (30, 12)
        search = page.get_by_label("Search: Images of each country")
        search.fill("13")
        assert rows.all_text_contents() == [row for row in told if "13" in row]
        assert page.locator("#where [role=status]").inner_text() == f"{rows.count()} of 30 rows"
        search.fill("no such place")
        assert rows.count() == 0
        search.fill("")
        page.locator("#where").get_by_role("button", name="Show all 30 rows").click()
        assert rows.count() == 30


def test_a_sheet_is_uncovered_by_the_keyboard(open_page: Open) -> None:
    with open_page() as page:
        pair = page.locator(".pair").first
        handle = pair.get_by_role("slider", name="Acer <rubrum>")
        for _ in range(5):
            handle.press("ArrowLeft")
        cut = pair.locator(".after img").evaluate("image => getComputedStyle(image).clipPath")
        assert cut == "inset(0px 0px 0px 45%)"


def test_without_its_script_everything_is_there(open_page: Open) -> None:
    with open_page(PHONE, java_script_enabled=False) as page:
        assert page.locator("#where tbody tr:visible").count() == 30
        assert page.locator(".pair img:visible").count() == 6
        assert page.locator("input, button").count() == 0
