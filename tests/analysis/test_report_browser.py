"""The report in a real browser: its script, its filters and sorting, its layout; nothing is loaded, nothing complains.

The browser is driven over a pipe in the DevTools protocol, so that clicks and keys are real ones.
"""

import itertools
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hqdata.analysis.findings import KINDS, LEVELS
from hqdata.analysis.report.page import write_report
from hqdata.analysis.stats import compute_stats
from hqdata.catalog import load_catalog
from hqdata.pipelines.recipe import build_recipe
from hqdata.store.reader import Collection
from tests.analysis.test_report import audit_of, relation, suspect
from tests.conftest import Drawn

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium, chromium-browser or google-chrome is on PATH to show the page"
)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--remote-debugging-pipe",
)
LAUNCH = """
import fcntl, os, sys
read, write = (fcntl.fcntl(int(word), fcntl.F_DUPFD, 10) for word in sys.argv[1:3])
os.dup2(read, 3)
os.dup2(write, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""The browser reads its commands from descriptor 3 and answers on 4."""
COMPLAINTS = {"Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded", "Page.javascriptDialogOpening"}


class Browser:
    """One tab of a headless browser with a profile of its own."""

    def __init__(self, profile: Path) -> None:
        self._answers, write = os.pipe()
        read, self._commands = os.pipe()
        words = [sys.executable, "-c", LAUNCH, str(read), str(write), CHROMIUM, *FLAGS, f"--user-data-dir={profile}"]
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(words, pass_fds=(read, write), stdout=quiet, stderr=quiet)
        os.close(read)
        os.close(write)
        self._rest = b""
        self._number = 0
        self._session: dict[str, str] = {}
        self.events: list[dict[str, Any]] = []
        target = self.do("Target.createTarget", url="about:blank")["targetId"]
        self._session = {"sessionId": self.do("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.do(f"{domain}.enable")

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            chunk = os.read(self._answers, 1 << 20)
            assert chunk, "the browser ended"
            self._rest += chunk
        message, self._rest = self._rest.split(b"\0", 1)
        answer: dict[str, Any] = json.loads(message)
        return answer

    def do(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command; what happens until it is answered is kept in ``events``."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params, **self._session}
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != self._number:
            self.events.append(answer)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def open(self, address: str, *, width: int = 1280, height: int = 900) -> None:
        """Load a page in a window of that size, from an empty one, and wait until it is there."""
        self.do(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )
        for place in ("about:blank", address):
            self.events.clear()
            self.do("Page.navigate", url=place)
            while not any(event["method"] == "Page.loadEventFired" for event in self.events):
                self.events.append(self._read())

    def js(self, code: str) -> Any:
        """Value of an expression in the page."""
        answer = self.do("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def press_enter(self) -> None:
        """Press and release the key where the focus is."""
        self.do("Input.dispatchKeyEvent", type="keyDown", key="Enter", code="Enter", text="\r")
        self.do("Input.dispatchKeyEvent", type="keyUp", key="Enter", code="Enter")

    def complaints(self) -> list[dict[str, Any]]:
        """Whatever the page logged, threw or popped up since it was opened."""
        return [event for event in self.events if event["method"] in COMPLAINTS]

    def close(self) -> None:
        self._session = {}
        self.do("Browser.close")
        self._process.wait(timeout=30)
        os.close(self._answers)
        os.close(self._commands)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@dataclass(frozen=True, slots=True)
class Page:
    """A report and the suspects in it, in the order of its table."""

    address: str
    suspects: list[dict[str, Any]]


@pytest.fixture(scope="module")
def page(drawn: Drawn, hqseg: Collection, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A report on the drawn sources, with findings that are made up."""
    root = tmp_path_factory.mktemp("browser")
    build_recipe("hq-eval", root / "hq eval", drawn.options("official"))
    judge = Collection(root / "hq eval")
    measured = [compute_stats(item).folder.parent for item in (hqseg, judge)]
    rng = random.Random(1)
    ids = rng.sample(hqseg.sample_ids, 60)
    into = {"against": judge.folder.name, "against_digest": judge.digest}
    suspects = [
        suspect(
            ids[7 * n + rank], kind, rank, score=round(rng.random(), 6), other=ids[59] if kind == "swapped" else None
        )
        for n, kind in enumerate(list(KINDS)[:7])
        for rank in range(1, 6)
    ]
    audit = audit_of(
        hqseg,
        against=[judge],
        duplicates=[relation(ids[n], ids[n + 20], list(LEVELS)[n % 5], changes=["mirrored"]) for n in range(20)],
        leaks=[relation(ids[n], judge.sample_ids[n], list(LEVELS)[n % 5], **into) for n in range(10)],
        suspects=suspects,
    )
    write_report(audit, root / "report.html", load_catalog([drawn.manifests]))
    yield Page((root / "report.html").as_uri(), suspects)
    for folder in measured:
        shutil.rmtree(folder)


ROWS = """[...document.querySelectorAll('#{view} .sortable tbody tr')].filter(row => row.offsetParent)
    .map(row => [...row.cells].map(cell => cell.textContent))"""


def rows(browser: Browser, view: str) -> list[list[str]]:
    """Visible rows of a section's table, as text, in the order shown."""
    found: list[list[str]] = browser.js(ROWS.replace("{view}", view))
    return found


def visible(browser: Browser, selector: str) -> int:
    count: int = browser.js(f"[...document.querySelectorAll({selector!r})].filter(item => item.offsetParent).length")
    return count


def test_the_page_loads_nothing_and_complains_about_nothing(browser: Browser, page: Page) -> None:
    browser.open(page.address)
    loaded = [e["params"]["request"]["url"] for e in browser.events if e["method"] == "Network.requestWillBeSent"]
    assert [address for address in loaded if not address.startswith("data:")] == [page.address]
    assert browser.complaints() == []
    assert browser.js("document.querySelectorAll('script').length") == 1
    broken = "[...document.images].filter(image => !(image.complete && image.naturalWidth)).length"
    assert browser.js(broken) == 0
    assert browser.js("document.images.length") > 50


def test_the_browser_reports_complaints(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<!DOCTYPE html><script>console.error('no'); missing()</script>")
    browser.open((tmp_path / "page.html").as_uri())
    assert {event["method"] for event in browser.complaints()} == {
        "Runtime.consoleAPICalled",
        "Runtime.exceptionThrown",
    }


@pytest.mark.parametrize(
    ("state", "kinds", "word"),
    [
        ("", list(KINDS)[:7], ""),
        ("kind=shifted", ["shifted"], ""),
        ("kind=shifted&q=FSS1000", ["shifted"], "fss1000"),
        ("q=duts", list(KINDS)[:7], "duts"),
        ("kind=nonsense", list(KINDS)[:7], ""),
        ("q=no+such+thing", [], ""),
    ],
)
def test_an_address_opens_a_filtered_view(
    browser: Browser, page: Page, state: str, kinds: list[str], word: str
) -> None:
    browser.open(f"{page.address}#suspects?{state}")
    want = [row for row in page.suspects if row["kind"] in kinds and word in row["mask_id"]]
    assert [(row[0], row[3]) for row in rows(browser, "suspects")] == [(row["kind"], row["mask_id"]) for row in want]
    assert browser.js("document.querySelector('#suspects output').value").startswith(f"{len(want)} of 35 rows")
    assert visible(browser, "#suspects .card") == len(want)
    filtered = len({row["kind"] for row in want})
    assert visible(browser, "#suspects .group") == filtered
    assert len(rows(browser, "duplicates")) == 20
    top = browser.js("document.querySelector('#suspects').getBoundingClientRect().top")
    assert abs(top) < 20


def test_a_summary_figure_leads_to_its_view(browser: Browser, page: Page) -> None:
    browser.open(page.address)
    browser.js("[...document.querySelectorAll('#summary a')].find(a => a.hash.includes('level=object')).click()")
    browser.js("new Promise(done => setTimeout(done, 50))")
    assert {row[1] for row in rows(browser, "leaks")} == {"object"}
    assert browser.js("location.hash") == "#leaks?against=hq%20eval&level=object"
    assert visible(browser, "#leaks .card") == 2
    assert browser.complaints() == []


def test_typing_filters_and_the_address_keeps_it(browser: Browser, page: Page) -> None:
    browser.open(page.address)
    browser.js("document.querySelector('#suspects input[name=q]').focus()")
    browser.do("Input.insertText", text="msra10k")
    want = [row["mask_id"] for row in page.suspects if "msra10k" in row["mask_id"]]
    assert [row[3] for row in rows(browser, "suspects")] == want
    assert browser.js("location.hash") == "#suspects?q=msra10k"
    browser.open(browser.js("location.href"))
    assert [row[3] for row in rows(browser, "suspects")] == want
    browser.js("document.querySelector('#suspects button[type=reset]').click()")
    browser.js("new Promise(done => setTimeout(done, 20))")
    assert len(rows(browser, "suspects")) == 35
    assert browser.js("location.hash") == "#suspects"


def test_columns_are_sorted_by_key_and_by_address(browser: Browser, page: Page) -> None:
    browser.open(page.address)
    head = "document.querySelector('#suspects th[data-key=score]')"
    scores = sorted(row["score"] for row in page.suspects)
    assert browser.js(f"{head}.getAttribute('aria-sort')") == "none"
    browser.js(f"{head}.querySelector('button').focus()")
    for order, want in (("ascending", scores), ("descending", scores[::-1])):
        browser.press_enter()
        assert browser.js(f"{head}.getAttribute('aria-sort')") == order
        assert [row[2] for row in rows(browser, "suspects")] == [f"{score:.3f}" for score in want]
    assert browser.js("location.hash") == "#suspects?sort=-score"
    browser.open(f"{page.address}#suspects?sort=mask")
    names = [row[3] for row in rows(browser, "suspects")]
    assert names == browser.js(f"{json.dumps(names)}.sort(new Intl.Collator('en', {{numeric: true}}).compare)")
    assert sorted(names) == sorted(row["mask_id"] for row in page.suspects)


@pytest.mark.parametrize(("width", "media"), [(390, "screen"), (690, "print"), (1280, "screen")])
def test_nothing_is_wider_than_the_page(browser: Browser, page: Page, width: int, media: str) -> None:
    browser.do("Emulation.setEmulatedMedia", media=media)
    browser.open(page.address, width=width)
    assert browser.js("document.documentElement.scrollWidth") <= width
    assert visible(browser, ".controls") == (0 if media == "print" else 5)
    browser.do("Emulation.setEmulatedMedia", media="")


@pytest.mark.parametrize("width", [390, 1280])
def test_a_crop_has_one_image_pixel_a_page_pixel_and_a_pair_the_same_size(
    browser: Browser, page: Page, width: int
) -> None:
    browser.open(page.address, width=width)
    crops = browser.js(
        "[...document.querySelectorAll('img.picture')].filter(i => i.closest('.native'))"
        ".map(i => [i.getBoundingClientRect().width, i.naturalWidth])"
    )
    assert len(crops) > 10
    assert all(shown == natural for shown, natural in crops)
    frames = browser.js(
        "[...document.querySelectorAll('#leaks .card')].map(card => [...card.querySelectorAll('.frame')]"
        ".map(frame => Math.round(frame.getBoundingClientRect().width)))"
    )
    assert frames
    assert all(left == right > 120 for left, right in frames)


def test_without_script_everything_is_there(browser: Browser, page: Page) -> None:
    browser.do("Emulation.setScriptExecutionDisabled", value=True)
    browser.open(f"{page.address}#suspects?kind=shifted")
    assert visible(browser, ".controls") == 0
    assert len(rows(browser, "suspects")) == 35
    assert visible(browser, "#suspects .card") == 35
    top = browser.js("document.getElementById('suspects?kind=shifted').getBoundingClientRect().top")
    assert 0 <= top < 40
    browser.do("Emulation.setScriptExecutionDisabled", value=False)


def test_everything_has_a_name_for_those_who_do_not_see(browser: Browser, page: Page) -> None:
    browser.open(page.address)
    unnamed = """[...document.querySelectorAll('img, svg[role], input, select, button, table, section, a')]
        .filter(item => item.offsetParent !== null || item.getClientRects().length)
        .filter(item => !(item.alt || item.ariaLabel || item.labels?.length || item.caption || item.textContent.trim()
                          || item.getAttribute('aria-labelledby'))).map(item => item.outerHTML.slice(0, 80))"""
    assert browser.js(unnamed) == []
    assert browser.js("[...document.querySelectorAll('th')].every(head => head.scope === 'col')") is True
    assert browser.js("document.documentElement.lang") == "en"
    levels = browser.js("[...document.querySelectorAll('h1,h2,h3,h4,h5')].map(head => Number(head.tagName[1]))")
    assert levels.count(1) == 1
    assert all(below <= above + 1 for above, below in itertools.pairwise(levels))
