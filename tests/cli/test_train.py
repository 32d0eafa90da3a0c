from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from ner_lstm_crf import Data, read_config, read_sentences, train
from ner_lstm_crf.config import preset
from ner_lstm_crf.features.vectors import builtin_character_vectors
from ner_lstm_crf.features.word import Words
from ner_lstm_crf.model.embedding import transformer as contextual
from ner_lstm_crf.tagging.tagger import Tagger
from tests.cli.conftest import TINY, ZH, Files, Result, Run, column_text, equal_weights
from tests.encoders import write_encoder

PLAIN = ("--vectors", "none", "--lexicon", "none")  # for Chinese, whose usual ones take seconds to read

# What a run says and leaves behind


def test_the_run_tells_what_it_does(trained: tuple[Path, Result]) -> None:
    _, result = trained
    lines = result.err.splitlines()
    assert lines[0].startswith("train: 48 sentences, ")
    assert lines[1].startswith("dev:   10 sentences, ")
    assert "20 entities (LOC 10, PER 10)" in lines[1]
    assert lines[2].startswith("test:  20 sentences, ")
    epochs = [line for line in lines if line.startswith("epoch ")]
    assert len(epochs) == 12
    for part in ("epoch 12/12", "loss ", "tokens/s", "dev P ", " R ", " F1 ", "00:00 left"):
        assert part in epochs[-1]
    assert "the model of epoch" in result.said.splitlines()[-1]


def test_the_test_scores_are_the_result(trained: tuple[Path, Result]) -> None:
    _, result = trained
    assert result.out.splitlines()[0] == "label  precision  recall      f1  support  predicted"
    assert float(result.out.splitlines()[3].split()[3]) > 0.9  # the made corpus is easy: an untrained model is near 0


