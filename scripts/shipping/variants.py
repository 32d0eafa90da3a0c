"""Copies of training sentences that show what the corpora lack.

English: text without capitals, all in capitals, and headlines. Chinese: names in Latin letters, names of people whom no
encyclopaedia knows, titles between a country and a name (美国总统…) and posts between a company and a name (腾讯CEO…),
emoji and marks beside names. The names, titles and posts are those of names.toml.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import TypeAlias

from ner_lstm_crf.text.annotation import Sentence, Span

__all__ = ["changed", "chinese_variants", "english_variants"]

Part: TypeAlias = tuple[tuple[str, ...], str]  # tokens in a row, and their label; "" outside entities

NAMES = tomllib.loads(Path(__file__).with_name("names.toml").read_text(encoding="utf-8"))
CHINESE, LATIN = ({name: words.split() for name, words in NAMES[script].items()} for script in ("chinese", "latin"))


def english_variants(sentences: Sequence[Sentence]) -> list[Sentence]:
    """Copies of sentences with entities: of ten in a row two in lower case, one in capitals, one as a headline."""
    changes = (str.lower, str.lower, str.upper, _headline)
    return [
        changed(sentence, changes[number % 10])
        for number, sentence in enumerate(sentences)
        if number % 10 < len(changes) and sentence.spans
    ]


def changed(sentence: Sentence, change: Callable[[str], str]) -> Sentence:
    """The sentence with each token changed, its spans kept."""
    return replace(Sentence.from_words(map(change, sentence.words), sentence.spans), document=sentence.document)


def _headline(word: str) -> str:
    """A word as in a headline, where every word but the short ones has a capital."""
    return word[:1].upper() + word[1:] if len(word) > 3 else word


def chinese_variants(sentences: Sequence[Sentence], seed: int = 1) -> list[Sentence]:
    """Copies of sentences with entities, with other names, titles, posts and marks: one of each third sentence.

    Args:
        sentences: Sentences whose tokens are characters.
        seed: What is drawn depends on it alone.
    """
    draw = Random(seed)
    of_all, of_people = (_with_latin_names, _with_marks), (_with_unknown_names, _with_titles, _with_posts)
    copies = list[Sentence]()
    for sentence in [one for one in sentences if one.spans][::3]:
        has_people = any(span.label == "PER" for span in sentence.spans)
        change = draw.choice(of_people if has_people and draw.random() < 0.75 else of_all)
        copies.append(replace(_joined(change(_parts(sentence), draw)), document=sentence.document))
    return copies


def _with_latin_names(parts: list[Part], draw: Random) -> list[Part]:
    """Each name in Latin letters, sometimes behind a Latin word."""
    made: dict[str, Callable[[], str]] = {
        "PER": lambda: draw.choice(LATIN["given"]) + (draw.choice(LATIN["family"]) if draw.random() < 0.7 else ""),
        "LOC": lambda: draw.choice(LATIN["places"]),
        "ORG": lambda: draw.choice(LATIN["organizations"]),
    }
    return [
        (tuple(made[label]()), label) if label in made and draw.random() < 0.7 else (tokens, label)
        for tokens, label in parts
    ]


def _with_unknown_names(parts: list[Part], draw: Random) -> list[Part]:
    """Each person under a name that nobody has: a Chinese one, or one that sounds foreign."""
    return [(_name(draw), label) if label == "PER" else (tokens, label) for tokens, label in parts]


def _name(draw: Random) -> tuple[str, ...]:
    if draw.random() < 0.6:
        return tuple(draw.choice(CHINESE["surnames"]) + "".join(draw.sample(CHINESE["given"], draw.choice((1, 2, 2)))))
    words = [
        "".join(draw.choices(CHINESE["syllables"], k=draw.choice((2, 3, 3, 4)))) for _ in range(draw.choice((1, 1, 2)))
    ]
    return tuple("·".join(words))


def _with_titles(parts: list[Part], draw: Random) -> list[Part]:
    """Each person behind a title, mostly that of a country; the title is in no entity."""

    def title() -> Iterator[Part]:
        if draw.random() < 0.9:
            yield tuple(draw.choice(CHINESE["countries"])), "LOC"
        yield tuple(draw.choice(CHINESE["titles"])), ""

    return _behind(title, parts, draw)


def _with_posts(parts: list[Part], draw: Random) -> list[Part]:
    """Each person behind a post, mostly that of a company, and often in Latin letters; the post is in no entity."""

    def post() -> Iterator[Part]:
        if draw.random() < 0.8:
            company = draw.choice(CHINESE["companies"] if draw.random() < 0.8 else LATIN["organizations"])
            yield tuple(company + draw.choice(("", "", "公司", "集团"))), "ORG"
        yield tuple(draw.choice(LATIN["posts"] if draw.random() < 0.6 else CHINESE["posts"])), ""

    return _behind(post, parts, draw)


def _behind(made: Callable[[], Iterable[Part]], parts: list[Part], draw: Random) -> list[Part]:
    """Each person behind other parts, half of them under a name that nobody has."""
    found = list[Part]()
    for tokens, label in parts:
        if label == "PER":
            found += made()
        found.append((_name(draw) if label == "PER" and draw.random() < 0.5 else tokens, label))
    return found


def _with_marks(parts: list[Part], draw: Random) -> list[Part]:
    """Emoji, marks or the tags of a page beside the names."""
    found = list[Part]()
    for tokens, label in parts:
        if label and draw.random() < 0.5:
            before, behind = ("<b>", "</b>") if draw.random() < 0.3 else (draw.choice(CHINESE["marks"]), "")
            found += [(tuple(before), ""), (tokens, label), (tuple(behind), "")]
        else:
            found.append((tokens, label))
    return found


def _parts(sentence: Sentence) -> list[Part]:
    """The sentence cut into entities and what is between them."""
    words, parts, end = sentence.words, list[Part](), 0
    for span in sentence.spans:
        parts += [(tuple(words[end : span.start]), ""), (tuple(words[span.start : span.end]), span.label)]
        end = span.end
    return [*parts, (tuple(words[end:]), "")]


def _joined(parts: Sequence[Part]) -> Sentence:
    """The sentence of these parts."""
    words, spans = list[str](), list[Span]()
    for tokens, label in parts:
        if label:
            spans.append(Span(len(words), len(words) + len(tokens), label))
        words += tokens
    return Sentence.from_words(words, spans, joiner="")
