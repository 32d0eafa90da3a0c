"""One training run and its directory.

config.json, vocabulary.json, model.safetensors    the best model so far (see `checkpoint`)
run.json               the configuration and the data, to know a run again
history.jsonl          one report per epoch
resume.safetensors     what is needed to continue; gone once training has ended
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ner_lstm_crf.config import Config
from ner_lstm_crf.data.annotation import Sentence
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.batch import Encoded
from ner_lstm_crf.features.subtokens import SubTokens
from ner_lstm_crf.features.vectors import Vectors
from ner_lstm_crf.model.transformer import contextual_vectors
from ner_lstm_crf.progress import Progress, silent
from ner_lstm_crf.tasks.assembly import Assembly, assemble
from ner_lstm_crf.tasks.checkpoint import is_model, save_assembly
from ner_lstm_crf.tasks.storage import append_line, read_tensors, read_text, write_tensors, write_text
from ner_lstm_crf.tasks.training import DevSet, EpochReport, Trainer

__all__ = ["Data", "check_free", "forget_run", "has_begun", "hold_out", "read_history", "train_run"]

RUN, HISTORY, RESUME = "run.json", "history.jsonl", "resume.safetensors"


@dataclass(frozen=True, slots=True)
class Data:
    """What a run learns from and is measured on.

    Attributes:
        train: Training sentences.
        dev: What the best epoch is chosen by; may be empty.
        vectors: Pretrained word vectors, or None.
    """

    train: Sequence[Sentence]
    dev: Sequence[Sentence] = ()
    vectors: Vectors | None = None

    def fingerprint(self) -> str:
        """SHA-256 of all tokens and spans, to know the same data again."""
        digest = hashlib.sha256()
        for part in (self.train, self.dev):
            for sentence in part:
                digest.update(repr((sentence.words, [tuple(span) for span in sentence.spans])).encode())
            digest.update(b"\0")
        if self.vectors is not None:
            digest.update(self.vectors.matrix.tobytes())
        return digest.hexdigest()


def hold_out(sentences: Sequence[Sentence]) -> tuple[list[Sentence], list[Sentence]]:
    """Set every tenth sentence aside: (the rest, those set aside).

    Raises:
        InputError: If there are fewer than ten.
    """
    if len(sentences) < 10:
        raise InputError(f"expected at least 10 sentences to set a tenth aside for dev, found {len(sentences)}")
    held = [sentence for number, sentence in enumerate(sentences, 1) if number % 10 == 0]
    rest = [sentence for number, sentence in enumerate(sentences, 1) if number % 10]
    return rest, held


def train_run(
    data: Data,
    config: Config,
    directory: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Iterator[EpochReport]:
    """Train a model in its directory, one report per epoch; the best epoch's model lies there afterwards.

    Args:
        data: What to learn from.
        config: The model and its training.
        directory: Where the run lives.
        resume: Whether to go on with a run that was interrupted; the result is that of an unbroken run.
        overwrite: Whether a model in the directory may be replaced.
        progress: Told the batches of the current epoch done so far.

    Raises:
        InputError: If the directory holds a model and neither `resume` nor `overwrite` is given; if the run to resume
            is not there or was another; if nothing can be written.
    """
    run = {"config": asdict(config), "data": data.fingerprint()}
    if resume:
        check_same_run(directory, run)
        if _is_finished(directory):
            return
    else:
        begin(directory, run, overwrite=overwrite)
    trainer = prepare(data, config)
    if (directory / RESUME).is_file():
        tensors, metadata = read_tensors(directory / RESUME)
        trainer.restore(tensors, json.loads(metadata["numbers"]))
    _forget_after(directory / HISTORY, trainer.epoch)
    with closing(trainer.run(progress)) as reports:
        for report in reports:
            if report.best:
                with trainer.average.applied():
                    save_assembly(trainer.assembly, directory)
            append_line(directory / HISTORY, json.dumps(report.to_json()))
            _keep(trainer, directory)
            yield report


def check_free(directory: Path, *, overwrite: bool) -> None:
    """Refuse a directory that holds a model, unless it may be replaced.

    Raises:
        InputError: If it holds one.
    """
    if is_model(directory) and not overwrite:
        raise InputError("this directory holds a model: choose another, or say --overwrite or --resume", path=directory)


def has_begun(directory: Path) -> bool:
    """Whether a run has begun in the directory; it may have ended."""
    return (directory / RUN).is_file()


def forget_run(directory: Path) -> None:
    """Remove what a run left beside its model, if there is anything."""
    for name in (RUN, HISTORY, RESUME):
        (directory / name).unlink(missing_ok=True)


def begin(directory: Path, run: dict[str, Any], *, overwrite: bool) -> None:
    """Make the directory of a new run, or clear that of an old one."""
    check_free(directory, overwrite=overwrite)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name in (HISTORY, RESUME):
            (directory / name).unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"expected a directory that can be written: {error}", path=directory) from error
    write_text(directory / RUN, json.dumps(run | {"finished": False}, indent=2) + "\n")


def prepare(data: Data, config: Config) -> Trainer:
    """The trainer of a new network for the data."""
    assembly = assemble(
        data.train,
        config.model,
        vectors=data.vectors,
        freeze_vectors=config.training.freeze_vectors,
        seed=config.training.seed,
    )
    train = [assembly.featurizer.encode_gold(sentence) for sentence in data.train]
    dev = [assembly.featurizer.encode(sentence.words) for sentence in data.dev]
    train, dev = with_contextual(assembly, train), with_contextual(assembly, dev)
    return Trainer(assembly, train, DevSet(data.dev, dev) if dev else None, config.training)


def with_contextual(assembly: Assembly, sentences: Sequence[Encoded], progress: Progress = silent) -> list[Encoded]:
    """The sentences with what a frozen transformer makes of them, so that each epoch need not run it again."""
    contextual = assembly.network.embedding.contextual
    if contextual is None or assembly.config.fine_tune:
        return list(sentences)
    subtokens = [sentence.subtokens for sentence in sentences if isinstance(sentence.subtokens, SubTokens)]
    vectors = contextual_vectors(contextual.transformer, subtokens, progress=progress)
    return [
        replace(sentence, subtokens=None, contextual=vector)
        for sentence, vector in zip(sentences, vectors, strict=True)
    ]


def read_history(directory: Path) -> list[dict[str, Any]]:
    """The reports of a run's epochs, as `EpochReport.to_json` wrote them."""
    return [json.loads(line) for line in read_text(directory / HISTORY).splitlines()]


