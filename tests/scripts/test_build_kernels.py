"""scripts/build_kernels.py: which compiler is called with what, and what a build without one becomes.

The compiler is a script that writes empty files: whether the C code compiles is seen when the package is installed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import build_kernels
from ner_lstm_crf import kernels as package

ZIG = [sys.executable, "-m", "ziglang", "cc"]
COMPILES = 'while [ "$1" != -o ]; do shift; done; : > "$2"'
FAILS = "case $* in *bad.c*) echo 'bad.c:1: no such type'; exit 1; esac; " + COMPILES


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout with two kernels, and a library of an earlier build."""
    folder = tmp_path / "checkout" / build_kernels.KERNELS
    (folder / "built").mkdir(parents=True)
    (folder / "built" / "earlier-32-generic.so").touch()
    for name in ("good.c", "bad.c", "both.h"):
        (folder / name).write_text(f"// {name}\n")
    return tmp_path / "checkout"


def use(compiler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make the shell script the machine's compiler; its path."""
    path = tmp_path / "compiler"
    path.write_text(f"#!/bin/sh\n{compiler}\n")
    path.chmod(0o755)
    monkeypatch.setenv("CC", str(path))
    return str(path)


class TestCompiler:
    @pytest.fixture(autouse=True)
    def path(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """The only folder where programs are found."""
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.delenv("CC", raising=False)
        return tmp_path

    def add(self, path: Path, *names: str) -> None:
        for name in names:
            (path / name).touch(mode=0o755)

    def test_the_one_that_is_named_comes_first_with_its_flags(self, path, monkeypatch):
        self.add(path, "cc", "mine")
        monkeypatch.setenv("CC", "mine -m64")
        assert build_kernels.compiler() == ["mine", "-m64"]

    def test_one_that_is_named_but_missing_gives_way(self, path, monkeypatch):
        self.add(path, "clang", "gcc")
        monkeypatch.setenv("CC", "mine")
        assert build_kernels.compiler() == ["gcc"]

    def test_there_may_be_none(self):
        assert build_kernels.compiler() is None


class TestSpelling:
    def test_zig_has_underscores_in_the_names_of_levels(self):
        flags = [flag for level in build_kernels.X86_LEVELS.values() for flag in level]
        assert build_kernels._spelled(flags, ZIG) == [
            "-march=x86_64_v4",
            "-mprefer-vector-width=512",
            "-march=x86_64_v3",
            "-march=x86_64",
        ]

    def test_others_take_flags_as_they_are(self):
        assert build_kernels._spelled(("-march=x86-64-v3",), ["gcc"]) == ["-march=x86-64-v3"]


class TestBuild:
    @pytest.mark.parametrize(
        ("is_x86", "levels"), [(True, ("generic", "x86-64-v3", "x86-64-v4")), (False, ("generic",))]
    )
    def test_a_library_for_each_kernel_number_type_and_level(self, root, tmp_path, monkeypatch, is_x86, levels):
        use(COMPILES, tmp_path, monkeypatch)
        monkeypatch.setattr(build_kernels, "IS_X86", is_x86)
        made = build_kernels.build(root)
        libraries = {f"{name}-{bits}-{level}.so" for name in ("bad", "good") for bits in (32, 64) for level in levels}
        assert {path.name for path in made} == libraries | {"sources.sha256"}
        assert made == sorted((root / build_kernels.KERNELS / "built").iterdir())

    def test_the_package_knows_what_it_was_built_from(self, root, tmp_path, monkeypatch):
        use(COMPILES, tmp_path, monkeypatch)
        build_kernels.build(root)
        built = root / build_kernels.KERNELS / "built"
        monkeypatch.setattr(package, "_FOLDER", built.parent)
        monkeypatch.setattr(package.ctypes, "CDLL", str)
        assert str(package._library.__wrapped__("good", torch.float32)).startswith(str(built / "good-32-"))
        (built.parent / "both.h").write_text("// changed\n")
        assert package._library.__wrapped__("good", torch.float32) is None

    def test_threads_are_left_out_where_what_they_need_cannot_be_loaded(self, root, tmp_path, monkeypatch):
        calls = tmp_path / "calls"
        use(f'echo "$*" >> {calls}; {COMPILES}', tmp_path, monkeypatch)
        build_kernels.build(root)  # of an empty file nothing can be loaded
        trial, *others = calls.read_text().splitlines()
        assert "-fopenmp" in trial
        assert others
        assert not [call for call in others if "-fopenmp" in call]
        assert all("-O3" in call and call.endswith("-lm") for call in others)

    def test_a_compiler_that_fails_is_named_with_what_it_said_and_nothing_stays(self, root, tmp_path, monkeypatch):
        compiler = use(FAILS, tmp_path, monkeypatch)
        with pytest.raises(RuntimeError, match=r"bad\.c:1: no such type") as raised:
            build_kernels.build(root)
        assert str(raised.value).startswith(f"expected {compiler} to compile the kernels")
        assert {path.name for path in (root / build_kernels.KERNELS).iterdir()} == {"good.c", "bad.c", "both.h"}

    def test_without_a_compiler_zig_is_called(self, root, tmp_path, monkeypatch):
        called: list[list[str]] = []

        class Watched:
            returncode = 0

            def __init__(self, command, **_):
                called.append(command)

            def communicate(self):
                return "", None

        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.delenv("CC", raising=False)
        monkeypatch.setattr(build_kernels, "_openmp", lambda _: [])
        monkeypatch.setattr(build_kernels, "IS_X86", True)
        monkeypatch.setattr(build_kernels.subprocess, "Popen", Watched)
        build_kernels.build(root)
        assert {tuple(command[:4]) for command in called} == {tuple(ZIG)}
        assert {flag for command in called for flag in command if "march" in flag} == {
            "-march=x86_64",
            "-march=x86_64_v3",
            "-march=x86_64_v4",
        }


class TestHook:
    @pytest.fixture(autouse=True)
    def compiled(self, monkeypatch) -> None:
        """Nothing is compiled."""
        monkeypatch.setattr(build_kernels, "WITHOUT", None)
        monkeypatch.setattr(build_kernels, "compiler", lambda: None)
        monkeypatch.setattr(build_kernels, "build", lambda root: [root / "ner_lstm_crf" / "crf.so"])

    def hook(self, target: str, warnings: list[str] | None = None) -> build_kernels.KernelHook:
        app = SimpleNamespace(display_warning=[].append if warnings is None else warnings.append)
        return build_kernels.KernelHook(os.sep + "checkout", {}, None, None, "dist", target, app)

    def initialized(self, hook: build_kernels.KernelHook) -> dict:
        found = {"artifacts": ["kept"]}
        hook.initialize("standard", found)
        return found

    def test_a_wheel_has_the_libraries_and_is_of_this_platform(self):
        assert self.initialized(self.hook("wheel")) == {
            "artifacts": ["kept", str(Path("ner_lstm_crf", "crf.so"))],
            "pure_python": False,
            "tag": f"py3-none-{build_kernels._platform_tag()}",
        }

    def test_the_tag_of_a_platform_has_underscores_alone(self, monkeypatch):
        monkeypatch.setattr(build_kernels.platform, "system", lambda: "Linux")
        monkeypatch.setattr(build_kernels.sysconfig, "get_platform", lambda: "linux-x86_64.v2")
        assert build_kernels._platform_tag() == "linux_x86_64_v2"

    def test_zig_is_asked_for_where_a_wheel_needs_a_compiler(self, monkeypatch):
        assert self.hook("wheel").dependencies() == ["ziglang"]
        assert self.hook("sdist").dependencies() == []
        monkeypatch.setattr(build_kernels, "compiler", lambda: ["cc"])
        assert self.hook("wheel").dependencies() == []

    def test_nothing_is_compiled_for_sources_or_where_it_is_not_wanted(self, monkeypatch):
        assert self.initialized(self.hook("sdist")) == {"artifacts": ["kept"]}
        monkeypatch.setattr(build_kernels, "WITHOUT", "1")
        assert self.initialized(self.hook("wheel")) == {"artifacts": ["kept"]}
        assert self.hook("wheel").dependencies() == []

    @pytest.mark.parametrize("error", [RuntimeError("no such type"), OSError("no such type")])
    def test_a_failure_is_said_and_leaves_a_package_without_kernels(self, monkeypatch, error):
        def fail(root):
            raise error

        warnings: list[str] = []
        monkeypatch.setattr(build_kernels, "build", fail)
        assert self.initialized(self.hook("wheel", warnings)) == {"artifacts": ["kept"]}
        assert warnings == ["The kernels were not compiled; the portable path takes their place. no such type"]
