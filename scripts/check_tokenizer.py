#!/usr/bin/env python3
"""How well the tokenizer and the sentence splitter agree with treebanks: a table, one row per file.

Reads CoNLL-U-like files whose sentences carry their raw text in a `# text = ` comment and whose second column is the
token (the UNER corpora). The text alone goes through the tokenizer, and what comes out is compared with the column:

    recall, precision, f1   of the places where a token ends, spaces not counted
    token f1                of whole tokens: both ends right
    exact                   share of sentences cut exactly as in the file
    sentence f1             of the sentence ends, when each document's sentences are joined to one text

Chinese words are not attempted: such files are read as characters, where only recall has a meaning.

    python scripts/check_tokenizer.py ../shared/corpora --parts dev test
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from ner_lstm_crf.config import Unit
from ner_lstm_crf.data.annotation import spell
from ner_lstm_crf.data.splitter import sentences
from ner_lstm_crf.data.tokenizer import CompoundRule, characters, detect_compounds, tokenize

__all__ = ["Agreement", "compare_file", "main", "read_gold"]

_HEADER = (
    "corpus",
    "part",
    "sentences",
    "tokens",
    "cut as",
    "recall",
    "precision",
    "f1",
    "token f1",
    "exact",
    "sent. f1",
)


@dataclass(frozen=True, slots=True)
class Gold:
    """A sentence as a treebank cuts it.

    Attributes:
        text: The raw text.
        words: Its tokens.
        starts_document: Whether a `# newdoc` line stands before it.
    """

    text: str
    words: tuple[str, ...]
    starts_document: bool


@dataclass(frozen=True, slots=True)
class Agreement:
    """Counts of what two ways of cutting share; they add up."""

    shared: int = 0
    gold: int = 0
    found: int = 0

    @classmethod
    def of(cls, gold: set[int] | set[tuple[int, int]], found: set[int] | set[tuple[int, int]]) -> Agreement:
        """Compares two sets of places."""
        return cls(len(gold & found), len(gold), len(found))

    def __add__(self, other: Agreement) -> Agreement:
        return Agreement(self.shared + other.shared, self.gold + other.gold, self.found + other.found)

    @property
    def recall(self) -> float:
        """The share of the gold places that were found."""
        return self.shared / max(1, self.gold)

    @property
    def precision(self) -> float:
        """The share of the found places that are gold."""
        return self.shared / max(1, self.found)

    @property
    def f1(self) -> float:
        """The harmonic mean of both."""
        return 2 * self.shared / max(1, self.gold + self.found)


def read_gold(path: Path) -> Iterator[Gold]:
    """Reads the sentences of a file that have a `# text` line."""
    text, words, new_document = None, list[str](), False
    for line in [*path.read_text(encoding="utf-8").split("\n"), ""]:
        if line.startswith("# newdoc"):
            new_document = True
        elif line.startswith("# text = "):
            text = line.removeprefix("# text = ").strip()
        elif line and not line.startswith("# "):
            words.append(line.split("\t")[1])
        elif not line and words:
            if text is not None:
                yield Gold(text, tuple(words), new_document)
            text, words, new_document = None, [], False


def _ends(text: str, places: Iterable[tuple[int, int]]) -> set[int]:
    """Where tokens end, counted in characters that are not spaces."""
    inked = [0, *accumulate(not char.isspace() for char in text)]
    return {inked[end] for _, end in places}


def _sentence_agreement(golds: Sequence[Gold], unit: Unit) -> Agreement:
    """Joins the sentences of each document and compares where the splitter ends them."""
    documents, total = list[list[str]](), Agreement()
    for gold in golds:
        if gold.starts_document or not documents:
            documents.append([])
        documents[-1].append(gold.text)
    joiner = "" if unit == "character" else " "
    for texts in documents:
        ends = accumulate(len(text) + len(joiner) for text in texts)
        found = {sentence.tokens[-1].end for sentence in sentences(joiner.join(texts), unit=unit)}
        total += Agreement.of({end - len(joiner) for end in ends}, found)
    return total


def compare_file(path: Path, compounds: CompoundRule | None = None) -> tuple[str, ...]:
    """The row of the table for one file.

    Args:
        path: The file.
        compounds: How to cut compounds; by default as the file's own words suggest.
    """
    golds = list(read_gold(path))
    spaced = sum(" " in gold.text for gold in golds) > len(golds) / 2
    unit: Unit = "word" if spaced else "character"
    compounds = compounds or detect_compounds(word for gold in golds for word in gold.words)
    ends, tokens, exact, compared = Agreement(), Agreement(), 0, 0
    for gold in golds:
        spelled = spell(gold.words, gold.text)
        if spelled is None:
            print(f"{path}: the tokens do not spell the text: {gold.text}", file=sys.stderr)
            continue
        cut = tokenize(gold.text, compounds=compounds) if unit == "word" else characters(gold.text)
        places, found = ([(token.start, token.end) for token in tokens_of] for tokens_of in (spelled, cut))
        ends += Agreement.of(_ends(gold.text, places), _ends(gold.text, found))
        tokens += Agreement.of(set(places), set(found))
        exact += found == places
        compared += 1
    shares = (
        ends.recall,
        ends.precision,
        ends.f1,
        tokens.f1,
        exact / max(1, compared),
        _sentence_agreement(golds, unit).f1,
    )
    cut_as = compounds if unit == "word" else "characters"
    return (
        path.parent.name,
        path.stem,
        str(compared),
        str(tokens.gold),
        cut_as,
        *(f"{100 * share:.2f}" for share in shares),
    )


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the check and prints the table, in percent."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "folder", type=Path, nargs="?", default=Path("../shared/corpora"), help="holds a folder per corpus"
    )
    parser.add_argument(
        "--parts", nargs="+", default=["train", "dev", "test"], help="names of the files, without ending"
    )
    parser.add_argument("--compounds", choices=["split", "keep"], help="cut compounds so (default: as each file does)")
    options = parser.parse_args(arguments)
    paths = [path for part in options.parts for path in options.folder.glob(f"uner-*/{part}.iob2")]
    if not paths:
        parser.error(f"expected files like uner-*/dev.iob2 in {options.folder}, found none")
    _print_table([_HEADER, *(compare_file(path, options.compounds) for path in sorted(paths))])
    return 0


if __name__ == "__main__":
    sys.exit(main())
