"""`ner-lstm-crf completion`: the script by which a shell completes commands, options, their values, files and models.

The script is written once and holds all names: nothing of this package runs while a word is completed.
"""

from __future__ import annotations

import argparse

from ner_lstm_crf.cli.options import Parser
from ner_lstm_crf.cli.output import show
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.tags.scheme import SCHEMES

SHELLS = ("bash", "zsh", "fish", "tcsh")

MODELS = {
    "bash": "_ner_lstm_crf_models",
    "zsh": "_ner_lstm_crf_models",
    "fish": "(__fish_complete_directories; echo en; echo zh)",
    "tcsh": "d",
}
"""How each shell completes a model: a directory, or the name of a shipped tagger (not in tcsh)."""

PREAMBLES = {
    "bash": '_ner_lstm_crf_models() {\n  compgen -W "en zh" -- "$1"\n  compgen -d -- "$1"\n}\n',
    "zsh": '_ner_lstm_crf_models() {\n  _alternative "taggers:shipped tagger:(en zh)" "folders:folder:_files -/"\n}\n',
}
"""The functions that `MODELS` names."""

EPILOG = """\
examples:
  mkdir -p ~/.local/share/bash-completion/completions
  ner-lstm-crf completion bash > ~/.local/share/bash-completion/completions/ner-lstm-crf
  mkdir -p ~/.zfunc
  ner-lstm-crf completion zsh > ~/.zfunc/_ner-lstm-crf
  mkdir -p ~/.config/fish/completions
  ner-lstm-crf completion fish > ~/.config/fish/completions/ner-lstm-crf.fish
  ner-lstm-crf completion tcsh > ~/.ner-lstm-crf.tcsh

Shells that are started later complete. zsh needs 'fpath+=~/.zfunc' before compinit in ~/.zshrc, tcsh
'source ~/.ner-lstm-crf.tcsh' in ~/.tcshrc, and bash without the package bash-completion a line that sources the file in
~/.bashrc. Write the script again when the program has new options.

It needs the package shtab: pip install 'ner-lstm-crf[completion]'."""


def add_command(parser: Parser) -> None:
    """Add the command's options."""
    parser.description = "Write the script by which a shell completes commands, options, files and models."
    parser.epilog = EPILOG
    parser.add_argument("shell", metavar="SHELL", choices=SHELLS, help=f"the shell: {', '.join(SHELLS)}")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> None:
    """Write the script of a shell to standard output."""
    from ner_lstm_crf.cli.main import whole_parser

    try:
        import shtab
    except ModuleNotFoundError:
        raise InputError("completion needs another package: pip install 'ner-lstm-crf[completion]'") from None

    parser = whole_parser()
    _add_kinds(parser)
    show(shtab.complete(parser, args.shell, root_prefix="ner_lstm_crf", preamble=PREAMBLES))
    if args.shell == "bash":  # names of files are quoted, and what is in a folder may follow
        show("complete -o bashdefault -o filenames -F _shtab_ner_lstm_crf ner-lstm-crf")


def _add_kinds(parser: argparse.ArgumentParser) -> None:
    """Say of the arguments of a parser, and of its commands, what their values are: it goes by name and metavar."""
    from ner_lstm_crf.corpora.catalogue import catalogue

    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                _add_kinds(command)
        elif action.dest in ("model", "init_from"):
            vars(action)["complete"] = MODELS
        elif action.metavar in ("F", "F.toml", "FILE", "FILE.onnx", "GOLD", "PRED", "POOL", "IN", "OUT"):
            vars(action)["complete"] = "file"
        elif action.metavar == "DIR":
            vars(action)["complete"] = "directory"
        elif action.metavar == "S":
            action.choices = tuple(SCHEMES)
        elif action.metavar == "NAME" and action.dest == "name":
            action.choices = tuple(catalogue())
