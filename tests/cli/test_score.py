from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Run

GOLD = "Ada\tI-PER\nmet\tO\nMilo\tI-PER\nin\tO\nPort\tI-LOC\nAlba\tI-LOC\n\nNo\tO\n"  # IOB1 for all that can be seen


def test_files_of_any_scheme_and_columns(write, run: Run) -> None:
    gold = write("gold.conll", GOLD)
    found = write("found.conll", "1 Ada S-PER\n2 met O\n3 Milo O\n4 in O\n5 Port B-LOC\n6 Alba E-LOC\n\n1 No S-LOC\n")
    scores = json.loads(run("score", gold, found, "--json").out)
    assert (scores["precision"], scores["recall"], scores["support"]) == (2 / 3, 2 / 3, 3)
    assert scores["per_label"]["PER"]["recall"] == 0.5
    assert scores["per_label"]["LOC"]["predicted"] == 2
    text = run("score", gold, found)
    assert text.out.splitlines()[3].split()[:2] == ["micro", "0.6667"]
    assert text.said == ""


def test_ill_formed_predictions_are_counted_and_read_by_the_policy(write, run: Run) -> None:
    gold = write("gold.conll", "a\tB-X\nb\tI-X\nc\tO\nd\tB-X\n\ne\tB-X\n")
    found = write("found.conll", "a\tB-X\nb\tI-X\nc\tO\nd\tI-X\n\ne\tB-X\n")
    lenient, strict = (
        json.loads(run("score", gold, found, "--scheme", "IOB2", "--ill-formed", policy, "--json").out)
        for policy in ("conlleval", "strict")
    )
    assert (lenient["f1"], lenient["ill_formed"], lenient["ill_formed_tags"]) == (1.0, 1, 1)
    assert (strict["recall"], strict["ill_formed"]) == (2 / 3, 1)
    complaint = run("score", gold, found, "--scheme", "IOB2", "--ill-formed", "error").complaint
    assert complaint.startswith(f"error: {found}:4: ")


PHONE = "dial\tO\nroom\tO\n12\tB-Phone\n34\tI-Phone\n\nthen\tO\n56\tB-Phone\n78\tI-Phone\n"


def test_predictions_are_judged_by_the_scheme_of_the_gold_tags(write, run: Run) -> None:
    gold, found = write("gold.conll", PHONE), write("found.conll", PHONE.replace("B-", "I-"))
    strict = ("--ill-formed", "strict")
    scores = json.loads(run("score", gold, found, *strict, "--json").out)
    assert (scores["f1"], scores["ill_formed_tags"], scores["predicted"]) == (0.0, 2, 0)
    assert (scores["gold_scheme"], scores["predicted_scheme"]) == ("IOB2", "IOB2")
    assert "tag schemes: gold IOB2, predicted IOB2" in run("score", gold, found, *strict).out
    assert f"{found}:3: " in run("score", gold, found, "--ill-formed", "error").complaint
    # The lenient reading takes them for entities, and so does a scheme that is asked for.
    assert json.loads(run("score", gold, found, "--json").out)["f1"] == 1.0
    asked = run("score", gold, found, *strict, "--predicted-scheme", "iob1")
    assert asked.out.splitlines()[3].split()[:4] == ["macro", "1.0000", "1.0000", "1.0000"]
    assert "tag schemes: gold IOB2, predicted IOB1" in asked.out


@pytest.mark.parametrize("form", ["tokens", "columns"])
def test_gold_and_predicted_tags_of_one_scheme_in_any_format(form, write, run: Run) -> None:
    rows = [[line.split("\t") for line in part.splitlines()] for part in PHONE.split("\n\n")]
    lines = [json.dumps({"tokens": [w for w, _ in part], "ner_tags": [t for _, t in part]}) for part in rows]
    gold = write("gold.jsonl", "\n".join(lines)) if form == "tokens" else write("gold.conll", PHONE)
    found = write("found.jsonl", "\n".join(lines).replace("B-", "I-"))
    scores = json.loads(run("score", gold, found, "--ill-formed", "strict", "--json").out)
    assert (scores["f1"], scores["predicted_scheme"]) == (0.0, "IOB2")


def test_gold_and_predicted_tags_of_one_scheme_in_one_file(write, run: Run) -> None:
    both = write("both.conll", "a\tB-X\tI-X\nb\tI-X\tI-X\nc\tO\tO\n")
    columns = ("--tag-column", "2", "--predicted-column", "3")
    scores = json.loads(run("score", both, both, *columns, "--ill-formed", "strict", "--json").out)
    assert (scores["f1"], scores["gold_scheme"], scores["predicted_scheme"]) == (0.0, "IOB2", "IOB2")


def test_a_scheme_of_predictions_belongs_to_tags(write, run: Run) -> None:
    gold, found = write("gold.conll", "Ada\tB-PER\n"), write("found.inline", "[Ada](PER)\n")
    assert "only files of tags" in run("score", gold, found, "--predicted-scheme", "IOB2").complaint
    scores = json.loads(run("score", gold, found, "--json").out)
    assert (scores["f1"], scores["gold_scheme"], scores["predicted_scheme"]) == (1.0, "IOB2", None)


