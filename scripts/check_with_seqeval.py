"""Score written predictions with seqeval and with this package, and fail where they disagree.

ner-lstm-crf tag --model my-model --input test.conll --output predicted.conll
python scripts/check_with_seqeval.py test.conll predicted.conll
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from seqeval.metrics import f1_score
from seqeval.scheme import IOB2

from ner_lstm_crf.config import TokenUnit
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.evaluation.evaluate import score_sentences
from ner_lstm_crf.formats.conll import read_conll
from ner_lstm_crf.formats.options import ReadOptions
from ner_lstm_crf.tags.labels import LabelMap
from ner_lstm_crf.tags.scheme import SCHEMES

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print both scores; 1 if they differ."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("gold")
    parser.add_argument("predicted")
    parser.add_argument("--labels", help="keep these labels of the gold file")
    parser.add_argument("--characters", action="store_true", help="the gold file's tokens are split into characters")
    parser.add_argument("--encoding", default="utf-8", help="of both files (default: utf-8)")
    options = parser.parse_args(arguments)
    token_unit: TokenUnit | None = "character" if options.characters else None
    try:
        reading = ReadOptions(labels=LabelMap.parse(options.labels), token_unit=token_unit, encoding=options.encoding)
        gold = list(read_conll(options.gold, reading))
        found = list(read_conll(options.predicted, ReadOptions(encoding=options.encoding)))
        ours = score_sentences(gold, found, gold_path=options.gold, predicted_path=options.predicted).micro.f1
    except InputError as error:
        parser.error(str(error))
    # seqeval knows no spans: it gets both sides as IOB2, in its strict reading.
    tags = [[SCHEMES["IOB2"].encode(one.spans, len(one.tokens)) for one in side] for side in (gold, found)]
    theirs = float(f1_score(*tags, mode="strict", scheme=IOB2))
    print(f"F1: seqeval (strict, IOB2) {theirs:.6f}, ner_lstm_crf {ours:.6f}")
    return int(abs(ours - theirs) > 1e-9)


if __name__ == "__main__":
    sys.exit(main())
