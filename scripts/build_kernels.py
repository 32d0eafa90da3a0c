"""Compiles the kernels of `ner_lstm_crf/model/kernels` when the package is built or installed.

Runs as hatchling's build hook, with the C compiler of the machine; where there is none, with the one in the package
`ziglang`. By hand, after a change of the C code: `python scripts/build_kernels.py`.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

KERNELS = Path("ner_lstm_crf/model/kernels")
X86_LEVELS = {  # by the name that the package asks for
    "x86-64-v4": ("-march=x86-64-v4", "-mprefer-vector-width=512"),
    "x86-64-v3": ("-march=x86-64-v3",),
    "generic": ("-march=x86-64",),
}
FLAGS = ("-O3", "-fno-math-errno", "-shared", "-fPIC", "-std=gnu11", "-Wall", "-Wextra")
IS_X86 = platform.machine().lower() in ("x86_64", "amd64")


def compiler() -> list[str] | None:
    """The command of the machine's C compiler, that of the environment variable CC first."""
    named = os.environ.get("CC", "").split()
    if named and shutil.which(named[0]):
        return named
    found = next((name for name in ("cc", "gcc", "clang") if shutil.which(name)), None)
    return [found] if found else None


def build(root: Path) -> list[Path]:
    """Compile every kernel for every level of the processor's kind, side by side; the shared libraries made.

    Raises:
        RuntimeError: If the compiler fails.
    """
    command = compiler() or [sys.executable, "-m", "ziglang", "cc"]
    threads = _openmp(command)
    folder = root / KERNELS / "built"
    folder.mkdir(exist_ok=True)
    jobs = []
    for source in sorted((root / KERNELS).glob("*.c")):
        for bits in (32, 64):
            for level, given in (X86_LEVELS if IS_X86 else {"generic": ()}).items():
                target = folder / f"{source.stem}-{bits}-{level}.so"
                call = [*command, *FLAGS, *_spelled(given, command), *threads, f"-DREAL_BITS={bits}", str(source)]
                jobs.append((target, [*call, "-o", f"{target}.part", "-lm"]))
    running = [
        (target, subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        for target, call in jobs
    ]
    outputs = [(target, process.communicate()[0], process.returncode) for target, process in running]
    for target, output, code in outputs:
        if code:
            raise RuntimeError(f"{target.name}: expected {' '.join(command)} to compile it:\n{output}")
        Path(f"{target}.part").replace(target)  # never half a library, nor one changed under a running process
    targets = [target for target, _, _ in outputs]
    for path in folder.iterdir():
        if path not in targets:  # what an earlier version made
            path.unlink()
    return targets


def _spelled(flags: Iterable[str], command: list[str]) -> list[str]:
    """Flags as the compiler wants them: zig writes x86_64_v3."""
    if "ziglang" not in command:
        return list(flags)
    return [flag.replace("x86-64", "x86_64").replace("64-v", "64_v") for flag in flags]


def _openmp(command: list[str]) -> list[str]:
    """The flag for threads, where what it makes can be loaded; without it the kernels use one thread."""
    program = "int f(int n) {\n#pragma omp parallel for\nfor (int i = 0; i < 2; i++) n += i;\nreturn n; }"
    with TemporaryDirectory() as folder:
        path = Path(folder) / "test.so"
        test = [*command, "-fopenmp", "-shared", "-fPIC", "-x", "c", "-", "-o", str(path)]
        done = subprocess.run(test, input=program, capture_output=True, text=True, check=False)
        # In a process of its own: what was loaded stays loaded.
        load = [sys.executable, "-c", "import ctypes, sys; ctypes.CDLL(sys.argv[1], 2)", str(path)]
        works = done.returncode == 0 and subprocess.run(load, capture_output=True, check=False).returncode == 0
    return ["-fopenmp"] if works else []


class KernelHook(BuildHookInterface[Any]):
    """Adds the compiled kernels to a wheel, or to the source folder of an editable installation."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """A compiler, where the machine has none."""
        return [] if compiler() or self.target_name != "wheel" else ["ziglang"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Compile; a package without kernels is slower but whole, so a failure is said and does not end the build."""
        if self.target_name != "wheel":
            return
        try:
            made = build(Path(self.root))
        except (OSError, RuntimeError) as error:
            self.app.display_warning(f"The kernels were not compiled; the portable path serves in their place. {error}")
            return
        build_data["artifacts"] += [str(path.relative_to(self.root)) for path in made]
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"


if __name__ == "__main__":
    for path in build(Path(__file__).parents[1]):
        print(path)