def test_the_directory_holds_model_history_figures_and_curve(trained: tuple[Path, Result]) -> None:
    directory, _ = trained
    history = [json.loads(line) for line in (directory / "history.jsonl").read_text().splitlines()]
    assert [report["epoch"] for report in history] == list(range(1, 13))
    summary = json.loads((directory / "summary.json").read_text())
    (only,) = summary["runs"]
    best = max(history, key=lambda report: report["dev"]["f1"])
    assert only["best_epochs"] == [best["epoch"]]
    assert only["dev"]["f1"] == summary["dev_f1"]["mean"] == best["dev"]["f1"]
    assert only["test"]["f1"] == summary["test_f1"]["mean"] > 0.9
    assert (directory / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert not (directory / ".training").exists()
    assert not list(directory.glob(".*"))
    assert len({path.stat().st_mode for path in directory.iterdir()}) == 1  # who may read one file may read all


def test_json_is_one_object_and_the_same_as_the_file(files: Files, tmp_path: Path, run: Run) -> None:
    result = run("train", *files.options, "--output", tmp_path / "m", "--epochs", "1", "--json")
    assert result.code == 0
    assert json.loads(result.out) == json.loads((tmp_path / "m" / "summary.json").read_text())
    assert json.loads(result.out)["runs"][0]["test"] is None


def test_several_seeds_end_in_a_model_of_the_median(files: Files, tmp_path: Path, run: Run) -> None:
    directory = tmp_path / "m"
    arguments = ["train", *files.options, "--test", files.test, "--output", directory, "--epochs", "2", "--seeds", "3"]
    result = run(*arguments, "--workers", "2")
    assert result.code == 0, result.err
    summary = json.loads((directory / "summary.json").read_text())
    dev = {one["seed"]: one["dev"]["f1"] for one in summary["runs"]}
    assert list(dev) == [1, 2, 3]
    assert dev[summary["seed"]] == sorted(dev.values())[1]
    assert equal_weights(directory, directory / f"seed-{summary['seed']}")
    assert not equal_weights(directory / "seed-1", directory / "seed-2")
    assert f"± {summary['test_f1']['deviation']:.4f} (3 seeds)" in result.out
    assert result.err.count("seed-2  epoch") == 2
    assert "holds a model" in run(*arguments).complaint


def test_without_dev_a_tenth_is_set_aside_aloud(files: Files, tmp_path: Path, run: Run) -> None:
    result = run("train", "--train", files.train, "--config", files.config, "--epochs", 1, "--output", tmp_path / "m")
    assert "no --dev: every tenth training sentence is set aside" in result.err
    assert "train: 44 sentences" in result.err
    assert "dev:   4 sentences" in result.err


def test_training_files_are_joined(files: Files, tmp_path: Path, run: Run) -> None:
    result = run("train", *files.options, "--train", files.test, "--output", tmp_path / "m", "--epochs", "1")
    assert "train: 68 sentences" in result.err


# Configuration and data


def test_labels_that_leave_no_entity_are_the_cause_that_is_named(files: Files, tmp_path: Path, run: Run) -> None:
    for options in (["--labels", "FOO"], ["--rename", "PER=O", "--rename", "LOC=O"]):
        complaint = run("train", *files.options, *options, "--output", tmp_path / "m").complaint
        assert complaint.endswith("train.conll: expected entities, found none: no entity has a label to keep")


def test_a_wrong_key_in_the_file_is_named(files: Files, write, tmp_path: Path, run: Run) -> None:
    config = write("wrong.toml", "[model]\nhiden_size = 3\n")
    result = run("train", "--train", files.train, "--config", config, "--output", tmp_path / "m")
    assert f"{config}: [model]: unknown key 'hiden_size'" in result.complaint


def test_a_preset_suits_the_tokens_of_the_data(write, tmp_path: Path, run: Run) -> None:
    characters = preset("fast", token_unit="character")
    assert characters.training != preset("fast").training
    train = write("zh.conll", ZH)
    small = write("small.toml", "[model]\nhidden_size = 8\n[training]\nmin_steps = 1\n")
    options = ["--config", small, "--vectors", "none", "--lexicon", "none"]
    assert run("train", "--train", train, *options, "--output", tmp_path / "m").code == 0
    found = json.loads((tmp_path / "m" / "run.json").read_text())["config"]
    assert found["model"]["token_unit"] == "character"
    assert found["training"]["adversarial_epsilon"] == characters.training.adversarial_epsilon


def test_what_the_tokens_are_taken_for_is_said(files: Files, write, tmp_path: Path, run: Run) -> None:
    small = write("small.toml", "[model]\nhidden_size = 4\n[training]\nepochs = 1\n")
    options = ["--config", small, *PLAIN, "--output"]
    unlike = write("unlike.conll", ZH.replace("PER", "X").replace("LOC", "X"))
    result = run("train", "--train", write("zh.conll", ZH), "--dev", unlike, *options, tmp_path / "u")
    assert result.said.endswith("it finds no entity of dev: train longer, with more --epochs\n")
    words = write("words.conll", "王明\tB-PER\n在\tO\n巴黎\tB-LOC\n。\tO\n\n" * 20)
    said = "33.3% of the Chinese tokens are one character: they are taken for words, or say --token-unit character\n"
    assert said in run("train", "--train", words, *options, tmp_path / "w").err
    assert "characters" not in run("train", *files.options, *options, tmp_path / "e").err
    characters = write("characters.conll", ZH)
    said = "every Chinese token of the training data is one character: the model takes characters as tokens\n"
    assert said in run("train", "--train", characters, *options, tmp_path / "c").err
    spaced = write("spaced.conll", ZH + "王\tB-PER\n\u3000\tO\n\n")  # white space is no character of a text
    assert run("train", "--train", spaced, *options, tmp_path / "s").code == 0
    fingerprints = [json.loads((tmp_path / "s" / "run.json").read_text())["data"]["training data"]]
    assert run("train", "--train", spaced, "--token-unit", "character", *options, tmp_path / "t").code == 0
    assert json.loads((tmp_path / "t" / "run.json").read_text())["data"]["training data"] in fingerprints
    nearly = write("nearly.conll", ZH * 20 + "北京\tO\n\n")
    assert (
        "99.95% of the Chinese tokens are one character"
        in run("train", "--train", nearly, *options, tmp_path / "n").err
    )


# Vectors of characters


def test_characters_have_general_vectors_unless_they_are_declined(
    files: Files, write, tmp_path: Path, run: Run
) -> None:
    options = ["--train", write("zh.conll", ZH), "--config", files.config, "--epochs", "1", "--lexicon", "none"]
    result = run("train", *options, "--output", tmp_path / "m")
    vectors = builtin_character_vectors()
    said = (
        f"{len(vectors):,} vectors of 100 values (of characters, from jieba's dictionary; --vectors none does without)"
    )
    assert said in result.err
    assert "train: vectors know 83.3% of 108 tokens" in result.err
    words = Tagger.load(tmp_path / "m").model.features["word"]
    assert isinstance(words, Words)
    assert "澳" in words.vocabulary.symbols  # which the training data lack
    frozen = run("train", *options, "--token-unit", "character", "--freeze-vectors", "--output", tmp_path / "f")
    assert frozen.code == 0
    untrained = Tagger.load(tmp_path / "f").model.features["word"]
    assert isinstance(untrained, Words)
    assert untrained.type_ids("王") >= untrained.first_frozen
    assert words.type_ids("王") < words.first_frozen
    asked = run("train", *options, "--vectors", "builtin", "--output", tmp_path / "g")
    assert f"{len(vectors):,} vectors of 100 values\n" in asked.err
    none = run("train", *options, "--vectors", "none", "--output", tmp_path / "n")
    assert (none.code, "vectors" in none.err) == (0, False)
    assert Tagger.load(tmp_path / "n").model.config.word_size == 16


def test_words_have_no_general_vectors(files: Files, tmp_path: Path, run: Run) -> None:
    options = ["train", *files.options, "--epochs", "1", "--output", tmp_path / "w"]
    refused = "error: --vectors builtin: expected data whose tokens are characters, got words"
    assert run(*options, "--vectors", "builtin").complaint.startswith(refused)
    frozen = tmp_path / "frozen.toml"
    frozen.write_text(files.config.read_text() + "freeze_vectors = true\n")
    others = [frozen if option == str(files.config) else option for option in options]
    assert frozen in others
    for vectors in ([], ["--vectors", "none"]):
        complaint = run(*options, *vectors, "--freeze-vectors").complaint
        assert complaint == "error: --freeze-vectors: expected --vectors as well"
        complaint = run(*others, *vectors).complaint
        assert complaint == f"error: {frozen}: [training] freeze_vectors: expected --vectors as well"
    plain = run(*options)
    assert (plain.code, "vectors" in plain.err) == (0, False)


def test_a_configuration_may_come_through_a_pipe(write, tmp_path: Path, run: Run) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    content = "[model]\nhidden_size = 9\n[training]\nepochs = 1\n"
    writer = threading.Thread(target=pipe.write_text, args=(content,))
    writer.start()
    train = write("zh.conll", ZH)
    options = ["--vectors", "none", "--lexicon", "none", "--output", tmp_path / "m"]
    assert run("train", "--train", train, "--config", pipe, *options).code == 0
    writer.join()
    assert Tagger.load(tmp_path / "m").model.config.hidden_size == 9


# A teacher


def test_a_teacher_is_learnt_from_on_running_text_too(
    trained: tuple[Path, Result], files: Files, write, tmp_path: Path, run: Run
) -> None:
    teacher, _ = trained
    text = write("more.txt", "Ada Brandt met Graz today. Milo saw Oslo tonight.\n\nTom Harju left Quito twice.\n")
    options = [*files.options, "--teacher", teacher, "--epochs", 1]
    result = run("train", *options, "--unlabelled", text, "--unlabelled", files.test, "--output", tmp_path / "m")
    assert result.code == 0, result.err
    assert "unlabelled: 23 sentences, " in result.err
    kept = json.loads((tmp_path / "m" / "run.json").read_text())
    assert kept["config"]["training"]["teacher_weight"] == 0.5
    assert kept["data"]["teacher"] == json.loads((teacher / "config.json").read_text())["digest"]
    # Its words are learnt, as those of any sentence that is.
    assert '"tonight"' in (tmp_path / "m" / "vocabulary.json").read_text()
    read = Data.read(files.train, files.dev, teacher=teacher, unlabelled=[text, files.test])
    train(read, read_config(files.config), tmp_path / "p", epochs=1, progress=False)
    assert equal_weights(tmp_path / "m", tmp_path / "p")
    other = run("train", *options, "--teacher-weight", 0.9, "--output", tmp_path / "w")
    assert other.code == 0, other.err
    assert not equal_weights(tmp_path / "m", tmp_path / "w")


def test_what_no_teacher_can_be_is_refused_in_one_line(
    trained: tuple[Path, Result], files: Files, tmp_path: Path, run: Run
) -> None:
    teacher, _ = trained
    for options, message in (
        (["--unlabelled", files.test], "--unlabelled: expected --teacher as well"),
        (["--teacher", tmp_path / "none"], "none: expected the directory of a model, or 'en' or 'zh': found no such"),
        (["--teacher", teacher, "--labels", "PER"], "expected a teacher of the labels PER, got LOC, PER"),
        (["--teacher", teacher, "--teacher-weight", "1.5"], "expected a number of at least 0 and at most 1, got '1.5'"),
        (["--teacher", teacher, "--output", teacher, "--overwrite"], "another directory than that of the teacher"),
    ):
        output = [] if "--output" in options else ["--output", tmp_path / "m"]
        assert message in run("train", *files.options, *options, *output).complaint
        assert not (tmp_path / "m").exists()


# Lexicon


def test_a_lexicon_is_read_kept_and_used(files: Files, write, tmp_path: Path, run: Run) -> None:
    train = write("zh.conll", ZH)
    options = ["train", "--train", train, "--config", files.config, "--epochs", "1"]
    words = write("words.txt", "巴黎 5 ns\n王明\tnr\n北京\n")
    result = run(*options, "--lexicon", words, "--output", tmp_path / "m")
    said = "3 words in the lexicon, of 3 categories\n2 of them occur at least twice in the training data\n"
    assert said in result.err
    vocabulary = json.loads((tmp_path / "m" / "vocabulary.json").read_text(encoding="utf-8"))
    found = vocabulary["lexicon"]
    assert found == {
        "words": ["巴黎", "王明", "北京"],
        "trainable": 2,
        "categories": ["", "nr", "ns"],
        "category_ids": [2, 1, 0],
    }
    assert "王明" in vocabulary["bigrams"]
    assert run("tag", "王明在北京", "--model", tmp_path / "m").code == 0
    other = write("other.txt", "北京\n")
    complaint = run(*options, "--lexicon", other, "--output", tmp_path / "o").err
    assert f"{other}: no word of this lexicon occurs twice in the training data: is it one word a line?" in complaint


def test_characters_have_a_general_lexicon_unless_it_is_declined(files: Files, write, tmp_path: Path, run: Run) -> None:
    train = write("zh.conll", ZH)
    options = ["train", "--train", train, "--config", files.config, "--epochs", "1"]
    result = run(*options, "--output", tmp_path / "m")
    assert "categories (jieba's dictionary; --lexicon none does without)" in result.err
    lexicon = json.loads((tmp_path / "m" / "vocabulary.json").read_text(encoding="utf-8"))["lexicon"]
    kinds = {
        word: lexicon["categories"][kind] for word, kind in zip(lexicon["words"], lexicon["category_ids"], strict=True)
    }
    assert (kinds["巴黎"], kinds["北京"], kinds["毛泽东"]) == ("ns", "ns", "nr")
    assert "lexicon" not in run(*options, "--lexicon", "none", "--output", tmp_path / "n").err
    assert "lexicon" not in json.loads((tmp_path / "n" / "vocabulary.json").read_text(encoding="utf-8"))
    words = run("train", *files.options, "--epochs", "1", "--output", tmp_path / "w")
    assert "lexicon" not in words.err
    complaint = run(*options, "--preset", "paper", "--lexicon", "builtin", "--output", tmp_path / "p").complaint
    assert "a lexicon: expected a model that looks for words, this one has lexicon_size = 0" in complaint


def test_words_of_a_lexicon_have_vectors_of_the_package_of_a_file_or_none(
    files: Files, write, tmp_path: Path, run: Run
) -> None:
    train, words = write("zh.conll", ZH), write("words.txt", "巴黎 5 ns\n王明\tnr\n北京\n")
    options = ["train", "--train", train, "--config", files.config, "--epochs", "1", "--lexicon", words]
    options += ["--vectors", "none", "--output", tmp_path / "m", "--overwrite"]
    size = preset("fast").model.lexicon_size
    said = f"3 of them have a vector of {size} values (made from Baidu's LAC; --lexicon-vectors none does without)\n"
    assert said in run(*options).err
    assert Tagger.load(tmp_path / "m").model.features["lexicon"].frozen.shape == (1, size)  # training has the others
    vectors = write("vectors.txt", "北京 1 2\n大阪 3 4\n")
    assert "1 of them have a vector of 2 values\n" in run(*options, "--lexicon-vectors", vectors).err
    model = Tagger.load(tmp_path / "m").model
    assert model.features["lexicon"].frozen.tolist() == [[1, 2]]
    assert model.config.lexicon_size == 2
    assert "have a vector" not in run(*options, "--lexicon-vectors", "none").err
    assert Tagger.load(tmp_path / "m").model.features["lexicon"].frozen is None
    broken = write("broken.txt", "北京 1 2\n王明 3\n")
    complaint = run(*options, "--lexicon-vectors", broken).complaint
    assert complaint.startswith(f"error: {broken}:2: expected 2 values after the word, found 1")
    others = write("others.txt", "大阪 3 4\n")
    complaint = run(*options, "--lexicon-vectors", others).complaint
    assert complaint.startswith(f"error: {others}: expected vectors of words of the lexicon, found none of them")
    started = run(
        "train", "--train", train, "--init-from", "zh", "--lexicon-vectors", vectors, "--output", tmp_path / "x"
    )
    assert "--init-from: expected the model as it is, without --lexicon-vectors" in started.complaint


def test_a_lexicon_is_refused_with_its_line_and_where_tokens_are_words(
    files: Files, write, tmp_path: Path, run: Run
) -> None:
    broken = write("broken.txt", "北京 5\n上海 市\n")
    result = run("train", *files.options, "--lexicon", broken, "--output", tmp_path / "m")
    assert result.complaint.startswith(f"error: {broken}:2: expected a word, or a word and its count")
    words = write("words.txt", "北京\n")
    complaint = run("train", *files.options, "--lexicon", words, "--output", tmp_path / "n").complaint
    assert "a lexicon: expected data whose tokens are characters, got words" in complaint


# Gazetteer


def test_names_of_a_gazetteer_are_read_kept_and_used(files: Files, write, tmp_path: Path, run: Run) -> None:
    names = write("names.txt", "Oslo\tplace\nAda Moe\tperson\nOslo\tperson\n")
    options = ["train", *files.options, "--epochs", "1", "--overwrite", "--output", tmp_path / "m"]
    assert "3 names in the gazetteer (person 2, place 1)\n" in run(*options, "--gazetteer", names).err
    vocabulary = json.loads((tmp_path / "m" / "vocabulary.json").read_text(encoding="utf-8"))
    assert vocabulary["gazetteer"] == {"person": ["ada moe", "oslo"], "place": ["oslo"]}
    assert run("tag", "Ada Moe flew to Oslo.", "--model", tmp_path / "m").code == 0
    assert "in the gazetteer" not in run(*options).err
    broken = write("broken.txt", "Oslo\nAda\tperson\t5\n")
    assert run(*options, "--gazetteer", broken).complaint.startswith(f"error: {broken}:2: expected a name")
    chinese = write("zh.conll", ZH)
    complaint = run("train", "--train", chinese, "--gazetteer", names, "--output", tmp_path / "z").complaint
    assert "a gazetteer: expected data whose tokens are words, got characters" in complaint
    complaint = run(*options, "--gazetteer", names, "--gazetteer-size", "0").complaint
    assert "a gazetteer: expected a model that looks for names, this one has gazetteer_size = 0" in complaint
    started = run("train", *files.options, "--init-from", "en", "--gazetteer", names, "--output", tmp_path / "x")
    assert "--init-from: expected the model as it is, without --gazetteer" in started.complaint


# Units


def test_a_corpus_of_characters_is_recognized(files: Files, write, tmp_path: Path, run: Run) -> None:
    train = write("zh.conll", ZH)
    options = ("--config", files.config, "--epochs", "3", "--output", tmp_path / "m")
    result = run("train", "--train", train, *options, *PLAIN)
    assert "every Chinese token of the training data is one character" in result.err
    assert json.loads((tmp_path / "m" / "config.json").read_text())["model"]["token_unit"] == "character"
    words = write("words.conll", "王明\tB-PER\n在\tO\n巴黎\tB-LOC\n。\tO\n\n")  # evaluate splits them by itself
    scores = json.loads(run("evaluate", tmp_path / "m", words, "--json").out)
    assert (scores["support"], scores["f1"]) == (2, 1.0)


def test_numbers_and_foreign_words_may_stand_whole_in_a_corpus_of_characters(
    files: Files, write, tmp_path: Path, run: Run
) -> None:
    train = write("zh.conll", ZH.replace("。\tO\n", "1997\tO\niPhone\tO\n。\tO\n"))
    texts = write("zh.jsonl", '{"text": "王明在巴黎买iPhone。", "entities": [[0, 2, "PER"], [3, 5, "LOC"]]}\n' * 20)
    for path in (train, texts):
        options = ("--config", files.config, "--epochs", "1", "--output", tmp_path / path.stem, "--overwrite")
        result = run("train", "--train", path, *options, *PLAIN)
        assert "every Chinese token of the training data is one character" in result.err
        assert json.loads((tmp_path / path.stem / "config.json").read_text())["model"]["token_unit"] == "character"


def test_without_dev_on_request_the_last_epoch_is_kept(files: Files, tmp_path: Path, run: Run) -> None:
    options = ("--config", files.config, "--epochs", "2", "--seeds", "2", "--output", tmp_path / "m")
    result = run("train", "--train", files.train, "--dev", "none", "--test", files.test, *options)
    assert "set aside" not in result.err
    assert "warning" not in result.err
    assert "the model of epoch 2 of 2; " in result.err
    summary = json.loads((tmp_path / "m" / "summary.json").read_text())
    assert [one["best_epochs"] for one in summary["runs"]] == [[2], [2]]


def test_a_test_file_without_entities_is_refused_before_training(files: Files, write, tmp_path: Path, run: Run) -> None:
    plain = write("plain.conll", "It\tO\nrains\tO\n\n" * 3)
    for command in ("train", "compare"):
        complaint = run(command, *files.options, "--test", plain, "--output", tmp_path / "m").complaint
        assert f"{plain}: expected entities, found none" in complaint
    assert not (tmp_path / "m" / "run.json").exists()


def test_vectors_of_other_words_are_a_warning(files: Files, write, tmp_path: Path, run: Run) -> None:
    vectors = write("v.txt", "xyz 1 2 3\nzyx 3 2 1\n")
    result = run("train", *files.options, "--vectors", vectors, "--epochs", "1", "--output", tmp_path / "m")
    assert f"warning: {vectors}: most of the training tokens have no vector: are" in result.err


def test_words_are_split_into_characters_on_request(files: Files, write, tmp_path: Path, run: Run) -> None:
    train = write("zh.conll", "王明\tB-PER\n在\tO\n巴黎\tB-LOC\n。\tO\n\n" * 20)
    options = ["--config", files.config, "--epochs", "1", "--output", tmp_path / "m", *PLAIN]
    result = run("train", "--train", train, *options, "--token-unit", "character")
    assert "train: 18 sentences, 108 tokens" in result.err
    result = run("train", "--train", train, *options, "--overwrite")
    assert "train: 18 sentences, 72 tokens" in result.err


def test_a_unit_that_is_named_is_not_decided_by_the_data(files: Files, write, tmp_path: Path, run: Run) -> None:
    train = write("letters.conll", "a\tB-X\nb\tO\n\n" * 20)
    config = write("word.toml", files.config.read_text().replace("[model]", '[model]\ntoken_unit = "word"'))
    options = ["--train", train, "--epochs", "1", "--output", tmp_path / "m", *PLAIN]
    result = run("train", *options, "--config", config)
    assert "takes characters" not in result.err
    assert json.loads((tmp_path / "m" / "config.json").read_text())["model"]["token_unit"] == "word"
    assert "takes characters" in run("train", *options, "--config", files.config, "--overwrite").err


# Vectors


def test_vectors_and_what_they_know_are_reported(files: Files, write, tmp_path: Path, run: Run) -> None:
    vectors = write("v.txt", "oslo 0.1 0.2 0.3\nmet 0.3 0.2 0.1\nBonn 1 1 1\n")
    result = run("train", *files.options, "--vectors", vectors, "--epochs", "1", "--output", tmp_path / "m")
    assert "3 vectors of 3 values" in result.err
    assert "train: vectors know " in result.err
    assert json.loads((tmp_path / "m" / "config.json").read_text())["model"]["word_size"] == 3


def test_vectors_beyond_the_limit_are_read_for_the_words_of_the_files(
    files: Files, write, tmp_path: Path, run: Run
) -> None:
    test = write("test.conll", "Bergen\tB-LOC\n1999\tO\n\n")
    vectors = write("v.txt", "the 1 1\nfar 1 2\nxyz 1 3\noslo 1 4\nbergen 1 5\n0000 1 6\nabc 1 7\n")
    options = [*files.options, "--vectors", vectors, "--epochs", "1", "--output", tmp_path / "m"]
    result = run("train", *options, "--test", test, "--vectors-limit", "2")
    assert "2 most frequent of 7 vectors of 2 values, and 1 more that training and dev need" in result.err
    assert "test:  vectors know 0.0% of 2 tokens" in result.err  # as little as of any new text
    fingerprint = json.loads((tmp_path / "m" / "run.json").read_text())["data"]["vectors"]
    assert run("train", *options, "--vectors-limit", "2", "--overwrite").code == 0
    assert json.loads((tmp_path / "m" / "run.json").read_text())["data"]["vectors"] == fingerprint
    vocabulary = (tmp_path / "m" / "vocabulary.json").read_text()
    assert [word in vocabulary for word in ("far", "oslo", "xyz", "bergen")] == [True, True, False, False]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("oslo 0.1 0.2 0.3\nmet 0.3 0.2\n", ":2: expected 3 values after the word, found 2"),
        ("oslo 0.1 0.2 0.3\nmet 0.3 zero 0.1\n", ":2: "),
        ("", "empty"),
    ],
)
def test_broken_vectors_are_refused_with_their_line(
    content: str, said: str, files: Files, write, tmp_path: Path, run: Run
) -> None:
    vectors = write("v.txt", content)
    complaint = run("train", *files.options, "--vectors", vectors, "--output", tmp_path / "m").complaint
    assert complaint.startswith(f"error: {vectors}:")
    assert said in complaint
    assert not (tmp_path / "m").exists()


