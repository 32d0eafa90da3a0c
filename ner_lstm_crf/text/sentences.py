"""Raw text to sentences, whose tokens have their offsets in the whole text.

A sentence ends

- at a blank line, always;
- at a single line break, unless the line looks wrapped: the next one begins in lower case, or its first word would not
  have fitted into the longest line of the paragraph, and that line is between 50 and 120 characters long;
- after `.`, `!`, `?` or an ellipsis, with the quotes and brackets closed right after, if white space follows. Not, if a
  lower-case word follows a closing quote ("Why?" he said), an ellipsis or a short word (approx. five); not after an
  initial (J. Smith), a title (Dr.), an ordinal (3. maj), a list number at the start of a line (1. Aims), `No.` before a
  number; nor, unless a word like "The" or "He" follows, after another abbreviation (Inc., U.S., p.m.);
- after 。！？ with their closing quotes, unless a comma follows; no white space is needed there;
- between columns: at a tab, a form feed, a vertical tab, U+2028, U+0085 and other control characters that separate, at
  three or more spaces within a line, and after a `|` between spaces;
- before and after foreign words in lower case, if the tokens are characters and the text is Chinese: what is read
  character by character was learnt from Chinese, and goes wrong behind such words.

A sentence may be of any length: text without any of these is one sentence, and nothing is ever dropped. Within it there
are barriers, which no entity holds: see `_BARRIERS`.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain, groupby, pairwise
from operator import add
from typing import NamedTuple, get_args

from ner_lstm_crf.config import Hyphens, TokenUnit
from ner_lstm_crf.text.annotation import Sentence, Token
from ner_lstm_crf.text.normalization import NormalizedText, goes_on, normalized
from ner_lstm_crf.text.scripts import CLOSERS, EMOJI, EMOJI_MODIFIERS, FLAG_LETTERS, HAN, KANA, OPENERS, has_han
from ner_lstm_crf.text.tokenizer import ABBREVIATIONS, BEFORE_NAMES, BEFORE_NUMBERS, check_text, read_tokens

BLOCK = 131_072  # characters of a text that are read at once
_MARGIN = 1024  # characters that are read on either side of a cut within a sentence
_CONTEXT = 64  # characters before a cut that the rules may look at
_NARROWEST_WRAP, _WIDEST_WRAP = 50, 120  # characters in the longest line of wrapped text
_SHORTEST_PLAIN_WORD = 5  # before a full stop and a lower-case word: 204 sentence ends, 16 abbreviations in the corpora

# Capitalised, these words begin a sentence far more often than a name.
_SENTENCE_OPENERS = frozenset(
    re.findall(
        r"\w+",
        "The This That These Those There Then Thus It Its He She His Her They Their We Our You Your I My A An But And"
        " Or So Yet If In On At As For From With Without After Before While When Where Who Why How What Which However"
        " Also Although Because Since Some Many Most Each Both All Not No Yes Please Thanks Now Here Today Yesterday"
        " Der Die Das Ein Eine Er Sie Es Wir Ich Im Am Aber Und",
    )
)
# Nouns that German capitalises after an ordinal: 3. Oktober, 16. Jahrhundert.
_AFTER_ORDINALS = frozenset(
    re.findall(
        r"\w+",
        "Januar Februar März April Mai Juni Juli August September Oktober November Dezember"
        " Jahrhundert Jahrhunderts Jh Chr",
    )
)

_STOPS = ".!?…‥؟۔।॥"
_WIDE_STOPS = "。！？｡"
_WIDE_CLOSERS = '’”」』）］｝》〉】〕")\\]'  # not the left quotes: they close in German, where a space follows
_STOP = re.compile(
    rf"(?=[{_STOPS}{_WIDE_STOPS}])(?:"  # not needed for the result: it passes over most characters at once
    rf"(?<![{_STOPS}])(?P<stop>[{_STOPS}]++)(?P<closers>(?:\[\d{{1,3}}\])*+[{CLOSERS}]*+(?:\ ?[:;]-?[()]+)?)(?=\s)"
    rf"|(?<![{_WIDE_STOPS}])[{_WIDE_STOPS}]++[{_WIDE_CLOSERS}]*+(?![，、,；;：:])"
    rf"|(?<![!?])[!?]++(?=[{HAN}{KANA}]))"
)
_NEXT = re.compile(rf"\s*+[{OPENERS}]*+(?P<word>\w{{1,20}}|.|)")
_REACH = 12  # characters before a full stop that decide what it is
_LAST_WORD = re.compile(rf"[^\s()\[\]{{}}\"“”„«»‹›\u3000-\u303f{HAN}{KANA}\uff00-\uff65]+\Z")
_DOTTED = re.compile(r"(?:[^\W\d_]{1,3}\.)*[^\W\d_]{1,3}")
_BLANK_LINE = re.compile(r"\n[^\S\n]*+\n\s*+")
_LIST_NUMBER = re.compile(r"(?m)^[ \t]{0,8}\d{1,3}\Z")


def _ends_sentence(text: str, match: re.Match[str]) -> bool:
    """True if a match of `_STOP` is the end of a sentence."""
    if match["stop"] is None:  # a wide stop, which has no other use
        return True
    following = _NEXT.match(text, match.end())
    next_word = following["word"] if following else ""
    if next_word and next_word in ".,;":
        return False
    if match["stop"] == "." and not match["closers"]:
        return not _is_abbreviated(text, match.start(), next_word)
    return not next_word[:1].islower() or (match["stop"][-1] in "!?" and not match["closers"])


def _is_abbreviated(text: str, stop: int, next_word: str) -> bool:
    """True if the full stop at the index `stop` belongs only to the word before it."""
    last_word = _LAST_WORD.search(text, max(0, stop - _REACH), stop)
    word = last_word[0].lstrip("'‘’") if last_word else ""
    if word in BEFORE_NAMES or (word in BEFORE_NUMBERS and next_word[:1].isdigit()):
        return True
    if word.isdecimal():  # 1. Aims, and ordinals: 3. maj, 16. Jahrhundert
        listed = _LIST_NUMBER.search(text, max(0, stop - _REACH), stop)
        return next_word[:1].islower() or next_word in _AFTER_ORDINALS or listed is not None
    initial = len(word) == 1 and word.isalpha() and word != "I"
    if initial or word in ABBREVIATIONS or ("." in word and _DOTTED.fullmatch(word)):
        return next_word not in _SENTENCE_OPENERS
    return next_word[:1].islower() and len(word) < _SHORTEST_PLAIN_WORD


# What separates columns. Spaces and tabs at the end or the start of a line are none. The first character is one of all
# that begin a match, since `re` passes over the others fast.
_HARD = "\\0\\v\\f\\x1c-\\x1f\\x85\\u2028\\u2029"
_SPACE = " \xa0\u1680\u2000-\u200a\u202f\u205f\u3000"
_BAR = "|¦│┃║"
_COLUMN_END = re.compile(
    rf"[{_HARD}{_SPACE}{_BAR}\t](?:(?<=[{_HARD}])|(?<=\s[{_BAR}])(?=\s)"
    rf"|(?<=\S[{_SPACE}\t])(?:(?<=\t)|[{_SPACE}]?\t|[{_SPACE}]{{2}})[{_SPACE}\t]*+(?=\S))"
)
# Foreign words in lower case within Chinese: those with a space before, or of four letters or more, but not those
# within a name ("Bank of China") or an address.
_FOREIGN = rf"[^\W\d_{HAN}]"
_MORE_WORDS = rf"[a-z]*+(?: [a-z]++(?!{_FOREIGN}))*+"
_FOREIGN_WORDS = re.compile(
    rf"[a-z](?<![^\s{HAN}].)(?:(?<![{HAN}].)|(?=[a-z]{{3}}))"
    rf"(?:(?<![A-Za-z] .){_MORE_WORDS}|{_MORE_WORDS}(?! [A-Z]))(?!{_FOREIGN}|\d|[.@/:&_'’-]\w)"
)


def _borders(text: str, token_unit: TokenUnit) -> list[int]:
    """The offsets at which a sentence may begin or end, in order."""
    stops = [match.end() for match in _STOP.finditer(text) if _ends_sentence(text, match)]
    if _is_plain(text):  # as most short texts are
        return [0, *stops]
    columns = [match.end() for match in _COLUMN_END.finditer(text)]
    foreign = list[int]()
    if token_unit == "character" and has_han(text):
        foreign = [border for match in _FOREIGN_WORDS.finditer(text) for border in match.span()]
    return sorted([*stops, *columns, *foreign, *_line_starts(text)])


def _is_plain(text: str) -> bool:
    """True if a text is one line of ASCII characters without columns, markup and bars."""
    return text.isascii() and text.isprintable() and not ("<" in text or "|" in text or "   " in text or not text)


def _line_starts(text: str) -> Iterator[int]:
    """The starts of the lines that begin a sentence."""
    start = 0
    for blank, paragraph in groupby(text.splitlines(keepends=True), key=str.isspace):
        lines = list(paragraph)
        yield start
        if blank:
            start += sum(map(len, lines))
            continue
        longest = max(len(line.rstrip()) for line in lines)
        width = longest if _NARROWEST_WRAP <= longest <= _WIDEST_WRAP else len(text)
        for line, next_line in pairwise(lines):
            start += len(line)
            if not _is_wrapped(line.rstrip(), next_line.lstrip(), width):
                yield start
        start += len(lines[-1])


def _is_wrapped(line: str, next_line: str, width: int) -> bool:
    """True if `line` was broken to fit into `width`, and its sentence goes on in `next_line`."""
    first_word = next_line.split(maxsplit=1)[0]
    return next_line[0].islower() or len(line) + 1 + len(first_word) > width


# What no entity holds, though it stands within a sentence that is read as a whole: markup, emoji, bars of tables. Again
# the first character is one of all that begin a match.
_MARKUP = r"(?<=<)(?=[A-Za-z/!?])[^<>\n]{1,200}>"
_PICTURES = f"{EMOJI}{FLAG_LETTERS}"
_BARRIER = re.compile(rf"[<{_BAR}{_PICTURES}](?:{_MARKUP}|(?<=[^<])[{EMOJI_MODIFIERS}]*)")
# In Chinese marks other than those of foreign names (·) are no part of a name either, and spaces separate it from
# foreign words.
_MARKS = rf"*`#@<>{{}}\[\]\\~^=_\"{_BAR}{_PICTURES}"
_CHINESE_BARRIER = re.compile(
    rf"[{_MARKS}{_SPACE}](?:{_MARKUP}|(?<=[{_MARKS}])[{EMOJI_MODIFIERS}]*"
    rf"|(?<=[{HAN}][{_SPACE}])[{_SPACE}]*+(?={_FOREIGN})|(?<={_FOREIGN}[{_SPACE}])[{_SPACE}]*+(?=[{HAN}]))"
)
# An entity begins at the earliest with #tag and @name, and holds an address alone or not at all.
_ADDRESS_SIGNS = ("#", "@", "://", "www.")
_ADDRESS = re.compile(r"[#@:w](?:(?<=[#@])|(?<=:)//|(?<=w)ww\.)")


def _barriers(text: str, words: Sequence[str], starts: Sequence[int], token_unit: TokenUnit) -> list[tuple[int, int]]:
    """The barriers of a text, as tokens from the first to the last (exclusive).

    An empty one, from a token to itself, is a place that no entity goes over.

    Args:
        text: The text.
        words: Its tokens.
        starts: Their offsets.
        token_unit: What they are.
    """
    is_chinese = token_unit == "character" and has_han(text)
    matches = chain(_CHINESE_BARRIER.finditer(text), _FOREIGN_WORDS.finditer(text)) if is_chinese else iter(())
    if not is_chinese and not _is_plain(text):
        matches = _BARRIER.finditer(text)
    found = {(bisect_left(starts, match.start()), bisect_left(starts, match.end())) for match in matches}
    if not any(sign in text for sign in _ADDRESS_SIGNS):
        return sorted(found)
    for match in _ADDRESS.finditer(text):
        token = max(bisect_right(starts, match.start()) - 1, 0)
        found.add((token, token))
        if words[token : token + 1] and words[token][0] not in "#@":
            found.add((token + 1, token + 1))
    return sorted(found)


PATTERNS: Mapping[str, re.Pattern[str]] = {
    "stop": _STOP,
    "next_word": _NEXT,
    "last_word": _LAST_WORD,
    "column_end": _COLUMN_END,
    "foreign_words": _FOREIGN_WORDS,
    "barrier": _BARRIER,
    "chinese_barrier": _CHINESE_BARRIER,
    "address": _ADDRESS,
}
"""The patterns above by name, for splitters in other languages."""

WORD_LISTS: Mapping[str, frozenset[str]] = {
    "before_names": BEFORE_NAMES,
    "before_numbers": BEFORE_NUMBERS,
    "abbreviations": ABBREVIATIONS,
    "sentence_openers": _SENTENCE_OPENERS,
    "after_ordinals": _AFTER_ORDINALS,
}
"""The words that decide what a full stop is, likewise."""


class Portion(NamedTuple):
    """Some sentences of a text, without an object per token.

    A sentence that is too long to be read at once is cut: its tokens around the cut are in both portions, so that each
    portion has those of the other as context.

    Attributes:
        normal: The part of the text that was read, normalized.
        offset: The offset in the text at which it begins.
        words: Each token as it is read.
        starts: The offset of each token in the normalized part.
        edges: The index of each sentence's first token, and the number of all tokens.
        barriers: What no entity holds, see `_barriers`.
        first: The index of the first token that was not in the portion before.
        end: The index of the token that the next portion's new tokens begin with.
        is_cut: True if the last sentence goes on in the next portion.
        last: True if the text ends with this portion.
        token_unit: What the tokens are.
    """

    normal: NormalizedText
    offset: int
    words: list[str]
    starts: list[int]
    edges: list[int]
    barriers: list[tuple[int, int]]
    first: int
    end: int
    is_cut: bool
    last: bool
    token_unit: TokenUnit

    @property
    def sure(self) -> int:
        """The number of tokens that stay as they are: before a cut the last ones may go on behind the block."""
        if not self.is_cut:
            return len(self.words)
        near = bisect_left(self.starts, len(self.normal.text) - _MARGIN // 2)
        return max(self.end, min(near, len(self.words) - 1))

    @property
    def touching(self) -> list[bool]:
        """For each token whether the next one begins where it ends; False for the last one."""
        ends = map(add, self.starts, map(len, self.words))
        return [end == start for end, start in zip(ends, [*self.starts[1:], -1], strict=False)]

    def offsets(self, first: int, final: int) -> tuple[int, int]:
        """The offsets in the text at which the token `first` begins and the token `final` ends."""
        start, end = self.normal.in_source(self.starts[first], self.starts[final] + len(self.words[final]))
        return start + self.offset, end + self.offset

    def tokens(self, first: int, end: int) -> list[Token]:
        """The tokens `first` to `end` (exclusive) as they stand in the text, with what is not read of them."""
        source, offset, new = self.normal.source, self.offset, tuple.__new__
        if not self.normal.edits:  # as almost always
            read = zip(self.words[first:end], self.starts[first:end], strict=True)
            return [new(Token, (word, start + offset, start + offset + len(word))) for word, start in read]
        places = [self.offsets(number, number) for number in range(first, end)]
        return [new(Token, (source[start - offset : end - offset], start, end)) for start, end in places]


def _check_unit(token_unit: str) -> None:
    """Refuse what is no unit of tokens."""
    if token_unit not in get_args(TokenUnit):
        raise ValueError(f'expected token_unit "word" or "character", got {token_unit!r}')


@lru_cache(maxsize=16)  # as millions of empty lines in a row are all alike
def _blank_portion(text: str, token_unit: TokenUnit) -> Portion:
    """The portion of a text of white space."""
    return Portion(NormalizedText(text, text), 0, [], [], [0], [], 0, 0, False, True, token_unit)


def portions(
    text: str | Iterable[str], *, token_unit: TokenUnit = "word", hyphens: Hyphens = "split", html: bool = False
) -> Iterator[Portion]:
    """The sentences of a text in one portion, or in several if the text is long; never all in memory together.

    Args:
        text: Any Unicode string, or the parts of one, of any length.
        token_unit: "word" for words (characters where words are not spaced), "character" for single characters.
        hyphens: As in `tokenize`.
        html: As in `normalized`.

    Raises:
        ValueError: If `token_unit` is neither "word" nor "character".
    """
    _check_unit(token_unit)
    if isinstance(text, str) and len(text) <= BLOCK and not text.strip():  # as blank lines are
        yield _blank_portion(text, token_unit)
        return
    parts = (text[at : at + BLOCK] for at in range(0, len(text), BLOCK)) if isinstance(text, str) else iter(text)
    block, offset, begin, fresh, last = "", 0, 0, 0, False
    while not last:
        # 1. The next block, as it is read. Its tokens from `begin` on are read, those from `fresh` on are new.
        while len(block) < BLOCK + 2 * _MARGIN and not last:
            part = next(parts, None)
            block, last = block + (part or ""), part is None
        normal = normalized(block, html=html)
        borders = _borders(normal.text, token_unit)
        # 2. It ends with a sentence, if possible with a paragraph; else within a sentence that is too long.
        end = len(normal.text)
        margin = min(_MARGIN, end // 4)  # little is left of a block of invisible characters
        reach = bisect_right(borders, end if last else end - margin)
        final = borders[reach - 1] if reach else 0
        if reach and not last:
            blanks = _BLANK_LINE.finditer(normal.text, end - end // 4, final)
            blank = max((match.end() for match in blanks), default=final)
            final = borders[bisect_right(borders, blank) - 1]
        is_cut = not last and final <= fresh
        words, starts = read_tokens(normal.text, begin, end if last or is_cut else final, token_unit, hyphens)
        # 3. If it is cut, the tokens before the cut, and a margin of those before them, come with the next block again.
        new, stop = bisect_left(starts, fresh), len(words)
        behind = starts[-1] + len(words[-1]) if words else 0
        if is_cut:
            stop = _cut(words, starts, new, fresh, end, margin)
            fresh = starts[stop] if stop < len(words) else end
            again = bisect_left(starts, fresh - margin)
            while again < stop and goes_on(words[again][0]):  # half an emoji would be another one
                again += 1
            begin = starts[again] if again < stop else fresh
        else:
            begin = fresh = end if last else max(final, behind)  # accents behind a full stop go over the border
        edges = {0, len(words), *(bisect_left(starts, border) for border in borders[:reach])}
        barriers = _barriers(normal.text, words, starts, token_unit)
        yield Portion(normal, offset, words, starts, sorted(edges), barriers, new, stop, is_cut, last, token_unit)
        # 4. The next block begins there, and with some characters before that the rules look at.
        seen = max(begin - _CONTEXT, 0)
        while seen < begin and not normal.text[seen].isalnum():  # a mark would be read in another way
            seen += 1
        if 2 * normal.in_source(seen, 0)[0] < len(block):  # nearly all is invisible
            begin = seen = fresh
        kept, _ = normal.in_source(seen, 0)
        block, offset, begin, fresh = block[kept:], offset + kept, begin - seen, fresh - seen


def _cut(words: Sequence[str], starts: Sequence[int], new: int, fresh: int, end: int, margin: int) -> int:
    """The token that a sentence is cut before, which is too long; the number of all tokens if it is behind them.

    Args:
        words: The tokens of a block.
        starts: Their offsets.
        new: The first token that was not in the block before.
        fresh: Where it may begin at the earliest.
        end: The end of the block.
        margin: The characters that are to be left behind the cut.
    """
    # 1. Before the margin; and before the last token if that may go on behind the block.
    stop = max(bisect_left(starts, end - margin), new)
    stop -= stop == len(words) > new and starts[-1] + len(words[-1]) == end
    # 2. Not within an emoji or a letter with its accents.
    while new < stop < len(words) and goes_on(words[stop][0]):
        stop -= 1
    # 3. If nothing at all would be read, not even space, behind the first of them.
    if starts[stop : stop + 1] == [fresh]:
        stop = next((at for at in range(new + 1, len(words)) if not goes_on(words[at][0])), len(words))
    return stop


def sentence_tokens(text: str, *, token_unit: TokenUnit = "word", hyphens: Hyphens = "split") -> Iterator[list[Token]]:
    """The tokens of each sentence of a text, at least one; those of a long text are never in memory together.

    Args and errors are those of `portions`. The offsets of tokens count from the start of the text.
    """
    tokens = list[Token]()
    for portion in portions(text, token_unit=token_unit, hyphens=hyphens):
        inner = (edge for edge in portion.edges if portion.first < edge < portion.end)
        for start, end in pairwise(sorted({portion.first, *inner, portion.end})):
            tokens += portion.tokens(start, end)
            if end < portion.end or not portion.is_cut:
                yield tokens
                tokens = []
    if tokens:
        yield tokens


def sentences(text: str, *, token_unit: TokenUnit = "word", hyphens: Hyphens = "split") -> list[Sentence]:
    """The sentences of a text, without spans; the arguments and errors are those of `portions`.

    Raises:
        TypeError: If `text` is no string.

    Example:
        >>> [sentence.words for sentence in sentences("Dr. No left. 他走了。是吗？")]
        [['Dr.', 'No', 'left', '.'], ['他', '走', '了', '。'], ['是', '吗', '？']]
    """
    check_text(text)
    return [Sentence(tuple(tokens)) for tokens in sentence_tokens(text, token_unit=token_unit, hyphens=hyphens)]
