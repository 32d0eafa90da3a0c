r"""Regular expressions of Python in the words of ECMAScript, for taggers in JavaScript (flag `u`).

JavaScript lacks possessive quantifiers, flags of a group, and classes of Unicode under their short names:

    X++             (?:(?=(?<a1>X+))\k<a1>)     a look-ahead is atomic
    (?i:com)        [cC][oO][mM]
    \w  \d  \s      \p{L}\p{N}_  \p{Nd}  all white space that `str.isspace` knows
    [^\W\d]         (?![\p{Nd}])[\p{L}\p{N}_]
"""

from __future__ import annotations

import re

_PART = re.compile(
    r"\\(?P<escape>u[0-9a-f]{4}|x[0-9a-f]{2}|U[0-9a-f]{8}|.)"
    r"|(?P<class>\[\^?\]?(?:\\.|[^\]\\])*\])"
    r"|\((?P<group>\?(?:[:=!]|<[=!]|P<\w+>|i:))?"
    r"|(?P<close>\))"
    r"|(?P<times>[*+?]|\{\d*,?\d*\})(?P<how>[+?]?)"
    r"|(?P<other>.)",
    re.DOTALL,
)
_IN_CLASS = re.compile(r"\\(?:u[0-9a-f]{4}|x[0-9a-f]{2}|U[0-9a-f]{8}|.)|.", re.DOTALL)
_SETS = {
    "w": r"\p{L}\p{N}_",
    "d": r"\p{Nd}",
    "s": r"\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000",
}
_SYNTAX = frozenset("^$\\.*+?()[]{}|/")
_ENDS = {"Z": "$"}


def ecmascript(pattern: str) -> str:
    r"""The same pattern for JavaScript, with the flag `u`.

    Args:
        pattern: A pattern of `re`, without flags but those of groups `(?i:...)`, and without conditions.

    Raises:
        ValueError: If it holds something that is not known here.

    Example:
        >>> print(ecmascript(r"\d++(?i:am)\Z"))
        (?:(?=(?<a1>[\p{Nd}]+))\k<a1>)(?:[aA][mM])$
    """
    groups, atomic = 0, 0
    # Of each open group what it begins with, its parts, and whether letters in it stand for both cases.
    stack: list[tuple[str, list[str], bool]] = [("", [], False)]
    for match in _PART.finditer(pattern):
        opening, parts, folded = stack[-1]
        if match["escape"] is not None:
            parts.append(_escaped(match["escape"]))
        elif match["class"] is not None:
            parts.append(_class(match["class"]))
        elif match["close"] is not None:
            stack.pop()
            stack[-1][1].append(f"{opening}{''.join(parts)})")
        elif match["times"] is not None:
            atom, how = parts.pop(), match["how"]
            if how == "+":
                atomic += 1
                parts.append(rf"(?:(?=(?<a{atomic}>{atom}{match['times']}))\k<a{atomic}>)")
            else:
                parts.append(f"{atom}{match['times']}{how}")
        elif match["other"] is not None:
            parts.append(_literal(match["other"], folded))
        else:
            kind = match["group"] or ""
            if not kind or kind.startswith("?P"):
                groups += 1
                kind = f"?<{kind[3:-1] or f'g{groups}'}>" if kind else f"?<g{groups}>"
            stack.append((f"({'?:' if kind == '?i:' else kind}", [], folded or kind == "?i:"))
    if len(stack) != 1:
        raise ValueError(f"expected a pattern whose groups are closed, got {pattern!r:.80}")
    return "".join(stack[0][1])


def _literal(character: str, folded: bool) -> str:
    """A character outside of classes that stands for itself, or `|`, `.`, `^` or `$`."""
    if character == ".":
        return r"[^\n]"
    if folded and character.isalpha():
        return f"[{character.lower()}{character.upper()}]"
    return f"\\{character}" if character in "{}]/" else character


def _escaped(escape: str) -> str:
    """What an escape outside of classes stands for."""
    if escape in _SETS:
        return f"[{_SETS[escape]}]"
    if escape.lower() in _SETS:
        return f"[^{_SETS[escape.lower()]}]"
    if escape in _ENDS:
        return _ENDS[escape]
    if escape.isdigit() and escape != "0":
        return rf"\k<g{escape}>"
    return _character(escape)


def _character(escape: str) -> str:
    """A character that is written with an escape."""
    if len(escape) > 1:
        code = int(escape[1:], 16)
        return rf"\u{{{code:x}}}"
    if escape == "0":
        return r"\0"
    if escape.isalnum():
        if escape not in "nrtfv":
            raise ValueError(rf"expected a pattern that ECMAScript has, too, got one with \{escape}")
        return f"\\{escape}"
    return f"\\{escape}" if escape in _SYNTAX or escape == "-" else escape


def _class(text: str) -> str:
    """A character class."""
    negated, inside = text[1] == "^", text[2:-1] if text[1] == "^" else text[1:-1]
    kept, without = list[str](), ""
    for part in _IN_CLASS.findall(inside):
        name = part[1:] if part[0] == "\\" and len(part) > 1 else ""
        if name in _SETS:
            kept.append(_SETS[name])
        elif name and name.lower() in _SETS:
            without = _SETS[name.lower()]
        elif name:
            kept.append(_character(name))
        else:
            kept.append(f"\\{part}" if part in _SYNTAX else part)
    if not without:
        return f"[{'^' if negated else ''}{''.join(kept)}]"
    if not negated:
        raise ValueError(f"expected a class with \\W, \\D or \\S to be negated, got {text!r:.80}")
    return f"(?:(?![{''.join(kept)}])[{without}])" if kept else f"[{without}]"
