"""Ray: what three nodes give is what one process gives, whichever of them, or of their processes, is killed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import psutil
import pyarrow.parquet as pq
import pytest

from ner_lstm_crf import InputError, Sentence, Tagger
from ner_lstm_crf.cli.main import main
from ner_lstm_crf.config import Config
from ner_lstm_crf.integrations.ray import _Actor, _Engine, connected, side_by_side, tag_files
from ner_lstm_crf.runs.data import Data, resolve_defaults
from ner_lstm_crf.runs.processes import PlannedRun, plan_seeds, train_runs
from tests.bulk.made import made_rows, tagged, write_lines
from tests.made import changed, same_networks

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster

ROOT = Path(__file__).resolve().parents[2]
ROWS, SHARD_BYTES = 600, 5000

pytestmark = [
    pytest.mark.slow,
    # Ray leaves closing files and sockets to the end of its processes.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"),
]


def processes_of_ray() -> list[psutil.Process]:
    """The processes of Ray that this one has started, and those that they have."""
    return [one for one in psutil.Process().children(recursive=True) if "ray" in " ".join(one.cmdline())]


def workers(name: str) -> list[psutil.Process]:
    """The processes of actors of this name."""
    found = list[psutil.Process]()
    for process in psutil.process_iter(["cmdline"]):
        if (process.info["cmdline"] or [""])[0].startswith("ray::") and name in process.info["cmdline"][0]:
            found.append(process)
    return found


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Three nodes with a CPU each, on this machine; none of their processes outlives the tests."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_BACKEND_LOG_LEVEL", "fatal")
        nodes = Cluster()
        for _ in range(3):
            nodes.add_node(num_cpus=1, include_dashboard=False, object_store_memory=80 * 2**20)
        yield nodes
        nodes.shutdown()
        assert not psutil.wait_procs(processes_of_ray(), timeout=20)[1]


@pytest.fixture(scope="module")
def driver(cluster: Cluster) -> Iterator[str]:
    """The address of the cluster, which this process is connected to."""
    with connected(cluster.address):
        yield cluster.address


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of JSON lines."""
    folder = tmp_path_factory.mktemp("lines")
    rows = made_rows(ROWS)
    write_lines(folder / "a.jsonl", rows[: ROWS // 2])
    write_lines(folder / "more" / "b.jsonl", rows[ROWS // 2 :])
    return folder / "**" / "*.jsonl"


@pytest.fixture(scope="module")
def expected(lines: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The shards of one process: their rows by their names."""
    output = tmp_path_factory.mktemp("expected")
    tagged(Tagger.load("en"), lines, output, shard_bytes=SHARD_BYTES, min_score=0.3)
    return shards(output)


def shards(output: Path) -> dict[str, Any]:
    """The rows of all shards of a finished job, by their names; its manifest tells of them and of no other."""
    manifest = json.loads((output / "_manifest.json").read_text("utf-8"))
    assert manifest["complete"]
    names = [shard["name"] for file in manifest["files"] for shard in file["shards"]]
    found = {name: pq.read_table(output / name) for name in names}
    assert [found[name].num_rows for name in names] == [
        shard["rows"] for file in manifest["files"] for shard in file["shards"]
    ]
    assert sum(table.num_rows for table in found.values()) == manifest["rows"] == ROWS
    there = {str(path.relative_to(output)) for path in output.rglob("*") if path.is_file()}
    assert there - {"_manifest.json"} == set(names)
    return {name: (table.schema, table.to_pylist()) for name, table in found.items()}


def tag(lines: Path, output: Path, **options: Any) -> dict[str, Any]:
    """Tag with the cluster that this process is connected to."""
    return tag_files(str(lines), output, "en", shard_bytes=SHARD_BYTES, min_score=0.3, **options)


def test_three_nodes_give_what_one_process_gives(
    driver: str, lines: Path, expected: dict[str, Any], tmp_path: Path
) -> None:
    progress = list[tuple[int, int | None]]()
    manifest = tag(lines, tmp_path / "out", tagging=lambda done, total: progress.append((done, total)))
    assert len(expected) > 15
    assert shards(tmp_path / "out") == expected
    assert manifest == json.loads((tmp_path / "out" / "_manifest.json").read_text("utf-8"))
    assert progress[-1] == (ROWS, ROWS)
    assert [done for done, _ in progress] == sorted(done for done, _ in progress)


def test_what_is_wrong_is_one_error_with_its_line_and_nothing_is_tagged(driver: str, tmp_path: Path) -> None:
    rows = made_rows(300)
    write_lines(tmp_path / "a.jsonl", [*rows[:200], {"text": None}, *rows[200:]])
    with pytest.raises(InputError, match=r"a\.jsonl:201: expected a string under the key 'text', found null"):
        tag(tmp_path / "a.jsonl", tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_without_a_model_each_text_goes_to_the_tagger_of_its_script(
    driver: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.txt").write_text("Angela Merkel visited Rome.\n王小明从北京飞往巴黎。\n", encoding="utf-8")
    assert main(["tag", "--engine", "ray", "--input", str(tmp_path / "a.txt"), "--output", str(tmp_path / "out")]) == 0
    rows = pq.read_table(tmp_path / "out").to_pylist()
    assert [[one["text"] for one in row["entities"]] for row in rows] == [
        ["Angela Merkel", "Rome"],
        ["王小明", "北京", "巴黎"],
    ]
    said = capsys.readouterr().err
    assert "the tagger that comes with the package for 'zh'" in said
    assert "out: 2 rows with 5 entities in 1 shard" in said


def test_the_program_of_the_documentation_runs(
    driver: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    (program,) = (one for one in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "tag_files" in one)
    write_lines(tmp_path / "news" / "a.jsonl", [{"text": "Angela Merkel visited Rome."}, {"text": "It rained."}])
    monkeypatch.chdir(tmp_path)
    exec(program, {})
    printed = capsys.readouterr().out
    assert "2 rows, 2 entities" in printed
    assert re.search(r"^PER +1$", printed, re.MULTILINE)


def test_a_driver_that_is_killed_is_resumed_without_losing_or_doubling_a_row(
    driver: str, lines: Path, expected: dict[str, Any], tmp_path: Path
) -> None:
    output = tmp_path / "out"
    # 1. The command, killed as soon as it has entered some shards.
    command = [sys.executable, "-m", "ner_lstm_crf", "tag", "--engine", "ray", "--ray-address", driver, "--model", "en"]
    options = ["--input", str(lines), "--output", str(output), "--min-score", "0.3", "--workers", "2"]
    script = (
        f"import ner_lstm_crf.cli.bulk as bulk; bulk._MEGABYTE = {SHARD_BYTES}; from ner_lstm_crf.cli.main import main"
    )
    program = f"{script}; raise SystemExit(main({[*command[3:], *options, '--shard-size', '1']!r}))"
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL)
    progress = output / "_progress.jsonl"
    while not progress.exists() or len(progress.read_text("utf-8").splitlines()) < 3:
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    entered = [json.loads(line)["name"] for line in progress.read_text("utf-8").splitlines()]
    before = {name: (output / name).stat().st_mtime_ns for name in entered}
    assert 3 <= len(before) < len(expected)
    # 2. The rest.
    done = list[int]()
    tag(lines, output, resume=True, tagging=lambda count, _: done.append(count))
    assert len(done) == len(expected) - len(before)
    assert {name: (output / name).stat().st_mtime_ns for name in entered} == before
    assert shards(output) == expected


def test_runs_on_nodes_end_like_runs_of_one_process_though_one_is_killed(
    driver: str, make_sentences: Callable[..., list[Sentence]], tiny: Config, tmp_path: Path
) -> None:
    data = resolve_defaults(Data(make_sentences(20), make_sentences(5, seed=1)), tiny.model)
    killed = list[psutil.Process]()
    for name, options in (("alone", {}), ("nodes", {"workers": 2, "spread": side_by_side})):
        seen = Counter[tuple[str, int]]()
        plans = plan_seeds(PlannedRun(changed(tiny, epochs=3), tmp_path / name), 2)
        for plan, report in train_runs(data, plans, **options):  # type: ignore[arg-type]
            seen[plan.directory.name, report.epoch] += 1
            if options and not killed:
                killed = workers("_Trainer.train")[:1]
                for process in killed:
                    process.kill()
        assert set(seen) == {(f"seed-{seed}", epoch) for seed in (1, 2) for epoch in (1, 2, 3)}
    assert killed
    for seed in ("seed-1", "seed-2"):
        assert same_networks(tmp_path / "alone" / seed, tmp_path / "nodes" / seed)
        histories = [
            [
                json.loads(line) | {"seconds": 0, "tokens_per_second": 0}
                for line in (tmp_path / name / seed / "history.jsonl").open(encoding="utf-8")
            ]
            for name in ("alone", "nodes")
        ]
        assert histories[0] == histories[1]


def test_what_goes_wrong_in_training_comes_out(
    driver: str, make_sentences: Callable[..., list[Sentence]], tiny: Config, tmp_path: Path
) -> None:
    data = resolve_defaults(Data(make_sentences(20), make_sentences(5, seed=1)), tiny.model)
    plan = PlannedRun(changed(tiny, epochs=3), tmp_path)
    next(train_runs(data, [plan]))
    next(tmp_path.glob(".training/*/resume.safetensors")).write_bytes(b"no tensors")
    with pytest.raises(InputError, match=r"resume\.safetensors: the run is damaged"):
        list(train_runs(data, [replace(plan, resume=True)], spread=side_by_side))


def test_a_worker_and_a_node_that_are_killed_take_no_row_with_them(
    cluster: Cluster,
    driver: str,
    lines: Path,
    expected: dict[str, Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import ray

    killed = list[Any]()

    def kill(done: int, _: int | None) -> None:
        """Kill the worker of one node, then another node than that of this process."""
        if not killed:
            killed.extend(workers("_Tagging")[:1])
            for process in killed:
                process.kill()
        elif len(killed) == 1 and done > ROWS // 3:
            here = ray.get_runtime_context().get_node_id()
            killed.append(next(node for node in cluster.list_all_nodes() if node.node_id != here))
            cluster.remove_node(killed[1], allow_graceful=False)

    tag(lines, tmp_path / "out", tagging=kill)
    assert len(killed) == 2
    assert shards(tmp_path / "out") == expected
    assert capsys.readouterr().err.count("a worker was lost: another one does what it had at hand") in (1, 2)


def test_a_slice_that_no_worker_survives_ends_the_job(driver: str) -> None:
    class Dying(_Actor):
        """Works on the first slice alone."""

        def _work(self, part: Any, *_: Any) -> str:
            return str(part.path) if part.path == "a.jsonl" else os._exit(1)  # type: ignore[func-returns-value]

    slices = [(SimpleNamespace(path=name),) for name in ("a.jsonl", "b.jsonl")]
    done = _Engine(None, 2, 1)._by_actors(Dying, (), slices, threads=1)  # type: ignore[arg-type]
    assert next(done) == (0, "a.jsonl")
    with pytest.raises(InputError, match=r"b\.jsonl: workers are lost again and again, perhaps for lack of memory"):
        next(done)


@pytest.mark.parametrize("package", ["ray", "pyarrow"])
def test_what_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    message = rf"Ray needs the package {package}: pip install 'ner-lstm-crf\[ray\]'"
    with pytest.raises(InputError, match=message):
        tag_files("*.parquet", tmp_path)


def test_an_error_of_ours_in_a_worker_comes_with_its_traceback(driver: str) -> None:
    class Failing(_Actor):
        """Fails before its first slice."""

        def _begin(self) -> None:
            raise ZeroDivisionError

    with pytest.raises(RuntimeError, match=r"(?s)a worker failed:\n.*in _begin\n.*ZeroDivisionError"):
        list(_Engine(None, 1, 1)._by_actors(Failing, (), [(None,)], threads=1))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("127.0.0.1:9", r"no cluster of Ray answers at 127\.0\.0\.1:9: "),
        ("127.0.0.1:999999", "no cluster of Ray answers at 127"),
        ("somewhere", "expected the address of a cluster as HOST:PORT, or auto, got 'somewhere'"),
    ],
)
def test_a_cluster_that_does_not_answer_is_named(tmp_path: Path, address: str, message: str) -> None:
    write_lines(tmp_path / "a.jsonl", made_rows(2))
    program = "import sys; from ner_lstm_crf.cli.main import main; raise SystemExit(main(sys.argv[1:]))"
    options = ["--input", str(tmp_path / "a.jsonl"), "--output", str(tmp_path / "out"), "--ray-address", address]
    done = subprocess.run(
        [sys.executable, "-c", program, "tag", "--engine", "ray", *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert re.search(f"^error: {message}", done.stderr, re.MULTILINE), done.stderr
