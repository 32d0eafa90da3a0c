"""The tagger in JavaScript of docs/examples finds what ours finds. Skipped without Node.js."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ner_lstm_crf import Tagger

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "javascript"

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")
with_onnxruntime = pytest.mark.skipif(
    not (EXAMPLE / "node_modules" / "onnxruntime-node").is_dir(),
    reason="onnxruntime-node is not installed: scripts/setup dev, where there is npm",
)


@pytest.fixture(scope="module", params=["en", "zh"])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Tagger, Path]:
    """The language, the shipped tagger, and its graph."""
    path = tmp_path_factory.mktemp("exported") / "tagger.onnx"
    tagger = Tagger.load(request.param)
    tagger.export(path)
    return request.param, tagger, path


def node(*arguments: str | Path, stdin: str) -> list[Any]:
    """The lines of JSON that a program writes."""
    done = subprocess.run(
        ["node", *map(str, arguments)], input=stdin, capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def units(text: str, offset: int) -> int:
    """An offset in the units of 16 bits that JavaScript counts."""
    return len(text[:offset].encode("utf-16-le")) // 2


def texts_of(language: str, count: int) -> list[str]:
    """Sentences of corpora/, as people write them, and some texts of several."""
    tokens = [
        [line.split()[0] for line in sentence.splitlines()]
        for sentence in (ROOT / "corpora" / language / "test.conll").read_text("utf-8").split("\n\n")
        if sentence
    ][:count]
    joined = ["".join(words) if language == "zh" else " ".join(words) for words in tokens]
    written = [re.sub(r" (?=[.,;:!?)'’]|n't)|(?<=[(]) ", "", text) for text in joined]
    return [*written, *("".join(written[at : at + 4]) for at in range(0, count, 4)), "\U0001f3db " + written[0]]


@with_onnxruntime
def test_the_entities_are_ours(exported: tuple[str, Tagger, Path]) -> None:
    language, tagger, path = exported
    texts = texts_of(language, 60)
    found = node(EXAMPLE / "tag.mjs", path, stdin="\n".join(texts))
    assert [one["text"] for one in found] == texts
    entities = 0
    for text, one in zip(texts, found, strict=True):
        ours = tagger.tag(text)
        expected = [(units(text, own.start), units(text, own.end), own.label, own.text) for own in ours]
        assert [(own["start"], own["end"], own["label"], own["text"]) for own in one["entities"]] == expected
        assert [own["score"] for own in one["entities"]] == pytest.approx([own.score for own in ours], abs=1e-4)
        entities += len(ours)
    assert entities > 60


@with_onnxruntime
def test_a_graph_and_a_description_that_do_not_belong_together_are_refused(
    exported: tuple[str, Tagger, Path], tmp_path: Path
) -> None:
    _, _, path = exported
    shutil.copy(path.with_suffix(".json"), tmp_path / "tagger.json")
    (tmp_path / "tagger.onnx").write_bytes(path.read_bytes() + b"\0")
    done = subprocess.run(
        ["node", EXAMPLE / "tag.mjs", tmp_path / "tagger.onnx"], input="", capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "do not belong together" in done.stderr


WORDS = """
Rome Mr. Dr. J. U.S. e.g. approx. Inc. No. 3. 1,234.56 5pm can't O'Neal's well-known www.a.com/b a@b.de x.org #tag @name
:-) ... -- !? " ' ) ( “ ” ’s <b> </b> | ; , : . ! ? The He it ❤ 😀 été 3. Oktober '98 _ $5 US$ AT&T snake_case 10:30 +49
24/7 1990s I. vs. 北京 カナ 한국 สวัสดี Ph.D. etc.
"""
PIECES = {
    "en": WORDS.split(),
    "zh": [
        *"北京的李娜在上海。！？，、：；（）《》“”·",
        "iPhone",
        "of the ",
        "hello",
        "Bank of China",
        "3.5",
        "12",
        "*",
        "|",
        "#",
        "@a",
        "www.b.cn",
        "<p>",
        "\u2764",
        "臺灣",
    ],
}
SPACES = {
    "en": [" ", " ", " ", " ", "", "\n", "\n\n", "   ", "\t", "\u3000", "\x85"],
    "zh": ["", "", "", "", " ", "\n", "  "],
}
SPLIT = """
import { readFileSync } from "node:fs";
import { Splitter } from "{example}/text.mjs";
const splitter = new Splitter(JSON.parse(readFileSync("{description}", "utf8")).text);
for (const text of JSON.parse(readFileSync(0, "utf8"))) {
  const found = splitter.sentences(text).filter(({ tokens }) => tokens.length);
  console.log(JSON.stringify(found.map(({ tokens, barriers }) => ({ tokens, barriers: barriers.sort() }))));
}
"""


def test_texts_are_cut_as_ours(exported: tuple[str, Tagger, Path], tmp_path: Path) -> None:
    language, tagger, path = exported
    source, texts = random.Random(7), list[str]()
    for _ in range(1500):
        pieces = source.choices(PIECES[language], k=source.randrange(1, 25))
        texts.append("".join(piece + source.choice(SPACES[language]) for piece in pieces))
    program = tmp_path / "split.mjs"
    names = {"{example}": EXAMPLE.as_posix(), "{description}": path.with_suffix(".json").as_posix()}
    program.write_text(re.sub("|".join(names), lambda match: names[match[0]], SPLIT), encoding="utf-8")
    found = node(program, stdin=json.dumps(texts))
    for text, ones in zip(texts, found, strict=True):
        expected = [
            {
                "tokens": [{"text": token.text, "start": units(text, token.start)} for token in tokens],
                "barriers": {tuple(barrier) for barrier in barriers},
            }
            for tokens, barriers in tagger._sentences(text)[0]
        ]
        assert [one | {"barriers": {tuple(barrier) for barrier in one["barriers"]}} for one in ones] == expected, text
