"""That the models can fail: each line here breaks the code as somebody might, and one of them must notice."""

from __future__ import annotations

import inspect
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from mod_erlang_py.calls.asking import Asking
from mod_erlang_py.calls.calls import Calls
from mod_erlang_py.calls.executes import Executes
from mod_erlang_py.calls.parking import Parking
from mod_erlang_py.calls.waiting import Waiting
from mod_erlang_py.calls.watching import Watching
from mod_erlang_py.events.own_subscriptions import OwnSubscriptions
from mod_erlang_py.events.subscriptions import Subscriptions
from mod_erlang_py.node.links import Links
from mod_erlang_py.node.outbox import Outbox
from mod_erlang_py.xml.fetches import Fetches
from tests.models import test_calls as calls
from tests.models import test_executes as executes
from tests.models import test_fetches as fetches
from tests.models import test_links as links
from tests.models import test_outbox as outbox
from tests.models import test_subscriptions as subscriptions
from tests.models.order import ORDER
from tests.models.scheduler import Wrong
from tests.models.schedules import Scenario, explore


@dataclass(frozen=True)
class Mutation:
    """method: in which `old` becomes `new`. notices: the scenario that must fail, with so many changes of threads."""

    name: str
    method: Callable[..., Any]
    old: str
    new: str
    notices: Scenario
    changes: int = 1


parked, asked, taken = calls.parked, calls.asked, calls.taken
standing, handled = subscriptions.standing, subscriptions.handled
SLOW = "takes six bytes at a time"

