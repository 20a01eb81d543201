"""The life of the module `mod_erlang_py`: loaded, called, unloaded, and loaded again."""

from __future__ import annotations

import gc
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.switch.freeswitch import FreeSwitch, module, reload
from mod_erlang_py.switch.port import Application, Completion, Module, Session
from tests.in_switch.conftest import originate
from tests.waiting import wait_until


class Calls:
    """What the switch called."""

    def __init__(self) -> None:
        self.shutdowns = 0
        self.applied: list[tuple[str, bytes]] = []
        self.go_on = threading.Event()

    def api(self, line: str) -> str:
        if line == "fail":
            raise RuntimeError("as it was told to")
        return f"you said {line!r}\n"

    def shutdown(self) -> None:
        self.shutdowns += 1

    def note(self, session: Session, data: bytes) -> None:
        self.applied.append((session.uuid, data))

    def fail(self, session: Session, data: bytes) -> None:
        raise RuntimeError("as it was told to")

    def wait(self, session: Session, data: bytes) -> None:
        self.note(session, data)
        self.go_on.wait(10)

    def park(self, session: Session, data: bytes) -> None:
        session.park()
        self.note(session, b"parked")

    def module(self) -> Module:
        runs = {"note": self.note, "fail": self.fail, "wait": self.wait, "park": self.park}
        applications = [Application(f"test_{name}", "a test", "<data>", run) for name, run in runs.items()]
        lists = {"::test::words": lambda: ["one", "two", "three"]}
        completion = Completion(("status", "status json", "say ::test::words"), lists)
        return Module(self.api, self.shutdown, tuple(applications), completion)


@pytest.fixture
def calls(switch: FreeSwitch) -> Iterator[Calls]:
    calls = Calls()
    switch.load(calls.module())
    yield calls
    calls.go_on.set()
    switch.unload()
    assert calls.shutdowns == 1


def test_the_api(switch: FreeSwitch, calls: Calls) -> None:
    result = switch.execute("erlang", b"some \xffthing")
    assert (result.found, result.success) == (True, True)
    assert result.output == "you said 'some �thing'\n".encode()
    assert switch.execute("erlang", b"").output == b"you said ''\n"
    assert switch.execute("module_exists", b"mod_erlang_py").output == b"true"


def test_an_api_that_fails(switch: FreeSwitch, calls: Calls) -> None:
    assert switch.execute("erlang", b"fail").output == b"-ERR internal error, see the log\n"
    assert switch.execute("erlang", b"x").output == b"you said 'x'\n"


def test_an_application(switch: FreeSwitch, calls: Calls) -> None:
    for data in (b"", b"some data", b"\xff"):
        call = originate(switch, b"'&test_note(%s)'" % data)
        wait_until(lambda call=call: call in dict(calls.applied))  # type: ignore[misc]
        assert dict(calls.applied)[call] == data


def test_an_application_that_fails_costs_its_call(switch: FreeSwitch, calls: Calls) -> None:
    call = originate(switch, "&test_fail(x)")
    wait_until(lambda: not is_up(switch, call))
    test_an_application(switch, calls)


def test_an_application_that_parks(switch: FreeSwitch, calls: Calls) -> None:
    call = originate(switch, "&test_park(x)")
    let_go(switch, call)
    wait_until(lambda: calls.applied == [(call, b"parked")])


def let_go(switch: FreeSwitch, call: str) -> None:
    """Once it has parked."""

    def gone() -> bool:
        with switch.locate(call) as session:
            return session is not None and session.let_go()

    wait_until(gone)


def is_controlled(switch: FreeSwitch, call: str) -> bool:
    with switch.locate(call) as session:
        return session is not None and session.is_controlled()


def is_up(switch: FreeSwitch, call: str) -> bool:
    return switch.execute("uuid_exists", call.encode()).output == b"true"


