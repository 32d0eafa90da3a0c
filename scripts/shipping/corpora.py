"""The corpora that the shipped taggers are trained and scored on.

All are open; their licences and authors go into the model card.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ner_lstm_crf.config import TokenUnit
from ner_lstm_crf.formats.options import ReadOptions
from ner_lstm_crf.formats.registry import read_sentences
from ner_lstm_crf.runs.data import split_dev
from ner_lstm_crf.tags.labels import LabelMap
from ner_lstm_crf.text.annotation import Sentence
from shipping.dictionary import names_and_frequent_words
from shipping.variants import chinese_variants, english_variants

__all__ = ["LANGUAGES", "Corpus", "Language"]

_LABELS = LabelMap.parse("PER,LOC,ORG", ["O=O"])  # UNER has a few tags B-O
_UNER = "Mayhew et al. 2024, Universal NER (NAACL)"


@dataclass(frozen=True, slots=True)
class Corpus:
    """An annotated corpus.

    Attributes:
        name: The name of its folder.
        licence: Its licence.
        citation: Its authors, year and paper.
        train: Training files; empty if it is not trained on.
        dev: Files that take part in choosing the epoch; without any, a tenth of the training sentences does.
        test: The test file; empty for none.
        labels: Its labels as PER, LOC, ORG; all others become O.
    """

    name: str
    licence: str
    citation: str
    train: Sequence[str] = ()
    dev: Sequence[str] = ()
    test: str = ""
    labels: LabelMap = field(default=_LABELS)

    def read(self, folder: Path, files: Iterable[str], token_unit: TokenUnit) -> list[Sentence]:
        """The sentences of some of its files, without those that have no token."""
        options = ReadOptions(labels=self.labels, token_unit="character" if token_unit == "character" else None)
        paths = (folder / self.name / file for file in files)
        return [sentence for path in paths for sentence in read_sentences(path, options) if sentence.tokens]

    def training_data(self, folder: Path, token_unit: TokenUnit) -> tuple[list[Sentence], list[Sentence]]:
        """Its training and dev sentences."""
        train = self.read(folder, self.train, token_unit)
        if not self.dev:
            return split_dev(train) if train else ([], [])
        return train, self.read(folder, self.dev, token_unit)


@dataclass(frozen=True, slots=True)
class Language:
    """The recipe of a shipped tagger.

    Attributes:
        token_unit: The unit of its tokens.
        corpora: The corpora of its training and of its scores.
        cased: True if its script has case.
        variants: A function that makes changed copies of training sentences.
        copies: What these copies are, for the card.
        words: The number of pretrained vectors it keeps beyond the words of the training data.
        weaknesses: Its known weaknesses.
        vectors: The file of its pretrained vectors; empty for those of Chinese characters that come with the package,
            or for none if tokens are words.
        knowledge: Its sources beside corpora, for the card; empty for none.
        lexicon: A function that returns the words of its lexicon, each with its category; None for no lexicon.
    """

    token_unit: TokenUnit
    corpora: Sequence[Corpus]
    cased: bool
    variants: Callable[[Sequence[Sentence]], list[Sentence]]
    copies: str
    words: int
    weaknesses: Sequence[str]
    vectors: str = ""
    knowledge: str = ""
    lexicon: Callable[[], Mapping[str, str]] | None = None


_TWITTER = LabelMap.parse("PER,LOC,ORG", ["person=PER,location=LOC,corporation=ORG,group=ORG"])

LANGUAGES = {
    "en": Language(
        token_unit="word",
        cased=True,
        variants=english_variants,
        copies="copies of sentences with entities: of ten in a row two in lower case, one in capitals, one as a "
        "headline",
        words=80_000,
        vectors="glove.6B.100d.txt.gz",
        knowledge="Word vectors: GloVe 6B 100d (PDDL 1.0; partly reconstructed).",
        corpora=(
            Corpus("uner-en_ewt", "CC BY-SA 4.0", _UNER, ["train.iob2"], ["dev.iob2"], "test.iob2"),
            Corpus("wikigold", "CC BY 4.0", "Balasuriya et al. 2009, WikiGold", ["wikigold.conll"]),
            Corpus(
                "btc",
                "CC BY 4.0",
                "Derczynski, Bontcheva and Roberts 2016, Broad Twitter Corpus",
                ["a.conll", "b.conll", "e.conll", "g.conll", "h.conll"],
                test="f.conll",
            ),
            Corpus(
                "wnut17",
                "CC BY 4.0",
                "Derczynski et al. 2017, W-NUT shared task",
                ["train.conll"],
                ["dev.conll"],
                "test.conll",
                _TWITTER,
            ),
            Corpus(
                "sec-filings",
                "CC BY 3.0",
                "Salinas Alvarado, Verspoor and Baldwin 2015, SEC filings",
                ["train.conll"],
                test="test.conll",
            ),
            Corpus("uner-en_pud", "CC BY-SA 3.0", _UNER, test="test.iob2"),
        ),
        weaknesses=(
            "The guidelines of the corpora differ: a team, a newspaper or a government is ORG in one, LOC or no entity "
            "in another. So ORG is the weakest label.",
            "In the SEC filings of the training data, roles are persons: in a contract it marks 'Borrower' and "
            "'Lender'.",
            "In text without capitals, or all in capitals, it misses many names that only a capital letter shows.",
            "There is no MISC: nationalities, events, works and products are not marked.",
        ),
    ),
    "zh": Language(
        token_unit="character",
        cased=False,
        variants=chinese_variants,
        copies="copies of sentences with entities, one of three: with names in Latin letters, with made-up names, with "
        "titles and posts before names, with emoji and marks",
        words=20_000,
        knowledge="Character vectors: those of the package, made from jieba's dictionary (MIT). Lexicon: the names and "
        "the frequent words of that dictionary, with vectors made from the embedding of Baidu's LAC (Apache 2.0); what "
        "LAC was trained on is not published.",
        lexicon=names_and_frequent_words,
        corpora=(
            Corpus("uner-zh_gsdsimp", "CC BY-SA 4.0", _UNER, ["train.iob2"], ["dev.iob2"], "test.iob2"),
            Corpus("uner-zh_gsd", "CC BY-SA 4.0", _UNER, ["train.iob2"], ["dev.iob2"], "test.iob2"),
            Corpus("uner-zh_pud", "CC BY-SA 3.0", _UNER, test="test.iob2"),
        ),
        weaknesses=(
            "All of its training data are 4,000 sentences of encyclopaedic text, each in simplified and in traditional "
            "characters: it has seen few names of companies, and no news or chat.",
        ),
    ),
}
