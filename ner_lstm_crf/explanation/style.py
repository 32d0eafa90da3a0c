"""The look of pages: that of a figure in a textbook, on paper and in the dark, wide and narrow.

A page is one file. It loads nothing, runs no script and has no style but its own, which its content security policy
names by its hash: a server with a strict policy can deliver it as it is. All rules begin with the class `nlc`, so that
a notebook can show a part of a page among other things.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Iterable

from ner_lstm_crf.files.text import printable

COLOURS = (
    ("#cfe4ff", "#1f4a7d", 153),
    ("#ccefd2", "#18522f", 157),
    ("#ffe1b3", "#6b430b", 223),
    ("#f6d5f0", "#6b2a62", 225),
    ("#e3dbff", "#4a3a8c", 189),
    ("#fff3a8", "#574c06", 229),
    ("#c9f1f0", "#12524f", 195),
    ("#e1e4e8", "#444c56", 253),
)
"""The colours behind the labels, in order: on a light page, on a dark page, and the number of a terminal's colour."""

INK, PAPER = ("#1f2328", "#e6edf3"), ("#ffffff", "#0d1117")  # of a light page and of a dark one

SHADES = 10
"""The number of shades of a table of scores, each a class `h0` (none) to `h9` (the darkest)."""


def _colours(dark: bool) -> str:
    """The rules of the colours of labels."""
    return "\n".join(f".nlc .c{number} {{ background: {one[dark]} }}" for number, one in enumerate(COLOURS))


def _shades() -> str:
    """The rules of the shades."""
    parts = [f"{shade / SHADES * 0.62:.2f}" for shade in range(SHADES)]
    return "\n".join(
        f".nlc .h{shade} {{ background-color: rgb(var(--heat) / {part}) }}" for shade, part in enumerate(parts)
    )


def _variables(dark: bool) -> str:
    """The colours of all else."""
    heat, path = ("88 150 230", "#ff9e64") if dark else ("38 100 170", "#b8380e")
    faint, line = ("#9198a1", "#3d444d") if dark else ("#59636e", "#c8ced5")
    return (
        f".nlc {{ --ink: {INK[dark]}; --paper: {PAPER[dark]}; --faint: {faint}; --line: {line}; --heat: {heat}; "
        f"--path: {path} }}"
    )


