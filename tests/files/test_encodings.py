"""Which encoding some bytes are likely to be in."""

from __future__ import annotations

import pytest

from ner_lstm_crf.files.encodings import likely_encoding

TEXTS = {
    "latin-1": [
        "Zürich",
        "El niño comió en España.",
        "¿Cuándo llegó el señor? ¡Mañana!",
        "le café\tO",
        "Jürgen Möller fährt über die Brücke nach Köln.",
    ],
    "cp1252": ["L’été à Paris", "„Grüße“ aus München – und Köln"],
    "cp1250": ["Łukasz mieszka we Wrocławiu i pisze książki.", "Žlutý kůň běží po louce v Brně."],
    "cp1251": ["Иван\tB-PER\nТомск\tB-LOC", "Моя страна большая, и в ней много лесов."],
    "koi8-r": ["Иван\tB-PER\nТомск\tB-LOC", "Моя страна большая, и в ней много лесов."],
    "gb18030": ["北京", "王小明\tB-PER\n从\tO", "今天天气很好，我们去公园散步吧。"],
    "big5": ["臺北\tB-LOC", "王小明從北京飛往巴黎。今天天氣很好。"],
    "shift_jis": ["山田さんは大阪へ行きました。"],
    "euc_jp": ["山田さんは大阪へ行きました。"],
    "euc_kr": ["민수는 어제 오슬로에서 돌아왔다."],
    "utf-8": ["Rome", "Zürich", "北京"],
    "utf-16-le": ["Ada\tB-PER\n", "王\tB-PER\n小\tI-PER\n"],
    "utf-16-be": ["Ada\tB-PER\n"],
    "utf-32-le": ["Ada\tB-PER\n"],
    "utf-16": ["Ada\n"],
    "utf-32": ["Ada\n"],
}


@pytest.mark.parametrize(
    ("encoding", "text"), [(encoding, text) for encoding, texts in TEXTS.items() for text in texts]
)
def test_a_few_words_show_their_encoding(encoding: str, text: str) -> None:
    assert likely_encoding(text.encode(encoding)) == encoding


@pytest.mark.parametrize(
    "text", ["Η Αθήνα είναι μεγάλη.".encode("cp1253"), bytes(range(256)), b"ab\0cd", b"\x89PNG\0\0\0\r"]
)
def test_what_fits_no_encoding_that_is_known_suggests_none(text: bytes) -> None:
    assert likely_encoding(text) is None


def test_a_damaged_byte_in_utf_8_is_no_other_encoding() -> None:
    assert likely_encoding("Köln und Zürich und Málaga ".encode() + b"caf\xe9") == "utf-8"
