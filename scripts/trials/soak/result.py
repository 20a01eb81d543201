"""What came out of a soak."""

from __future__ import annotations

from dataclasses import dataclass

from scripts.trials.soak import growth
from scripts.trials.soak.counts import CALLS, Counts, Kind
from scripts.trials.soak.growth import Rest
from scripts.trials.soak.series import Sample


@dataclass(frozen=True)
class Result:
    """seconds: of work, the warm-up not counted. counts: of all, the warm-up too. before, after: at rest. tracebacks:
    in the log. exit_code: the switch's, when it was shut down in the end."""

    seconds: float
    counts: Counts
    samples: tuple[Sample, ...]
    before: Rest
    after: Rest
    tracebacks: int
    exit_code: int

    @property
    def memory(self) -> growth.Trend | None:
        return growth.trend([(one.seconds, one.usage.memory) for one in self.samples])

    @property
    def calls(self) -> int:
        return sum(self.counts[kind].answered for kind in CALLS)

    def faults(self) -> list[str]:
        """A line each; none when all went well."""
        found = [
            f"{kind.name.lower()}: {what}"
            for kind, count in self.counts.items()
            for what in (
                *([f"{count.open} lost of {count.asked}"] if count.open else []),
                *([f"{count.doubled} doubled"] if count.doubled else []),
                *([] if count.asked else ["nothing was done"]),
            )
        ]
        found += growth.left(self.before, self.after, self.calls)
        if self.memory and self.memory.grows:
            found.append(f"memory grows: {self.memory.rise:.0f} KiB in {self.memory.seconds / 60:.0f} minutes")
        if self.tracebacks:
            found.append(f"{self.tracebacks} tracebacks in the log")
        if self.exit_code:
            found.append(f"FreeSWITCH ended with exit code {self.exit_code}")
        return found


def line(before: Sample, now: Sample) -> str:
    """What was done a second, since the sample before; what there was in all; and what the switch takes."""
    seconds = now.seconds - before.seconds
    rates = {kind: (now.done[kind] - before.done[kind]) / seconds for kind in Kind}
    told = ", ".join(f"{kind.name.lower()} {rate:.1f}" for kind, rate in rates.items())
    usage = f"{now.usage.threads} threads, {now.usage.descriptors} descriptors, {now.usage.memory // 1024} MiB"
    return f"{now.seconds:,.0f} s: {usage}; under way {now.open}, doubled {now.doubled}; a second: {told}"
