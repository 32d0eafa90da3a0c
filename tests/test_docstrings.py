"""Every example in a docstring of the package is run, and says what it says it says."""

from __future__ import annotations

import doctest
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import walk_packages

import pytest

import ner_lstm_crf

MODULES = ["ner_lstm_crf", *(module.name for module in walk_packages(ner_lstm_crf.__path__, "ner_lstm_crf."))]
OPTIONAL = {"matplotlib", "transformers"}


def examples_in(module: str) -> int:
    """The number of examples in the source, whether doctest finds them or not."""
    spec = find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return sum(line.lstrip().startswith(">>> ") for line in Path(spec.origin).read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("name", [name for name in MODULES if examples_in(name)])
def test_the_examples_of_a_module_hold(name: str) -> None:
    try:
        module = import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in OPTIONAL:
            raise
        pytest.skip(f"{error.name} is not installed")
    tests = doctest.DocTestFinder(exclude_empty=True).find(module)
    assert sum(len(test.examples) for test in tests) == examples_in(name)
    report: list[str] = []
    runner = doctest.DocTestRunner(verbose=False)
    for test in tests:
        runner.run(test, out=report.append)
    assert runner.failures == 0, "".join(report)


def test_the_package_has_examples() -> None:
    assert sum(map(examples_in, MODULES)) > 50
