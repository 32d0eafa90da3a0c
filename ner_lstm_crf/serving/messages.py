"""The JSON of requests and answers, as OpenAPI describes it.

All places count characters (Unicode code points) from 0, ends are exclusive. In JavaScript, whose strings count UTF-16
units, `Array.from(text).slice(start, end).join("")` is the text of an entity.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from ner_lstm_crf.tagging.constraints import Constraints
from ner_lstm_crf.text.annotation import Entity


def _encodable(text: str) -> str:
    """The text, unless it holds half of a character, which JSON can write and no encoding can."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"expected whole characters, found half of one at {error.start}") from error
    return text


Text = Annotated[str, AfterValidator(_encodable)]
Probability = Annotated[float, Field(ge=0, le=1)]
Offset = Annotated[int, Field(ge=0, le=2**31)]
Label = Annotated[str, Field(min_length=1, max_length=200, examples=["PER"])]


class Message(BaseModel):
    """What all have in common: no other fields, and no value that is turned into one of another type."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Marked(Message):
    """A place in a text, and a label."""

    start: Offset
    end: Offset
    label: Label

    @model_validator(mode="after")
    def _check(self) -> Marked:
        """Refuse a place that holds nothing."""
        if self.start >= self.end:
            raise ValueError("expected a start before the end")
        return self


class Known(Message):
    """What is known of the entities of a text, by a person; the others adapt to it."""

    spans: list[Marked] = Field(default=[], max_length=1000, description="entities that are there")
    rejected: list[Marked] = Field(default=[], max_length=1000, description="entities that are not there")
    forbidden: list[Label] = Field(default=[], max_length=100, description="labels that do not occur")

    def constraints(self) -> Constraints | None:
        """The same for the library; None if nothing is known."""
        spans, rejected = ([(one.start, one.end, one.label) for one in given] for given in (self.spans, self.rejected))
        return Constraints(spans, rejected, self.forbidden) or None


class Unsplit(Message):
    """A text, and the model to use."""

    text: Text = Field(examples=["Angela Merkel visited Rome."])
    model: str | None = Field(
        default=None, description="name of a model; none: that of the text's script, or the first"
    )


class OneText(Unsplit):
    """A text, the model to use and what is known."""

    known: Known | None = Field(default=None, description="what is known of its entities")


class TagRequest(Message):
    """Either one text or several."""

    text: Text | None = Field(default=None, description="one text")
    texts: list[Text] | None = Field(default=None, description="several texts")
    model: str | None = Field(
        default=None, description="name of a model; none: that of the text's script, or the first"
    )
    min_score: Probability = Field(default=0.0, description="least probability of an entity")
    labels: list[Label] | None = Field(default=None, max_length=1000, description="labels to find; none: all")
    known: Known | None = Field(default=None, description="what is known of the entities of one text")

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [  # null is as good as nothing
                {"required": ["text"], "properties": {"text": {"type": "string"}}},
                {"required": ["texts"], "properties": {"texts": {"type": "array"}}},
            ],
            "examples": [
                {"text": "Angela Merkel visited Rome."},
                {"texts": ["Angela Merkel visited Rome.", "我在北京。"], "min_score": 0.5, "labels": ["PER", "LOC"]},
            ],
        }
    )

    @model_validator(mode="after")
    def _check(self) -> TagRequest:
        """Refuse none or both, and what is known of several."""
        if (self.text is None) == (self.texts is None):
            raise ValueError("expected either text or texts")
        if self.known is not None and self.text is None:
            raise ValueError("expected one text with known")
        return self


class FoundEntity(Message):
    """An entity."""

    start: int
    end: int
    label: str
    text: str
    score: float = Field(description="probability that exactly this is an entity with this label")

    @classmethod
    def of(cls, entity: Entity) -> FoundEntity:
        """An entity of the library."""
        return cls(
            start=entity.start,
            end=entity.end,
            label=entity.label,
            text=entity.text,
            score=round(entity.score or 0.0, 4),
        )


class Tagged(Message):
    """The entities of one text, in order."""

    model: str
    entities: list[FoundEntity]


class TagAnswer(Message):
    """A result for each text, in the order given."""

    results: list[Tagged]


class Alternative(Message):
    """Another reading of a place, and its probability."""

    start: int
    end: int
    label: str
    text: str
    probability: float


class ExplainedEntity(FoundEntity):
    """An entity, and what it might be instead."""

    alternatives: list[Alternative]


class ExplainedSentence(Message):
    """What the model knows of a sentence.

    T tokens, K tags.
    """

    tokens: list[str] = Field(description="(T)")
    starts: list[int] = Field(description="first character of each token (T)")
    best: list[str] = Field(description="the tags of the best sequence (T)")
    softmax: list[str] = Field(description="the tag with the highest emission of each token (T)")
    emissions: list[list[float]] = Field(description="the score of each tag for each token (T, K)")
    marginals: list[list[float]] = Field(description="the probability of each tag for each token (T, K)")
    entropy: float = Field(description="of the distribution over sequences of tags, in nats")
    entities: list[ExplainedEntity]


class Explained(Message):
    """Why the model finds what it finds."""

    model: str
    tags: list[str] = Field(description="(K)")
    sentences: list[ExplainedSentence]
    html: str = Field(description="the same to look at: a part of a page, in the style of /marks.css")


class Place(Message):
    """A token."""

    start: int
    end: int


class Split(Message):
    """The tokens of each sentence."""

    model: str
    sentences: list[list[Place]]


class Served(Message):
    """A model."""

    name: str
    labels: list[str]
    token_unit: str = Field(description="word or character")
    scheme: str


class Models(Message):
    """The models; the first is the one that is used unless a request names another."""

    models: list[Served]
    by_script: bool = Field(description="true if the model is chosen by the script of each text, where none is named")


class State(Message):
    """Whether the service lives, or is ready for requests."""

    status: str


class Problem(Message):
    """What is wrong with a request."""

    detail: str
