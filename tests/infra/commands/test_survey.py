"""The survey: run for real on this machine, and read from what other machines printed."""

import pwd
import subprocess
from os import geteuid
from pathlib import Path

from infra.commands import survey

TOLD = """\
system ubuntu
version 24.04
title Ubuntu 24.04.2 LTS
user deploy
program docker
program apt-get
group docker
ids subuid
init systemd
linger yes
time yes
ntp yes
time systemd-timesyncd
"""


def test_a_hosts_answer_is_read() -> None:
    facts = survey.parse(TOLD)

    assert (facts.system, facts.version, facts.title) == ("ubuntu", "24.04", "Ubuntu 24.04.2 LTS")
    assert facts.user == "deploy"
    assert facts.programs == {"docker", "apt-get"}
    assert facts.groups == {"docker"}
    assert facts.id_maps == {"subuid"}
    assert facts.has_systemd
    assert facts.lingers
    assert facts.time_keepers == ("yes", "systemd-timesyncd")
    assert facts.has_time_service


def test_what_a_host_does_not_tell_is_empty() -> None:
    facts = survey.parse("system \nversion \ntitle \nuser root\n")

    assert (facts.system, facts.programs, facts.has_systemd) == ("", frozenset(), False)
    assert (facts.lingers, facts.time_keepers, facts.has_time_service) == (False, (), False)


def test_this_machine_answers() -> None:
    done = subprocess.run(survey.ask(), capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    facts = survey.parse(done.stdout)
    assert facts.user == pwd.getpwuid(geteuid()).pw_name
    assert facts.has_systemd == Path("/run/systemd/system").is_dir()
    assert facts.programs <= set(survey.PROGRAMS)
