"""What requirements-tagging.txt names is all that tagging needs: the same results without torch."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
import venv
from collections.abc import Callable, Iterable
from http.client import HTTPConnection
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.serving.test_server import served

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = [
    Requirement(line)
    for line in (ROOT / "requirements-tagging.txt").read_text("utf-8").splitlines()
    if not line.startswith("#")
]
TEXTS = ["Angela Merkel visited Rome in 1998.", "王小明从北京飞往巴黎。"]

pytestmark = pytest.mark.slow

Light = Callable[..., "subprocess.CompletedProcess[str]"]


def environment(folder: Path, names: Iterable[str]) -> Path:
    """The Python of a new environment that has the package and these requirements alone, as links."""
    venv.create(folder)
    packages = next(folder.glob("lib/python*/site-packages"))
    waiting, seen = list(names), set[str]()
    while waiting:
        found = distribution(waiting.pop())
        if found.name in seen:
            continue
        seen.add(found.name)
        needed = map(Requirement, found.requires or [])
        waiting += [one.name for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
        for part in {file.parts[0] for file in found.files or []} - {"..", "__pycache__"}:
            (packages / part).symlink_to(found.locate_file(part))  # type: ignore[arg-type]
    (packages / "ner_lstm_crf").symlink_to(ROOT / "ner_lstm_crf")
    return folder / "bin" / "python"


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Light:
    """Runs the Python of an environment of the requirements."""
    folder = tmp_path_factory.mktemp("light")
    python = environment(folder, [one.name for one in REQUIREMENTS])

    def run(*arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [python, "-I", *arguments],
            input=stdin,
            cwd=folder,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )

    return run


def here(*arguments: str | Path, stdin: str = "") -> str:
    """The standard output of the same command with everything installed."""
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(
        command, input=stdin, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=True
    ).stdout


def test_torch_is_not_there(light: Light) -> None:
    assert "No module named 'torch'" in light("-c", "import torch").stderr
    assert light("-c", "import ner_lstm_crf, numpy, onnxruntime").returncode == 0


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("options", [["--output-format", "jsonl"], ["--threads", "2"]], ids=" ".join)
def test_texts_are_tagged_as_elsewhere(light: Light, text: str, options: list[str]) -> None:
    arguments = "-m", "ner_lstm_crf", "tag", text, *options
    done = light(*arguments)
    assert done.returncode == 0, done.stderr
    assert "LOC" in done.stdout
    assert done.stdout == here(*arguments)


def test_a_model_is_evaluated_as_elsewhere(light: Light) -> None:
    arguments = "-m", "ner_lstm_crf", "evaluate", "en", ROOT / "corpora" / "en" / "test.conll", "--json"
    done = light(*arguments)
    assert done.returncode == 0, done.stderr
    found, expected = (json.loads(one) | {"seconds": None} for one in (done.stdout, here(*arguments)))
    assert found["f1"] > 0.6
    assert found == expected


PROGRAM = """
import sys
from ner_lstm_crf import Constraints, Tagger, read_sentences
for name, text in zip(("en", "zh"), sys.stdin.read().splitlines()):
    tagger = Tagger.load(name)
    tagger.save(f"{sys.argv[1]}-{name}")
    again = Tagger.load(f"{sys.argv[1]}-{name}", decoding="posterior")
    print(tagger.tag(text), list(tagger.tag_many([text] * 3)), again.tag(text, min_score=0.3))
    (analysis,) = tagger.analyze(text)
    print(analysis.best, analysis.marginals.round(3).tolist(), tagger.vectors(text)[0].shape)
    print(tagger.tag(text, constraints=Constraints()))
"""


def test_a_program_finds_the_same_as_elsewhere(light: Light, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    done = light(tmp_path / "program.py", tmp_path / "light", stdin="\n".join(TEXTS))
    assert done.returncode == 0, done.stderr
    rounded = [
        re.sub(r"(0\.\d{4})\d+", r"\1", one)
        for one in (done.stdout, here(tmp_path / "program.py", tmp_path / "all", stdin="\n".join(TEXTS)))
    ]
    assert "Angela Merkel" in rounded[0]
    assert rounded[0] == rounded[1]


def test_the_service_of_the_image_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the packages that the Dockerfile names beside the requirements."""
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    (more,) = re.findall(r"--requirement \S+ \\\n([\w\s-]+?) \\\n", dockerfile)
    python = environment(tmp_path, [*(one.name for one in REQUIREMENTS), *more.split()])
    assert subprocess.run([python, "-c", "import torch"], capture_output=True, check=False).returncode == 1
    monkeypatch.delenv("PYTHONPATH", raising=False)
    with served(python=str(python)) as (_, port):
        connection = HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("POST", "/tag", json.dumps({"text": TEXTS[0]}), {"Content-Type": "application/json"})
        entities = json.loads(connection.getresponse().read())["results"][0]["entities"]
        connection.close()
    assert [one["text"] for one in entities] == ["Angela Merkel", "Rome"]


def test_training_says_what_is_missing(light: Light) -> None:
    train = ROOT / "corpora" / "en" / "train.conll"
    done = light("-m", "ner_lstm_crf", "train", "--train", train, "--output", "model")
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install torch pytorch-crf" in done.stderr.splitlines()[-1]
    done = light("-c", "from ner_lstm_crf import train")
    assert done.stderr.splitlines()[-1].startswith("ImportError: train: expected the package torch")


@pytest.mark.parametrize("command", ["inspect", "convert", "--help", "--version"])
def test_what_reads_files_alone_works(light: Light, command: str) -> None:
    files = {
        "inspect": [ROOT / "corpora" / "en" / "test.conll"],
        "convert": [ROOT / "corpora" / "en" / "test.conll", "-"],
    }
    done = light("-m", "ner_lstm_crf", command, *files.get(command, []))
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_the_bounds_are_those_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert {str(one) for one in REQUIREMENTS} <= {str(Requirement(one)) for one in project["dependencies"]}
    assert {one.name for one in REQUIREMENTS}.isdisjoint({"torch", "pytorch-crf"})


def test_the_image_holds_what_its_build_reads() -> None:
    """Each file that the build or the Dockerfile needs is among those that .dockerignore lets through."""
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    named = {project["project"]["readme"], *project["project"]["license-files"], "pyproject.toml"}
    named |= {hook["path"] for hook in project["tool"]["hatch"]["build"]["hooks"].values()}
    named |= set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    named |= set(re.findall(r"/source/([\w.-]+)", (ROOT / "Dockerfile").read_text("utf-8")))
    assert {name for name in named if not any(name == one or name.startswith(f"{one}/") for one in kept)} == set()
