"""Where the best sequence of tags differs from the best tags alone, and which transitions made it so."""

from __future__ import annotations

from itertools import groupby
from typing import NamedTuple

from ner_lstm_crf.crf import FORBIDDEN
from ner_lstm_crf.tagging.analysis import Analysis
from ner_lstm_crf.text.annotation import Sentence, Span


class Step(NamedTuple):
    """A transition of the tags alone and the one that the best sequence takes in its place.

    Attributes:
        alone: The names of its two tags, "" for what is around the sentence.
        best: The same of the best sequence.
        alone_score: The score of the first; None if the scheme forbids it.
        best_score: The score of the second.
    """

    alone: tuple[str, str]
    best: tuple[str, str]
    alone_score: float | None
    best_score: float

    @property
    def is_forbidden(self) -> bool:
        """True if the tags alone break the scheme here."""
        return self.alone_score is None


class Decision(NamedTuple):
    """Neighbouring tokens whose tags are not those with the highest emissions.

    Attributes:
        start: The first token.
        end: The token behind the last one.
        alone: The tags with the highest emissions, as a softmax head chooses them.
        best: Those of the best sequence.
        lost: What the emissions of the best tags are lower by.
        gained: What their transitions score more; infinite if the others are forbidden.
        steps: The transitions that differ.
        why: Something else than transitions that decides: constraints, or markup; "" if there is nothing.
    """

    start: int
    end: int
    alone: list[str]
    best: list[str]
    lost: float
    gained: float
    steps: list[Step]
    why: str = ""


def decisions_of(analysis: Analysis) -> list[Decision]:
    """Every run of tokens for which the sequence decides otherwise than the emissions alone."""
    alone, best = analysis.softmax, analysis.best
    numbers = {name: number for number, name in enumerate(analysis.tag_names)}
    held = {token for first, final in analysis.barriers for token in range(first, max(final, first + 1))}
    found = list[Decision]()
    for differs, run in groupby(range(len(analysis)), key=lambda token: alone[token] != best[token]):
        tokens = list(run)
        if not differs:
            continue
        start, end = tokens[0], tokens[-1] + 1
        lost = sum(
            float(analysis.emissions[token, numbers[alone[token]]] - analysis.emissions[token, numbers[best[token]]])
            for token in tokens
        )
        steps = list[Step]()
        for after in range(start, end + 1):
            pair, best_pair = _pair(alone, after), _pair(best, after)
            score, best_score = (_score(analysis, numbers, one) for one in (pair, best_pair))
            steps.append(Step(pair, best_pair, score if score > FORBIDDEN / 2 else None, best_score))
        gained = sum(float("inf") if step.alone_score is None else step.best_score - step.alone_score for step in steps)
        why = "what is known of the sentence decides" if analysis.constraints else ""
        if any(token in held for token in tokens) or end in held:
            why = "no entity goes over the markup, emoji or bar of a table there"
        found.append(Decision(start, end, alone[start:end], best[start:end], lost, gained, steps, why))
    return found


def _pair(tags: list[str], after: int) -> tuple[str, str]:
    """The tags on both sides of a place, "" for what is around the sentence."""
    return tags[after - 1] if after else "", tags[after] if after < len(tags) else ""


def _score(analysis: Analysis, numbers: dict[str, int], pair: tuple[str, str]) -> float:
    """The score of a transition, or of a start or an end."""
    before, after = pair
    if not before:
        return float(analysis.start[numbers[after]])
    if not after:
        return float(analysis.end[numbers[before]])
    return float(analysis.transitions[numbers[before], numbers[after]])


def reason(analysis: Analysis, decision: Decision) -> str:
    """What decided, as a sentence about the tokens of a decision: the emissions prefer ..., but ..."""
    alone, best = " ".join(decision.alone), " ".join(decision.best)
    begins = f"the emissions prefer {alone} to {best} by {decision.lost:.2f}, but "
    if decision.why:
        return f"{begins}{decision.why}."
    forbidden = [step.alone for step in decision.steps if step.is_forbidden]
    if forbidden:
        return f"{begins}{analysis.tag_set.scheme.name} forbids {' and '.join(map(arrow, forbidden))}."
    steps = "; ".join(
        f"{arrow(step.best)} {step.best_score:+.2f} in place of {arrow(step.alone)} {step.alone_score:+.2f}"
        for step in decision.steps
    )
    return f"{begins}the transitions prefer {best} by {decision.gained:.2f}: {steps}."


def arrow(pair: tuple[str, str]) -> str:
    """A transition as it is written: `B-PER → E-PER`."""
    before, after = pair
    return f"{before or '(start)'} → {after or '(end)'}"


def text_between(analysis: Analysis, start: int, end: int) -> str:
    """The text of the tokens from `start` to `end` (exclusive), with the white space between them."""
    (found,) = Sentence(analysis.tokens, (Span(start, end, ""),)).entities(analysis.source)
    return found.text
