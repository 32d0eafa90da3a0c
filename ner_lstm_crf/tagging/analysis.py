"""One sentence with all that the model knows of it: scores, probabilities, other readings.

Everything follows from the emissions of its tokens and the model's transition scores, by the functions of `crf`. Each
is computed when it is first asked for; none needs another pass of the LSTM.

Letters: T tokens, K tags.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from operator import itemgetter
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ner_lstm_crf import crf
from ner_lstm_crf.crf import FORBIDDEN, ScoreTables
from ner_lstm_crf.crf.scores import divided
from ner_lstm_crf.errors import InputError, counted, did_you_mean
from ner_lstm_crf.isolation import computing
from ner_lstm_crf.tagging.constraints import Constraints, Rule
from ner_lstm_crf.tagging.lattice import Lattice, constrained, lattice_of
from ner_lstm_crf.tags.scheme import OUTSIDE
from ner_lstm_crf.tags.tag_set import TagSet
from ner_lstm_crf.text.annotation import Entity, Sentence, Span, Token

Scores: TypeAlias = NDArray[np.float32]
Probabilities: TypeAlias = NDArray[np.float64]

LEAST = 0.001
"""Probability of the rarest competitor that is named, unless the caller says otherwise."""
_MOST_PATHS = 4096  # sequences of tags that are looked at to find other readings


class ScoredSpan(NamedTuple):
    """A span and the probability that it is an entity with exactly these ends and this label."""

    span: Span
    probability: float


@dataclass(frozen=True, eq=False, repr=False)
class TransitionTable:
    """The scores of transitions by name; `numpy.asarray(table)` is those from tag to tag (K, K).

    Attributes:
        names: The name of each tag (K,).
        start: The score of beginning with each tag (K,).
        scores: The score of each tag after each other, [from, to] (K, K); -1e4 if the scheme forbids it.
        end: The score of ending with each tag (K,).

    Example:
        >>> table = TransitionTable(("O", "I"), np.zeros(2, "f"), np.array([[1, -1e4], [2, 3]], "f"), np.ones(2, "f"))
        >>> table["I", "O"], table["O", None]
        (2.0, 1.0)
        >>> table
           to       O      I    end
        from
        start    +0.0   +0.0
        O        +1.0      ·   +1.0
        I        +2.0   +3.0   +1.0
    """

    names: tuple[str, ...]
    start: Scores
    scores: Scores
    end: Scores

    def __getitem__(self, pair: tuple[str | None, str | None]) -> float:
        """The score of a transition (from, to); None stands for what is before and behind the sentence.

        Raises:
            KeyError: If there is no such tag.
        """
        for name in pair:
            if name is not None and name not in self.names:
                raise KeyError(
                    f"expected a tag ({', '.join(self.names)}), got {name!r}{did_you_mean(name, self.names)}"
                )
        before, after = (None if name is None else self.names.index(name) for name in pair)
        if before is None:
            return 0.0 if after is None else float(self.start[after])
        return float(self.end[before] if after is None else self.scores[before, after])

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """The scores from tag to tag (K, K)."""
        return np.array(self.scores, dtype) if copy is not False else np.asarray(self.scores, dtype)

    def __repr__(self) -> str:
        wide = max(6, *map(len, self.names)) + 1
        first = max(map(len, ("start", *self.names)))

        def line(name: str, scores: Iterable[float]) -> str:
            """A row of the table."""
            cells = (f"{'·' if score <= FORBIDDEN / 2 else format(score, '+.1f'):>{wide}}" for score in scores)
            return f"{name:{first}} {''.join(cells)}"

        head = f"{'to':>{first}} " + "".join(f"{name:>{wide}}" for name in (*self.names, "end"))
        rows = [line(name, [*row, end]) for name, row, end in zip(self.names, self.scores, self.end, strict=True)]
        return "\n".join([head, "from", line("start", self.start), *rows])


class Reading(NamedTuple):
    """All spans of a sentence, and the probability that these are its entities and no other."""

    spans: tuple[Span, ...]
    probability: float


@dataclass(frozen=True, eq=False, repr=False)
class Analysis:
    """What a model knows of one sentence; `Tagger.analyze` makes it.

    Of a model of several networks it is their average: the mean of their emissions and of their transition scores,
    which are those that tagging uses. Scores are as the network gives them; probabilities are those of scores divided
    by the temperature. If a text holds what no entity goes over (markup, an emoji), all but the emissions respect that.

    Attributes:
        tokens: The tokens; their offsets are those in the source.
        tag_set: The tags of the model.
        emissions: The score of each tag for each token (T, K).
        start: The score of beginning with each tag (K,); -1e4 if the scheme forbids it, as below.
        transitions: The score of each tag after each other, [from, to] (K, K).
        end: The score of ending with each tag (K,).
        temperature: What scores are divided by to give probabilities.
        source: The text that the sentence is in; None if only tokens were given.
        barriers: What no entity holds, as tokens from the first to the last (exclusive); an empty one is a place that
            no entity goes over.
        constraints: What was given by `given`.

    Raises:
        InputError: If no sequence of tags agrees with the constraints, or one names an unknown label or place.

    Example:
        >>> from ner_lstm_crf import Tagger
        >>> (analysis,) = Tagger.load("en").analyze("Angela Merkel visited Rome.")
        >>> analysis.spans
        (Span(start=0, end=2, label='PER'), Span(start=3, end=4, label='LOC'))
        >>> analysis.given(Constraints(forbidden=["LOC"])).spans[0]
        Span(start=0, end=2, label='PER')
    """

    tokens: tuple[Token, ...]
    tag_set: TagSet
    emissions: Scores
    start: Scores
    transitions: Scores
    end: Scores
    temperature: float = 1.0
    source: str | None = None
    barriers: tuple[tuple[int, int], ...] = ()
    constraints: Constraints = field(default_factory=Constraints)

    def __post_init__(self) -> None:
        if not self.tokens:
            raise ValueError("expected a sentence of one token or more")
        if self.constraints and self._lattice.forbids(self._path):  # here, not when a result is asked for
            raise InputError(self._conflict())

    def __len__(self) -> int:
        """The number of tokens."""
        return len(self.tokens)

    def __repr__(self) -> str:
        found = ", ".join(
            f"{entity.text!r} {entity.label} {score:.3f}"
            for entity, score in zip(self.entities, self.scores, strict=True)
        )
        return f"<Analysis of {counted(len(self.tokens), 'token')}: {found or 'no entity'}>"

    def _repr_html_(self) -> str:
        """The sentence explained, for a notebook."""
        from ner_lstm_crf.explanation.explanation import Explanation  # which needs what is here; see pyproject.toml

        return Explanation([self])._repr_html_()

    # What the model scores

    @property
    def words(self) -> list[str]:
        """The text of each token."""
        return [token.text for token in self.tokens]

    @property
    def tag_names(self) -> tuple[str, ...]:
        """The name of each tag (K,)."""
        return self.tag_set.names

    @property
    def softmax(self) -> list[str]:
        """The tag of the highest emission of each token: what a softmax head would choose."""
        return [self.tag_names[tag] for tag in self.emissions.argmax(1).tolist()]

    # What it finds

    @property
    def best(self) -> list[str]:
        """The tags of the best sequence (Viterbi), which `tag` reads entities from."""
        lattice = self._lattice
        return [self.tag_names[tag] for tag in lattice.tags[self._path[lattice.places]].tolist()]

    @cached_property
    def spans(self) -> tuple[Span, ...]:
        """The entities of the best sequence, over tokens."""
        return self._lattice.spans(self._path, self.tag_set.labels)

    @cached_property
    def scores(self) -> tuple[float, ...]:
        """The probability of each of `spans`: that it is an entity with exactly these ends and this label."""
        return tuple(self._probabilities(self.spans).tolist())

    @cached_property
    def entities(self) -> list[Entity]:
        """The entities of the best sequence, in the source, with their probabilities as scores."""
        return Sentence(self.tokens, self.spans, scores=self.scores).entities(self.source)

    # How probable it is

    @cached_property
    def marginals(self) -> Probabilities:
        """The distribution over tags of each token (T, K), summed over all sequences."""
        states = self._call(crf.marginals)[0][self._lattice.places]
        found = np.zeros((len(self), len(self.tag_set)))
        np.add.at(found.T, self._lattice.tags, states.T)
        return found

    @cached_property
    def log_partition(self) -> float:
        """The log of the sum over all sequences of exp(score / temperature), in nats."""
        return float(self._call(crf.log_partition)[0])

    @cached_property
    def entropy(self) -> float:
        """The entropy of the distribution over sequences of tags, in nats: 0 if the model is certain."""
        return float(self._call(crf.entropy)[0])

    def probability(self, spans: Span | tuple[int, int, str] | Iterable[Span | tuple[int, int, str]]) -> float:
        """The probability that all of these are entities, whatever else is one.

        Args:
            spans: A span (start, end, label) over tokens, or several.

        Raises:
            InputError: If a label or a place is unknown.
        """
        several = [spans] if isinstance(spans, tuple) and len(spans) == 3 and isinstance(spans[2], str) else spans
        wanted = Constraints(spans=list(several))
        wanted.rules(self.tokens, self.tag_set.labels)  # refuses what is unknown
        if len(wanted.spans) == 1:
            return float(self._probabilities(wanted.spans)[0])  # type: ignore[arg-type]
        lattice = constrained(self._lattice, wanted.rules(self.tokens, self.tag_set.labels), self.tag_set.labels)
        log_partition = float(self._call(crf.log_partition, lattice)[0])
        return min(float(np.exp(log_partition - self.log_partition)), 1.0)

    def probable_spans(self, least: float = LEAST) -> list[ScoredSpan]:
        """Every span that is an entity with a probability of at least `least`, in order of their starts."""
        lattice = self._lattice
        places, probabilities = self._call(crf.probable_spans, lattice, lattice.labels, lattice.events, least)
        names = self.tag_set.labels
        found = [
            ScoredSpan(lattice.over_tokens(start, end, names[label]), min(probability, 1.0))
            for (_, start, end, label), probability in zip(places.tolist(), probabilities.tolist(), strict=True)
        ]
        return sorted(found)

    def competitors(self, span: Span | tuple[int, int, str], least: float = LEAST) -> list[ScoredSpan]:
        """The other spans that share a token with this one, the most probable first.

        Args:
            span: The span.
            least: Probability of the last one.
        """
        start, end, _ = span
        found = [one for one in self.probable_spans(least) if one.span.start < end and start < one.span.end]
        return sorted((one for one in found if one.span != tuple(span)), key=itemgetter(1), reverse=True)

    def alternatives(self, count: int = 5) -> list[Reading]:
        """The most probable readings of the sentence, the best first: at most `count`, none twice.

        They are the readings of the best sequences of tags. With a CRF each reading has one sequence. A softmax head
        can write a reading in several ways: its probability is that of all, and a reading of many rare ways may be
        missing.

        Raises:
            ValueError: If `count` is not positive.
        """
        if count < 1:
            raise ValueError(f"expected a count of 1 or more, got {count}")
        lattice, paths, found = self._lattice, count, set[tuple[Span, ...]]()
        while True:
            states, scores = (one[0] for one in self._call(crf.k_best, lattice, paths))
            real = states[np.isfinite(scores)]
            found = {lattice.spans(path, self.tag_set.labels) for path in real if not lattice.forbids(path)}
            if len(found) >= count or len(real) < paths or paths >= _MOST_PATHS:
                readings = [Reading(spans, self._reading_probability(spans)) for spans in found]
                return sorted(readings, key=itemgetter(1), reverse=True)[:count]
            paths *= 4

    # Under constraints

    def given(self, constraints: Constraints) -> Analysis:
        """The analysis of the sentence if these hold, too; starts and ends count tokens.

        Raises:
            TypeError: If they are no `Constraints`.
            InputError: If no sequence of tags agrees with them, or one names an unknown label or place.
        """
        if not isinstance(constraints, Constraints):
            raise TypeError(f"expected Constraints, got {type(constraints).__name__}")
        return replace(self, constraints=self.constraints | constraints)

    @cached_property
    def constraint_probability(self) -> float:
        """The probability, without the constraints, that they hold; bonuses do not count. 1.0 if there are none."""
        if not self.constraints:
            return 1.0
        free, hard = self._free, [rule for rule in self._rules if rule.kind != "favoured"]
        log_partition = self.log_partition
        if len(hard) < len(self._rules):
            log_partition = float(self._call(crf.log_partition, constrained(free, hard, self.tag_set.labels))[0])
        return min(float(np.exp(log_partition - float(self._call(crf.log_partition, free)[0]))), 1.0)

    # How it is computed

    @cached_property
    def _rules(self) -> list[Rule]:
        """The constraints one by one."""
        return self.constraints.rules(self.tokens, self.tag_set.labels)

    @cached_property
    def _free(self) -> Lattice:
        """The CRF without constraints."""
        return lattice_of(
            self.tag_set, self.emissions, ScoreTables(self.start, self.transitions, self.end), self.barriers
        )

    @cached_property
    def _lattice(self) -> Lattice:
        """The CRF of the sequences of tags that agree with the constraints."""
        if not self.constraints:
            return self._free
        return constrained(self._free, self._rules, self.tag_set.labels, self.temperature)

    @cached_property
    def _path(self) -> NDArray[np.int64]:
        """The best path of states (T,)."""
        return _best_path(self._lattice)

    def _reading_probability(self, spans: tuple[Span, ...]) -> float:
        """The probability that these are the entities of the sentence and no other is one."""
        taken = {token for start, end, _ in spans for token in range(start, end)}
        rules = [Rule("span", start, end, (label,)) for start, end, label in spans]
        rules += [Rule("allowed", token, token + 1, (OUTSIDE,)) for token in range(len(self)) if token not in taken]
        lattice = constrained(self._lattice, rules, self.tag_set.labels)
        return min(float(np.exp(float(self._call(crf.log_partition, lattice)[0]) - self.log_partition)), 1.0)

    def _probabilities(self, spans: Sequence[Span]) -> Probabilities:
        """The probability of each of these spans (P,)."""
        if not spans:
            return np.zeros(0)
        lattice, names = self._lattice, self.tag_set.labels
        rows = [
            (0, lattice.places[start], lattice.places[end - 1] + 1, names.index(label)) for start, end, label in spans
        ]
        wanted = np.array(rows, np.int64)
        found = self._call(crf.span_probabilities, lattice, wanted, lattice.labels, lattice.events)
        probabilities: Probabilities = found.clip(0.0, 1.0)
        return probabilities

    def _call(self, function: Callable[..., Any], lattice: Lattice | None = None, *more: object) -> Any:
        """The result of a function of `crf` for one sentence, at the temperature, in double precision.

        Args:
            function: The function.
            lattice: The CRF; None for that of the analysis.
            more: The other arguments.
        """
        chosen = self._lattice if lattice is None else lattice
        # A state that cannot be at a place stays so, too.
        emissions, *tables = (divided(scores, self.temperature) for scores in (chosen.emissions, *chosen.tables))
        with computing():
            return function(emissions[None], np.array([len(emissions)]), ScoreTables(*tables), *more)

    def _conflict(self) -> str:
        """What is wrong with the constraints, of which no sequence of tags agrees with all.

        Rules are left out one after the other as long as the others cannot hold together either.
        """
        rules = list(self._rules)
        for rule in self._rules:
            others = [other for other in rules if other is not rule]
            lattice = constrained(self._free, others, self.tag_set.labels)
            if lattice.forbids(_best_path(lattice)):
                rules = others
        shown = "; ".join(f"{rule} ({' '.join(self.words[rule.start : rule.end]):.30})" for rule in rules)
        if len(rules) > 1:
            return f"these constraints cannot hold together: {shown}"
        (rule,) = rules
        start, end = rule.start, rule.end
        over = [first for first, final in self.barriers if (first < end and start < final) or start < first < end]
        why = ", since no entity goes over markup, an emoji or the bar of a table" if over else ""
        return f"this constraint cannot hold{why}: {shown}"


def _best_path(lattice: Lattice) -> NDArray[np.int64]:
    """The best path of states (T,), found in the number type of tagging, so that ties end alike."""
    emissions, tables = lattice.emissions.astype(np.float32), lattice.tables.astype(np.float32)
    with computing():
        path: NDArray[np.int64] = crf.viterbi(emissions[None], np.array([len(emissions)]), tables)[0]
    return path
