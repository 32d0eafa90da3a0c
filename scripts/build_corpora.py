"""Build the column files of corpora/ (train, dev and test) and the counts in its README from the source files.

    python scripts/build_corpora.py            writes what has changed
    python scripts/build_corpora.py --check    writes nothing; exits with 1 if a built file differs from its source

Within each section (`## news`) of a source file every tenth sentence goes to dev, the third and the eighth of each ten
to test, and the others to train: a change in one section leaves the split of the others as it was.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from ner_lstm_crf.config import TokenUnit
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.text import TextFile
from ner_lstm_crf.formats.inline import Inline
from ner_lstm_crf.formats.options import ReadOptions, ReadReport
from ner_lstm_crf.tags.scheme import get_scheme
from ner_lstm_crf.text.annotation import Sentence

CORPORA = Path(__file__).resolve().parents[1] / "corpora"
UNITS: Mapping[str, TokenUnit] = {"en": "word", "zh": "character"}
SPLITS = ("train", "dev", "test")
LABELS = ("PER", "LOC", "ORG", "MISC")
COUNTS_BEGIN, COUNTS_END = "<!-- counts: written by scripts/build_corpora.py -->\n", "<!-- end of counts -->"

Corpus = Mapping[str, Sequence[Sentence]]


def split(sentences: Iterable[Sentence]) -> Corpus:
    """The sentences by split, in their order."""
    splits: dict[str, list[Sentence]] = {name: [] for name in SPLITS}
    seen: Counter[int] = Counter()
    for sentence in sentences:
        seen[sentence.document] += 1
        number = seen[sentence.document]
        splits["dev" if number % 10 == 0 else "test" if number % 5 == 3 else "train"].append(sentence)
    return splits


def column_file(sentences: Iterable[Sentence]) -> str:
    """The sentences as lines of token, tab and IOB2 tag, with a blank line after each."""
    lines: list[str] = []
    for sentence in sentences:
        tags = get_scheme("IOB2").encode(sentence.spans, len(sentence.tokens))
        lines += (f"{word}\t{tag}\n" for word, tag in zip(sentence.words, tags, strict=True))
        lines.append("\n")
    return "".join(lines)


def counts_table(corpora: Mapping[str, Corpus]) -> str:
    """The numbers of sentences, tokens and entities of each split, as a Markdown table."""
    lines = [f"| file | sentences | tokens | {' | '.join(LABELS)} |\n", f"|---|{'--:|' * (2 + len(LABELS))}\n"]
    for language, splits in corpora.items():
        for name, sentences in splits.items():
            spans = Counter(span.label for sentence in sentences for span in sentence.spans)
            numbers = [len(sentences), sum(len(sentence.tokens) for sentence in sentences)]
            cells = " | ".join(str(number) for number in [*numbers, *(spans[label] for label in LABELS)])
            lines.append(f"| {language}/{name}.conll | {cells} |\n")
    return "".join(lines)


def with_counts(readme: Path, table: str) -> str:
    """The text of the README with this table instead of the old one.

    Raises:
        InputError: If it cannot be read, or lacks the lines around the table.
    """
    before, begin, rest = "".join(TextFile(readme).lines()).partition(COUNTS_BEGIN)
    _, end, after = rest.partition(COUNTS_END)
    if not end:
        raise InputError(f"expected the lines {COUNTS_BEGIN.strip()!r} and {COUNTS_END.strip()!r}", path=readme)
    return f"{before}{begin}\n{table}\n{end}{after}"


def built_files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Every file that follows from the sources in `folder`, and what it should hold."""
    corpora: dict[str, Corpus] = {}
    for language, token_unit in UNITS.items():
        options = ReadOptions(token_unit=token_unit)
        corpora[language] = split(Inline().read(folder / language / "source.txt", options, ReadReport()))
        for name, sentences in corpora[language].items():
            yield folder / language / f"{name}.conll", column_file(sentences)
    readme = folder / "README.md"
    yield readme, with_counts(readme, counts_table(corpora))


def main(arguments: Sequence[str] | None = None) -> int:
    """Build or check.

    Returns:
        The exit code: 0 done or as it should be, 1 something differs, 2 a source or the README is missing or malformed.
    """
    parser = argparse.ArgumentParser(description="Build corpora/*/*.conll from corpora/*/source.txt.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a built file differs")
    parser.add_argument("--corpora", type=Path, default=CORPORA, metavar="DIR", help="another folder than corpora/")
    options = parser.parse_args(arguments)
    try:
        files = dict(built_files(options.corpora))
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    differing = [path for path, text in files.items() if not path.exists() or path.read_bytes() != text.encode()]
    for path in differing:
        if options.check:
            print(f"{path}: differs from its source, run scripts/build_corpora.py", file=sys.stderr)
        else:
            path.write_text(files[path], encoding="utf-8", newline="\n")
            print(f"{path}: written")
    return 1 if options.check and differing else 0


if __name__ == "__main__":
    sys.exit(main())
