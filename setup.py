"""What pyproject.toml cannot say: a wheel carries the compiled event source, built as `make install` builds it.

Where that cannot be built, the wheel is one without it, for every machine. EVENT_SOURCE in the environment: `compiled`
makes it a must, `python` leaves it out.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError

sys.path.insert(0, str(Path(__file__).parent))  # where pip runs this, it is not
from scripts import extension
from scripts.folders import InstallError

PACKAGE = "mod_erlang_py"
MODULE = ".".join((PACKAGE, *extension.FOLDER.parts, extension.SOURCE.stem))


class BuildExtension(build_ext):
    def run(self) -> None:
        """Afterwards there are no extensions where it was not built: all else of setuptools asks for that."""
        package = extension.ROOT / PACKAGE if self.inplace else Path(self.build_lib) / PACKAGE
        built = package / extension.FOLDER / extension.NAME
        built.unlink(missing_ok=True)  # of an earlier build
        try:
            print(extension.told(sys.executable, package, os.environ.get("EVENT_SOURCE") or extension.AUTO))
        except InstallError as error:
            raise CompileError(str(error)) from None
        if not built.exists():
            self.distribution.ext_modules = self.extensions = []


class Wheel(bdist_wheel):
    def run(self) -> None:
        """Whose name depends on what could be built."""
        self.run_command("build")
        self.skip_build = True
        self.root_is_pure = not self.distribution.has_ext_modules()
        super().run()


setup(
    ext_modules=[
        Extension(
            MODULE,
            [str(extension.SOURCE.relative_to(extension.ROOT))],
            depends=[str(extension.HEADER.relative_to(extension.ROOT))],
            py_limited_api=True,
        )
    ],
    cmdclass={"build_ext": BuildExtension, "bdist_wheel": Wheel},
    options={"bdist_wheel": {"py_limited_api": "cp310"}},
)
