"""`python -m ner_lstm_crf`: the same as `ner-lstm-crf`."""

from __future__ import annotations

import sys

from ner_lstm_crf.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
