"""The labels of a file to keep, and their new names."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ner_lstm_crf.errors import InputError, counted, did_you_mean
from ner_lstm_crf.files.text import FilePath
from ner_lstm_crf.tags.scheme import OUTSIDE
from ner_lstm_crf.text.annotation import Sentence, Span

_log = logging.getLogger(__name__)


NAME_FOR_O = "--rename O=O reads it as O, --rename O=NAME as the label NAME"
"""The ways to read entities that have the label O, which says of them that they are none."""


@dataclass(frozen=True, slots=True)
class LabelMap:
    """Rename labels, then keep the chosen ones; entities of other labels become plain text (O).

    Attributes:
        renamed: From a label of the file (of tags that are a prefix alone, "") to another, or to `O` to drop it.
        keep: The labels to keep, by their new names; None keeps all.

    Example:
        >>> LabelMap.parse("PER,LOC", ["person=PER"])([Span(0, 1, "person"), Span(2, 3, "ORG")])
        (Span(start=0, end=1, label='PER'),)
    """

    renamed: Mapping[str, str] = field(default_factory=dict, hash=False)
    keep: frozenset[str] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.keep, str):
            raise TypeError("expected a set of labels to keep, got a string: see LabelMap.parse")
        if not isinstance(self.renamed, Mapping):
            raise TypeError(f"expected a mapping of labels, got {type(self.renamed).__name__}: see LabelMap.parse")
        if self.keep is not None:
            object.__setattr__(self, "keep", frozenset(self.keep))

    @classmethod
    def parse(cls, labels: str | None = None, mapping: Iterable[str] = ()) -> LabelMap:
        """Read `PER,LOC,ORG` and `OTH=O`, `person=PER`, as the command line gives them.

        Raises:
            InputError: If a label is empty, a mapping lacks its `=` or new label, or a label is mapped twice.
        """
        renamed: dict[str, str] = {}
        for rule in (part for rules in mapping for part in rules.split(",")):
            old, equals, new = (part.strip() for part in rule.rpartition("="))
            if not (equals and new):
                raise InputError(f"expected a label mapping such as OTH=O or person=PER, found {rule!r}")
            if renamed.get(old, new) != new:
                raise InputError(f"the label {old} is mapped twice: to {renamed[old]} and to {new}")
            renamed[old] = new
        if labels is None:
            return cls(renamed)
        keep = [label.strip() for label in labels.split(",")]
        if not all(keep):
            raise InputError(f"expected labels such as PER,LOC,ORG, found {labels!r}")
        return cls(renamed, frozenset(keep))

    def __call__(self, spans: Iterable[Span]) -> tuple[Span, ...]:
        """The spans under their new labels, without those dropped."""
        if not self:
            return tuple(spans)
        return tuple(Span(start, end, new) for start, end, old in spans if (new := self.renaming(old)) is not None)

    def renaming(self, label: str) -> str | None:
        """The label's new name; None if it is dropped."""
        new = self.renamed.get(label, label)
        if new == OUTSIDE and label in self.renamed:
            return None
        return new if self.keep is None or new in self.keep else None

    def warn_of_missing(self, path: FilePath, found: Collection[str]) -> None:
        """Log the labels to rename and to keep that files do not have: perhaps they are misspelt.

        Args:
            path: The file or files.
            found: The labels in them, by their names there.
        """
        known = f"labels found: {', '.join(sorted(found)) or 'none'}"
        for label in self.renamed:
            if label not in found:
                what = f"no entity is labelled {label}" if label else "no tag is a prefix alone"
                _log.warning("%s: %s, to be renamed (%s)%s", path, what, known, did_you_mean(label, found))
        if missing := sorted((self.keep or set()) - {self.renaming(label) for label in found}):
            near = "".join(did_you_mean(label, found) for label in missing)
            _log.warning("%s: no entity is labelled %s (%s)%s", path, " or ".join(missing), known, near)

    def __bool__(self) -> bool:
        return bool(self.renamed) or self.keep is not None


def fully_known(sentences: Sequence[Sentence], path: FilePath) -> list[Sentence]:
    """The sentences without unknown tokens: nothing can be measured on the others, which are left out and logged.

    Args:
        sentences: The sentences.
        path: Their file, or the name of the part of the data.

    Raises:
        InputError: If none is left.
    """
    known = [sentence for sentence in sentences if not sentence.unknown]
    if len(known) < len(sentences):
        message = f"{counted(len(sentences) - len(known), 'sentence has', 'sentences have')} tokens of unknown tags"
        if not known:
            raise InputError(f"expected sentences to measure on: {message}", path=path)
        _log.warning("%s: %s: left out, since nothing can be measured on them", path, message)
    return known


def require_entities(annotated: Iterable[Sequence[Span]], path: FilePath, labels: LabelMap) -> None:
    """Refuse a file without a single entity: it can neither train nor test a model.

    Args:
        annotated: The spans of each of its sentences or texts, under these labels.
        path: The file.
        labels: The labels that were kept and renamed.

    Raises:
        InputError: If there is none.
    """
    if not any(annotated):
        why = "no entity has a label to keep" if labels else "nothing in it is annotated"
        raise InputError(f"expected entities, found none: {why}", path=path)


def warn_of_unknown_labels(path: FilePath, counts: Mapping[str, int], known: Collection[str], whose: str) -> None:
    """Log the labels of a file that can never be found.

    Args:
        path: The file.
        counts: The number of its entities with each label.
        known: The labels that can be found.
        whose: The words for what lacks the others: `the model does not know`.
    """
    unknown = sorted(label for label in counts if label not in known)
    if unknown:
        entities = counted(sum(counts[label] for label in unknown), "entity has a label", "entities have labels")
        hint = _rename_to_known(unknown, known)
        _log.warning("%s: %s that %s (%s): counted as missed%s", path, entities, whose, ", ".join(unknown), hint)


def _rename_to_known(labels: Iterable[str], known: Iterable[str]) -> str:
    """The end of a message about unknown labels: how to rename those that differ from known ones in case alone."""
    names = {name.casefold(): name for name in known}
    rules = ",".join(f"{label}={names[label.casefold()]}" for label in labels if label.casefold() in names)
    return f" (--rename {rules} makes them the same)" if rules else ""


def warn_of_labels_never_gold(path: FilePath, found: Mapping[str, int], gold: Collection[str]) -> None:
    """Log the labels of entities found in a file that has no gold entity of these labels.

    Args:
        path: The file.
        found: The number of entities found with each label.
        gold: The labels of its gold entities.
    """
    if others := sorted(label for label in found if label not in gold):
        count, rules = sum(found[label] for label in others), ",".join(f"{label}=O" for label in others)
        entities = counted(count, "entity found has a label", "entities found have labels")
        # Labels that only case tells apart are to be the same, as `warn_of_unknown_labels` says: then none is left out.
        hint = "" if _rename_to_known(gold, others) else f" (--rename {rules} leaves them out)"
        message = "%s: %s that the file lacks (%s): counted as wrong%s"
        _log.warning(message, path, entities, ", ".join(others), hint)
