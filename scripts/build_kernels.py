"""Compile the kernels of `ner_lstm_crf/kernels` when the package is built or installed.

Runs as hatchling's build hook, with the C compiler of the machine; where there is none, with the one in the package
`ziglang`. By hand, after a change of the C code: `python scripts/build_kernels.py`.

`tests/fuzz/test_kernels.py` builds them with `sanitize`: what they read or write beyond a tensor then ends the process.
"""

from __future__ import annotations

import hashlib
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

KERNELS = Path("ner_lstm_crf/kernels")
X86_LEVELS = {  # by the name that the package asks for
    "x86-64-v4": ("-march=x86-64-v4", "-mprefer-vector-width=512"),
    "x86-64-v3": ("-march=x86-64-v3",),
    "generic": ("-march=x86-64",),
}
FLAGS = ("-fno-math-errno", "-shared", "-fPIC", "-std=gnu11", "-Wall", "-Wextra")
OPTIMIZED = ("-O3",)
SANITIZED = ("-O1", "-g", "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
# If this is set, no kernels are built: for machines without a compiler and without the package ziglang.
WITHOUT = os.environ.get("NER_LSTM_CRF_NO_KERNELS")
IS_X86 = platform.machine().lower() in ("x86_64", "amd64")


def compiler() -> list[str] | None:
    """The command of the machine's C compiler, that of the environment variable CC first."""
    named = os.environ.get("CC", "").split()
    if named and shutil.which(named[0]):
        return named
    found = next((name for name in ("cc", "gcc", "clang") if shutil.which(name)), None)
    return [found] if found else None


def build(root: Path, *, sanitize: bool = False, levels: Iterable[str] = X86_LEVELS) -> list[Path]:
    """Compile every kernel for every level of the processor's kind, at the same time; the files made.

    The libraries of an earlier build go, whether this one succeeds or not: they may take other arguments.

    Args:
        root: The checkout, or a copy of its kernels.
        sanitize: True for libraries that AddressSanitizer and UBSan watch; their process has to preload libasan.
        levels: Those of x86-64 that are wanted.

    Raises:
        RuntimeError: If the compiler fails.
    """
    command = compiler() or [sys.executable, "-m", "ziglang", "cc"]
    threads, kernels = _openmp(command), root / KERNELS
    final = kernels / "built"
    shutil.rmtree(final, ignore_errors=True)
    with TemporaryDirectory(dir=kernels, prefix="building-") as name:
        folder, running = Path(name) / "built", []
        folder.mkdir()
        for source in sorted(kernels.glob("*.c")):
            for bits in (32, 64):
                for level in levels if IS_X86 else ["generic"]:
                    flags = X86_LEVELS[level] if IS_X86 else ()
                    call = [
                        *command,
                        *FLAGS,
                        *(SANITIZED if sanitize else OPTIMIZED),
                        *_spelled(flags, command),
                        *threads,
                        f"-DREAL_BITS={bits}",
                        str(source),
                    ]
                    call += ["-o", str(folder / f"{source.stem}-{bits}-{level}.so"), "-lm"]
                    running.append(subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        outputs = [process.communicate()[0] for process in running]
        for process, output in zip(running, outputs, strict=True):
            if process.returncode:
                raise RuntimeError(f"expected {' '.join(command)} to compile the kernels:\n{output}")
        (folder / "sources.sha256").write_text(_digest(kernels), encoding="ascii")
        folder.replace(final)
    return sorted(final.iterdir())


def _digest(kernels: Path) -> str:
    """SHA-256 of the sources, as `ner_lstm_crf.kernels` computes it when it loads a library."""
    digest = hashlib.sha256()
    for path in sorted(kernels.glob("*.[ch]")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _spelled(flags: Iterable[str], command: list[str]) -> list[str]:
    """Flags in the compiler's spelling: zig writes x86_64_v3."""
    if "ziglang" not in command:
        return list(flags)
    return [flag.replace("x86-64", "x86_64").replace("64-v", "64_v") for flag in flags]


def _openmp(command: list[str]) -> list[str]:
    """The flag for threads, if a library made with it can be loaded; without it the kernels use one thread."""
    program = "int f(int n) {\n#pragma omp parallel for\nfor (int i = 0; i < 2; i++) n += i;\nreturn n; }"
    with TemporaryDirectory() as folder:
        path = Path(folder) / "test.so"
        test = [*command, "-fopenmp", "-shared", "-fPIC", "-x", "c", "-", "-o", str(path)]
        done = subprocess.run(test, input=program, capture_output=True, text=True, check=False)
        # In a process of its own: what was loaded stays loaded.
        load = [sys.executable, "-c", "import ctypes, sys; ctypes.CDLL(sys.argv[1], 2)", str(path)]
        works = done.returncode == 0 and subprocess.run(load, capture_output=True, check=False).returncode == 0
    return ["-fopenmp"] if works else []


def _platform_tag() -> str:
    """The platform of a wheel that was compiled here."""
    tag = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    if platform.system() != "Darwin":
        return tag
    from hatchling.builders.macos import process_macos_plat_tag

    return process_macos_plat_tag(tag.replace("universal2", platform.machine()), compat=False)


class KernelHook(BuildHookInterface[Any]):
    """Add the compiled kernels to a wheel, or to the source folder of an editable installation."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """A compiler, if the machine has none."""
        return [] if compiler() or self.target_name != "wheel" or WITHOUT else ["ziglang"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Compile; a package without kernels is slower but complete, so a failure is only reported."""
        if self.target_name != "wheel" or WITHOUT:
            return
        try:
            made = build(Path(self.root))
        except (OSError, RuntimeError) as error:
            self.app.display_warning(f"The kernels were not compiled; the portable path takes their place. {error}")
            return
        build_data["artifacts"] += [str(path.relative_to(self.root)) for path in made]
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{_platform_tag()}"


if __name__ == "__main__":
    for path in build(Path(__file__).parents[1]):
        print(path)