def test_unloaded_while_an_application_runs(switch: FreeSwitch, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing happens to the call, which comes back from there later. One that comes meanwhile is hung up, as with an
    application that the switch does not know; and once the module is loaded again its applications are, too."""
    calls = Calls()
    switch.load(calls.module())
    call, parked = originate(switch, "&test_wait(x)"), originate(switch, "&test_park(x)")
    wait_until(lambda: calls.applied == [(call, b"x")] and is_controlled(switch, parked))
    assert module.is_used()
    assert switch.execute("unload", b"mod_erlang_py").output == b"+OK\n"
    assert calls.shutdowns == 1
    late = originate(switch, "&test_note(x)")
    wait_until(lambda: not is_up(switch, late))
    assert f"{late}: test_note: mod_erlang_py is not loaded" in caplog.text
    assert is_up(switch, call)
    assert is_up(switch, parked)
    again = Calls()
    switch.load(again.module())
    calls.go_on.set()
    let_go(switch, parked)
    wait_until(lambda: not is_up(switch, call) and not is_up(switch, parked))
    wait_until(lambda: not module.is_used())
    assert calls.applied == [(call, b"x"), (parked, b"parked")]
    test_an_application(switch, again)
    switch.unload()


def test_not_loaded_twice(switch: FreeSwitch, calls: Calls) -> None:
    with pytest.raises(SwitchError, match="loaded already"):
        switch.load(Calls().module())
    assert switch.execute("erlang", b"x").output == b"you said 'x'\n"


def test_unloaded(switch: FreeSwitch) -> None:
    calls = Calls()
    switch.load(calls.module())
    assert switch.execute("unload", b"mod_erlang_py").output == b"+OK\n"
    assert calls.shutdowns == 1
    assert not switch.execute("erlang", b"x").found
    with pytest.raises(SwitchError, match="No such module"):
        switch.unload()


def test_no_thread_outlives_it(switch: FreeSwitch) -> None:
    """That which looks for a `reload` ends when it was none, and is not needed when it is us who unload."""

    def ours() -> set[str]:
        return {thread.name for thread in threading.enumerate()} & {"erlang:names", "erlang:reload"}

    switch.load(Calls().module())
    assert ours() == {"erlang:names"}
    switch.unload()
    assert ours() == set()
    switch.load(Calls().module())
    assert switch.execute("unload", b"mod_erlang_py").output == b"+OK\n"
    wait_until(lambda: ours() == set(), reload.SECONDS / 2)


def test_registered_again(switch: FreeSwitch, calls: Calls) -> None:
    """In the place of what was there; a call in an application of that is in nobody's way."""
    call = originate(switch, "&test_wait(x)")
    wait_until(lambda: calls.applied)
    module._register_again()
    test_the_api(switch, calls)
    test_completion(switch, calls)
    calls.go_on.set()
    wait_until(lambda: not is_up(switch, call))
    calls.applied.clear()
    test_an_application(switch, calls)
    assert switch.faults() == ()


def test_registered_again_too_late(switch: FreeSwitch, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the switch has begun to unload the module: it unloads what came then, too."""
    calls = Calls()
    switch.load(calls.module())
    late = threading.Event()

    def exists() -> bool:
        """As it was a moment before."""
        if threading.current_thread() is registering:
            late.set()
            unloading.join(0.3)  # until it waits for us
            return True
        return bool(switch.execute("module_exists", b"mod_erlang_py").output == b"true")

    monkeypatch.setattr(module, "_exists", exists)
    registering = threading.Thread(target=module._register_again)

    def unload_then() -> None:
        late.wait(10)
        switch.unload()

    unloading = threading.Thread(target=unload_then)
    unloading.start()
    registering.start()
    registering.join(10)
    unloading.join(10)
    assert not any(thread.is_alive() for thread in (registering, unloading))
    assert calls.shutdowns == 1
    assert switch.execute("module_exists", b"mod_erlang_py").output == b"false"
    assert not switch.execute("erlang", b"x").found


def test_a_shutdown_that_fails(switch: FreeSwitch) -> None:
    calls = Calls()

    def fail() -> None:
        raise RuntimeError("as it was told to")

    switch.load(replace(calls.module(), shutdown=fail))
    switch.unload()
    switch.load(calls.module())
    assert switch.execute("erlang", b"x").output == b"you said 'x'\n"
    switch.unload()


def test_loaded_again_and_again(switch: FreeSwitch) -> None:
    """The one that was loaded last is called; and no callbacks stay behind."""
    made: list[int] = []
    for _ in range(20):
        calls = Calls()
        switch.load(calls.module())
        assert switch.execute("erlang", b"x").output == b"you said 'x'\n"
        call = originate(switch, "&test_note(x)")
        wait_until(lambda call=call, calls=calls: calls.applied == [(call, b"x")])  # type: ignore[misc]
        switch.unload()
        made.append(callbacks())
    assert made[-1] == made[0]


def callbacks() -> int:
    """The functions that C could call."""
    gc.collect()
    return sum(type(one).__name__ == "CFunctionType" for one in gc.get_objects())


def test_completion(switch: FreeSwitch, calls: Calls) -> None:
    wait_until(lambda: complete(switch, "erlang sta") == ["status"])
    wait_until(lambda: complete(switch, "erlang say ") == ["one", "three", "two"])
    assert complete(switch, "erlang say t") == ["three", "two"]


def complete(switch: FreeSwitch, line: str) -> list[str]:
    printed = switch.execute("console_complete", f"c={len(line)};{line}".encode()).output.decode()
    return sorted(re.findall(r"\[ *(\S+)\]\t", printed))


def test_completion_ends_with_the_module(switch: FreeSwitch) -> None:
    switch.load(Calls().module())
    wait_until(lambda: complete(switch, "erlang say t") == ["three", "two"])
    switch.unload()
    wait_until(lambda: complete(switch, "erlang say t") == [])


def test_one_that_cannot_be_registered(switch: FreeSwitch) -> None:
    """Is refused, and the next one is taken."""

    class Broken(dict[str, Callable[[], list[str]]]):
        def __iter__(self) -> Iterator[str]:
            raise RuntimeError("as it was told to")

    with pytest.raises(SwitchError, match="refused"):
        switch.load(replace(Calls().module(), completion=Completion((), Broken(a=list))))
    calls = Calls()
    switch.load(calls.module())
    assert switch.execute("erlang", b"x").output == b"you said 'x'\n"
    switch.unload()
