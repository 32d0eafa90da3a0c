"""A text explained: what each token scores, what the transitions changed, how probable each entity is, what else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter

from ner_lstm_crf.errors import counted
from ner_lstm_crf.explanation.decisions import decisions_of, reason, text_between
from ner_lstm_crf.explanation.figures import emission_figure, percent, tags_shown, transition_figure
from ner_lstm_crf.explanation.marked_text import in_html
from ner_lstm_crf.explanation.style import escaped, fragment, page
from ner_lstm_crf.explanation.terminal import sentence_lines
from ner_lstm_crf.tagging.analysis import LEAST, Analysis
from ner_lstm_crf.text.annotation import Sentence, Span

_MOST_COMPETITORS, _MOST_READINGS = 3, 3


@dataclass(frozen=True, slots=True)
class Explanation:
    """The sentences of a text, explained: a page, a part of a notebook, or text for a terminal.

    `html()` is a page that is complete in itself: it loads nothing and needs no script. `print(explanation)` shows the
    same on a terminal.

    Attributes:
        analyses: The analysis of each sentence; those that were given constraints are explained under them.

    Example:
        >>> from ner_lstm_crf import Tagger
        >>> page = Tagger.load("en").explain("Angela Merkel visited Rome.").html()
        >>> page.startswith("<!DOCTYPE html>"), "<script" in page
        (True, False)
    """

    analyses: Sequence[Analysis]

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        """The explanation for a notebook."""
        return fragment(self._parts())

    def html(self, title: str = "What the tagger found, and why") -> str:
        """The explanation as a page."""
        return page(title, [f"<h1>{escaped(title)}</h1>\n", *self._parts()])

    def section(self) -> str:
        """The explanation as a part of a page that has the style `explanation.style.STYLE`, within class `nlc`."""
        return "".join(self._parts())

    def text(self, *, width: int = 100, colours: bool = False) -> str:
        """The explanation for a terminal.

        Args:
            width: Characters of a line; labels that play no part are left out if there are too many.
            colours: True for shades, by the control sequences of terminals with 256 colours.
        """
        return "\n".join(line for analysis in self.analyses for line in sentence_lines(analysis, width, colours))

    def _parts(self) -> Iterator[str]:
        """The parts of a page."""
        for number, analysis in enumerate(self.analyses, 1):
            yield _sentence(analysis, number)
        for analysis in self.analyses[:1]:
            yield f"""\
<section>
<details>
<summary>The transition scores of the model</summary>
<figure>
{transition_figure(analysis)}<figcaption>The score of each tag (columns) after each other (rows). A dot stands for a
transition that {analysis.tag_set.scheme.name} forbids.</figcaption>
</figure>
</details>
</section>
"""


def _sentence(analysis: Analysis, number: int) -> str:
    """The section of one sentence."""
    # 1. What is said if it applies.
    known, left_out = "", len(analysis.tag_set) - len(tags_shown(analysis))
    if analysis.constraints:
        probability = escaped(percent(analysis.constraint_probability))
        known = (
            f'<p class="note">Under constraints; by the model alone they hold with a probability of {probability}.</p>'
        )
    fewer = f" {counted(left_out, 'tag')} of labels that play no part are left out." * (left_out > 0)
    # 2. What the transitions changed, and the readings.
    decisions = [
        f'<li><bdi dir="auto">{escaped(text_between(analysis, decision.start, decision.end))}</bdi>: '
        f"{escaped(reason(analysis, decision))}</li>"
        for decision in decisions_of(analysis)
    ]
    changed = f"<ul>\n{chr(10).join(decisions)}\n</ul>"
    if not decisions:
        changed = '<p class="note">Nothing: each token has the tag with its highest emission.</p>'
    readings = "".join(
        f"<li>{escaped(percent(reading.probability))} {_marked(analysis, reading.spans)}</li>\n"
        for reading in analysis.alternatives(_MOST_READINGS)
    )
    return f"""\
<section aria-label="Sentence {number}">
{_marked(analysis, analysis.spans)}{known}
<figure>
{emission_figure(analysis)}<figcaption>Figure {number}. The emission of each tag for each token, shaded by
how near it is to the highest of the token. <span class="key path"></span> the best sequence of tags (Viterbi);
<span class="key alone"></span> the highest emission, where it is another. The last column is the probability of the
best tag.{fewer}</figcaption>
</figure>
<h2>What the transitions changed</h2>
{changed}
<h2>Entities</h2>
{_entities(analysis)}<h2>The most probable readings</h2>
<ol class="readings">
{readings}</ol>
<p class="note">The entropy of the sentence is {analysis.entropy:.2f} nats; it would be 0 if the model were certain.</p>
<details>
<summary>Marginals: the probability of each tag for each token</summary>
<figure>
{emission_figure(analysis, probabilities=True)}<figcaption>Each is the sum over all sequences of tags.</figcaption>
</figure>
</details>
</section>
"""


def _entities(analysis: Analysis) -> str:
    """The entities, their probabilities and competitors, and what is no entity but might be."""
    # 1. A row for each entity.
    probable, rows = sorted(analysis.probable_spans(LEAST), key=itemgetter(1), reverse=True), list[str]()
    for span, score in zip(analysis.spans, analysis.scores, strict=True):
        rivals = [one for one in probable if one.span != span and _overlap(one.span, span)]
        others = "; ".join(_scored(analysis, *one) for one in rivals[:_MOST_COMPETITORS])
        name, probability = _name(analysis, span), escaped(percent(score))
        rows.append(f'<tr><td>{name}</td><td class="number">{probability}</td><td>{others}</td></tr>\n')
    # 2. What overlaps none of them.
    missed = [one for one in probable if not any(_overlap(one.span, span) for span in analysis.spans)]
    possible = "; ".join(_scored(analysis, *one) for one in missed[:_MOST_COMPETITORS])
    notes = ["None found."] * (not rows) + [f"Not found, but possible: {possible}"] * bool(possible)
    heads = '<th scope="col">entity</th><th scope="col" class="number">probability</th><th scope="col">or else</th>'
    table = f'<table class="list">\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{"".join(rows)}</tbody></table>\n'
    return table * bool(rows) + f'<p class="note">{" ".join(notes)}</p>\n' * bool(notes)


def text_of(analysis: Analysis) -> tuple[str, int]:
    """The text of a sentence, and its offset in the source."""
    start, end = analysis.tokens[0].start, analysis.tokens[-1].end
    if analysis.source is not None:
        return analysis.source[start:end], start
    text = ""
    for token in analysis.tokens:
        text += " " * (token.start - start - len(text)) + token.text
    return text, start


def _marked(analysis: Analysis, spans: tuple[Span, ...]) -> str:
    """The text of a sentence with these spans in colours."""
    text, offset = text_of(analysis)
    entities = Sentence(analysis.tokens, spans).entities(analysis.source)
    moved = [replace(one, start=one.start - offset, end=one.end - offset) for one in entities]
    return in_html(text, moved, analysis.tag_set.labels)


def _name(analysis: Analysis, span: Span) -> str:
    """The text of a span with its label."""
    text = text_between(analysis, span.start, span.end)
    return f'<bdi dir="auto">{escaped(text)}</bdi> <span class="label">{escaped(span.label)}</span>'


def _scored(analysis: Analysis, span: Span, probability: float) -> str:
    """The same with its probability."""
    return f"{_name(analysis, span)} {escaped(percent(probability))}"


def _overlap(span: Span, other: Span) -> bool:
    """True if two spans share a token."""
    return span.start < other.end and other.start < span.end
