"""`benchmark.py tag`: the tokens of dev and test set, their running text, and one short text alone.

    tag/tokens/N-threads            sentences cut into tokens, by a tagger that has tagged before
    tag/tokens-first/N-threads      the same by one just loaded, each time: nothing is remembered from earlier words
    tag/tokens-bfloat16/N-threads   with its weights in bfloat16, where there is that choice
    tag/text/N-threads              running text; `of_tokens` is its rate over that of tag/tokens
    tag/latency/N-threads           one text of 20 tokens to its entities, another at each call

The baseline is `handrolled.HandRolled` in batches of 32, on tokens (it has no tokenizer), with untrained weights:
they change nothing about its speed. The floor is the bare LSTM, forward, on padded batches sorted by length. Rates
count the corpus's own tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from inspect import signature
from itertools import cycle
from pathlib import Path
from typing import Any

import torch

from benchmarks.floor import BareLstm
from benchmarks.handrolled import HandRolled
from benchmarks.measure import Fresh, Result, Samples, WrongAnswerError, interleave, ratio, say
from benchmarks.text import Corpus
from benchmarks.training import Prepared, named
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.tagging.tagger import Tagger

__all__ = ["check", "run", "short_texts"]

BATCH_SENTENCES, BATCH_TOKENS = 256, 4096  # of the floor
SHORT = 20  # tokens of a short text


@dataclass(frozen=True, slots=True)
class _Run:
    """The parts that all contenders share."""

    corpus: Corpus
    model: Path
    baseline: HandRolled
    floor: BareLstm
    floor_short: BareLstm


def run(prepared: Prepared, model: Path, repeats: int, calls: int, threads: Sequence[int]) -> list[Result]:
    """Time tagging, for each number of threads.

    Args:
        prepared: The data and settings of the baseline; its `corpus.test` is tagged.
        model: Directory of our model.
        repeats: Samples of each contender.
        calls: Calls with one short text.
        threads: Numbers of threads.

    Raises:
        WrongAnswerError: If the tagger finds other entities in a sentence by itself.
    """
    corpus, config = prepared.corpus, prepared.config.model
    lengths = [len(sentence.tokens) for sentence in corpus.test]
    shapes, rest = list[tuple[int, int]](), sorted(lengths, reverse=True)
    while rest:
        size = min(BATCH_SENTENCES, max(BATCH_TOKENS // rest[0], 1), len(rest))
        shapes.append((size, rest[0]))
        rest = rest[size:]
    shared = _Run(corpus, model, usual_code(prepared), BareLstm(config, shapes), BareLstm(config, [(1, SHORT)]))
    results = []
    for count in threads:
        torch.set_num_threads(count)
        say(f"tag, {sum(lengths):,} tokens, {named(count)}")
        check(Tagger.load(model), corpus)
        results += _streams(shared, repeats, count)
        results.append(_latency(shared, calls, count))
    return results


def _streams(shared: _Run, repeats: int, threads: int) -> list[Result]:
    """Many sentences at once."""
    sentences, tagger = shared.corpus.test, Tagger.load(shared.model)
    words = [sentence.words for sentence in sentences]
    contenders: dict[str, Callable[[], object] | Fresh] = {
        "tokens": lambda: _exhaust(tagger.tag_sentences(sentences)),
        "tokens-first": Fresh(lambda: _first(shared)),
        "text": lambda: _exhaust(tagger.tag_many(shared.corpus.texts)),
        "baseline": lambda: shared.baseline.tag(words),
        "floor": shared.floor.tag,
    }
    others = {f"tokens-{name}": one for name, one in taggers(shared.model).items() if name != "float32"}
    for case, other in others.items():
        contenders[case] = lambda other=other: _exhaust(other.tag_sentences(sentences))  # type: ignore[misc]
    samples = interleave(contenders, repeats)
    count = sum(len(sentence.tokens) for sentence in sentences)

    def result(case: str, baseline: Samples | None, **extra: float | None) -> Result:
        name = f"tag/{case}/{named(threads)}"
        return Result(name, samples[case], baseline, samples["floor"], threads=threads, tokens=count, extra=extra)

    cases = ["tokens", "tokens-first", *others]
    of_tokens = ratio(samples["tokens"], samples["text"])
    return [*(result(case, samples["baseline"]) for case in cases), result("text", None, of_tokens=of_tokens)]


def _latency(shared: _Run, calls: int, threads: int) -> Result:
    """One short text at a time."""
    texts, tagger = short_texts(shared.corpus), Tagger.load(shared.model)
    ours, theirs = cycle(texts), cycle(texts)
    contenders = {
        "ours": lambda: tagger.tag(next(ours)),
        "baseline": lambda: shared.baseline.tag([next(theirs).split()]),
        "floor": shared.floor_short.tag,
    }
    samples = interleave(contenders, calls, least_seconds=0)
    return Result.of(f"tag/latency/{named(threads)}", samples, threads=threads)


def short_texts(corpus: Corpus) -> list[str]:
    """Texts of 20 tokens, or as near to that as there are."""
    pairs = zip(corpus.test, corpus.texts, strict=True)
    away = sorted((abs(len(sentence.tokens) - SHORT), text) for sentence, text in pairs if text.split())
    return [text for distance, text in away[:50] if distance == away[0][0]]


def check(tagger: Tagger, corpus: Corpus) -> None:
    """See that a stream's results are those of its sentences alone.

    Raises:
        WrongAnswerError: If one is not, naming it.
    """
    sentences, texts = corpus.test[:50], corpus.texts[:50]
    for sentence, found in zip(sentences, tagger.tag_sentences(sentences), strict=True):
        alone = tagger.tag_tokens(sentence.words)
        if list(found.spans) != alone:
            raise WrongAnswerError(
                f"tagging {sentence.words}: expected what it gives alone, {alone}, got {found.spans}"
            )
    for text, entities in zip(texts, tagger.tag_many(texts), strict=True):
        by_itself = tagger.tag(text)
        if entities != by_itself:
            raise WrongAnswerError(f"tagging {text!r}: expected what it gives alone, {by_itself}, got {entities}")


def _first(shared: _Run) -> Callable[[], None]:
    tagger = Tagger.load(shared.model)
    return lambda: _exhaust(tagger.tag_sentences(shared.corpus.test))


def usual_code(prepared: Prepared) -> HandRolled:
    """The baseline, which knows the pretrained vectors of the words that are tagged."""
    corpus = prepared.corpus
    also = (token.text for sentence in corpus.test for token in sentence.tokens)
    return HandRolled(corpus.train, prepared.config.model, prepared.vectors, also)


def taggers(model: Path) -> dict[str, Tagger]:
    """A tagger for each precision that the package and the processor have."""
    load: Any = Tagger.load
    found: dict[str, Tagger] = {"float32": load(model)}
    for precision in ("int8", "bfloat16"):
        if "precision" not in signature(load).parameters:
            continue
        try:
            found[precision] = load(model, precision=precision)
        except InputError as error:
            say(f"{precision} is left out: {error}")
    return found


def _exhaust(items: Iterable[object]) -> None:
    for _ in items:
        pass