def _keep(trainer: Trainer, directory: Path) -> None:
    """Write what is needed to continue, or note that nothing is left to do."""
    if trainer.finished:
        run = json.loads(read_text(directory / RUN))
        write_text(directory / RUN, json.dumps(run | {"finished": True}, indent=2) + "\n")
        (directory / RESUME).unlink(missing_ok=True)
    else:
        tensors, numbers = trainer.state()
        write_tensors(directory / RESUME, tensors, {"numbers": json.dumps(numbers)})


def check_same_run(directory: Path, run: dict[str, Any]) -> None:
    """Refuse to resume a run that is not there, or was another."""
    if not has_begun(directory):
        raise InputError("expected a run to resume, found none", path=directory)
    old, new = json.loads(read_text(directory / RUN)), json.loads(json.dumps(run))
    for table, values in new["config"].items():
        for key, value in values.items():
            was = old["config"][table].get(key)
            if was != value:
                raise InputError(f"the run to resume had {key} = {was!r}, this one has {value!r}", path=directory)
    if old["data"] != new["data"]:
        raise InputError("the run to resume had other training data, dev data or vectors", path=directory)


def _is_finished(directory: Path) -> bool:
    return bool(json.loads(read_text(directory / RUN))["finished"])


def _forget_after(path: Path, epoch: int) -> None:
    """Drop the reports of epochs that will be trained again."""
    lines = read_text(path).splitlines() if path.exists() else []
    write_text(path, "".join(line + "\n" for line in lines[:epoch]))
