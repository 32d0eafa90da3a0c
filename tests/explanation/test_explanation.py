"""Pages and texts that explain a sentence: true to the analysis, complete in themselves, safe, readable anywhere."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from ner_lstm_crf.crf import FORBIDDEN
from ner_lstm_crf.explanation.decisions import decisions_of, reason
from ner_lstm_crf.explanation.explanation import Explanation
from ner_lstm_crf.explanation.figures import tags_shown
from ner_lstm_crf.explanation.marked_text import MarkedText
from ner_lstm_crf.tagging.analysis import Analysis
from ner_lstm_crf.tagging.constraints import Constraints
from ner_lstm_crf.tagging.tagger import Tagger
from ner_lstm_crf.tags.scheme import SCHEMES
from ner_lstm_crf.tags.tag_set import TagSet
from ner_lstm_crf.text.annotation import Entity, tokens_from_words

TEXTS = {
    "English": ("en", "Angela Merkel met engineers from Siemens Energy in Munich for Manchester United."),
    "Chinese": ("zh", "李娜在清华大学学习，后来去了上海。"),
    "Arabic": ("en", "زارت أنغيلا ميركل مدينة روما مع شركة Siemens <b>& أصدقاء</b> في برلين."),
    "long words": ("en", "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft " * 3),
    "hostile": ("en", "<script>alert('x')</script> \"Rome\" & </td> \ud800 \x1b[2J O'Neil met Ann</style>."),
}
VOID = {"meta", "br"}


class Page(HTMLParser):
    """A page: its elements, checked to be closed in order, the cells of its tables, its text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.attributes, self.text = list[str](), list[str](), list[tuple[str, str]](), ""
        self.tables = list[list[list[str]]]()
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data
        if {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += data


@pytest.fixture(scope="module")
def taggers() -> dict[str, Tagger]:
    return {language: Tagger.load(language) for language in ("en", "zh")}


@pytest.fixture(params=TEXTS)
def explanation(request: pytest.FixtureRequest, taggers: dict[str, Tagger]) -> Explanation:
    language, text = TEXTS[request.param]
    return taggers[language].explain(text)


def test_a_page_is_complete_in_itself_and_runs_nothing(explanation: Explanation) -> None:
    html = explanation.html()
    page = Page(html)
    assert html.encode("utf-8")
    assert {"script", "link", "img", "iframe", "object", "base", "form"}.isdisjoint(page.tags)
    names = {name for name, _ in page.attributes}
    assert not {name for name in names if name.startswith("on")} | names & {"style", "src", "href"}
    assert "url(" not in html
    assert "@import" not in html
    assert page.tags.count("style") == 1


def test_the_policy_of_a_page_allows_its_own_style_and_nothing_else(explanation: Explanation) -> None:
    html = explanation.html()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', html)
    (style,) = re.findall("<style>(.*?)</style>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'"


def test_the_table_is_that_of_the_analysis(explanation: Explanation) -> None:
    page = Page(explanation.html())
    figures = [table for table in page.tables if table[0][0] == "token"]
    assert len(figures) == 2 * len(explanation.analyses)
    for analysis, table, probabilities in zip(explanation.analyses, figures[::2], figures[1::2], strict=True):
        head, prefixes, *rows = table
        assert head == ["token", "O", *analysis.tag_set.labels, "best"]
        assert ["O", *prefixes] == list(analysis.tag_names)
        assert [row[0] for row in rows] == [word.encode("unicode_escape").decode() if not word.isprintable() else word for word in analysis.words]  # fmt: skip  # noqa: E501
        for values, cells in ((analysis.emissions, rows), (analysis.marginals, probabilities[2:])):
            shown = [[float(cell.split(",")[0]) for cell in row[1:-1]] for row in cells]
            np.testing.assert_allclose(shown, values, atol=0.051)
        best = [next(number for number, cell in enumerate(row[1:-1]) if "best" in cell) for row in rows]
        assert [analysis.tag_names[number] for number in best] == analysis.best
        assert [row[-1].split()[-1] for row in rows] == analysis.best


def test_nothing_of_a_text_becomes_an_element(taggers: dict[str, Tagger]) -> None:
    language, text = TEXTS["hostile"]
    tagger = taggers[language]
    for html in (tagger.explain(text).html(), tagger.show(text).html(), MarkedText(text, [], []).html()):
        page = Page(html)
        assert "script" not in page.tags
        assert "alert('x')" in page.text.replace(" ", "")
        assert "\\ud800" in page.text
        assert "\x1b" not in html
    assert Page(Explanation(tagger.explain(text).analyses)._repr_html_()).tags.count("script") == 0


def test_a_notebook_shows_the_same_as_a_page(explanation: Explanation) -> None:
    fragment = explanation._repr_html_()
    parts = [html[html.index("<section") : html.rindex("</section>")] for html in (fragment, explanation.html())]
    assert parts[0] == parts[1]
    assert explanation.analyses[0]._repr_html_() in Explanation(explanation.analyses[:1])._repr_html_()
    style = fragment[fragment.index("<style>") + 7 : fragment.index("</style>")]
    rules = re.sub(r"\{[^{}]*\}", "{}", style.replace("@media", "\n@media"))
    selectors = [one.strip() for rule in re.findall(r"([^{}]+)\{\}", rules) for one in rule.split(",")]
    assert all(one.removeprefix("body").startswith(".nlc") for one in selectors)  # other parts of a notebook stay as is


def test_what_transitions_changed_is_named(taggers: dict[str, Tagger]) -> None:
    (analysis,) = taggers["en"].analyze(TEXTS["English"][1])
    found = decisions_of(analysis)
    assert [(one.start, one.alone, one.best) for one in found if one.start == 8] == [(8, ["E-ORG"], ["B-LOC"])]
    (munich,) = [one for one in found if one.start == 8]
    assert reason(analysis, munich).startswith("the emissions prefer E-ORG to B-LOC by 0.")
    assert reason(analysis, munich).endswith("but BIEO forbids O → E-ORG.")
    assert "BIEO forbids O → E-ORG" in taggers["en"].explain(TEXTS["English"][1]).html()
    known = analysis.given(Constraints(forbidden=["LOC"]))
    assert any(reason(known, one).endswith("but what is known of the sentence decides.") for one in decisions_of(known))


def test_transitions_that_outweigh_the_emissions_are_named_with_their_scores() -> None:
    tags = TagSet(SCHEMES["IO"], ["LOC"])
    emissions = np.array([[0, 2], [0.5, 0], [0, 2]], np.float32)  # O and I-LOC
    transitions = np.array([[0, 0], [-1, 1]], np.float32)
    analysis = Analysis(tokens_from_words(["New", "and", "York"]), tags, emissions, np.zeros(2, "f"), transitions, np.zeros(2, "f"))  # fmt: skip  # noqa: E501
    (decision,) = decisions_of(analysis)
    assert (decision.start, decision.end, decision.lost, decision.gained) == (1, 2, 0.5, 3.0)
    assert reason(analysis, decision) == (
        "the emissions prefer O to I-LOC by 0.50, but the transitions prefer I-LOC by 3.00: "
        "I-LOC → I-LOC +1.00 in place of I-LOC → O -1.00; I-LOC → I-LOC +1.00 in place of O → I-LOC +0.00."
    )


@pytest.mark.parametrize("seed", range(20))
def test_what_the_transitions_gain_is_more_than_the_emissions_lose(seed: int) -> None:
    random, tags = np.random.default_rng(seed), TagSet(SCHEMES["BIOES"], ["LOC", "PER"])
    allowed = tags.allowed_transitions()
    scores = [random.normal(0, 2, shape).astype(np.float32) for shape in ((6, 9), 9, (9, 9), 9)]
    tables = [np.where(may, one, FORBIDDEN) for may, one in zip(allowed, scores[1:], strict=True)]
    analysis = Analysis(tokens_from_words(list("abcdef")), tags, scores[0], *tables)  # type: ignore[arg-type]
    found = decisions_of(analysis)
    assert all(one.gained > one.lost > 0 for one in found)
    changed = {token for one in found for token in range(one.start, one.end)}
    assert changed == {token for token in range(6) if analysis.best[token] != analysis.softmax[token]}


def test_labels_that_play_no_part_are_left_out_of_wide_tables() -> None:
    tags = TagSet(SCHEMES["BIEO"], [f"L{number}" for number in range(8)])
    emissions = np.full((2, len(tags)), -9, np.float32)
    emissions[:, 0], emissions[0, 4] = 5, 6
    tables = np.zeros(len(tags), "f"), np.zeros((len(tags), len(tags)), "f"), np.zeros(len(tags), "f")
    analysis = Analysis(tokens_from_words(["a", "b"]), tags, emissions, *tables)
    assert [analysis.tag_names[tag] for tag in tags_shown(analysis)] == ["O", "B-L1", "I-L1", "E-L1"]
    assert "21 tags of labels that play no part are left out" in Explanation([analysis]).html()


@pytest.mark.parametrize("colours", [False, True])
def test_a_terminal_shows_the_scores_the_reasons_and_the_readings(explanation: Explanation, colours: bool) -> None:
    text = explanation.text(width=130, colours=colours)
    plain = re.sub(r"\x1b\[[\d;]*m", "", text)
    assert ("\x1b" in text) == colours
    assert "\x1b" not in plain
    for analysis in explanation.analyses:
        for number, tag in enumerate(analysis.best):
            assert f"[{analysis.emissions[number, analysis.tag_names.index(tag)]:.1f}]" in plain
        for decision in decisions_of(analysis):
            assert reason(analysis, decision) in plain
    assert str(explanation) == explanation.text()
    assert "tags are left out" in explanation.text(width=40)
    assert "tags are left out" not in plain


def test_a_text_in_colours_has_its_entities() -> None:
    marked = MarkedText("In Rome & Oslo.", [Entity(3, 7, "LOC", "Rome"), Entity(10, 14, "LOC", "Oslo")], ["PER", "LOC"])
    page = Page(marked.html())
    assert page.text.strip().endswith("In Rome\xa0LOC & Oslo\xa0LOC.")
    assert [value for name, value in page.attributes if name == "class"] == ["nlc", "text", "c1", "c1"]
    assert str(marked) == "In [Rome](LOC) & [Oslo](LOC)."
    assert '<p class="text"' in marked._repr_html_()


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
MEASURE = """
<script>
const table = document.querySelector(".grid table"), result = {
  width: window.innerWidth, page: document.documentElement.scrollWidth,
  wide: [...document.querySelectorAll("body *")].filter(one => !one.closest(".scroll") && !one.closest(".hidden") &&
    one.getBoundingClientRect().right > window.innerWidth + 0.5).map(one => one.outerHTML.slice(0, 80)),
  tokens: [...table.querySelectorAll("tbody th")].map(one => one.textContent),
  path: [...table.querySelectorAll("tbody tr")].map(row => [...row.children].findIndex(
    one => one.classList.contains("path")) - 1),
  points: document.querySelector("polyline").getAttribute("points").split(" ").map(one => Math.floor(parseFloat(one))),
  gap: (() => { const box = document.querySelector(".grid svg").getBoundingClientRect(),
    cells = [...table.querySelectorAll("tbody td:not(.more)")].map(one => one.getBoundingClientRect());
    return [box.left - cells[0].left, box.top - cells[0].top, box.right - cells.at(-1).right,
      box.bottom - cells.at(-1).bottom].map(Math.abs) })(),
  ink: getComputedStyle(document.body).color, focusable: document.querySelector(".scroll").tabIndex,
};
document.body.innerHTML = "<pre id=result></pre>"; document.body.firstChild.textContent = JSON.stringify(result);
</script>
"""


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (apt install chromium)")
@pytest.mark.parametrize(("width", "dark"), [(360, False), (1200, True)])
def test_a_browser_shows_the_page_within_its_width(
    explanation: Explanation, width: int, dark: bool, tmp_path: Path
) -> None:
    html = explanation.html()
    html = re.sub("<meta http-equiv[^>]*>\n", "", html).replace("</body>", f"{MEASURE}</body>")  # a script, to measure
    frame = f'<iframe style="border:0" width="{width}" height="900" src="page.html"></iframe>'
    (tmp_path / "page.html").write_text(html, encoding="utf-8")
    (tmp_path / "frame.html").write_text(f'<meta charset="utf-8"><body style="margin:0">{frame}<script>onload = () => {{ document.body.textContent = document.querySelector("iframe").contentDocument.body.textContent }}</script>', encoding="utf-8")  # fmt: skip  # noqa: E501
    command = [str(CHROMIUM), "--headless=new", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files"]
    command += [f"--user-data-dir={tmp_path}/chromium", f"--blink-settings=preferredColorScheme={int(not dark)}"]
    command += ["--virtual-time-budget=5000", "--window-size=1400,1000", "--dump-dom", f"file://{tmp_path}/frame.html"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    shown = json.loads(
        re.findall(r"\{.*\}", Page(done.stdout[done.stdout.index("<body") :].replace("</html>", "")).text)[0]
    )
    analysis = explanation.analyses[0]
    assert shown["width"] == width
    assert shown["page"] <= width
    assert shown["wide"] == []
    assert len(shown["tokens"]) == len(analysis)
    assert shown["path"] == shown["points"] == [analysis.tag_names.index(tag) for tag in analysis.best]
    assert max(shown["gap"]) < 1.5  # pixels: the line runs over the cells
    assert shown["focusable"] == 0
    assert shown["ink"] == ("rgb(230, 237, 243)" if dark else "rgb(31, 35, 40)")
