"""A host before and after it is prepared: what it tells, and its engine where it has one."""

import time
from dataclasses import dataclass

from infra.commands import clock, survey
from infra.commands.survey import Facts
from infra.connection import connect
from infra.host import Host
from infra.provider.machine import ENGINES, Machine, wanted_engine


@dataclass(frozen=True)
class Found:
    """A host as it is.

    Attributes:
        bare: for files and commands; without an engine.
        skew_s: seconds that its clock is ahead of ours, `time_s` being what it says.
    """

    bare: Machine
    facts: Facts
    time_s: float
    skew_s: float

    @property
    def host(self) -> Host:
        """The host's entry."""
        return self.bare.host

    @property
    def is_rootless(self) -> bool:
        """Whether commands act as a user other than root."""
        return not self.bare.connection.is_root

    @property
    def asked_engine(self) -> str | None:
        """The engine that is asked for by name; None: any."""
        return wanted_engine(self.host)

    @property
    def has_engine(self) -> bool:
        """Whether one is installed that may be used."""
        wanted = [self.asked_engine] if self.asked_engine else ENGINES
        return any(self.bare.connection.has(engine) for engine in wanted)


def find(host: Host) -> Found:
    """Connects to a host and asks it; changes nothing.

    Raises:
        Unreachable: it does not answer.
        HostError: `connection: local`, and another machine than the one that was prepared.
    """
    bare = Machine(host, connect(host), engine="")
    facts = survey.parse(bare.run(survey.ask()))
    asked_s = time.time()
    host_s = float(bare.run(clock.now()))
    return Found(bare, facts, host_s, clock.skew_s(host_s, asked_s, time.time()))
