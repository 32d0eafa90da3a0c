"""The page in a browser: typed, read, corrected, saved; with a mouse, with keys, on a phone, in the dark."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from ner_lstm_crf import Tagger, read_sentences
from ner_lstm_crf.serving.app import service

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (apt install chromium)")
TEXT = "😀 Angela Merkel met Milo Frank in Rome."


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A service on this machine."""
    app = service({name: Tagger.load(name) for name in ("en", "zh")}, by_script=True)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """The page, open; what its script and its policy complain of is an error."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark", accept_downloads=True)
    page = context.new_page()
    problems = list[str]()
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    requested = list[str]()
    page.on("request", lambda request: requested.append(request.url))
    page.goto(address)
    yield page
    assert [one for one in problems if "400 (Bad Request)" not in one] == []
    assert [url for url in requested if not url.startswith((address, "data:", "blob:"))] == []
    context.close()


def marks(page: Any) -> list[str]:
    """The entities that are shown: text, label and probability."""
    return [text.replace("\u00a0", " ") for text in page.locator("#marked mark").all_inner_texts()]


def expected(text: str) -> list[str]:
    """What the tagger of the text's script finds, as the page shows it."""
    tagger = Tagger.load("zh" if "在" in text else "en")
    shown = [f"{round(100 * round(one.score or 0, 4), 1):.1f}%" for one in tagger.tag(text)]
    return [f"{one.text} {one.label} {score}" for one, score in zip(tagger.tag(text), shown, strict=True)]


def wait_until(page: Any, expression: str) -> None:
    """Wait until an expression is true; playwright's own waiting would break the page's policy."""
    for _ in range(200):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(25)
    raise AssertionError(f"expected {expression}")


def wait_for(page: Any, texts: list[str]) -> None:
    """Wait until the page shows these entities."""
    for _ in range(200):
        if marks(page) == texts:
            return
        page.wait_for_timeout(25)
    assert marks(page) == texts


@pytest.mark.parametrize("text", [TEXT, "王小明在北京见了李华。"])
def test_what_is_typed_is_marked_with_its_probabilities(page: Any, text: str) -> None:
    page.locator("#text").press_sequentially(text, delay=2)
    wait_for(page, expected(text))


def test_the_slider_hides_what_is_less_probable(page: Any) -> None:
    page.fill("#text", TEXT)
    wait_for(page, expected(TEXT))
    scores = sorted(float(one.rsplit(" ", 1)[1].rstrip("%")) for one in marks(page))
    least = int(scores[0]) + 1
    page.locator("#least").fill(str(least / 100))
    wait_for(page, [one for one in expected(TEXT) if float(one.rsplit(" ", 1)[1].rstrip("%")) >= least])
    assert "below the least probability (model en)" in page.inner_text("#status")


def test_a_correction_with_keys_alone_changes_the_others_and_is_undone(page: Any) -> None:
    page.fill("#text", TEXT)
    wait_for(page, expected(TEXT))
    page.locator("#marked mark").first.focus()
    page.keyboard.press("Enter")
    assert page.inner_text("#entity-title") == "Angela Merkel"
    page.locator("#entity-labels button", has_text="It is ORG").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#known li")
    assert "Angela Merkel: ORG" in page.inner_text("#known")
    wait_until(page, "document.querySelector('#marked mark').innerText.includes('ORG')")
    from ner_lstm_crf import Constraints

    found = Tagger.load("en").tag(TEXT, constraints=Constraints([(2, 15, "ORG")]))
    assert [one.split("\u00a0")[0].rsplit(" ", 2)[0] for one in marks(page)] == [one.text for one in found]
    page.keyboard.press("Escape")
    assert page.locator("#entity").is_hidden()
    page.locator("#known button").focus()
    page.keyboard.press("Enter")
    wait_for(page, expected(TEXT))


def test_a_selected_part_becomes_an_entity_and_another_is_rejected(page: Any) -> None:
    page.fill("#text", TEXT)
    wait_for(page, expected(TEXT))
    # Rome is the last entity: reject it; then select the word "met" and say that it is a place.
    page.locator("#marked mark").last.click()
    page.locator("#entity-labels button", has_text="No entity").click()
    wait_until(page, "!document.querySelector('#marked').innerText.includes('LOC')")
    assert "Rome: not LOC" in page.inner_text("#known")
    page.evaluate(
        """() => {
            const node = [...document.querySelector('#marked').childNodes].find((one) => one.data?.includes('met'));
            const at = node.data.indexOf('met');
            getSelection().setBaseAndExtent(node, at - 1, node, at + 3);
            document.querySelector('#marked').dispatchEvent(new MouseEvent('mouseup', {bubbles: true}));
        }"""
    )
    assert page.inner_text("#entity-title") == "met"
    page.locator("#entity-labels button", has_text="It is LOC").click()
    wait_until(page, "document.querySelector('#marked').innerText.includes('LOC')")
    assert [one for one in marks(page) if one.startswith("met LOC")]


def test_a_correction_that_is_impossible_is_named_and_forgotten(page: Any) -> None:
    page.fill("#text", TEXT)
    wait_for(page, expected(TEXT))
    page.evaluate("openEntity({start: 3, end: 7})")  # a part of a token
    page.locator("#entity-labels button", has_text="It is PER").click()
    wait_until(page, "document.querySelector('#status').innerText.startsWith('Not possible')")
    assert page.locator("#corrections").is_hidden()


def test_downloads_hold_what_is_shown(page: Any, tmp_path: Path) -> None:
    page.fill("#text", TEXT)
    wait_for(page, expected(TEXT))
    with page.expect_download() as started:
        page.click("#jsonl")
    saved = json.loads(Path(started.value.path()).read_text(encoding="utf-8"))
    assert saved["text"] == TEXT
    assert saved["entities"] == [one.to_json() for one in Tagger.load("en").tag(TEXT)]
    with page.expect_download() as started:
        page.click("#conll")
    file = tmp_path / "entities.conll"
    started.value.save_as(file)
    (sentence,) = read_sentences(file)
    found = [(" ".join(sentence.words[span.start : span.end]), span.label) for span in sentence.spans]
    assert found == [(one["text"], one["label"]) for one in saved["entities"]]


def test_a_dropped_or_opened_file_is_tagged_and_explained(page: Any, tmp_path: Path) -> None:
    file = tmp_path / "text.txt"
    file.write_text(TEXT, encoding="utf-8")
    page.set_input_files("#file", file)
    wait_for(page, expected(TEXT))
    page.click("#why")
    page.wait_for_selector("#explanation table")
    assert "What the transitions changed" in page.inner_text("#explanation")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_problem_of_accessibility_and_no_sideways_scrolling(
    browser: Any, address: str, width: int, scheme: str
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=True)
    page.goto(address)
    page.click("#english")
    page.wait_for_selector("#marked mark")
    page.locator("#marked mark").first.click()
    page.wait_for_selector("#entity-instead > *")
    page.click("#why")
    page.wait_for_selector("#explanation table")
    violations = Axe().run(page).response["violations"]
    serious = [(one["id"], one["nodes"][0]["html"]) for one in violations if one["impact"] in ("serious", "critical")]
    assert serious == []
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    page.close()
