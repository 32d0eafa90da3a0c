"""JSON lines of Prodigy: a text with its tokens and spans, and the answer of the annotator.

    {"text": "Rome is old", "tokens": [{"text": "Rome", "start": 0, "end": 4, "id": 0, "ws": true}, ...],
     "spans": [{"start": 0, "end": 4, "token_start": 0, "token_end": 0, "label": "LOC"}], "answer": "accept"}

`token_end` is inclusive, `end` is not. Offsets count code points. `db-in` and the recipes of Prodigy read what is
written; an answer is only written where the source has one: `db-in` takes records without for accepted. `text_json`
reads these lines as it reads all texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ner_lstm_crf.formats.format import Sample
from ner_lstm_crf.formats.options import WriteOptions
from ner_lstm_crf.formats.text_json import ENTITY_KEYS, AnnotatedText, JsonTextFormat, annotate

_SIGNS = ("_input_hash", "_task_hash", "_session_id", "_annotator_id", "_view_id")


class Prodigy(JsonTextFormat):
    """JSON lines of Prodigy."""

    name = "prodigy"
    description = "JSON lines of Prodigy"

    def detect(self, sample: Sample) -> bool:
        """True if the first line is an object with a text and spans, and with tokens, an answer or hashes."""
        content = sample.content or {}
        if not isinstance(content.get("text"), str) or not isinstance(content.get("spans"), list):
            return False
        is_marked = any(key in content for key in _SIGNS) or content.get("answer") in ("accept", "reject", "ignore")
        return is_marked or bool(_tokens_of(content))

    def content_of(self, text: AnnotatedText, options: WriteOptions) -> dict[str, object]:
        """The object with tokens, of which none is cut by an entity, and spans."""
        rest = {key: value for key, value in text.rest.items() if key not in (*ENTITY_KEYS, "tokens")}
        tokens = _tokens_of(text.rest)
        starts = {token["start"]: number for number, token in enumerate(tokens)}
        ends = {token["end"]: number for number, token in enumerate(tokens)}
        if not all(one.start in starts and one.end in ends for one in text.entities):
            tokens = []
        if not tokens:
            cut = [token for sentence in annotate(text, options.token_unit or "word") for token in sentence.tokens]
            nexts = [*(token.start for token in cut), len(text.text)][1:]
            tokens = [
                {"text": token.text, "start": token.start, "end": token.end, "id": number, "ws": after > token.end}
                for number, (token, after) in enumerate(zip(cut, nexts, strict=True))
            ]
            starts = {token["start"]: number for number, token in enumerate(tokens)}
            ends = {token["end"]: number for number, token in enumerate(tokens)}
        spans = list[dict[str, object]]()
        for one in text.entities:
            span: dict[str, object] = {"start": one.start, "end": one.end}
            if one.start in starts and one.end in ends:  # else it begins or ends with what is in no token
                span |= {"token_start": starts[one.start], "token_end": ends[one.end]}
            score = {} if one.score is None else {"score": round(one.score, 4)}
            spans.append({**span, "label": one.label, **score})
        return {"text": text.text, "tokens": tokens, "spans": spans, **rest}


def _tokens_of(content: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The tokens of a record; none if it has no tokens of this form."""
    tokens = content.get("tokens")
    if not isinstance(tokens, list):
        return []
    are_tokens = all(isinstance(one, dict) and {"text", "start", "end", "id"} <= one.keys() for one in tokens)
    have_offsets = are_tokens and all(type(one["start"]) is int is type(one["end"]) for one in tokens)
    return tokens if have_offsets else []
