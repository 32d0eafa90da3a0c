"""WebAnno TSV 3 as INCEpTION writes it: layers, entities over rows, parts of tokens, escapes, offsets in UTF-16."""

from __future__ import annotations

from pathlib import Path

import pytest

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.formats.options import ReadOptions, ReadReport
from ner_lstm_crf.formats.registry import convert, detect_format, read_sentences
from ner_lstm_crf.formats.tools.webanno import WebAnno
from ner_lstm_crf.text.annotation import Span

CORE = "de.tudarmstadt.ukp.dkpro.core.api"
HEAD = "#FORMAT=WebAnno TSV 3.3\n"
NAMES = f"#T_SP={CORE}.ner.type.NamedEntity|identifier|value\n"
FILE = (
    f"{HEAD}#T_SP={CORE}.lexmorph.type.pos.POS|coarseValue|PosValue\n{NAMES}"
    f"#T_CH={CORE}.coref.type.CoreferenceLink|referenceType|referenceRelation\n"
    f"#T_RL={CORE}.syntax.type.dependency.Dependency|DependencyType|flavor|BT_{CORE}.lexmorph.type.pos.POS\n\n\n"
    "#Text=😀 Ada Green of\n#Text=Nordbank\\t AG .\n"
    "1-1\t0-2\t😀\t_\t_\t_\t_\t_\t_\t_\t_\t_\t\n"
    "1-2\t3-6\tAda\tNOUN\tNNP\thttp://example.org/a\\_b[1]\tPER[1]\t*->1\t_\tdep\tbasic\t1-3\t\n"
    "1-3\t7-12\tGreen\tNOUN\tNNP\thttp://example.org/a\\_b[1]\tPER[1]|LOC[2]\t*->1\t_\t_\t_\t_\t\n"
    "1-4\t13-15\tof\tADP\tIN\t_\t_\t_\t_\t_\t_\t_\t\n"
    "1-5\t16-24\tNordbank\tNOUN\tNNP\t*[3]\ta\\|b\\_c[3]\t_\t_\t_\t_\t_\t\n"
    "1-5.1\t16-20\tNord\t_\t_\t*\tLOC\t_\t_\t_\t_\t_\t\n"
    "1-5.2\t20-20\t\t_\t_\t*\tLOC\t_\t_\t_\t_\t_\t\n"
    "1-6\t26-28\tAG\tNOUN\tNNP\t*[3]\ta\\|b\\_c[3]\t_\t_\t_\t_\t_\t\n"
    "1-7\t29-30\t.\t_\t_\t_\t_\t_\t_\t_\t_\t_\t\n\n"
    "#Text=北京 far\n"
    "2-1\t31-33\t北京\t_\t_\t_\t_\t_\t_\t_\t_\t_\t\n"
    "2-1.1\t32-33\t京\t_\t_\t*\tCITY\t_\t_\t_\t_\t_\t\n"
    "2-2\t34-37\tfar\t_\t_\t_\t_\t_\t_\t_\t_\t_\t\n"
)


def write(folder: Path, text: str) -> Path:
    (folder / "x.tsv").write_bytes(text.encode())
    return folder / "x.tsv"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_values_of_named_entities_are_read_with_the_tokens_of_the_file(end: str, tmp_path: Path) -> None:
    path, report = write(tmp_path, FILE.replace("\n", end)), ReadReport()
    assert detect_format(path).name == "webanno"
    first, second = read_sentences(path, report=report)
    assert first.words == ["😀", "Ada", "Green", "of", "Nordbank", "AG", "."]
    assert first.spans == (Span(1, 3, "PER"), Span(4, 6, "a|b_c"))
    assert second.words == ["北", "京", "far"]
    assert second.spans == (Span(1, 2, "CITY"),)
    assert [(token.start, token.end) for token in first.tokens[:3]] == [(0, 1), (2, 5), (6, 11)]
    assert (first.line, second.line) == (10, 21)
    assert len(report.dropped) == 2  # one of the stacked entities, and the part of the other
    assert len(report.cut) == 1
    assert report.labels == {"PER": 1, "a|b_c": 1, "CITY": 1}


def test_the_text_has_the_tokens_at_their_offsets(tmp_path: Path) -> None:
    (text,) = WebAnno().read_texts(write(tmp_path, FILE), report=ReadReport())
    assert text.text == "😀 Ada Green of Nordbank  AG .\n北京 far"
    assert [entity.text for entity in text.entities] == ["Ada Green", "Nordbank  AG", "京"]


