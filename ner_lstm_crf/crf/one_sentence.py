"""The best path of one sentence and the probabilities of its spans, for a program that tags one text at a time.

The tables are the same for all sentences. So what the functions of this package check and look up at each call is done
once here; what is left of a call is the kernel's work. The results are theirs.
"""

from __future__ import annotations

import numpy as np

from ner_lstm_crf import kernels
from ner_lstm_crf.crf.best import viterbi
from ner_lstm_crf.crf.calls import address, as_it_is_read, check
from ner_lstm_crf.crf.scores import Floats, Numbers, ScoreTables
from ner_lstm_crf.crf.spans import span_probabilities

_FLOAT32 = np.dtype(np.float32)


class OneSentence:
    """A CRF that reads one sentence at a time. It may be called from several threads.

    Args:
        tables: The score tables of the best path.
        at_temperature: Those of the probabilities.
        labels: The label number of each tag (K,), see `span_probabilities`.
        events: The events between neighbouring tags (K, K).
    """

    def __init__(self, tables: ScoreTables, at_temperature: ScoreTables, labels: Numbers, events: Numbers) -> None:
        self._tables, self._at_temperature, self._labels, self._events = tables, at_temperature, labels, events
        self._tags = len(tables.start)
        nothing, one = np.zeros((1, 1, self._tags), tables.start.dtype), np.ones(1, np.int64)
        check(nothing, one, tables)
        check(nothing, one, at_temperature, labels=labels, events=events)
        # Without a CRF the best path is that of the best tags, which no kernel finds.
        self._compiled = kernels.available_for(tables.start) and any(table.any() for table in tables)
        self._kept = [as_it_is_read(array) for array in (*tables, *at_temperature, labels, events)]
        *addresses, self._of_labels, self._of_events = [address(array) for array in self._kept]
        self._of_tables, self._of_cooled = addresses[:3], addresses[3:]

    def best_path(self, emissions: Floats) -> Numbers:
        """The most probable path of tags (T,), given emissions (1, T, K); see `viterbi`."""
        shape = _, tokens, tags = emissions.shape
        if not self._reads(emissions):
            path: Numbers = viterbi(emissions, np.array([tokens]), self._tables)[0]
            return path
        lengths, best = np.array([tokens]), np.empty(tokens, np.int64)
        given = address(emissions), tokens * tags, tags, address(lengths), *self._of_tables, *shape, 1
        if kernels.kernel("crf_viterbi", _FLOAT32)(*given, address(best)):
            raise MemoryError(f"crf_viterbi: no memory for emissions of shape {shape}")
        return best

    def span_probabilities(self, emissions: Floats, spans: Numbers) -> Floats:
        """The probability of each span (P,) of a sentence; see `span_probabilities`.

        Args:
            emissions: At the temperature (1, T, K).
            spans: 0, start, end and label number of each (P, 4), within the sentence.
        """
        shape = _, tokens, tags = emissions.shape
        lengths = np.array([tokens])
        if not self._reads(emissions):
            return span_probabilities(emissions, lengths, self._at_temperature, spans, self._labels, self._events)
        spans, found = as_it_is_read(spans), np.empty(len(spans), np.float32)
        given = address(emissions), tokens * tags, tags, address(lengths), *self._of_cooled, *shape, 1
        reading = self._of_labels, self._of_events, address(spans), len(spans), address(found)
        if failure := kernels.kernel("crf_span_probabilities", _FLOAT32)(*given, *reading):
            raise ValueError("expected spans within the sentence") if failure == 5 else MemoryError("no memory")
        return found

    def _reads(self, emissions: Floats) -> bool:
        """True for emissions that a kernel reads where they are."""
        flags = emissions.flags
        is_as_read = emissions.dtype == _FLOAT32 and flags.c_contiguous and flags.aligned and emissions.shape[1] > 0
        return self._compiled and is_as_read and emissions.shape[2] == self._tags
