"""Requests made from the description of the service, right ones and hostile ones: none is a fault of the server."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from ner_lstm_crf import Tagger
from ner_lstm_crf.serving.app import Limits, service


@pytest.mark.parametrize("mode", list(GenerationMode), ids=str)
def test_every_request_is_answered_as_described(mode: GenerationMode, request: pytest.FixtureRequest) -> None:
    app = service({"en": Tagger.load("en")}, limits=Limits(text_characters=5000, explained_characters=1000))
    described = schemathesis.openapi.from_asgi("/openapi.json", app)
    operations = [one.ok() for one in described.get_all_operations()]
    assert {one.path for one in operations} == {"/tag", "/explain", "/split", "/models", "/health", "/ready"}
    for operation in operations:
        if mode is GenerationMode.NEGATIVE and operation.method == "get":
            continue  # there is nothing to get wrong

        @settings(
            max_examples=request.config.getoption("--inputs") // 2,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def answered(case: Any) -> None:
            # A model or label that is not there, and a place that is no token, are refused: no schema says which.
            case.call_and_validate(excluded_checks=[positive_data_acceptance])

        answered()
