"""The application: what each address does, its limits and its metrics.

POST /tag        texts -> entities with their probabilities
POST /explain    a text -> emissions, probabilities, other readings
GET  /models     what can be asked for
GET  /health     the process lives
GET  /ready      it takes requests: 503 while it stops
GET  /metrics    for Prometheus
GET  /           the page; /openapi.json describes all of it
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from time import perf_counter
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exception_handlers import http_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from pydantic import ValidationError
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ner_lstm_crf import __version__
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.explanation.explanation import Explanation
from ner_lstm_crf.explanation.style import STYLE
from ner_lstm_crf.serving.batching import Batcher, BusyError
from ner_lstm_crf.serving.messages import (
    Alternative,
    Explained,
    ExplainedEntity,
    ExplainedSentence,
    FoundEntity,
    Models,
    OneText,
    Place,
    Problem,
    Served,
    Split,
    State,
    TagAnswer,
    Tagged,
    TagRequest,
    Unsplit,
)
from ner_lstm_crf.tagging.analysis import Analysis
from ner_lstm_crf.tagging.constraints import Constraints, constraints_of_sentences
from ner_lstm_crf.tagging.tagger import Tagger
from ner_lstm_crf.text.annotation import Entity
from ner_lstm_crf.text.scripts import script_language

# The page loads nothing from elsewhere, and runs nothing but its own file.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = {
    "/": ("index.html", "text/html"),
    "/page.js": ("page.js", "text/javascript"),
    "/page.css": ("page.css", "text/css"),
}
_JSON = "application/json"
_GONE = 499  # what servers log for a request whose client left before its end
_LEAST_ALTERNATIVE = 0.01  # probability of another reading that is shown


@dataclass(frozen=True, slots=True)
class Limits:
    """What a request may hold, and how many may wait.

    Attributes:
        text_characters: Characters of a text.
        explained_characters: Characters of a text that is explained, or tagged with what is known: all of its tags and
            probabilities are in memory at once.
        texts: Texts of a request.
        body_bytes: Bytes of a request's body.
        batch_characters: Characters that are tagged at once.
        waiting_characters: Characters that may wait; beyond them a request is answered by 503.
    """

    text_characters: int = 100_000
    explained_characters: int = 5_000
    texts: int = 1_000
    body_bytes: int = 4_000_000
    batch_characters: int = 32_000
    waiting_characters: int = 2_000_000


def service(taggers: Mapping[str, Tagger], *, by_script: bool = False, limits: Limits | None = None) -> FastAPI:
    """The application that serves these taggers.

    Args:
        taggers: The taggers by name; the first is used unless a request names another.
        by_script: True to choose "en" or "zh" by the script of each text, unless a request names one.
        limits: The limits; None for the usual ones.

    Raises:
        ValueError: If there is no tagger, or none of the two languages for `by_script`.
    """
    if not taggers or (by_script and not {"en", "zh"} <= taggers.keys()):
        raise ValueError(f"expected taggers{' en and zh' * by_script}, got {', '.join(taggers) or 'none'}")
    return _Service(taggers, by_script, limits or Limits()).app


class _Service:
    """The state behind the addresses, and their functions.

    Attributes:
        app: The application; `app.state.stopping` is True while it stops.
        limits: The limits.
    """

    def __init__(self, taggers: Mapping[str, Tagger], by_script: bool, limits: Limits) -> None:
        self._taggers, self._by_script, self.limits = dict(taggers), by_script, limits
        self._metrics = Metrics()
        count = self._metrics.texts_of_batch.observe
        self._batchers = {
            name: Batcher(
                tagger,
                batch_characters=limits.batch_characters,
                most_characters=limits.waiting_characters,
                tagged=count,
            )
            for name, tagger in taggers.items()
        }
        # The usual pages of documentation would load scripts from elsewhere.
        self.app = FastAPI(
            title="ner_lstm_crf",
            version=__version__,
            summary="Named entities with their probabilities.",
            docs_url=None,
            redoc_url=None,
            lifespan=self._lifespan,
        )
        self.app.state.stopping = False
        self._add_addresses()

    def _add_addresses(self) -> None:
        """The addresses, the errors, and what is around every request."""
        refused: dict[int | str, dict[str, Any]] = {
            400: {"model": Problem, "description": "The request asks for what is not there."},
            413: {"model": Problem, "description": "A text, or the body, is longer than the service takes."},
            503: {"model": Problem, "description": "Too many requests wait; Retry-After says for how many seconds."},
        }
        app = self.app
        app.post("/tag", responses=refused, summary="Entities of texts")(self.tag)
        app.post("/explain", responses=refused, summary="Why a text has these entities")(self.explain)
        app.post("/split", responses=refused, summary="The tokens of a text")(self.split)
        app.get("/models", summary="The models")(self.models)
        app.get("/health", summary="Whether the process lives")(self.health)
        app.get("/ready", responses={503: {"model": State}}, summary="Whether it takes requests")(self.ready)
        app.get("/metrics", include_in_schema=False)(self.metrics)
        for path in (*_PAGE, "/marks.css"):
            app.get(path, include_in_schema=False)(partial(_page, path))
        app.add_exception_handler(RequestValidationError, _invalid)
        app.add_exception_handler(InputError, _unusable)
        app.add_exception_handler(BusyError, _busy)
        app.add_middleware(_Around, service=self)

    @asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        """Tag once before the first request comes; at the end wait for what is being tagged."""
        for batcher in self._batchers.values():
            await batcher.tag(["Ada Lovelace visited Rome. 她在北京。"])
        yield
        for batcher in self._batchers.values():
            batcher.close()

    def count(self, path: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        self._metrics.requests.labels(path, str(status)).inc()
        self._metrics.seconds.labels(path).observe(seconds)
        self._metrics.waiting.set(sum(one.characters for one in self._batchers.values()))

    # The addresses

    async def tag(self, request: TagRequest) -> TagAnswer:
        """The entities of one text or of several, in order, each with the probability that exactly it is there."""
        texts = [request.text] if request.text is not None else list(request.texts or [])
        self._check(texts)
        constraints = request.known.constraints() if request.known else None
        names = [self._model(text, request.model) for text in texts]
        for name in dict.fromkeys(names if request.labels else ()):
            _check_labels(request.labels or [], self._taggers[name])
        found: list[list[Entity]] = [[] for _ in texts]
        if constraints is not None:
            tagger, (text,) = self._taggers[names[0]], texts
            self._check_explained(text)
            found = [await self._batchers[names[0]].call(partial(tagger.tag, text, constraints=constraints), len(text))]
        else:
            # Texts of each model together.
            numbers = {name: [at for at, other in enumerate(names) if other == name] for name in dict.fromkeys(names)}
            for name, of_model in numbers.items():
                tagged = await self._batchers[name].tag([texts[at] for at in of_model])
                for at, entities in zip(of_model, tagged, strict=True):
                    found[at] = entities
        self._metrics.texts.inc(len(texts))
        self._metrics.characters.inc(sum(map(len, texts)))
        labels = None if request.labels is None else set(request.labels)
        results = []
        for name, entities in zip(names, found, strict=True):
            kept = [
                one
                for one in entities
                if (one.score or 0.0) >= request.min_score and (labels is None or one.label in labels)
            ]
            for one in kept:
                self._metrics.entities.labels(one.label).inc()
            results.append(Tagged(model=name, entities=list(map(FoundEntity.of, kept))))
        return TagAnswer(results=results)

    async def explain(self, request: OneText) -> Explained:
        """Why the model finds what it finds: emissions, probabilities, the best sequence of tags, other readings."""
        self._check([request.text])
        self._check_explained(request.text)
        constraints = request.known.constraints() if request.known else None
        name = self._model(request.text, request.model)
        tagger = self._taggers[name]
        return await self._batchers[name].call(
            partial(_explained, name, tagger, request.text, constraints), len(request.text)
        )

    async def split(self, request: Unsplit) -> Split:
        """The sentences of a text as the model reads them."""
        self._check([request.text])
        name = self._model(request.text, request.model)
        tagger, text = self._taggers[name], request.text
        found = await self._batchers[name].call(partial(tagger.split, text), len(text))
        sentences = [[Place(start=one.start, end=one.end) for one in sentence.tokens] for sentence in found]
        return Split(model=name, sentences=sentences)

    async def models(self) -> Models:
        """The models with their labels."""
        served = [
            Served(
                name=name,
                labels=list(tagger.labels),
                token_unit=tagger.model.config.token_unit,
                scheme=tagger.model.tags.scheme.name,
            )
            for name, tagger in self._taggers.items()
        ]
        return Models(models=served, by_script=self._by_script)

    async def health(self) -> State:
        """Always ok: the process answers."""
        return State(status="ok")

    async def ready(self, response: Response) -> State:
        """Ready, until the service stops."""
        if self.app.state.stopping:
            response.status_code = 503
            return State(status="stopping")
        return State(status="ready")

    async def metrics(self) -> Response:
        """The metrics in the format of Prometheus."""
        return Response(self._metrics.text(), media_type=CONTENT_TYPE_LATEST)

    # What they share

    def _check(self, texts: Sequence[str]) -> None:
        """Refuse more than the limits allow.

        Raises:
            HTTPException: 413.
        """
        most = self.limits
        if len(texts) > most.texts:
            raise HTTPException(413, f"expected at most {most.texts:,} texts, got {len(texts):,}")
        for number, text in enumerate(texts, 1):
            if len(text) > most.text_characters:
                found = f"text {number} has {len(text):,}"
                raise HTTPException(413, f"expected at most {most.text_characters:,} characters in a text: {found}")

    def _check_explained(self, text: str) -> None:
        """Refuse a text of which too much would be in memory at once.

        Raises:
            HTTPException: 413.
        """
        if len(text) > (most := self.limits.explained_characters):
            raise HTTPException(413, f"expected at most {most:,} characters in such a request, got {len(text):,}")

    def _model(self, text: str, name: str | None) -> str:
        """The name of the model for a text.

        Raises:
            HTTPException: 400, if it is not served.
        """
        if name is None:
            return script_language([text]) if self._by_script else next(iter(self._taggers))
        if name not in self._taggers:
            raise HTTPException(400, f"expected one of the models {', '.join(self._taggers)}, got {name!r:.80}")
        return name


def _check_labels(labels: Sequence[str], tagger: Tagger) -> None:
    """Refuse a label that a tagger does not know.

    Raises:
        HTTPException: 400.
    """
    unknown = next((label for label in labels if label not in tagger.labels), None)
    if unknown is not None:
        raise HTTPException(400, f"expected labels of {', '.join(tagger.labels)}, got {unknown!r:.80}")


def _explained(name: str, tagger: Tagger, text: str, constraints: Constraints | None) -> Explained:
    """What the model knows of a text.

    Raises:
        InputError: If nothing agrees with the constraints.
    """
    analyses = tagger.analyze(text)
    if constraints is not None:
        parts = constraints_of_sentences(constraints, [analysis.tokens for analysis in analyses])
        analyses = [analysis.given(part) for analysis, part in zip(analyses, parts, strict=True)]
    return Explained(
        model=name,
        tags=list(tagger.model.tags.names),
        sentences=[_explained_sentence(text, analysis) for analysis in analyses],
        html=Explanation(analyses).section(),
    )


def _explained_sentence(text: str, analysis: Analysis) -> ExplainedSentence:
    """What the model knows of one sentence."""
    entities = []
    for entity, span in zip(analysis.entities, analysis.spans, strict=True):
        alternatives = []
        for other, probability in analysis.competitors(span, _LEAST_ALTERNATIVE):
            start, end = analysis.tokens[other.start].start, analysis.tokens[other.end - 1].end
            alternatives.append(
                Alternative(
                    start=start, end=end, label=other.label, text=text[start:end], probability=round(probability, 4)
                )
            )
        entities.append(ExplainedEntity(**FoundEntity.of(entity).model_dump(), alternatives=alternatives))
    return ExplainedSentence(
        tokens=analysis.words,
        starts=[token.start for token in analysis.tokens],
        best=analysis.best,
        softmax=analysis.softmax,
        emissions=analysis.emissions.round(3).tolist(),
        marginals=analysis.marginals.round(5).tolist(),
        entropy=round(analysis.entropy, 4),
        entities=entities,
    )


class Metrics:
    """What Prometheus reads, in a registry of its own."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        name = "ner_lstm_crf_"
        self.requests = Counter(f"{name}requests", "Requests", ["path", "status"], registry=registry)
        self.seconds = Histogram(
            f"{name}request_seconds",
            "Time of a request",
            ["path"],
            registry=registry,
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
        )
        self.texts = Counter(f"{name}texts", "Texts that were tagged", registry=registry)
        self.characters = Counter(f"{name}characters", "Characters of these texts", registry=registry)
        self.entities = Counter(f"{name}entities", "Entities that were found", ["label"], registry=registry)
        self.texts_of_batch = Histogram(
            f"{name}batch_texts",
            "Texts that were tagged together",
            registry=registry,
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024),
        )
        self.waiting = Gauge(
            f"{name}waiting_characters", "Characters that wait", registry=registry, multiprocess_mode="livesum"
        )

    def text(self) -> bytes:
        """The metrics of this process; of all workers together, if they are several."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self.registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)


def _page(path: str) -> Response:
    """A file of the page."""
    name, media_type = _PAGE.get(path, ("", "text/css"))
    content = (files(__package__) / "page" / name).read_bytes() if name else STYLE.encode()
    return Response(content, media_type=media_type, headers={"Content-Security-Policy": _POLICY})


async def _invalid(_: Request, error: Exception) -> Response:
    """422 with the place and the reason of each fault; not what was sent, which may be no valid JSON."""
    faults = error.errors() if isinstance(error, RequestValidationError) else []
    detail = [{"type": one["type"], "loc": list(one["loc"]), "msg": one["msg"]} for one in faults[:20]]
    return Response(json.dumps({"detail": detail}), 422, media_type=_JSON)


async def _unusable(_: Request, error: Exception) -> Response:
    """400: constraints that no sequence of tags agrees with, or places that are no token's."""
    return JSONResponse({"detail": str(error)}, 400)


