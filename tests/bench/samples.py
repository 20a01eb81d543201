"""Results to try tables, charts and pages with."""

from __future__ import annotations

from scripts.bench.results import Failure, Machine, Measured, Results, Sample, Unit
from scripts.bench.workloads import api, growth

MACHINE = Machine(
    processors=2,
    model="A processor",
    kernel="6.1",
    versions={"FreeSWITCH": "1.11.1", "Python": "3.11.2", "OTP": "25"},
    preloaded="LD_PRELOAD=libtcmalloc_minimal.so.4",
    commit="abc1234",
    load=(0.1, 2.5),
)


def sample(
    contender: str, value: float, number: int = 1, what: str = api.P50, unit: Unit = Unit.MICROSECONDS
) -> Sample:
    return Sample("api", contender, number, Measured(what, unit, value))


SAMPLES = (
    *(sample("compiled", value, number) for number, value in enumerate((60.0, 50.0, 90.0), 1)),
    *(sample("mod_erlang_event", value, number) for number, value in enumerate((10_200.0, 10_100.0, 10_300.0), 1)),
    *(sample(name, value, what=api.rate(20), unit=Unit.RATE) for name, value in (("compiled", 20_000.0), ("otp", 6e4))),
    *(
        Sample("growth", "compiled", 1, Measured(growth.BY_LINKS, Unit.MICROSECONDS, cost, at=links))
        for links, cost in ((1, 12.0), (64, 3.5))
    ),
)

RESULTS = Results(
    command="make bench",
    began="2026-11-26T05:00:00+00:00",
    seconds=1200,
    machine=MACHINE,
    samples=SAMPLES,
    failures=(Failure("events", "python", 2, "it did not start"),),
    skipped=(("sip", "no sipp (sip-tester)"),),
)
