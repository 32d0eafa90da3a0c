"""Agreement of the tokenizer and the sentence splitter with treebanks: a table, one row per file.

Reads CoNLL-U-like files whose sentences carry their raw text in a `# text = ` comment and whose second column is the
token (the UNER corpora; by default those in ../shared, beside the checkout). The text alone goes through the tokenizer,
and what comes out is compared with the column:

    recall, precision, f1   of the positions where a token ends, spaces not counted
    token f1                of tokens: both ends right
    exact                   share of sentences tokenized exactly as in the file
    sentence f1             of the sentence ends, when each document's sentences are joined to one text

Chinese words are not attempted: such files are read as characters, where only recall has a meaning.

    python scripts/check_tokenizer.py --parts dev test
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from pathlib import Path

from locations import SHARED
from ner_lstm_crf.config import Hyphens, TokenUnit
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.evaluation.metrics import text_table
from ner_lstm_crf.formats.options import ReadOptions
from ner_lstm_crf.text.annotation import Sentence, align
from ner_lstm_crf.text.sentences import sentences
from ner_lstm_crf.text.tokenizer import characters, detect_hyphens, tokenize
from treebanks import read_sentences_with_text

__all__ = ["Agreement", "compare_file", "main"]

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
_COLUMNS = ReadOptions(token_column=2, separator="tab", read_tags=False)


@dataclass(frozen=True, slots=True)
class Agreement:
    """Counts of what two ways of cutting share; they add up."""

    shared: int = 0
    gold: int = 0
    found: int = 0

    @classmethod
    def of(cls, gold: set[int] | set[tuple[int, int]], found: set[int] | set[tuple[int, int]]) -> Agreement:
        """Compare two sets of positions."""
        return cls(len(gold & found), len(gold), len(found))

    def __add__(self, other: Agreement) -> Agreement:
        return Agreement(self.shared + other.shared, self.gold + other.gold, self.found + other.found)

    @property
    def recall(self) -> float:
        """The share of the gold positions that were found."""
        return self.shared / max(1, self.gold)

    @property
    def precision(self) -> float:
        """The share of the found positions that are gold."""
        return self.shared / max(1, self.found)

    @property
    def f1(self) -> float:
        """The harmonic mean of both."""
        return 2 * self.shared / max(1, self.gold + self.found)


def _ends(text: str, offsets: Iterable[tuple[int, int]]) -> set[int]:
    """The ends of tokens, counted in characters that are not spaces."""
    inked = [0, *accumulate(not char.isspace() for char in text)]
    return {inked[end] for _, end in offsets}


def _sentence_agreement(golds: Sequence[tuple[Sentence, str]], token_unit: TokenUnit) -> Agreement:
    """The agreement on sentence ends, after the sentences of each document were joined."""
    total, joiner = Agreement(), "" if token_unit == "character" else " "
    for _, document in groupby(golds, key=lambda gold: gold[0].document):
        texts = [text for _, text in document]
        ends = accumulate(len(text) + len(joiner) for text in texts)
        found = {sentence.tokens[-1].end for sentence in sentences(joiner.join(texts), token_unit=token_unit)}
        total += Agreement.of({end - len(joiner) for end in ends}, found)
    return total


def compare_file(path: Path, hyphens: Hyphens | None = None) -> tuple[str, ...]:
    """The row of the table for one file.

    Args:
        path: The file.
        hyphens: As in `tokenize`; by default as `detect_hyphens` finds.

    Raises:
        InputError: If the file cannot be read, or no sentence of it has its text in a comment.
    """
    golds = read_sentences_with_text(path, _COLUMNS)
    spaced = sum(" " in text for _, text in golds) > len(golds) / 2
    token_unit: TokenUnit = "word" if spaced else "character"
    hyphens = hyphens or detect_hyphens(word for sentence, _ in golds for word in sentence.words)
    ends, tokens, exact, compared = Agreement(), Agreement(), 0, 0
    for sentence, text in golds:
        aligned = align(sentence.words, text)
        if aligned is None:
            print(f"{path}: the tokens are not those of the text: {text}", file=sys.stderr)
            continue
        cut = tokenize(text, hyphens=hyphens) if token_unit == "word" else characters(text)
        expected, found = ([(token.start, token.end) for token in tokens_of] for tokens_of in (aligned, cut))
        ends += Agreement.of(_ends(text, expected), _ends(text, found))
        tokens += Agreement.of(set(expected), set(found))
        exact += found == expected
        compared += 1
    shares = (
        ends.recall,
        ends.precision,
        ends.f1,
        tokens.f1,
        exact / max(1, compared),
        _sentence_agreement(golds, token_unit).f1,
    )
    cut_as = hyphens if token_unit == "word" else "characters"
    return (
        path.parent.name,
        path.stem,
        str(compared),
        str(tokens.gold),
        cut_as,
        *(f"{100 * share:.2f}" for share in shares),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the check and print the table, in per cent."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "folder",
        type=Path,
        nargs="?",
        default=SHARED / "corpora",
        help="holds a folder per corpus (default: ../shared/corpora, beside the checkout)",
    )
    parser.add_argument(
        "--parts", nargs="+", default=["train", "dev", "test"], help="names of the files, without ending"
    )
    parser.add_argument(
        "--hyphens", choices=["split", "keep"], help="split words at hyphens, or keep them (default: as the file does)"
    )
    options = parser.parse_args(arguments)
    paths = [path for part in options.parts for path in options.folder.glob(f"uner-*/{part}.iob2")]
    if not paths:
        parser.error(f"expected files like uner-*/dev.iob2 in {options.folder}, found none")
    try:
        rows = [compare_file(path, options.hyphens) for path in sorted(paths)]
    except InputError as error:
        parser.error(str(error))
    print(text_table([_HEADER, *rows], "<<".ljust(len(_HEADER), ">")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
