"""How Sphinx makes the site of these pages, which are read on their own as well: `sphinx-build -W docs docs/_build`.

Pages link to each other, and to files of the repository, by relative paths, as they do where no site is. `_as_page`
turns those into links of the site.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.domains.python import PyObject
from sphinx.util.nodes import make_refnode

from ner_lstm_crf import __version__
from ner_lstm_crf.cli.main import COMMANDS, main
from ner_lstm_crf.config import ModelConfig, TrainingConfig, settings

project = "ner_lstm_crf"
author = "the ner_lstm_crf developers"
copyright = author  # noqa: A001
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
exclude_patterns = ["_build", "examples"]
nitpicky = True
nitpick_ignore_regex = [
    ("py:obj", ".*"),  # `default_role` tries everything in backticks
    ("py:.*", r"(?!ner_lstm_crf\.)\w+\..*"),  # of other packages, whose sites are elsewhere
    # Types of results, or of arguments, that need no page: their attributes are described where they are named.
    ("py:.*", r"(.*\.)?(ColumnLayout|DecodedTags|IllFormedError|Kind|MeanScore|Model|NetworkRun|Portion)"),
    ("py:.*", r"(.*\.)?(ResolvedData|Rule|State|TagSet|UnknownTagError)"),
]

myst_heading_anchors = 4
smartquotes_action = "D"  # dashes alone: "en" in a docstring is a value

autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_type_aliases = {"DataFrame": "pyspark.sql.DataFrame"}  # known to type checkers alone
autodoc_class_signature = "mixed"
autodoc_default_options = {"members": True}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
add_module_names = False
maximum_signature_line_length = 88
default_role = "py:obj"  # `Tagger` in a docstring is a link

html_theme = "furo"
html_title = f"ner_lstm_crf {version}"
html_theme_options = {"navigation_with_keys": True}
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = html_show_sourcelink = False
pygments_style = "friendly"
pygments_dark_style = "github-dark"
copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True
copybutton_only_copy_prompt_lines = True

DOCS = Path(__file__).parent
ROOT = DOCS.parent
COPIED = {  # the page of the site for each file elsewhere in the repository that pages link to
    "README.md": "index.md",
    "CONTRIBUTING.md": "repository/contributing.md",
    "CHANGELOG.md": "repository/changelog.md",
    "corpora/README.md": "repository/corpora.md",
    "ner_lstm_crf/shipped/en/README.md": "repository/tagger-en.md",
    "ner_lstm_crf/shipped/zh/README.md": "repository/tagger-zh.md",
}
_CODE = re.compile(r"(^```.*?^```|`[^`\n]*`|^    [^\n]*$)", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[([^\]]*)\]\((?!\w+:)([^)#\s]+)(#[^)\s]+)?\)")


def _as_page(app: Any, name: str, source: list[str]) -> None:  # noqa: ARG001
    """Write the links of a page for the site; a page in `repository/` becomes the file that it links to."""
    page = DOCS / f"{name}.md"
    if not page.is_file():
        return
    text, folder = source[0], page.parent
    # 1. The text: that of the page, or of the file that it stands for.
    for file, copy in COPIED.items():
        if page == DOCS / copy and page.parent != DOCS:
            text, folder = (ROOT / file).read_text(encoding="utf-8"), (ROOT / file).parent

    def link(match: re.Match[str]) -> str:
        """A link from this page; one whose text is the name of a page gets its title."""
        shown, file, part = match.groups(default="")
        target = (folder / file).resolve()
        if target.is_dir():  # of which a site has no page
            return shown
        inside = target.relative_to(ROOT).as_posix()
        target = DOCS / COPIED[inside] if inside in COPIED else target
        path = Path(os.path.relpath(target, page.parent)).as_posix()
        return f"[{'' if shown.endswith('.md') else shown}]({path}{part})"

    # 2. Its links, but for what is code.
    parts = _CODE.split(text)
    parts[::2] = [_LINK.sub(link, part) for part in parts[::2]]
    source[0] = "".join(parts)


def _documented(app: Any, env: Any, node: Any, shown: Any) -> Any:
    """The place of a name that is documented under another path than the one that an annotation has."""
    if node.get("refdomain") != "py":
        return None
    domain, last = env.get_domain("py"), node["reftarget"].rpartition(".")[2]
    found = [name for name, entry in domain.objects.items() if name.rpartition(".")[2] == last and last[0].isupper()]
    if not found:
        return None
    entry = domain.objects[min(found, key=len)]
    return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, shown)


def _described(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:  # noqa: ARG001
    """Add its fields to the description of a configuration: they are documented by the help of their flags."""
    if what == "property":
        lines[:0] = ["..", ""]  # an empty comment: napoleon takes what the first line has before a colon for a type
    for config, table in ((ModelConfig, "model"), (TrainingConfig, "training")):
        if obj is config:
            for field, setting in settings(table).items():
                default = getattr(config(), field)
                lines += [f":ivar {field}: {setting.sentence}. {setting.flag}; default ``{default!r}``"]


class Commands(Directive):
    """The help of every command, each a section."""

    def run(self) -> list[nodes.Node]:
        """The sections."""
        sections: list[nodes.Node] = []
        for name, summary in COMMANDS.items():
            with redirect_stdout(StringIO()) as shown:
                main([name, "--help"])
            section = nodes.section(ids=[name], names=[name])
            section += nodes.title(text=name)
            section += nodes.paragraph(text=f"{summary[0].upper()}{summary[1:]}.")
            section += nodes.literal_block(text=shown.getvalue(), language="text")
            sections.append(section)
        return sections


def setup(app: Any) -> None:
    """Connect what this file defines."""
    os.environ["COLUMNS"] = "90"
    for field in PyObject.doc_field_types:
        if field.name == "variable":
            field.label = "Attributes"
    app.add_directive("commands", Commands)
    app.connect("source-read", _as_page)
    app.connect("missing-reference", _documented)
    app.connect("autodoc-process-docstring", _described, priority=400)  # before napoleon