STYLE = f"""\
{_variables(False)}
{_colours(False)}
@media (prefers-color-scheme: dark) {{
{_variables(True)}
{_colours(True)}
}}
.nlc {{ --cell: 2.55rem; --token: 8.5rem; --row: 1.65rem; --head: 3.1rem; --more: 6.2rem; color-scheme: light dark;
  color: var(--ink); background: var(--paper); font: 1.02rem/1.55 Charter, "Bitstream Charter", "Iowan Old Style",
  Cambria, Georgia, "Noto Serif", "Songti SC", "Noto Serif CJK SC", serif }}
.nlc * {{ box-sizing: border-box }}
body.nlc {{ max-width: 48rem; margin: 0 auto; padding: 1.5rem 1rem 4rem }}
.nlc h1 {{ font-size: 1.35rem; font-weight: 600; margin: 0 0 .4rem }}
.nlc h2 {{ font-size: 1.02rem; font-weight: 600; margin: 2rem 0 .4rem }}
.nlc section + section {{ border-top: 1px solid var(--line); margin-top: 3rem; padding-top: 1.6rem }}
.nlc p, .nlc li {{ overflow-wrap: anywhere }}
.nlc p {{ margin: .6rem 0 }}
.nlc .text {{ white-space: pre-wrap; font-size: 1.15rem; line-height: 1.9 }}
.nlc mark {{ color: inherit; border-radius: .3em; padding: .12em .3em; unicode-bidi: isolate;
  -webkit-box-decoration-break: clone; box-decoration-break: clone }}
.nlc mark b {{ font: 600 .62em/1 system-ui, sans-serif; letter-spacing: .04em; margin-inline-start: .15em;
  white-space: nowrap }}
.nlc figure {{ margin: 1.2rem 0 }}
.nlc figcaption, .nlc .note {{ color: var(--faint); font-size: .88rem; line-height: 1.5; margin-top: .6rem }}
.nlc .scroll {{ overflow-x: auto; overflow-y: hidden; padding: 2px 0 }}
.nlc .scroll:focus-visible, .nlc summary:focus-visible {{ outline: 2px solid var(--path); outline-offset: 2px }}
.nlc .grid {{ position: relative; width: max-content; margin: 0 auto; font-family: system-ui, sans-serif }}
.nlc .grid table {{ border-collapse: separate; border-spacing: 0;
  margin: 0; font-size: .72rem; line-height: 1.2; color: inherit; background: none; border: 0 }}
.nlc .grid th, .nlc .grid td {{ min-width: var(--cell); max-width: var(--cell); height: var(--row); padding: 0;
  text-align: center; color: inherit;
  font-weight: 400; border: 0; border-bottom: 1px solid rgb(128 128 128 / .14); background-clip: padding-box;
  overflow: hidden; white-space: nowrap; font-variant-numeric: tabular-nums }}
.nlc .grid thead th[colspan] {{ max-width: 0; text-overflow: ellipsis }}
.nlc .grid thead th {{ height: calc(var(--head) / 2); border-bottom: 0; font-weight: 600; font-size: .74rem;
  vertical-align: bottom }}
.nlc .grid thead tr:last-child th {{ border-bottom: 1px solid var(--ink); font-weight: 400; color: var(--faint) }}
.nlc .grid thead th[rowspan] {{ border-bottom: 1px solid var(--ink) }}
.nlc .grid tbody tr:last-child > * {{ border-bottom: 1px solid var(--ink) }}
.nlc .grid .token {{ min-width: var(--token); max-width: var(--token); text-align: start;
  padding-inline-end: .5rem; font-size: .84rem;
  text-overflow: ellipsis; position: sticky; left: 0; z-index: 2; background: var(--paper) }}
.nlc .grid .more {{ min-width: var(--more); max-width: var(--more); text-overflow: ellipsis;
  font-size: .74rem; padding-inline-start: .5rem;
  text-align: start }}
.nlc .grid .first {{ box-shadow: inset 1px 0 0 var(--line) }}
.nlc .grid .path {{ box-shadow: inset 0 0 0 2px var(--path); border-radius: 4px; font-weight: 600 }}
.nlc .grid .alone {{ outline: 1.5px dashed var(--ink); outline-offset: -3px }}
.nlc .grid .none {{ color: var(--faint) }}
.nlc .grid svg {{ position: absolute; left: var(--token); top: var(--head); pointer-events: none; opacity: .42;
  width: calc(100% - var(--token) - var(--more)); height: calc(100% - var(--head)) }}
.nlc .grid polyline {{ fill: none; stroke: var(--path); stroke-width: 2.5; stroke-linejoin: round;
  vector-effect: non-scaling-stroke }}
{_shades()}
.nlc .square {{ --token: 7rem }}
.nlc .square thead th:not(.token) {{ height: 6.5rem; padding: .3rem 0; writing-mode: vertical-rl;
  border-bottom: 0; border-top: 1px solid var(--ink); transform: rotate(180deg); text-align: start;
  text-overflow: ellipsis; vertical-align: middle }}
.nlc ul {{ padding-inline-start: 1.2rem }}
.nlc .list {{ border-collapse: collapse; width: 100%; font-size: .95rem; color: inherit; background: none }}
.nlc .list th, .nlc .list td {{ text-align: start; vertical-align: top; padding: .35rem .6rem .35rem 0; border: 0;
  border-bottom: 1px solid var(--line); overflow-wrap: anywhere; color: inherit; background: none; font-weight: 400 }}
.nlc .list thead th {{ font-weight: 600; border-bottom: 1px solid var(--ink); font-size: .88rem }}
.nlc .list td:first-child {{ width: 34% }}
.nlc .list .number {{ white-space: nowrap; width: 1%; font-variant-numeric: tabular-nums }}
.nlc .label {{ font: 600 .72em/1 system-ui, sans-serif; letter-spacing: .03em; color: var(--faint);
  white-space: nowrap }}
.nlc .readings {{ padding-inline-start: 1.4rem }}
.nlc .readings li + li {{ margin-top: .7rem }}
.nlc .readings p {{ margin: .2rem 0; font-size: 1rem; line-height: 1.8; white-space: pre-wrap }}
.nlc details {{ margin: 1.2rem 0 }}
.nlc summary {{ cursor: pointer; color: var(--faint) }}
.nlc .key {{ display: inline-block; width: 1.1em; height: 1.1em; vertical-align: -.2em; border-radius: 3px }}
.nlc .key.path {{ box-shadow: inset 0 0 0 2px var(--path) }}
.nlc .key.alone {{ outline: 1.5px dashed var(--ink); outline-offset: -2px }}
.nlc .hidden {{ position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  white-space: nowrap }}
@media (min-width: 52rem) {{
body.nlc .scroll {{ margin-inline: calc((46rem - 94vw) / 2) }}
}}
@media (max-width: 40rem) {{
.nlc {{ --cell: 1.25rem; --token: 4.6rem; --row: 1.5rem; --more: 3.4rem }}
.nlc .square {{ --cell: 2.4rem; --token: 5rem }}
.nlc .path-grid td span {{ position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }}
.nlc .grid .more {{ font-size: .68rem; padding-inline-start: .3rem }}
.nlc .path-grid .more b {{ display: none }}
.nlc .grid thead th {{ font-size: .64rem }}
.nlc .list {{ font-size: .88rem }}
}}
"""


def escaped(text: str) -> str:
    r"""A text in HTML: characters that HTML does not allow, and its own, as escapes.

    Example:
        >>> escaped("<b>" + chr(0xD800))
        '&lt;b&gt;\\ud800'
    """
    return html.escape(printable(text))


def page(title: str, parts: Iterable[str]) -> str:
    """A page that is complete in itself."""
    return page_begins(title) + "".join(parts) + PAGE_ENDS


def page_begins(title: str) -> str:
    """What stands before the content of a page; `PAGE_ENDS` stands behind it."""
    style = f"\n{STYLE}"
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"""\
<!DOCTYPE html>
<html lang="und">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-{digest}'">
<title>{escaped(title)}</title>
<style>{style}</style>
</head>
<body class="nlc">
"""


PAGE_ENDS = "</body>\n</html>\n"


def fragment(parts: Iterable[str]) -> str:
    """A part of a page, for a notebook."""
    return f'<style>\n{STYLE}</style>\n<div class="nlc">{"".join(parts)}</div>'