def test_other_tokens_are_refused_with_both_places(write, run: Run) -> None:
    gold, found = write("gold.conll", GOLD), write("found.conll", GOLD.replace("Milo", "Mila"))
    complaint = run("score", gold, found).complaint
    assert f"{found}:1: expected the tokens of {gold}:1, found 'Mila' instead of 'Milo' (token 3" in complaint
    short = write("short.conll", GOLD.partition("\n\n")[0] + "\n")
    assert "no counterpart" in run("score", gold, short).complaint


def test_characters_make_words_and_characters_comparable(write, run: Run) -> None:
    gold, found = write("gold.conll", "北京\tB-LOC\n好\tO\n"), write("found.conll", "北\tB-LOC\n京\tI-LOC\n好\tO\n")
    assert "expected the tokens" in run("score", gold, found).complaint
    assert json.loads(run("score", gold, found, "--token-unit", "character", "--json").out)["f1"] == 1.0


def test_texts_are_compared_by_characters(write, run: Run) -> None:
    gold = write("gold.jsonl", '{"text": "Romebound Ada.", "entities": [[0, 4, "LOC"], [10, 13, "PER"]]}\n')
    found = write("found.jsonl", '{"text": "Romebound Ada.", "entities": [[0, 9, "LOC"], [10, 13, "PER"]]}\n')
    scores = json.loads(run("score", gold, found, "--json").out)
    assert (scores["f1"], scores["support"], scores["sentences"]) == (0.5, 2, 1)
    assert json.loads(run("score", gold, found, "--json", "--labels", "PER").out)["f1"] == 1.0
    assert "only column files have columns" in run("score", gold, found, "--predicted-column", "3").complaint
    other = write("other.jsonl", '\n{"text": "Romebound Ida.", "entities": []}\n')
    assert f"{other}:2: expected the text of {gold}:1, found 'Romebound Ida.'" in run("score", gold, other).complaint
    more = write("more.jsonl", gold.read_text() * 2)
    assert f"{more}:2: text 2 has no counterpart in {gold}" in run("score", gold, more).complaint
    assert f"{more}:2: text 2 has no counterpart in {gold}" in run("score", more, gold).complaint


def test_rows_of_other_columns_are_told(write, run: Run) -> None:
    gold, found = write("gold.conll", "Ada B-X\nmet O\nLu B-X\n"), write("found.conll", "Ada B-X\nmet O X\nLu B-X\n")
    assert "--tag-column 2 reads 'O' as its tag" in run("score", gold, found).complaint
    told = run("score", gold, found, "--tag-column", 2).err
    assert f"{found}: rows with fewer or more columns than most, which have 2: line 2" in told


def test_entities_left_out_are_told(write, run: Run) -> None:
    gold = write("gold.conll", "罗\tB-LOC\n马\tI-LOC\n")
    found = write("found.jsonl", '{"text": "罗马", "label": {"LOC": {"罗马": [[0, 1]], "罗": [[0, 0]]}}}\n')
    assert "1 entity left out, since longer ones overlap them" in run("score", gold, found).err


def test_a_file_of_gold_and_predicted_tags_is_not_scored_against_itself(write, run: Run) -> None:
    """As conlleval reads them."""
    gold = write("gold.conll", "Ada I-PER\nmet O\nMilo I-PER\n")
    found = write("found.conll", "Ada I-PER O\nmet O O\nMilo I-PER I-PER\n")
    complaint = run("score", gold, found).complaint
    assert f"{found}: tags in the columns 2, 3: expected --predicted-column to say which" in complaint
    for column in ("3", "-1"):
        scores = json.loads(run("score", gold, found, "--predicted-column", column, "--json").out)
        assert (scores["precision"], scores["recall"]) == (1.0, 0.5)
    alone = run("score", found, found, "--tag-column", "2", "--predicted-column", "3", "--json")
    assert json.loads(alone.out)["recall"] == 0.5


def test_nothing_to_find_is_nothing_to_measure(write, run: Run) -> None:
    gold, found = write("gold.conll", "Ada\tO\nmet\tO\n"), write("found.conll", "Ada\tB-PER\nmet\tO\n")
    assert f"{gold}: expected entities, found none: nothing in it is annotated" in run("score", gold, found).complaint
    complaint = run("score", found, gold, "--labels", "PERS").complaint
    assert f"{found}: expected entities, found none: no entity has a label to keep" in complaint
    assert json.loads(run("score", found, gold, "--json").out)["recall"] == 0


def test_nested_entities_are_scored_by_the_column_that_both_files_have_them_in(write, run: Run) -> None:
    gold = write("gold.conll", "Ada B-PER O\nof O O\nRome B-LOC B-PER\n")
    found = write("found.conll", "Ada B-PER O\nof O O\nRome O B-PER\n")
    scores = json.loads(run("score", gold, found, "--json").out)
    assert (scores["precision"], scores["recall"]) == (1.0, 0.5)
    assert "expected --predicted-column" in run("score", gold, gold).complaint


def test_ill_formed_gold_is_told(write, run: Run) -> None:
    gold = write("gold.conll", "Ada\tB-PER\nof\tO\nRome\tI-LOC\nis\tB-LOC\n")
    assert f"warning: {gold}: 1 tag against IOB2" in run("score", gold, gold, "--scheme", "IOB2").err
