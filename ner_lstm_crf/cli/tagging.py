"""Streams of texts through a tagger into a file, a window at a time: memory stays flat however long the stream is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import asdict, replace
from itertools import chain, islice, tee
from typing import Any, Literal, TypeAlias, cast

from ner_lstm_crf.cli.display import progress_bar
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.json import json_line, parse_object, parse_record
from ner_lstm_crf.files.text import STANDARD_STREAM, stream_lines, writing
from ner_lstm_crf.formats.columns import ReadOptions
from ner_lstm_crf.formats.conll import read_conll
from ner_lstm_crf.formats.report import ReadReport, warn_of_ragged_rows
from ner_lstm_crf.formats.rewriting import replace_tags, write_conll
from ner_lstm_crf.formats.text_json import record_of
from ner_lstm_crf.formats.token_json import TokenRecord, has_tokens, parse_tokens
from ner_lstm_crf.progress import Progress, silent
from ner_lstm_crf.tagging.tagger import Tagger
from ner_lstm_crf.tags.scheme import get_scheme
from ner_lstm_crf.text.annotation import Entity, Sentence

__all__ = ["first_sentences", "first_texts", "read_records", "tag_columns", "tag_records", "text_records"]

TextRecord: TypeAlias = dict[str, Any]
"""A JSON object with the key `text`."""

TagRecord: TypeAlias = TextRecord | TokenRecord
"""What is tagged. Those of one file are all of one kind: that of the first."""

_FIRST_SENTENCES, _FIRST_RECORDS = 20, 1000


def text_records(texts: Iterable[str]) -> Iterator[TextRecord]:
    """Texts as records of nothing else."""
    return ({"text": text} for text in texts)


def read_records(path: str, encoding: str, form: Literal["text", "jsonl"]) -> Iterator[TagRecord]:
    """The records of a file of texts or of JSON lines; `-` is standard input, read as it comes.

    Raises:
        InputError: If it cannot be read, or a line is no object with a text (with tokens, if the first one has such).
    """
    with closing(stream_lines(path, encoding)) as lines:
        if form == "text":
            yield from text_records(line.removesuffix("\n").removesuffix("\r") for line in lines)
            return
        parse: Callable[[str], TagRecord] | None = None
        for number, line in enumerate(lines, 1):
            if not line.isspace():
                try:
                    parse = parse or _parser_of(line)
                    record = parse(line)
                except InputError as error:
                    where = "standard input" if path == STANDARD_STREAM else path
                    raise InputError(error.message, path=where, line=number) from None
                yield record


def _parser_of(line: str) -> Callable[[str], TagRecord]:
    """What reads a file whose first line this is."""
    return _parse_tokens if has_tokens(parse_object(line)) else parse_record


def _parse_tokens(line: str) -> TokenRecord:
    return parse_tokens(parse_object(line), read_tags=False)


def first_texts(records: Iterator[TagRecord]) -> tuple[list[str], Iterator[TagRecord]]:
    """The first text that is more than white space, as a list, and all records, the first ones once more.

    Of many blank ones only the first are looked at: memory stays flat.
    """
    read, text = list[TagRecord](), ""
    for record in islice(records, _FIRST_RECORDS):
        read.append(record)
        text = " ".join(record.tokens) if isinstance(record, TokenRecord) else record["text"]
        if text.strip():
            break
    return [text] if read else [], chain(read, records)


def first_sentences(path: str, options: ReadOptions) -> list[str]:
    """The tokens of the first sentences of a column file, of which nothing is said until it is read as a whole."""
    sentences = islice(read_conll(path, options, report=ReadReport()), _FIRST_SENTENCES)
    return [word for sentence in sentences for word in sentence.words]


def tag_records(
    tagger: Tagger, records: Iterable[TagRecord], output: str, *, to: str, scheme: str | None, numbered: bool
) -> None:
    """Tag records and write what was found.

    Args:
        tagger: The tagger.
        records: What to tag: texts, or sentences of tokens.
        output: The file to write.
        to: Its format: `text`, one line per entity; `jsonl`, the records with their entities or tags; `conll`.
        scheme: The tag scheme to write; None for IOB2.
        numbered: Whether each line of `text` begins with the number of its text, from 1; of sentences of tokens all do.

    Raises:
        InputError: If it cannot be written, or a scheme is asked for where there are no tags.
    """
    records = iter(records)
    first = next(records, None)
    records = chain([] if first is None else [first], records)
    if isinstance(first, TokenRecord):
        _tag_tokens(tagger, cast("Iterator[TokenRecord]", records), output, to=to, scheme=scheme or "IOB2")
    elif scheme and to == "jsonl":
        raise InputError(f"--scheme {scheme}: only columns and tokens have tags, these are texts: leave it out")
    else:
        _tag_texts(
            tagger, cast("Iterator[TextRecord]", records), output, to=to, scheme=scheme or "IOB2", numbered=numbered
        )


def _tag_texts(
    tagger: Tagger, records: Iterator[TextRecord], output: str, *, to: str, scheme: str, numbered: bool
) -> None:
    if to == "conll":
        write_conll(output, tagger.tag_sentences(_sentences(tagger, records)), scheme=scheme)
        return
    with writing(output) as out, _bar(output, " texts") as count:
        for number, (record, entities) in enumerate(_tagged(tagger, records), 1):
            count(number, None)
            if to == "jsonl":
                found = {"entities": [asdict(entity) for entity in entities]}
                out.write(json_line(record | found))
            else:
                out.writelines(_line(entity, number if numbered else None) for entity in entities)


def _tag_tokens(tagger: Tagger, records: Iterator[TokenRecord], output: str, *, to: str, scheme: str) -> None:
    """Tag sentences of tokens; places in what is written as text count in these, joined by single spaces if words."""
    token_unit, chosen = tagger.model.config.token_unit, get_scheme(scheme)
    if to == "conll":
        sentences = (record.sentence(token_unit) for record in records if record.tokens)
        write_conll(output, tagger.tag_sentences(sentences), scheme=scheme)
        return
    read, held = tee(records)
    tagged = tagger.tag_sentences(record.sentence(token_unit) for record in read)
    with writing(output) as out, _bar(output, " sentences") as count:
        for number, (record, sentence) in enumerate(zip(held, tagged, strict=False), 1):
            count(number, None)
            if to == "jsonl":
                tags = chosen.encode(sentence.spans, len(sentence.tokens))
                out.write(json_line(record.retagged(sentence.words, tags)))
            else:
                out.writelines(_line(entity, number) for entity in record_of(sentence).entities)


def tag_columns(
    tagger: Tagger, path: str, output: str, *, scheme: str, options: ReadOptions, name: str | None = None
) -> None:
    """Tag a column file, called `name` in warnings, and write it again with the predicted tags, all else kept."""
    report = ReadReport()
    with _bar(output, " sentences") as count:
        tagged = _counted(tagger.tag_sentences(read_conll(path, options, report=report)), count)
        replace_tags(path, output, tagged, scheme=scheme, options=options)
    warn_of_ragged_rows(name or path, report)


def _tagged(tagger: Tagger, records: Iterator[TextRecord]) -> Iterator[tuple[TextRecord, list[Entity]]]:
    """Each record with its entities; the tagger reads ahead, so those on their way are held."""
    read, held = tee(records)
    return zip(held, tagger.tag_many(record["text"] for record in read), strict=False)


def _sentences(tagger: Tagger, records: Iterator[TextRecord]) -> Iterator[Sentence]:
    """The sentences of all records, each record a document."""
    for number, record in enumerate(records):
        for sentence in tagger.split(record["text"]):
            yield replace(sentence, document=number)


def _counted(sentences: Iterable[Sentence], count: Progress) -> Iterator[Sentence]:
    for number, sentence in enumerate(sentences, 1):
        yield sentence
        count(number, None)


def _bar(output: str, unit: str) -> AbstractContextManager[Progress]:
    """A bar, unless the results themselves run over the terminal."""
    return nullcontext(silent) if output == STANDARD_STREAM else progress_bar("tagging", unit=unit)


def _line(entity: Entity, number: int | None) -> str:
    """An entity as a line of cells; white space within it becomes one space, since its place says what it was."""
    first = "" if number is None else f"{number}\t"
    return f"{first}{entity.start}\t{entity.end}\t{entity.label}\t{' '.join(entity.text.split())}\n"