def test_offsets_that_count_code_points_are_read_too(tmp_path: Path) -> None:
    rows = "1-1\t0-1\t😀\t_\t_\t\n1-2\t2-5\tAda\t*\tPER\t\n"
    (sentence,) = read_sentences(write(tmp_path, f"{HEAD}{NAMES}\n\n#Text=😀 Ada\n{rows}"))
    assert (sentence.words, sentence.spans, sentence.tokens[1].start) == (["😀", "Ada"], (Span(1, 2, "PER"),), 2)


def test_sentences_that_an_entity_crosses_become_one(tmp_path: Path) -> None:
    rows = "1-1\t0-3\tAda\t*[1]\tPER[1]\t\n\n#Text=Green\n2-1\t4-9\tGreen\t*[1]\tPER[1]\t\n\n"
    rows += "#Text=x\n3-1\t10-11\tx\t_\t_\t\n"
    sentences = read_sentences(write(tmp_path, f"{HEAD}{NAMES}\n\n#Text=Ada\n{rows}"))
    assert [(one.words, one.spans) for one in sentences] == [(["Ada", "Green"], (Span(0, 2, "PER"),)), (["x"], ())]


OWN = "#T_SP=webanno.custom.Finding|kind|certainty\n#T_SP=webanno.custom.Place|value\n\n\n#Text=Ada\n"


def test_an_option_names_the_layer_or_the_feature_where_it_is_not_clear(tmp_path: Path) -> None:
    path = write(tmp_path, f"{HEAD}{OWN}1-1\t0-3\tAda\tgene\thigh\tcity\t\n")
    with pytest.raises(InputError, match=r"expected one feature with labels, found Finding\|kind, .*: --tag-key"):
        read_sentences(path)
    for key, label in (("Finding|kind", "gene"), ("certainty", "high"), ("Place", "city")):
        assert read_sentences(path, ReadOptions(tag_key=key))[0].spans == (Span(0, 1, label),)
    with pytest.raises(InputError, match=r"expected a feature named Finding \(--tag-key\), found 2 among"):
        read_sentences(path, ReadOptions(tag_key="Finding"))
    assert read_sentences(path, ReadOptions(read_tags=False))[0].spans == ()


def test_the_only_feature_of_a_layer_of_ones_own_is_read(tmp_path: Path) -> None:
    head = f"{HEAD}#T_SP={CORE}.segmentation.type.Lemma|value\n#T_SP=webanno.custom.Place|value\n\n\n"
    assert read_sentences(write(tmp_path, f"{head}1-1\t0-4\tRome\trome\tcity\t\n"))[0].spans == (Span(0, 1, "city"),)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("1-1\t0-3\tAda\t_\t_\t\nAda\tO\n", r"x\.tsv:5: expected a row such as 1-1<tab>0-3<tab>Ada<tab>\.\.\., found"),
        ("1-1\t0-4\tAda\t_\t_\t\n", r"x\.tsv:4: expected offsets that fit the token 'Ada', found 0-4"),
        ("1-1\t0-3\tAda\t_\t_\t\n1-2\t2-4\tBo\t_\t_\t\n", r"x\.tsv:5: expected offsets that fit the token 'Bo'"),
        ("1-1\t0-3\tAda\t_\n", r"x\.tsv:4: expected 2 columns of features, found 1"),
        ("1-1\t0-3\tAda\t_\t_\t\n1-1.1\t1-5\tda\t*\tX\t\n", r"x\.tsv:5: expected a part of the token 'Ada', found 1-5"),
        ("1-1\t0-3\tAda\t*\t*\t\n", r"x\.tsv:4: expected a label for the entity at 0-3, found \"\""),
        ("", r"x\.tsv: expected rows of tokens, found none"),
    ],
)
def test_mistakes_are_told_with_file_and_line(rows: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        read_sentences(write(tmp_path, f"{HEAD}{NAMES}\n{rows}"))


def test_what_is_written_is_what_inception_takes(tmp_path: Path) -> None:
    source, target = tmp_path / "x.jsonl", tmp_path / "y.tsv"
    source.write_text('{"text": "😀 Ada Green,\\nof\\tRome.", "entities": [[2, 11, "PER"], [16, 20, "a_b"]]}\n')
    convert(source, target, output_format="webanno")
    assert target.read_text(encoding="utf-8") == (
        f"{HEAD}{NAMES}\n\n"
        "#Text=😀 Ada Green,\n#Text=of\n"
        "1-1\t0-2\t😀\t_\t_\t\n1-2\t3-6\tAda\t*[1]\tPER[1]\t\n1-3\t7-12\tGreen\t*[1]\tPER[1]\t\n"
        "1-4\t12-13\t,\t_\t_\t\n1-5\t14-16\tof\t_\t_\t\n\n"
        "#Text=Rome.\n2-1\t17-21\tRome\t*\ta\\_b\t\n2-2\t21-22\t.\t_\t_\t\n"
    )
