"""What each loss is worth: F1, precision, recall and time on the test sets of two corpora, over seeds.

    python scripts/losses.py ../shared/corpora --output runs/losses --seeds 3 --vectors glove.6B.100d.txt.gz
    python scripts/losses.py ../shared/corpora --output runs/quick --quick

Precision and recall can be bought with each other: `missed_cost` raises the recall. Settings are those of the preset
`fast` but for the loss. A result is kept as a line of results.jsonl, and not made again.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from experiments import Results, read_parts
from ner_lstm_crf import Config, Data, Sentence, preset, read_vectors, train
from ner_lstm_crf.runs.data import needed_words

LOSSES: Mapping[str, Mapping[str, Any]] = {
    "CRF": {},
    "CRF, label-wise": {"crf_loss": "labelwise"},
    "CRF, label-wise, O=0.5": {"crf_loss": "labelwise", "class_weights": "O=0.5"},
    "CRF, missed 1": {"missed_cost": 1.0},
    "CRF, missed 3": {"missed_cost": 3.0},
    "CRF, spurious 1": {"spurious_cost": 1.0},
    "softmax": {"head": "softmax"},
    "softmax, O=0.5": {"head": "softmax", "class_weights": "O=0.5"},
    "softmax, missed 1": {"head": "softmax", "missed_cost": 1.0},
}
CORPORA = {"wnut17": (), "uner-en_ewt": ("LOC", "ORG", "PER")}
"""The corpora, and their labels to keep; () for all."""


def figures(data: Data, config: Config, folder: Path, test: Sequence[Sentence]) -> dict[str, float]:
    """The scores of a tagger on the test set."""
    scores = train(data, config, folder / "model", overwrite=True, progress=False).evaluate(test).micro
    return {"f1": scores.f1, "precision": scores.precision, "recall": scores.recall}


def main() -> None:
    """Make the results that lack, and show the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", type=Path, help="folder of the corpora, each in one of its own")
    parser.add_argument("--output", type=Path, required=True, help="folder of models and of results.jsonl")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sentences", type=int, default=4000, help="the first of the training sentences (4,000)")
    parser.add_argument("--only", nargs="*", help="the losses, all unless named")
    parser.add_argument("--vectors", type=Path, help="word vectors")
    parser.add_argument("--quick", action="store_true", help="one seed, 1,000 sentences, 3 epochs of the preset small")
    args = parser.parse_args()
    config, results = preset("fast"), Results(args.output, ("f1", "precision", "recall", "seconds"))
    for corpus, labels in CORPORA.items():
        of_train, dev, test = read_parts(args.corpora / corpus, labels)
        of_train = of_train[: args.sentences]
        needed = needed_words([*of_train, *dev, *test])
        vectors = None if args.vectors is None else read_vectors(args.vectors, needed=needed)
        if args.quick:
            config, of_train, args.seeds = preset("small").replace(epochs=3), of_train[:1000], 1
        for seed in range(1, args.seeds + 1):
            for loss, settings in LOSSES.items():
                if args.only and loss not in args.only:
                    continue
                changed = config.replace(seed=seed, **settings)
                results.make(
                    corpus,
                    loss,
                    seed,
                    partial(figures, Data(of_train, dev, vectors=vectors), changed, args.output, test),
                )
    print(results.table())


if __name__ == "__main__":
    main()
