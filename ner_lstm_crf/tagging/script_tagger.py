"""Each text to the shipped tagger of its script."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, groupby
from typing import Any

from ner_lstm_crf.config import DecodingName, Device, Precision
from ner_lstm_crf.tagging.portions import TaggedPortion
from ner_lstm_crf.tagging.tagger import Tagger
from ner_lstm_crf.text.scripts import script_language, unknown_script

# Texts that are sorted by their script at once, and their characters.
_MOST_TEXTS, _MOST_CHARACTERS = 1000, 65_536


@dataclass(slots=True)
class ScriptTagger:
    """Tags each of many texts with the shipped tagger of its script, which is loaded when it is first needed.

    A script that none of them was trained on is named once.

    Attributes:
        precision: Number type of their LSTMs, see `Tagger`.
        say: Called with a line about a tagger that is loaded, and about a script that none knows.
        decoding: How they find entities, see `Tagger`.
        device: What they compute on, see `Tagger`.
    """

    precision: Precision
    say: Callable[[str], None]
    decoding: DecodingName = "viterbi"
    device: Device = "cpu"
    _taggers: dict[str, Tagger] = field(default_factory=dict)
    _said: set[str] = field(default_factory=set)
    _last: str = ""

    def tag_portions(
        self, texts: Iterable[str | Iterable[str]], *, min_score: float | None = None
    ) -> Iterator[TaggedPortion]:
        """As `Tagger.tag_portions`; memory stays flat."""
        for language, windows in groupby(self._windows(texts), key=_common_language):
            # 1. A run of texts of one language is one stream.
            if language:
                of_run = (text for window in windows for _, text in window)
                yield from self.tagger(language).tag_portions(of_run, min_score=min_score)
                continue
            # 2. Of other texts some at a time are sorted by their language, tagged, and put back in order.
            for window in windows:
                found = dict[str, Iterator[TaggedPortion]]()
                for chosen in dict(window):
                    of_language = (text for of, text in window if of == chosen)
                    found[chosen] = iter(list(self.tagger(chosen).tag_portions(of_language, min_score=min_score)))
                for of_text, _ in window:
                    for portion in found[of_text]:
                        yield portion
                        if portion.last:
                            break

    def fresh(self) -> ScriptTagger:
        """One with the same taggers that has read no text yet: what it finds depends on those that it reads alone."""
        return replace(self, _last="")

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels that the taggers loaded so far can give."""
        return tuple(dict.fromkeys(label for tagger in self._taggers.values() for label in tagger.labels))

    def tagger(self, language: str) -> Tagger:
        """The shipped tagger of a language."""
        if language not in self._taggers:
            which = f"the tagger that comes with the package for '{language}'"
            self.say(f"{which} (by the script of the text; --model names another)")
            settings: dict[str, Any] = {"decoding": self.decoding, "device": self.device}
            self._taggers[language] = Tagger.load(language, precision=self.precision, **settings)
        return self._taggers[language]

    def language(self, text: str) -> str:
        """The language whose tagger suits a text best; that of the text before if it has no letters."""
        if not any(map(str.isalpha, text)):
            return self._last or "en"
        script = unknown_script(text)
        if script and script not in self._said:
            self._said.add(script)
            self.say(f"warning: no tagger that comes with the package was trained on {script} (--model names another)")
        self._last = script_language([text])
        return self._last

    def _windows(self, texts: Iterable[str | Iterable[str]]) -> Iterator[list[tuple[str, str | Iterable[str]]]]:
        """Some texts at a time, each with its language; one that comes in parts by itself, since it may be endless."""
        window, characters = list[tuple[str, str | Iterable[str]]](), 0
        for text in texts:
            if not isinstance(text, str):
                if window:
                    yield window
                parts = iter(text)
                first = next(parts, "")
                yield [(self.language(first), chain([first], parts))]
                window, characters = [], 0
                continue
            window.append((self.language(text), text))
            characters += len(text)
            if len(window) >= _MOST_TEXTS or characters >= _MOST_CHARACTERS:
                yield window
                window, characters = [], 0
        if window:
            yield window


def _common_language(window: list[tuple[str, str | Iterable[str]]]) -> str:
    """The language of all texts of a window; "" if they are of several."""
    languages = dict(window)
    return next(iter(languages)) if len(languages) == 1 else ""