# A transformer


def test_what_a_frozen_transformer_makes_of_the_data_is_kept_on_request(
    files: Files, write, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("transformers")
    encoder, cache = write_encoder(tmp_path / "encoder", 1), tmp_path / "kept"
    config = write("joined.toml", TINY.replace("[model]", "[model]\ntransformer_layers = 1\ntransformer_size = 6"))
    data = ["--train", files.train, "--dev", files.dev, "--config", config, "--threads", "1"]
    options = ["train", *data, "--epochs", "1", "--transformer", encoder]
    assert run(*options, "--output", tmp_path / "removed").code == 0
    assert not list(tmp_path.rglob("contextual-*"))
    assert run(*options, "--transformer-cache", cache, "--output", tmp_path / "made").code == 0
    (kept,) = tmp_path.rglob("contextual-*")
    assert kept.parent == cache
    monkeypatch.setattr(contextual, "contextual_vectors", lambda *_, **__: pytest.fail("the transformer was run again"))
    assert run(*options, "--transformer-cache", cache, "--output", tmp_path / "taken").code == 0
    assert kept.exists()
    assert equal_weights(tmp_path / "made", tmp_path / "taken")
    assert equal_weights(tmp_path / "made", tmp_path / "removed")


# Bad data


def test_no_entities_at_all(files: Files, write, tmp_path: Path, run: Run) -> None:
    plain = write("plain.conll", "It\tO\nrains\tO\n\n" * 20)
    complaint = run("train", "--train", plain, "--output", tmp_path / "m").complaint
    assert complaint.startswith(f"error: {plain}: expected entities, found none")
    dropped = run("train", "--train", files.train, "--rename", "PER=O,LOC=O", "--output", tmp_path / "m").complaint
    assert "expected entities, found none" in dropped


def test_labels_that_train_lacks_are_a_warning_and_count_as_missed(
    files: Files, write, tmp_path: Path, run: Run
) -> None:
    text = column_text(10, 5).replace("-LOC", "-SITE")
    dev, test = write("dev.conll", text), write("test.conll", text)
    options = ["--config", files.config, "--epochs", "2", "--output", tmp_path / "m", "--json"]
    result = run("train", "--train", files.train, "--dev", dev, "--test", test, *options)
    assert result.code == 0
    for path in ("dev", test):
        assert f"warning: {path}: 10 entities have labels that the training data lack (SITE)" in result.err
    site = json.loads(result.out)["runs"][0]["test"]["per_label"]["SITE"]
    assert (site["support"], site["recall"]) == (10, 0.0)


def test_what_a_dev_set_cannot_tell_is_a_warning(files: Files, write, tmp_path: Path, run: Run) -> None:
    options = ["--config", files.config, "--epochs", "1", "--output", tmp_path / "m"]
    plain = write("plain.conll", "It\tO\nrains\tO\n\n" * 3)
    result = run("train", "--train", files.train, "--dev", plain, *options)
    assert f"warning: {plain}: no entities in dev: nothing tells epochs apart, the last one is kept" in result.err
    # Of ten sentences the tenth is set aside, and its label with it.
    held = write("held.conll", "Oslo\tB-LOC\n\n" * 9 + "Milo\tB-PER\n\n")
    result = run("train", "--train", held, *options, "--overwrite")
    assert "warning: dev: 1 entity has a label that the training data lack (PER)" in result.err
    assert "no entities in dev" not in result.err


def test_too_few_sentences_to_set_some_aside(write, tmp_path: Path, run: Run) -> None:
    path = write("few.conll", "Oslo\tB-LOC\n\n" * 9)
    assert "at least 10 sentences" in run("train", "--train", path, "--output", tmp_path / "m").complaint


def test_sentences_of_one_of_none_and_of_20000_tokens_and_a_token_of_5000_characters(
    files: Files, write, tmp_path: Path, run: Run
) -> None:
    train = write(
        "train.jsonl",
        '{"text": "Oslo", "entities": [{"start": 0, "end": 4, "label": "LOC"}]}\n'
        '{"text": "", "entities": []}\n{"text": " \\n ", "entities": []}\n'
        + json.dumps({"text": "o" * 5000, "entities": []})
        + "\n"
        + json.dumps({"text": "rain " * 20_000, "entities": []}),
    )
    options = ["--config", files.config, "--epochs", "1", "--output", tmp_path / "m", "--threads", "1"]
    result = run("train", "--train", train, "--dev", train, "--test", train, *options, "--json")
    assert result.code == 0, result.err
    assert "train: 3 sentences, 20,002 tokens, 1 entities" in result.err
    assert json.loads(result.out)["runs"][0]["test"]["sentences"] == 3


# Several networks as one


def test_networks_are_trained_apart_and_joined(files: Files, tmp_path: Path, run: Run) -> None:
    directory = tmp_path / "m"
    data = (*files.options, "--test", files.test)
    options = ("train", *data, "--output", directory, "--epochs", "2", "--ensemble", "2", "--seeds", "2")
    result = run(*options)
    lines = [line.split() for line in result.err.splitlines() if "  epoch " in line]
    assert [(line[0], line[2]) for line in lines] == [
        (f"seed-{seed}/network-{number}", f"{epoch}/2") for seed in (1, 2) for number in (1, 2) for epoch in (1, 2)
    ]
    assert result.err.splitlines()[result.err.splitlines().index("making one model of 2 networks") - 1].startswith(
        "seed-2/network-2"
    )
    assert "the model of an ensemble of 2 networks, dev F1 " in result.err
    summary = json.loads((directory / "summary.json").read_text())
    assert [(one["ensemble_size"], one["epochs"]) for one in summary["runs"]] == [(2, 4)] * 2
    assert len(Tagger.load(directory).model.networks) == 2
    kept = directory / f"seed-{summary['seed']}"
    assert equal_weights(directory, kept)
    (figures,) = (one for one in summary["runs"] if one["seed"] == summary["seed"])
    assert json.loads(run("evaluate", directory, files.test, "--json").out)["f1"] == figures["test"]["f1"]
    weights = kept / "network-1.safetensors"
    before = weights.read_bytes()
    again = run(*options, "--resume")
    assert again.code == 0
    assert " epoch " not in again.err
    assert weights.read_bytes() == before
    options = ("--train", files.train, "--dev", files.dev)
    refused = run("train", *options, "--output", tmp_path / "n", "--init-from", directory)
    assert "--init-from: expected a model of one network to start from, got one of 2" in refused.complaint


def test_what_will_go_wrong_is_said_before_training(tmp_path: Path, run: Run) -> None:
    train, dev = tmp_path / "train.conll", tmp_path / "dev.conll"
    train.write_text("".join(f"P{n}\tB-PER\nmet\tO\nus\tO\nall\tO\n\n" for n in range(8)) + "x\tB-Per\ny\tO\n")
    dev.write_text("".join(f"P{n}\tB-PER\nmet\tO\nus\tO\nall\tO\n\n" for n in range(4)))
    shape = ("--word-size", "4", "--hidden-size", "4", "--preset", "small", "--epochs", "1", "--rename", "PRE=PER")
    said = run("train", "--train", train, "--dev", dev, "--output", tmp_path / "model", *shape).err
    for line in (
        f"warning: {train}: the labels 'PER' and 'Per' differ by case or spaces alone: --rename Per=PER\n",
        f"warning: {train}: labels of fewer than 5 entities, too few to learn from: Per 1\n",
        f"warning: 4 of 4 sentences (100%) of more than 3 tokens in {dev} are in {train}: a model is measured on what ",
        f"warning: {train}, {dev}: no entity is labelled PRE, to be renamed (labels found: PER, Per)",
    ):
        assert said.count(line) == 1
    assert f"warning: {dev}: labels" not in said


def test_the_text_to_try_next_is_one_of_the_data(files: Files, tmp_path: Path, run: Run) -> None:
    result = run("train", *files.options, "--output", tmp_path / "m", "--epochs", "1")
    (tag,) = [words for words in result.next if words[0] == "tag"] or [result.next[-1]]
    sentences = [" ".join(sentence.words) for sentence in read_sentences(files.dev) if sentence.spans]
    assert tag[-1] == sentences[0]


# Partly labelled data


def test_unknown_tags_and_labels_that_are_not_annotated_train_a_model(files: Files, tmp_path: Path, run: Run) -> None:
    path = tmp_path / "partly.conll"
    path.write_text("Ada\tB-PER\nmet\tO\nMilo\t?\n.\tO\n\nRome\tB-LOC|O\nfell\tO\n\n" * 10, encoding="utf-8")
    options = ("--train", path, "--dev", "none", "--config", files.config, "--several-tags", "any")
    result = run("train", *options, "--output", tmp_path / "m", "--epochs", "1", "--unannotated", "PER")
    assert result.code == 0
    assert result.err.splitlines()[0].endswith("(PER 10); 20 tokens unknown")
    assert Tagger.load(tmp_path / "m").labels == ("LOC", "PER")
    refused = run("train", *options, "--output", tmp_path / "n", "--unannotated", "Per")
    assert "unannotated: expected labels with an example" in refused.complaint
    assert "did you mean PER" in refused.complaint
    refused = run("train", *options, "--output", tmp_path / "n", "--unannotated", "PER,")
    assert "argument --unannotated: expected labels such as PER,ORG, got 'PER,'" in refused.err