async def _busy(_: Request, error: Exception) -> Response:
    """503: later there is room."""
    seconds = error.seconds if isinstance(error, BusyError) else 1
    return JSONResponse({"detail": str(error)}, 503, {"Retry-After": str(seconds)})


def _again(body: bytes, receive: Receive) -> Receive:
    """What gives a body that was read, and then whatever comes."""
    whole: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        """The body, once."""
        return whole.pop() if whole else await receive()

    return again


def _is_to_tag(scope: Scope) -> bool:
    """True for a request to tag; the root is where this application is a part of another one."""
    is_address: bool = scope["path"] == scope.get("root_path", "") + "/tag"
    return is_address and scope["method"] == "POST"


class _Around:
    """Around every request: a limit of its body, its count, and the end of its connection while the service stops.

    Requests to tag are answered here, if their body is one.

    Args:
        app: The application behind it.
        service: Whose limits, metrics and state these are.
    """

    def __init__(self, app: ASGIApp, service: _Service) -> None:
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer by 413, or pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = perf_counter(), 500

        async def sending(message: Message) -> None:
            """Send, and remember the status."""
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-content-type-options", b"nosniff")]
                if self._service.app.state.stopping:
                    message["headers"].append((b"connection", b"close"))
            await send(message)

        try:
            await self._answer(scope, receive, sending)
        except ClientDisconnect:
            status = _GONE
        finally:
            path = "/tag" if _is_to_tag(scope) else getattr(scope.get("route"), "path", "other")
            self._service.count(path, status, perf_counter() - began)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer by 413, here, or by the application."""
        most, headers = self._service.limits.body_bytes, dict(reversed(scope["headers"]))  # the first of a name counts
        length = headers.get(b"content-length", b"0")
        is_plain = _is_to_tag(scope) and headers.get(b"content-type") == _JSON.encode()
        if length.isdigit() and int(length) > most:
            await self._refuse(most, scope, receive, send)
        elif is_plain or b"transfer-encoding" in headers:  # a body without a length is read here, up to the limit
            body = await self._read(most, receive)
            if body is None:
                await self._refuse(most, scope, receive, send)
            elif not (is_plain and await self._tag(body, scope, receive, send)):
                await self._app(scope, _again(body, receive), send)
        else:
            await self._app(scope, receive, send)

    async def _tag(self, body: bytes, scope: Scope, receive: Receive, send: Send) -> bool:
        """Answer a request to tag without FastAPI, whose own work is most of the time that a short text takes.

        Returns:
            False, and nothing is sent, if the body is no such request: FastAPI says what is wrong with it.
        """
        try:
            request = TagRequest.model_validate_json(body)
        except ValidationError:
            return False
        answer: Response
        try:
            answer = Response((await self._service.tag(request)).model_dump_json(), media_type=_JSON)
        except HTTPException as error:
            answer = await http_exception_handler(Request(scope), error)
        except InputError as error:
            answer = await _unusable(Request(scope), error)
        except BusyError as error:
            answer = await _busy(Request(scope), error)
        await answer(scope, receive, send)
        return True

    @staticmethod
    async def _read(most: int, receive: Receive) -> bytes | None:
        """The body; None if it is too long.

        Raises:
            ClientDisconnect: If the client leaves before its end.
        """
        parts, size, more = list[bytes](), 0, True
        while more and size <= most:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            parts.append(message.get("body", b""))
            size, more = size + len(parts[-1]), message.get("more_body", False)
        return b"".join(parts) if size <= most else None

    @staticmethod
    async def _refuse(most: int, scope: Scope, receive: Receive, send: Send) -> None:
        """413; the connection ends, since the rest of the body is not read."""
        detail = f"expected a body of at most {most:,} bytes"
        await JSONResponse({"detail": detail}, 413, {"Connection": "close"})(scope, receive, send)
