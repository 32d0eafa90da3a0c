"""Run the notebooks in docs/notebooks from top to bottom, and keep what their cells show.

    python scripts/run_notebooks.py                          # all of them, with new outputs
    python scripts/run_notebooks.py docs/notebooks/first-steps.ipynb
    python scripts/run_notebooks.py --check                  # run all, change none: for .ci/run

Each runs in a kernel of its own, in its folder. A cell that fails ends with its error and exit code 1. `--check` also
refuses a notebook that was not run after its last change, and one that is too large for the repository.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "notebooks"

MOST = 300_000
"""Bytes of a notebook."""

_LONGEST = 600  # seconds of a cell
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the notebooks of a command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Run the notebooks in docs/notebooks, and keep what their cells show.")
    parser.add_argument("notebooks", nargs="*", type=Path, help="notebooks to run (default: all)")
    parser.add_argument("--check", action="store_true", help="change none, and refuse what was not run or is too large")
    args = parser.parse_args(argv)
    failures = 0
    for path in args.notebooks or sorted(FOLDER.glob("*.ipynb")):
        began = time.monotonic()
        notebook = nbformat.read(path, as_version=4)
        problem = found_wrong(notebook, path) if args.check else None
        problem = problem or executed(notebook, path)
        if problem is None and not args.check:
            path.write_text(nbformat.writes(notebook, indent=1) + "\n", encoding="utf-8")
        failures += problem is not None
        print(f"{path.name}: {problem or f'{time.monotonic() - began:.0f} s'}")
    return int(failures > 0)


def executed(notebook: Any, path: Path) -> str | None:
    """Run a notebook, which then has its new outputs; returns the error of the cell that failed, if one did."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    try:
        NotebookClient(
            notebook,
            timeout=_LONGEST,
            kernel_name="python3",
            record_timing=False,
            extra_arguments=["--log-level=ERROR"],  # it warns of its own sockets
            resources={"metadata": {"path": str(path.parent)}},
        ).execute()
    except CellExecutionError as error:
        return _COLOUR.sub("", str(error))
    # Which Python ran it belongs to no notebook: it would change with every reader.
    notebook.metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return None


def found_wrong(notebook: Any, path: Path) -> str | None:
    """What is wrong with a notebook as it is kept, if anything."""
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    if counts != [*range(1, len(counts) + 1)]:
        return "expected cells that were run in order: python scripts/run_notebooks.py runs and keeps them"
    if (size := path.stat().st_size) > MOST:
        return f"expected at most {MOST:,} bytes, found {size:,}: show less, or smaller pictures"
    return None


if __name__ == "__main__":
    sys.exit(main())
