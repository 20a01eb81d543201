"""One target under atheris, which notices what code an input reaches; arguments are libFuzzer's. Ends the process."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["mod_erlang_py", "erlang"]):
    from tests.fuzz.targets import TARGETS

if __name__ == "__main__":
    name = sys.argv.pop(1)
    atheris.Setup(sys.argv, TARGETS[name])
    atheris.Fuzz()