MUTATIONS = [
    Mutation(
        "an event that was looked up follows the end",
        Subscriptions.route,
        "not one.ended and",
        "",
        partial(parked, (calls.event, calls.handlecall)),
    ),
    Mutation(
        "the session is let go of while somebody takes the call",
        Calls._unlock,
        "session.soft_lock(SOFT_LOCK)",
        "return",
        partial(parked, (calls.nohandle, calls.handlecall)),
    ),
    Mutation(
        "a call ends before its events are kept",
        Calls.candidate,
        "if session.has_hung_up():",
        "if False:",
        partial(calls.unanswered, (calls.hang_up,)),
    ),
    Mutation(
        "a subscription is opened without the lock",
        Subscriptions.open,
        "with target.link.outbox.gathering(), self._lock:",
        "with target.link.outbox.gathering():",
        partial(taken, (calls.handlecall,)),
    ),
    Mutation(
        "locks are taken the other way round",
        Subscriptions.add,
        "with self._lock:",
        "with self._lock, self._binding:",
        partial(taken, ()),
        0,
    ),
    Mutation(
        "the session is let go of while somebody has the call",
        Calls._is_wanted,
        "return uuid in self._attached or uuid in self._candidates",
        "return False",
        partial(parked, (calls.refused,)),
        0,
    ),
    Mutation(
        "what came while somebody sent is left",
        Outbox._send,
        "gathered = self._next()",
        "gathered = ()",
        partial(outbox.sending, ("put", "put"), "takes all"),
    ),
    Mutation(
        "two end a subscription",
        Subscriptions.end,
        "return False\n            one.ended = True",
        "return False\n        with self._lock:\n            one.ended = True",
        partial(parked, (calls.handlecall, calls.hang_up)),
        2,
    ),
    Mutation(
        "what was gathered follows the end",
        Subscriptions.flush,
        "if one.cuts == cuts",
        "if True",
        partial(standing, (subscriptions.fire, subscriptions.unsubscribe), False, None, False),
    ),
    Mutation(
        "a node that is down gets a subscription",
        Subscriptions.add,
        "if one.target is not None and one.target.link.ended:",
        "if False:",
        partial(subscriptions.beginning, (subscriptions.go_down,), False, None, False),
    ),
    Mutation(
        "an older wish comes last",
        Subscriptions._bind,
        "with self._binding:",
        "if True:",
        partial(parked, (calls.nohandle, calls.handlecall)),
    ),
    Mutation(
        "a call ends before its process was told of it",
        Calls._ended,
        "if call.subscription.held is None:",
        "if True:",
        partial(taken, (calls.hang_up,)),
        2,
    ),
    Mutation(
        "a call ends while it is given",
        Calls.attach,
        "if call.over:",
        "if False:",
        partial(taken, (calls.hang_up,)),
        2,
    ),
    Mutation(
        "a process ends while it is given a call",
        Calls.attach,
        "(watched and self._is_there(found))",
        "watched",
        partial(taken, (calls.die_by_pid,)),
    ),
    Mutation(
        "who had the call before is not told",
        Calls.attach,
        "self._take_from(before)",
        "pass",
        partial(parked, (calls.handlecall, calls.event)),
        0,
    ),
    Mutation(
        "the switch is called with the lock held",
        Calls.withdraw,
        "elsewhere = call.uuid in self._attached",
        "elsewhere = call.uuid in self._attached\n            self._switch.sequence()",
        partial(asked, (calls.die,)),
    ),
    Mutation(
        "a call that was let go of is parked",
        Parking.let_go,
        "run.go_on = True",
        "pass",
        partial(asked, (calls.die,)),
    ),
    Mutation(
        "nobody looks once more whether it has parked",
        Parking.let_go,
        "if not runs or session.let_go():",
        "if not runs:",
        partial(asked, (calls.nohandle,)),
        2,
    ),
    Mutation(
        "a call ends before its process is asked for",
        Waiting.begin,
        "if self._over is not None:",
        "if False:",
        partial(calls.unanswered, (calls.hang_up,)),
    ),
    Mutation(
        "a node goes down before it was asked",
        Asking._wait,
        "if link.ended:",
        "if False:",
        partial(calls.unanswered, (calls.go_down,)),
    ),
    Mutation(
        "a named process ends before it is watched for its call",
        Asking.watch,
        "if found.monitor not in self._monitors:",
        "if False:",
        partial(asked, (calls.die,)),
    ),
    Mutation(
        "a handler ends while it becomes one",
        Watching.register,
        "if not self._processes.is_linked(target.link, target.to):",
        "if False:",
        partial(fetches.binding, "exit"),
    ),
    Mutation(
        "an execute is over before all of it was known",
        Executes.wait,
        "if subscription.ended:",
        "if False:",
        partial(executes.waiting, ("wait", "nodedown")),
    ),
    Mutation(
        "who waits for times is not told of an earlier one",
        Executes.wait,
        "if wait.deadline < self._wakes_at:",
        "if False:",
        partial(executes.waiting, ("wait", "timeout")),
    ),
    Mutation(
        "the thread of times goes round",
        Executes.run,
        "if not wait.subscription.ended",
        "if True",
        partial(executes.waiting, ("done", "timeout")),
        2,
    ),
    Mutation(
        "a subscription ends before it was known that it is watched",
        OwnSubscriptions.watched,
        "if own.subscription.ended:",
        "if False:",
        partial(subscriptions.beginning, (subscriptions.go_down,), False, None, False),
    ),
    Mutation(
        "a writer that is not woken",
        Outbox._send,
        "self._wake_writer()",
        "pass",
        partial(outbox.sending, ("put", "put"), SLOW),
        0,
    ),
    Mutation(
        "two send at once",
        Outbox.put,
        "self._sending or (",
        "(",
        partial(outbox.sending, ("put", "put"), SLOW),
    ),
    Mutation(
        "a lock is held while the socket is written to",
        Outbox._send,
        "taken = self._stream.send(gathered)\n                with self._lock:\n                    full",
        "with self._lock:\n                    taken = self._stream.send(gathered)\n                    full",
        partial(outbox.sending, ("put", "put"), "takes all"),
        0,
    ),
    Mutation(
        "an attempt is settled by nobody",
        Links.add,
        "if attempt is not None:\n                attempt.settle(link)",
        "pass",
        partial(links.connecting, ("connect", "accept", "connect"), "makes way"),
    ),
    Mutation(
        "two links to one node",
        Links.add,
        "if replaced is not None:",
        "if False:",
        partial(links.connecting, ("connect", "accept", "accept"), "up"),
    ),
    Mutation(
        "an answer counts that came too late",
        Fetches.answer,
        "in_time = not _resolve(pending, None)",
        "in_time = False",
        partial(fetches.looking_up, ("good", "timeout")),
    ),
]


def _mutated(mutation: Mutation) -> Any:
    """The method with other text in it, made where it stands."""
    source = textwrap.dedent(inspect.getsource(mutation.method))
    old, new = (text.replace("\n    ", "\n") for text in (mutation.old, mutation.new))
    assert old in source, f"{mutation.method.__qualname__} reads otherwise now: change the mutation"
    module = sys.modules[mutation.method.__module__]
    made: dict[str, Any] = {}
    exec(
        compile(f"from __future__ import annotations\n{source.replace(old, new)}", "mutated", "exec"),
        vars(module),
        made,
    )
    return made[mutation.method.__name__]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_it_is_noticed(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ORDER, "edges", {held: set(taken) for held, taken in ORDER.edges.items()})
    explore(mutation.notices, 0)
    owner = getattr(sys.modules[mutation.method.__module__], mutation.method.__qualname__.partition(".")[0])
    monkeypatch.setattr(owner, mutation.method.__name__, _mutated(mutation))
    with pytest.raises(Wrong):
        explore(mutation.notices, mutation.changes)
