"""The addresses of the service, their limits and their errors."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from itertools import product
from typing import Any

import jsonschema_rs
import pytest
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.routing import Mount

from ner_lstm_crf import Constraints, Tagger
from ner_lstm_crf.serving.app import Limits, service

TEXT = "Angela Merkel visited Rome with Milo Frank."
LIMITS = Limits(text_characters=2000, explained_characters=200, texts=10, body_bytes=50_000)


@pytest.fixture(scope="module")
def taggers() -> dict[str, Tagger]:
    return {name: Tagger.load(name) for name in ("en", "zh")}


@pytest.fixture(scope="module")
def client(taggers: dict[str, Tagger]) -> Iterator[TestClient]:
    with TestClient(service(taggers, by_script=True, limits=LIMITS)) as client:
        yield client


def test_texts_are_tagged_as_in_python_each_by_the_model_of_its_script(
    client: TestClient, taggers: dict[str, Tagger]
) -> None:
    texts = [TEXT, "我在北京见了王小明。", "", "😀 Rome \u200b!", "x" * 2000]
    answer = client.post("/tag", json={"texts": texts})
    assert answer.status_code == 200
    results = answer.json()["results"]
    assert [one["model"] for one in results] == ["en", "zh", "en", "en", "en"]
    for text, one in zip(texts, results, strict=True):
        assert one["entities"] == [entity.to_json() for entity in taggers[one["model"]].tag(text)]
    assert client.post("/tag", json={"text": TEXT}).json()["results"] == results[:1]
    assert client.post("/tag", json={"texts": []}).json() == {"results": []}


@pytest.mark.parametrize(
    "body",
    [
        {"text": TEXT},
        {"text": "我在北京。😀 \u2028", "min_score": 0},
        {"texts": [TEXT, ""], "labels": ["PER"], "model": "en"},
        {"texts": []},
        {"text": TEXT, "known": {"spans": [{"start": 0, "end": 13, "label": "ORG"}]}},
        {"text": TEXT, "known": {"spans": [{"start": 1, "end": 2, "label": "ORG"}]}},
        {"text": TEXT, "model": "fr"},
        {"text": TEXT, "labels": ["XYZ"]},
        {"text": TEXT, "min_score": "0.5"},
        {"text": "x" * 2001},
        {"texts": [TEXT] * 11},
        {"text": "\ud800"},
        {"text": TEXT, "texts": []},
        [],
    ],
)
def test_a_request_is_answered_in_the_short_way_as_by_fastapi(client: TestClient, body: Any) -> None:
    """The short way is that of `Content-Type: application/json`, without any parameter."""
    sent = json.dumps(body).encode()
    short, usual = (
        client.post("/tag", content=sent, headers={"Content-Type": kind})
        for kind in ("application/json", "application/json; charset=utf-8")
    )
    assert (short.status_code, short.content, short.headers) == (usual.status_code, usual.content, usual.headers)


def test_a_named_model_a_least_score_and_labels_choose_what_is_found(
    client: TestClient, taggers: dict[str, Tagger]
) -> None:
    tagged = [entity.to_json() for entity in taggers["zh"].tag(TEXT)]
    assert client.post("/tag", json={"text": TEXT, "model": "zh"}).json()["results"][0]["entities"] == tagged
    everything = client.post("/tag", json={"text": TEXT}).json()["results"][0]["entities"]
    least = sorted(one["score"] for one in everything)[1]
    some = client.post("/tag", json={"text": TEXT, "min_score": least}).json()["results"][0]["entities"]
    assert some == [one for one in everything if one["score"] >= least]
    assert 0 < len(some) < len(everything)
    places = client.post("/tag", json={"text": TEXT, "labels": ["LOC"]}).json()["results"][0]["entities"]
    assert places == [one for one in everything if one["label"] == "LOC"]
    assert places


def test_what_a_person_knows_changes_the_rest_as_in_python(client: TestClient, taggers: dict[str, Tagger]) -> None:
    known = {"spans": [{"start": 0, "end": 13, "label": "ORG"}], "rejected": [{"start": 22, "end": 26, "label": "LOC"}]}
    answer = client.post("/tag", json={"text": TEXT, "known": known}).json()["results"][0]["entities"]
    constraints = Constraints([(0, 13, "ORG")], [(22, 26, "LOC")])
    assert answer == [entity.to_json() for entity in taggers["en"].tag(TEXT, constraints=constraints)]
    assert answer[0]["label"] == "ORG"
    explained = client.post("/explain", json={"text": TEXT, "known": known}).json()
    assert explained["sentences"][0]["best"][:2] == ["B-ORG", "E-ORG"]


def test_an_explanation_has_the_numbers_of_the_analysis(client: TestClient, taggers: dict[str, Tagger]) -> None:
    answer = client.post("/explain", json={"text": TEXT}).json()
    (analysis,) = taggers["en"].analyze(TEXT)
    (sentence,) = answer["sentences"]
    assert answer["tags"] == list(analysis.tag_names)
    assert sentence["tokens"] == analysis.words
    assert sentence["starts"] == [token.start for token in analysis.tokens]
    assert sentence["best"] == analysis.best
    assert sentence["softmax"] == analysis.softmax
    assert [[pytest.approx(value, abs=1e-3) for value in row] for row in analysis.emissions.tolist()] == sentence[
        "emissions"
    ]
    assert [[pytest.approx(value, abs=1e-4) for value in row] for row in analysis.marginals.tolist()] == sentence[
        "marginals"
    ]
    assert [one["text"] for one in sentence["entities"]] == [one.text for one in analysis.entities]
    for one in (other for entity in sentence["entities"] for other in entity["alternatives"]):
        assert one["text"] == TEXT[one["start"] : one["end"]]
        assert 0.01 <= one["probability"] < 1
    assert "<figure>" in answer["html"]
    assert "<script" not in answer["html"]


@pytest.mark.parametrize(
    ("path", "body", "status", "detail"),
    [
        ("/tag", {"texts": ["x"] * 11}, 413, "expected at most 10 texts, got 11"),
        ("/tag", {"texts": ["", "x" * 2001]}, 413, "at most 2,000 characters in a text: text 2 has 2,001"),
        ("/explain", {"text": "x" * 201}, 413, "at most 200 characters in such a request, got 201"),
        ("/tag", {"text": "x" * 60_000}, 413, "a body of at most 50,000 bytes"),
        ("/tag", {"text": TEXT, "model": "de"}, 400, "expected one of the models en, zh, got 'de'"),
        ("/tag", {"text": TEXT, "labels": ["PERSON"]}, 400, "expected labels of LOC, ORG, PER, got 'PERSON'"),
        ("/tag", {"text": TEXT, "known": {"forbidden": ["GPE"]}}, 400, "GPE"),
        ("/tag", {"text": TEXT, "known": {"spans": [{"start": 1, "end": 4, "label": "PER"}]}}, 400, "expected"),
        ("/tag", {"text": TEXT, "known": {"rejected": [{"start": 0, "end": 999, "label": "PER"}]}}, 400, "expected"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_reason(
    client: TestClient, path: str, body: dict[str, object], status: int, detail: str
) -> None:
    answer = client.post(path, json=body)
    assert answer.status_code == status, answer.text
    assert detail in answer.json()["detail"]


def test_the_description_allows_one_text_or_several_as_the_service_does(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    schema = jsonschema_rs.validator_for(
        {**described["components"]["schemas"]["TagRequest"], "components": described["components"]}
    )
    answers = []
    for text, texts in product([{}, {"text": None}, {"text": "a"}], [{}, {"texts": None}, {"texts": ["a"]}]):
        answers.append(client.post("/tag", json=text | texts).status_code == 200)
        assert schema.is_valid(text | texts) == answers[-1], text | texts
    assert sum(answers) == 4  # null is as good as nothing


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[]",
        b"{",
        b'{"text": 3}',
        b'{"text": "a", "texts": []}',
        b'{"texts": ["a", null]}',
        b'{"text": "a", "min_score": NaN}',
        b'{"text": "a", "min_score": "0.5"}',
        b'{"text": "a", "min_score": 1e999}',
        b'{"text": "\\ud800"}',
        b'{"text": "a", "other": "\\udfff"}',
        b'{"text": "a", "unknown": 1}',
        b'{"texts": ["a"], "known": {}}',
        b'{"text": "Rome", "known": {"spans": [{"start": 4, "end": 4, "label": "PER"}]}}',
        b"\xff\xfe",
        b"[" * 40_000,
    ],
)
def test_a_body_that_is_no_request_is_a_clear_4xx(client: TestClient, body: bytes) -> None:
    answer = client.post("/tag", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["detail"]


def test_a_body_without_a_length_is_refused_when_it_grows_too_long(client: TestClient) -> None:
    def parts() -> Iterator[bytes]:
        yield b'{"text": "'
        for _ in range(100):
            yield b"x" * 1000

    assert client.post("/tag", content=parts(), headers={"Content-Type": "application/json"}).status_code == 413
    whole = [json.dumps({"text": TEXT}).encode()[at : at + 7] for at in range(0, 60, 7)]
    answer = client.post("/tag", content=iter(whole), headers={"Content-Type": "application/json"})
    assert answer.json()["results"][0]["entities"][0]["text"] == "Angela Merkel"


def test_models_health_and_openapi_are_described(client: TestClient, taggers: dict[str, Tagger]) -> None:
    models = client.get("/models").json()
    assert [one["name"] for one in models["models"]] == ["en", "zh"]
    assert models["by_script"]
    assert models["models"][1]["token_unit"] == "character"
    assert models["models"][0]["labels"] == list(taggers["en"].labels)
    assert client.get("/health").json() == {"status": "ok"}
    assert client.get("/ready").json() == {"status": "ready"}
    described = client.get("/openapi.json").json()
    assert {"/tag", "/explain", "/models", "/health", "/ready"} <= described["paths"].keys()
    assert {"400", "413", "422", "503"} <= described["paths"]["/tag"]["post"]["responses"].keys()


def test_metrics_count_requests_texts_and_entities(taggers: dict[str, Tagger]) -> None:
    with TestClient(service({"en": taggers["en"]})) as client:
        client.post("/tag", json={"texts": [TEXT, "Oslo"]})
        client.post("/tag", json={})
        client.get("/nothing")
        lines = client.get("/metrics").text.splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert values['ner_lstm_crf_requests_total{path="/tag",status="200"}'] == "1.0"
    assert values['ner_lstm_crf_requests_total{path="/tag",status="422"}'] == "1.0"
    assert values['ner_lstm_crf_requests_total{path="other",status="404"}'] == "1.0"
    assert values["ner_lstm_crf_texts_total"] == "2.0"
    assert values["ner_lstm_crf_characters_total"] == f"{len(TEXT) + 4}.0"
    assert float(values['ner_lstm_crf_entities_total{label="PER"}']) == 2
    assert values["ner_lstm_crf_waiting_characters"] == "0.0"


def test_a_fault_is_counted_as_one(taggers: dict[str, Tagger], monkeypatch: pytest.MonkeyPatch) -> None:
    app = service({"en": taggers["en"]})
    with TestClient(app, raise_server_exceptions=False) as client:
        with monkeypatch.context() as patch:
            patch.setattr(taggers["en"], "tag_many", lambda _: 1 // 0)
            assert client.post("/tag", json={"text": TEXT}).status_code == 500
        assert client.post("/tag", json={"text": TEXT}).status_code == 200
        counted = client.get("/metrics").text
    assert 'ner_lstm_crf_requests_total{path="/tag",status="500"} 1.0' in counted
    assert 'ner_lstm_crf_requests_total{path="/tag",status="200"} 1.0' in counted


def test_nothing_is_tagged_for_a_client_that_leaves_before_the_end_of_its_request(taggers: dict[str, Tagger]) -> None:
    app = service({"en": taggers["en"]})
    headers = [(b"content-type", b"application/json"), (b"content-length", b"100")]
    messages = [
        {"type": "http.request", "body": json.dumps({"text": TEXT}).encode(), "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent = list[Any]()

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/tag", "headers": headers, "query_string": b"", "app": app}
    asyncio.run(app(scope, receive, send))
    assert sent == []
    with TestClient(app) as client:
        counted = client.get("/metrics").text
    assert 'status="499"} 1.0' in counted
    assert "ner_lstm_crf_texts_total 0.0" in counted


def test_it_may_be_a_part_of_another_application(taggers: dict[str, Tagger]) -> None:
    app = service({"en": taggers["en"]})
    whole = Starlette(routes=[Mount("/ner", app)])
    client = TestClient(whole)
    answer = client.post("/ner/tag", json={"text": TEXT})
    assert answer.json()["results"][0]["entities"] == [entity.to_json() for entity in taggers["en"].tag(TEXT)]
    assert client.post("/tag", json={"text": TEXT}).status_code == 404
    assert client.get("/ner/health").json() == {"status": "ok"}
    with TestClient(app):  # whose end ends its thread
        pass


def test_a_full_queue_answers_503_with_the_seconds_to_wait(taggers: dict[str, Tagger]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    limits = Limits(waiting_characters=3000, batch_characters=1000)
    with TestClient(service({"en": taggers["en"]}, limits=limits)) as client, ThreadPoolExecutor(12) as pool:
        ask = {"text": "Rome and Oslo. " * 60}
        answers = list(pool.map(lambda _: client.post("/tag", json=ask), range(60)))
        assert {one.status_code for one in answers} == {200, 503}
        for one in answers:
            if one.status_code == 503:
                assert int(one.headers["Retry-After"]) >= 1
                assert "too many requests wait" in one.json()["detail"]
        assert client.post("/tag", json=ask).status_code == 200


def test_a_service_that_stops_says_so_and_ends_connections(taggers: dict[str, Tagger]) -> None:
    app = service({"en": taggers["en"]})
    with TestClient(app) as client:
        app.state.stopping = True
        answer = client.get("/ready")
        assert answer.status_code == 503
        assert answer.headers["Connection"] == "close"
        assert client.post("/tag", json={"text": TEXT}).status_code == 200


def test_the_page_loads_nothing_from_elsewhere(client: TestClient) -> None:
    for path in ("/", "/page.js", "/page.css", "/marks.css"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "http://" not in answer.text.replace("http://www.w3.org/2000/svg", "")
        assert "https://" not in answer.text


def test_a_service_needs_its_taggers(taggers: dict[str, Tagger]) -> None:
    with pytest.raises(ValueError, match="expected taggers, got none"):
        service({})
    with pytest.raises(ValueError, match="expected taggers en and zh, got en"):
        service({"en": taggers["en"]}, by_script=True)
