"""`benchmark.py spacy`: the component in a spaCy pipeline, spaCy's tokenizer left out. The floor is our own tagging.

    spacy/tokens     documents that have sentences; floor: `Tagger.tag_sentences` on the same tokens
    spacy/text       documents of running text; floor: `Tagger.tag_many` on their texts, our tokenizer included
    spacy/latency    one short document; floor: `Tagger.tag` on its text

Documents are made anew for each sample, outside the time measured.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from itertools import cycle
from pathlib import Path
from typing import Any

import torch

from benchmarks.measure import Fresh, Result, WrongAnswerError, interleave, say
from benchmarks.tagging import short_texts
from benchmarks.text import Corpus
from benchmarks.training import named
from ner_lstm_crf.tagging.tagger import Tagger

__all__ = ["run"]

_BATCH = 1000  # documents, as spaCy's nlp.pipe


def run(corpus: Corpus, model: Path, repeats: int, calls: int, threads: Sequence[int]) -> list[Result]:
    """Time the component, for each number of threads; nothing where spaCy is not installed.

    Args:
        corpus: What is tagged.
        model: Directory of the model.
        repeats: Samples of each contender.
        calls: Calls with one short document.
        threads: Numbers of threads.

    Raises:
        WrongAnswerError: If the component finds other entities than the tagger.
    """
    if find_spec("spacy") is None:
        say("spacy is left out: it is not installed")
        return []
    import spacy
    from spacy.tokens import Doc

    from ner_lstm_crf.integrations.spacy import Recognizer

    nlp, tagger, component = spacy.blank("en"), Tagger.load(model), Recognizer("en", model=str(model))
    sentences, texts, short = corpus.test, list(corpus.texts), short_texts(corpus)

    def documents() -> list[Any]:
        """The sentences as documents of one sentence each."""
        return [Doc(nlp.vocab, one.words, sent_starts=[at == 0 for at in range(len(one))]) for one in sentences]

    for doc, sentence in zip(component.pipe(documents()), tagger.tag_sentences(sentences), strict=True):
        if [(ent.start, ent.end, ent.label_) for ent in doc.ents] != list(sentence.spans):
            raise WrongAnswerError(f"tagging {sentence.words}: expected {sentence.spans}, got {doc.ents}")
    docs, given = cycle([nlp.make_doc(text) for text in short]), cycle(short)
    results, tokens = list[Result](), sum(map(len, sentences))
    for count in threads:
        torch.set_num_threads(count)
        say(f"spacy, {tokens:,} tokens, {named(count)}")
        # 1. Many documents.
        contenders: dict[str, Callable[[], object] | Fresh] = {
            "tokens": Fresh(lambda: _piped(component, documents())),
            "tokens-floor": lambda: _exhaust(tagger.tag_sentences(sentences)),
            "text": Fresh(lambda: _piped(component, [nlp.make_doc(text) for text in texts])),
            "text-floor": lambda: _exhaust(tagger.tag_many(texts)),
        }
        samples = interleave(contenders, repeats)
        for case in ("tokens", "text"):
            name, floor = f"spacy/{case}/{named(count)}", samples[f"{case}-floor"]
            results.append(Result(name, samples[case], floor=floor, threads=count, tokens=tokens))
        # 2. One at a time.
        one = interleave(
            {"ours": lambda: component(next(docs)), "floor": lambda: tagger.tag(next(given))}, calls, least_seconds=0
        )
        results.append(Result(f"spacy/latency/{named(count)}", one["ours"], floor=one["floor"], threads=count))
    return results


def _piped(component: Any, docs: list[Any]) -> Callable[[], None]:
    return lambda: _exhaust(component.pipe(docs, batch_size=_BATCH))


def _exhaust(items: Iterator[object]) -> None:
    deque(items, maxlen=0)
