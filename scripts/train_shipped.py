"""Make a tagger that comes with the package, from open corpora alone, and write its card.

    python scripts/train_shipped.py en
    python scripts/train_shipped.py zh

It trains (a run that was interrupted goes on), removes rare words, quantizes the weights, scores the result on every
test set, and writes model and card to `ner_lstm_crf/shipped/LANGUAGE`. With `--trial EPOCHS` it does the same faster,
with so few epochs and with the dev sets in place of the test sets, which stay unread. With `--temperature` it trains
nothing: it fits the temperature of the tagger that is there on the dev sets, and leaves weights and card alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import torch

from locations import ROOT, SHARED
from ner_lstm_crf.cli.options import at_least
from ner_lstm_crf.config import MIN_LR, Config, preset
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.evaluation.calibration import fitted_temperature
from ner_lstm_crf.evaluation.evaluate import evaluate_model
from ner_lstm_crf.evaluation.metrics import Evaluation
from ner_lstm_crf.features.vectors import Vectors, read_vectors
from ner_lstm_crf.formats.options import ReadOptions
from ner_lstm_crf.formats.registry import read_unlabelled
from ner_lstm_crf.runs.data import Data, resolve_defaults
from ner_lstm_crf.runs.display import progress_bar
from ner_lstm_crf.runs.run import Run
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.tagging.tagger import Tagger
from ner_lstm_crf.text.annotation import Sentence
from shipping.card import Facts, Measured, model_card
from shipping.corpora import LANGUAGES, Language
from shipping.cut import with_words, words_of
from shipping.variants import changed

# The model and the training of each tagger. Their corpora are in `shipping/corpora.py`.
# The English one has no lexicon, but 25 as the size of its vectors, and its dropout, epochs and learning rate are
# those that `fast` had when it was made.
SETTINGS: Mapping[str, Config] = {
    "en": Config(
        model=replace(preset("fast").model, lexicon_size=25, char_widths=(2, 3, 4), input_dropout=0.5),
        training=replace(preset("fast").training, batch_size=16, min_epochs=15, min_steps=4500, learning_rate=MIN_LR),
    ),
    "zh": preset("fast", token_unit="character"),
}

CARD = "README.md"
ENCODER_DEPTH = 9  # layers of the teacher's encoder: as good as all twelve (docs/recipe.md)
TEACHER_EPOCHS = 6  # of the teacher: fifteen give no better dev F1
EPOCHS = 9  # of the tagger, if there is text that a teacher has labelled
TAUGHT = (
    " Among the sentences are those of running text, which a teacher has labelled: a network that was trained on the "
    "same corpora, and reads the frozen multilingual-e5-small (MIT) beside. The text is that of Wikipedia (CC BY-SA "
    "4.0; scripts/make_wikipedia_text.py)."
)
LEAST_SURE = 0.5  # a sentence counts if the teacher is as sure of each of its entities


def main() -> None:
    """Train, cut, measure, write."""
    parser = _parser()
    args = parser.parse_args()
    try:
        _make(args)
    except InputError as error:
        parser.error(str(error))


def _make(args: argparse.Namespace) -> None:
    torch.set_num_threads(args.threads)
    language, trial = LANGUAGES[args.language], "" if args.trial is None else "-trial"
    package = ROOT / "ner_lstm_crf" / "shipped" / args.language
    if args.temperature:
        _fit_temperature(args.output or package, [dev for _, dev in _parts(language, args.data)])
        return
    name = f"{args.language}-seed-{args.seed}{trial}"
    config, data = _config(args, language), _data(language, args.data)
    if args.encoder is not None:
        teacher = Model.load(_trained(args.runs / f"{name}-teacher", data, _teacher(config, args.encoder)).directory)
        data = replace(data, train=[*data.train, *_labelled(teacher, _unlabelled(args, language))])
        config = replace(config, training=replace(config.training, epochs=config.training.epochs or EPOCHS))
    run = _trained(args.runs / name, data, config)
    trained = run.directory
    output = args.output or (package if args.trial is None else trained.with_name(f"{trained.name}-quantized"))
    vectors = resolve_defaults(data, config.model).vectors
    _cut(Model.load(trained), vectors, language.words).save(output, quantize=True)
    _fit_temperature(output, [data.dev])
    measured = _measure_all(Model.load(output), language, args)
    card = model_card(args.language, language, _facts(args, data, run, output), measured)
    (output / CARD).write_text(card, encoding="utf-8")
    print(card)


def _trained(directory: Path, data: Data, config: Config) -> Run:
    """A finished run; one that was interrupted goes on."""
    run = Run(directory)
    for report in run.epochs(data, config, resume=run.exists):
        f1 = report.dev.micro.f1 if report.dev else 0.0
        print(f"epoch {report.epoch}/{report.epochs}: dev F1 {f1:.4f}, {report.seconds:.0f} s", flush=True)
    return run


def _teacher(config: Config, encoder: str) -> Config:
    """The settings of the teacher: those of the tagger, and a frozen encoder beside its embeddings."""
    model = replace(config.model, transformer=encoder, transformer_depth=ENCODER_DEPTH, input_dropout=0.5)
    beside = preset("fast", token_unit=config.model.token_unit, transformer=encoder).training
    epochs = min(TEACHER_EPOCHS, config.training.epochs or TEACHER_EPOCHS)
    return Config(model=model, training=replace(config.training, learning_rate=beside.learning_rate, epochs=epochs))


def _unlabelled(args: argparse.Namespace, language: Language) -> list[Sentence]:
    """The sentences of running text that the teacher alone says something of."""
    options = ReadOptions(token_unit=language.token_unit, hyphens="split")
    return [sentence for path in args.unlabelled for sentence in read_unlabelled(path, options)]


def _labelled(teacher: Model, sentences: Sequence[Sentence]) -> list[Sentence]:
    """The sentences with the entities that the teacher finds, but for those of which it is not sure."""
    found = list[Sentence]()
    with progress_bar("the teacher reads", unit=" sentences") as progress:
        for sentence in Tagger(teacher).tag_sentences(sentences):
            found.append(sentence)
            progress(len(found), len(sentences))
    return [one for one in found if min(one.scores or (1.0,)) >= LEAST_SURE]


def _fit_temperature(output: Path, dev: Iterable[Sequence[Sentence]]) -> None:
    """Set the temperature of the tagger in a directory: cut and quantized it is another than that of the run."""
    model = Model.load(output)
    temperature = fitted_temperature(model, [sentence for part in dev for sentence in part])
    replace(model, temperature=temperature).save(output, quantize=True)
    print(f"temperature {temperature:g}", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("language", choices=LANGUAGES)
    parser.add_argument("--seed", type=at_least(0), default=1)
    parser.add_argument(
        "--trial", type=at_least(1), metavar="EPOCHS", help="train so few epochs, leave the test sets alone"
    )
    parser.add_argument(
        "--temperature", action="store_true", help="fit the temperature of the tagger that is there, and train nothing"
    )
    parser.add_argument(
        "--encoder",
        help="folder of multilingual-e5-small (scripts/make_e5.py): first a teacher is trained with it, which labels "
        "the running text",
    )
    parser.add_argument(
        "--unlabelled",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="running text: what the teacher finds there is learnt, too",
    )
    parser.add_argument("--threads", type=at_least(1), default=1)
    parser.add_argument(
        "--data",
        type=Path,
        default=SHARED,
        help="folder of corpora/ and vectors/ (default: ../shared, beside the checkout)",
    )
    parser.add_argument("--runs", type=Path, default=Path("runs/shipped"), help="folder of the training runs")
    parser.add_argument(
        "--output", type=Path, help="folder of the tagger (default: in the package; a trial: beside its run)"
    )
    return parser


def _config(args: argparse.Namespace, language: Language) -> Config:
    base = SETTINGS[args.language]
    shorter = {} if args.trial is None else {"epochs": args.trial}
    return Config(
        model=replace(base.model, token_unit=language.token_unit, hyphens="split"),
        training=replace(base.training, seed=args.seed, **shorter),
    )


def _data(language: Language, folder: Path) -> Data:
    """The training and dev data, with changed copies of training sentences."""
    parts = _parts(language, folder)
    train = [sentence for part, _ in parts for sentence in part]
    dev = [sentence for _, part in parts for sentence in part]
    return Data(
        [*train, *language.variants(train)],
        dev,
        _read(folder / "vectors" / language.vectors) if language.vectors else "builtin",
        lexicon=language.lexicon() if language.lexicon else None,
    )


def _parts(language: Language, folder: Path) -> list[tuple[list[Sentence], list[Sentence]]]:
    """The training and dev sentences of each corpus."""
    return [corpus.training_data(folder / "corpora", language.token_unit) for corpus in language.corpora]


def _read(path: Path) -> Vectors:
    with progress_bar("reading the vectors", unit="B", scale=True) as progress:
        return read_vectors(path, progress=progress)


def _cut(model: Model, vectors: Vectors | None, frozen: int) -> Model:
    """Without the words that have neither a pretrained vector nor a second occurrence, and the rarer vectors."""
    known = frozenset(vectors.words) if vectors is not None else frozenset[str]()
    words = words_of(model)
    symbols = words.vocabulary.symbols
    kept = {word for word, count in zip(symbols, words.counts, strict=False) if count > 1 or word in known}
    return with_words(model, kept | set(islice(symbols[len(words.counts) :], frozen)))


def _measure_all(model: Model, language: Language, args: argparse.Namespace) -> list[Measured]:
    """The scores on the test set of each corpus, and of those without training data also without their case."""
    measured: list[Measured] = []
    for corpus in language.corpora:
        tested = [corpus.test] if corpus.test else []
        files = tested if args.trial is None else corpus.dev
        if not files:
            continue
        sentences, trained_on = corpus.read(args.data / "corpora", files, language.token_unit), bool(corpus.train)
        measured.append(Measured(corpus.name, trained_on, _scores(model, sentences)))
        if language.cased and not trained_on:
            for name, change in (("lower case", str.lower), ("capitals", str.upper)):
                without_case = [changed(sentence, change) for sentence in sentences]
                measured.append(Measured(f"{corpus.name}, {name}", trained_on, _scores(model, without_case)))
    return measured


def _scores(model: Model, sentences: Sequence[Sentence]) -> Evaluation:
    return evaluate_model(model, sentences).evaluation


def _facts(args: argparse.Namespace, data: Data, run: Run, output: Path) -> Facts:
    history = run.history()
    best = [report for report in history if report["best"]][-1]
    files = [path for path in output.iterdir() if path.name != CARD]
    with_text = ""
    if args.encoder is not None:
        names = " ".join(path.name for path in args.unlabelled)
        with_text = f" --encoder {Path(args.encoder).name} --unlabelled {names}"
    return Facts(
        command=f"python scripts/train_shipped.py {args.language} --seed {args.seed}{with_text}",
        trial=args.trial,
        threads=args.threads,
        sentences=len(data.train),
        tokens=sum(len(sentence.tokens) for sentence in data.train),
        dev_f1=best["dev"]["f1"],
        minutes=sum(report["seconds"] for report in history) / 60,
        megabytes=sum(path.stat().st_size for path in files) / 1e6,
        knowledge=LANGUAGES[args.language].knowledge + (TAUGHT if with_text else ""),
    )


if __name__ == "__main__":
    main()
