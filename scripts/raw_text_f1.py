"""F1 on raw text beside F1 on gold tokens: the cost of finding the tokens, too.

Reads column files whose sentences carry their raw text in a `# text = ` comment (the UNER corpora). Each text goes
through the tokenizer and the model by itself; its entities are compared with the gold ones by their characters.

    python scripts/raw_text_f1.py my-model ../shared/corpora/uner-en_ewt/test.iob2 --labels PER,LOC,ORG
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.evaluation.metrics import evaluate_spans
from ner_lstm_crf.formats.options import ReadOptions
from ner_lstm_crf.tagging.tagger import Tagger
from ner_lstm_crf.tags.labels import LabelMap
from ner_lstm_crf.text.annotation import Sentence, Span, align
from treebanks import read_sentences_with_text

__all__ = ["in_characters", "main"]


@dataclass(frozen=True, slots=True)
class Gold:
    """An annotated sentence.

    Attributes:
        sentence: Its tokens and spans.
        text: Its text.
        spans: Its spans, counted in characters of the text.
    """

    sentence: Sentence
    text: str
    spans: tuple[Span, ...]


def in_characters(text: str, sentence: Sentence) -> tuple[Span, ...] | None:
    """The sentence's spans, counted in characters of the text; None if its tokens are not those of the text."""
    tokens = align(sentence.words, text)
    if tokens is None:
        return None
    return tuple(Span(tokens[start].start, tokens[end - 1].end, label) for start, end, label in sentence.spans)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print both scores, in percent."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", help="directory of the model, or en or zh: the taggers of the package")
    parser.add_argument("files", nargs="+", type=Path, help="column files with # text comments")
    parser.add_argument("--labels", help="keep these labels of the files")
    options = parser.parse_args(arguments)
    try:
        tagger = Tagger.load(options.model)
        reading = ReadOptions(labels=LabelMap.parse(options.labels), token_unit=tagger.model.config.token_unit)
        golds = [(path, _read(path, reading)) for path in options.files]
    except InputError as error:
        parser.error(str(error))
    print(f"{'file':<40}{'sentences':>10}{'gold tokens':>13}{'raw text':>10}")
    for path, sentences in golds:
        on_tokens, on_text = _scores(tagger, sentences)
        name = f"{path.parent.name}/{path.name}"
        print(f"{name:<40}{len(sentences):>10,}{100 * on_tokens:>13.2f}{100 * on_text:>10.2f}")
    return 0


def _read(path: Path, options: ReadOptions) -> list[Gold]:
    """The sentences of a file whose tokens are those of their text.

    Raises:
        InputError: If the file cannot be read, or holds none.
    """
    found = read_sentences_with_text(path, options)
    found_spans = [(sentence, text, in_characters(text, sentence)) for sentence, text in found]
    golds = [Gold(sentence, text, spans) for sentence, text, spans in found_spans if spans is not None]
    if not golds:
        raise InputError(
            f"expected sentences whose tokens are those of their text, found {len(found)} others", path=path
        )
    if len(golds) < len(found):
        print(
            f"{path}: left out {len(found) - len(golds)} sentences whose tokens are not those of their text",
            file=sys.stderr,
        )
    return golds


def _scores(tagger: Tagger, golds: Sequence[Gold]) -> tuple[float, float]:
    """F1 on the gold tokens, and on the text."""
    on_tokens = evaluate_spans(
        (gold.sentence.spans for gold in golds),
        (found.spans for found in tagger.tag_sentences(gold.sentence for gold in golds)),
    )
    on_text = evaluate_spans(
        (gold.spans for gold in golds),
        (
            [Span(entity.start, entity.end, entity.label) for entity in entities]
            for entities in tagger.tag_many(gold.text for gold in golds)
        ),
    )
    return on_tokens.micro.f1, on_text.micro.f1


if __name__ == "__main__":
    sys.exit(main())
