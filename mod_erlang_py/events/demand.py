"""What all who are interested in events want together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import TypeVar

from mod_erlang_py.switch.port import ALL, CUSTOM, Form, Wanted

from .interest import Interest
from .subscription import Subscription

K = TypeVar("K")


class Demand:
    """Counted, so that one more or one less costs what it names, and not what all of them do."""

    def __init__(self) -> None:
        self._counted: dict[Subscription, tuple[Interest, Form]] = {}
        self._types: Counter[str] = Counter()
        self._subclasses: Counter[bytes] = Counter()
        self._forms: Counter[Form] = Counter()

    def update(self, one: Subscription) -> bool:
        """Count a subscription as it is now: not at all when it has ended, or nobody receives. Whether something else
        may be wanted than before."""
        before = self._counted.pop(one, None)
        now = None if one.ended or one.target is None else (one.interest, one.form)
        if now is not None:
            self._counted[one] = now
        if before == now:
            return False
        first = now is not None and self._count(*now, 1)
        last = before is not None and self._count(*before, -1)
        return first or last

    def _count(self, interest: Interest, form: Form, by: int) -> bool:
        """Whether something of it was not there before, or is not any more."""
        types = {ALL} if interest.everything else interest.types
        subclasses = interest.subclasses if CUSTOM in interest.types else ()
        changed = [_add(self._types, types, by), _add(self._subclasses, subclasses, by), _add(self._forms, (form,), by)]
        return any(changed)

    def wanted(self, forms: frozenset[Form]) -> Wanted:
        """What a source has to deliver. forms: in which it has to beside those that are counted."""
        return Wanted(frozenset(self._types), frozenset(self._subclasses), forms.union(self._forms))


def _add(counts: Counter[K], keys: Collection[K], by: int) -> bool:
    """Whether a key has come, or gone."""
    changed = False
    for key in keys:
        counts[key] += by
        changed |= counts[key] == max(by, 0)
        if not counts[key]:
            del counts[key]
    return changed
