"""Spans on their way into a file, as tags."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.formats.columns import Separator
from ner_lstm_crf.tags.scheme import Scheme, split_tag
from ner_lstm_crf.text.annotation import Span

__all__ = ["TagWriter"]

_log = logging.getLogger(__name__)

_NOT_IN_A_LABEL = re.compile(r"[\t\n\r\0]")


@dataclass(slots=True)
class TagWriter:
    """Makes tags of spans, and counts what their scheme cannot say.

    Attributes:
        scheme: The scheme.
        target: The file they go to.
        separator: What separates its columns; None where it has none.
        bare: Whether labels are written without their prefixes.
        merged: How many spans became one with the span before them.
    """

    scheme: Scheme
    target: str
    separator: Separator | None = "tab"
    bare: bool = False
    merged: int = 0

    def tags(self, spans: Sequence[Span], length: int) -> list[str]:
        """The tags of a sentence.

        Raises:
            InputError: If a label cannot stand in a column.
        """
        for before, span in pairwise(spans):
            if before.end == span.start and before.label == span.label and not self.scheme.separates_neighbours:
                self.merged += 1
        for _, _, label in spans:
            if self.separator and (_NOT_IN_A_LABEL.search(label) or (self.separator == "space" and " " in label)):
                raise InputError(f"the label {label!r} cannot stand in a column", path=self.target)
        tags = self.scheme.encode(spans, length)
        return [split_tag(tag)[1] or tag for tag in tags] if self.bare else tags

    def warn(self) -> None:
        """Log what was lost."""
        if self.merged:
            message = "%s: %d entities touch another of the same label, which %s cannot tell apart: they became one"
            _log.warning(message, self.target, self.merged, self.scheme.name)
