#!/usr/bin/env python3
"""What tagging costs when nobody gives the tokens: F1 on raw text beside F1 on gold tokens.

Reads column files whose sentences carry their raw text in a `# text = ` comment (the UNER corpora). Each text goes
through the tokenizer and the model by itself; its entities are compared with the gold ones by their characters.

    python scripts/raw_text_f1.py my-model ../shared/corpora/uner-en_ewt/test.iob2 --labels PER,LOC,ORG
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ner_lstm_crf.data.annotation import Sentence, Span, spell
from ner_lstm_crf.data.columns import ColumnOptions
from ner_lstm_crf.data.conll import ColumnFile
from ner_lstm_crf.data.labels import LabelMap
from ner_lstm_crf.tasks.evaluation import evaluate_spans
from ner_lstm_crf.tasks.tagger import Tagger

__all__ = ["in_characters", "main", "with_texts"]

_TEXT = "# text = "


def with_texts(path: Path, options: ColumnOptions) -> Iterator[tuple[str, Sentence]]:
    """The sentences of a file that have a `# text` line, and that text."""
    for block, sentence in ColumnFile(path, options).read():
        texts = [line.removeprefix(_TEXT) for line in block.comments() if line.startswith(_TEXT)]
        if texts and sentence is not None:
            yield texts[0].strip(), sentence


def in_characters(text: str, sentence: Sentence) -> tuple[Span, ...] | None:
    """The sentence's spans, counted in characters of the text; None if its tokens do not spell the text."""
    tokens = spell(sentence.words, text)
    if tokens is None:
        return None
    return tuple(Span(tokens[start].start, tokens[end - 1].end, label) for start, end, label in sentence.spans)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print both scores, in percent."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", help="directory of the model")
    parser.add_argument("files", nargs="+", type=Path, help="column files with # text comments")
    parser.add_argument("--labels", help="keep these labels of the files")
    options = parser.parse_args(arguments)
    tagger = Tagger.load(options.model)
    reading = ColumnOptions(labels=LabelMap.parse(options.labels), unit=tagger.assembly.config.unit)
    print(f"{'file':<40}{'sentences':>10}{'gold tokens':>13}{'raw text':>10}")
    for path in options.files:
        pairs = [(text, sentence, in_characters(text, sentence)) for text, sentence in with_texts(path, reading)]
        spelt = [(text, sentence, gold) for text, sentence, gold in pairs if gold is not None]
        if len(spelt) < len(pairs):
            print(f"{path}: left out {len(pairs) - len(spelt)} sentences not spelt by their tokens", file=sys.stderr)
        tagged = tagger.tag_sentences(sentence for _, sentence, _ in spelt)
        on_tokens = evaluate_spans((sentence.spans for _, sentence, _ in spelt), (found.spans for found in tagged))
        entities = tagger.tag_many(text for text, _, _ in spelt)
        on_text = evaluate_spans(
            (gold for _, _, gold in spelt),
            ([Span(entity.start, entity.end, entity.label) for entity in found] for found in entities),
        )
        name = f"{path.parent.name}/{path.name}"
        print(f"{name:<40}{len(spelt):>10,}{100 * on_tokens.micro.f1:>13.2f}{100 * on_text.micro.f1:>10.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
