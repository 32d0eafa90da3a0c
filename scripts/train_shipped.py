#!/usr/bin/env python3
"""Make a tagger that comes with the package, from open corpora alone, and write its card.

    python scripts/train_shipped.py en --corpora ../shared/corpora --vectors ../shared/vectors/glove.6B.100d.txt.gz
    python scripts/train_shipped.py zh --corpora ../shared/corpora

It trains (a run that was interrupted goes on), cuts the vocabulary to what matters, rounds the weights, measures what
is left on every test set, and writes model and card to `ner_lstm_crf/shipped/LANGUAGE`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import torch

from ner_lstm_crf.cli.display import progress_bar
from ner_lstm_crf.config import Config, ModelConfig, TrainingConfig
from ner_lstm_crf.data.annotation import Sentence
from ner_lstm_crf.features.vectors import Vectors, read_vectors
from ner_lstm_crf.features.vocabulary import spellings
from ner_lstm_crf.presets import preset
from ner_lstm_crf.tasks.assembly import Assembly
from ner_lstm_crf.tasks.checkpoint import load_assembly, save_assembly
from ner_lstm_crf.tasks.compact import with_words
from ner_lstm_crf.tasks.evaluation import Evaluation
from ner_lstm_crf.tasks.measurement import measure_assembly
from ner_lstm_crf.tasks.run_files import read_history
from ner_lstm_crf.tasks.runs import Data, has_begun, train_run
from shipping.card import Facts, Measured, model_card
from shipping.corpora import LANGUAGES, Corpus, Language, changed, with_variants

PACKAGE = Path(__file__).resolve().parents[1] / "ner_lstm_crf"
CARD = "README.md"


def main() -> None:
    """Train, cut, measure, write."""
    args = _arguments()
    torch.set_num_threads(args.threads)
    language, run = LANGUAGES[args.language], args.runs / args.language
    data = _data(language, args.corpora, args.vectors)
    for report in train_run(data, _config(language, args.seed), run, resume=has_begun(run)):
        f1 = report.dev.micro.f1 if report.dev else 0.0
        print(f"epoch {report.epoch}/{report.epochs}: dev F1 {f1:.4f}, {report.seconds:.0f} s", flush=True)
    output = args.output or PACKAGE / "shipped" / args.language
    save_assembly(_cut(load_assembly(run), data.vectors, language.words), output, compact=True)
    assembly = load_assembly(output)
    measured = [result for corpus in language.corpora for result in _measure(assembly, corpus, args.corpora, language)]
    card = model_card(args.language, language, _facts(data, run, output), measured)
    (output / CARD).write_text(card, encoding="utf-8")
    print(card)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("language", choices=LANGUAGES)
    parser.add_argument("--corpora", type=Path, required=True, help="folder of the corpora")
    parser.add_argument("--vectors", type=Path, help="pretrained word vectors")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=Path, default=Path("runs/shipped"), help="folder of the training runs")
    parser.add_argument("--output", type=Path, help="folder of the tagger (default: in the package)")
    return parser.parse_args()


def _config(language: Language, seed: int) -> Config:
    base = preset("fast")
    model: ModelConfig = replace(base.model, unit=language.unit, compounds="split")
    training: TrainingConfig = replace(base.training, seed=seed)
    return Config(model=model, training=training)


def _data(language: Language, folder: Path, vectors: Path | None) -> Data:
    """All that is learnt from, with variants of the training sentences where there is case."""
    parts = [corpus.learnt(folder, language.unit) for corpus in language.corpora]
    train = [sentence for part, _ in parts for sentence in part]
    dev = [sentence for _, part in parts for sentence in part]
    if language.cased:
        train = with_variants(train)
    return Data(train, dev, _read(vectors, [*train, *dev]) if vectors else None)


def _read(path: Path, sentences: Sequence[Sentence]) -> Vectors:
    needed = {spelling for sentence in sentences for word in sentence.words for spelling in spellings(word)}
    with progress_bar("reading the vectors", unit="B", scale=True) as progress:
        return read_vectors(path, needed=needed, progress=progress)


def _cut(assembly: Assembly, vectors: Vectors | None, reserve: int) -> Assembly:
    """Without the words that have neither a pretrained vector nor a second occurrence, and the rarer vectors."""
    known = frozenset(vectors.words) if vectors is not None else frozenset[str]()
    words = assembly.featurizer.words
    trained = zip(words.symbols, words.counts, strict=False)
    kept = {word for word, count in trained if count > 1 or word in known}
    return with_words(assembly, kept | set(islice(words.symbols[len(words.counts) :], reserve)))


def _measure(assembly: Assembly, corpus: Corpus, folder: Path, language: Language) -> list[Measured]:
    """The scores on the test set of a corpus; where nothing of it was learnt, also without its case."""
    if not corpus.test:
        return []
    test = corpus.read(folder, [corpus.test], language.unit)
    found = [Measured(corpus.name, bool(corpus.train), _scores(assembly, test))]
    if language.cased and not corpus.train:
        for name, change in (("lower case", str.lower), ("capitals", str.upper)):
            sentences = [changed(sentence, change) for sentence in test]
            found.append(Measured(f"{corpus.name}, {name}", False, _scores(assembly, sentences)))
    return found


def _scores(assembly: Assembly, sentences: Sequence[Sentence]) -> Evaluation:
    return measure_assembly(assembly, sentences).evaluation


def _facts(data: Data, run: Path, output: Path) -> Facts:
    history = read_history(run)
    best = [report for report in history if report["best"]][-1]
    files = [path for path in output.iterdir() if path.name != CARD]
    return Facts(
        command=" ".join(["python", "scripts/train_shipped.py", *sys.argv[1:]]),
        sentences=len(data.train),
        tokens=sum(len(sentence.tokens) for sentence in data.train),
        dev_f1=best["dev"]["f1"],
        minutes=sum(report["seconds"] for report in history) / 60,
        megabytes=sum(path.stat().st_size for path in files) / 1e6,
        vectors="Word vectors: GloVe 6B 100d (PDDL 1.0; partly reconstructed)." if data.vectors is not None else "",
    )


if __name__ == "__main__":
    main()
