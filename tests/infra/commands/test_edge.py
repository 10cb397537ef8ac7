"""HAProxy's configuration and runtime commands."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from infra.commands import edge
from infra.host import Ports
from infra.provider import live


def config(replicas: int = 2) -> str:
    return edge.config(address="127.0.0.1", port=8080, ports=Ports(21000), replicas=replicas)


def test_both_slots_have_every_replica() -> None:
    servers = re.findall(r"server (r\d+) 127\.0\.0\.1:(\d+)", config(replicas=3))

    assert servers == [
        *(("r1", "21000"), ("r2", "21001"), ("r3", "21002")),
        *(("r1", "21016"), ("r2", "21017"), ("r3", "21018")),
    ]


def test_only_the_users_frontend_listens_beyond_loopback() -> None:
    text = edge.config(address="192.0.2.1", port=8080, ports=Ports(21000), replicas=1)

    binds = re.findall(r"bind (\S+)", text)
    assert binds == ["192.0.2.1:8080", "127.0.0.1:21064", "127.0.0.1:21065", "127.0.0.1:21066"]


def test_every_error_of_the_edge_is_a_problem_document() -> None:
    bodies = re.findall(r'application/problem\+json string "((?:[^"\\]|\\.)*)"', config())

    problems = [json.loads(body.replace('\\"', '"')) for body in bodies]
    assert sorted(p["status"] for p in problems) == [502, 503, 503, 504]


def test_the_configuration_says_nothing_of_what_is_live() -> None:
    assert "default_backend nobody" in config()
    assert config() == config()


@pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed here")
def test_haproxy_accepts_the_configuration(tmp_path: Path) -> None:
    text = config().replace(edge.FOLDER, str(tmp_path)).replace("/run/haproxy", str(tmp_path))
    (tmp_path / "live.map").write_text(live.text(None))
    (tmp_path / "haproxy.cfg").write_text(text)

    done = subprocess.run(
        ["haproxy", "-c", "-f", str(tmp_path / "haproxy.cfg")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, "warning" in done.stderr.lower()) == (0, False), done.stderr


@pytest.mark.parametrize("slot", ["a", "b", None])
def test_the_slot_that_was_set_is_the_slot_that_is_read(slot: str | None) -> None:
    assert edge.parse_live(f"0x55d0 live {slot or 'none'}\n\n") == slot


def test_an_empty_map_reads_as_nothing_live() -> None:
    assert edge.parse_live("\n") is None


STAT = """\
# pxname,svname,qcur,qmax,scur,smax,status,check_status,check_desc,
users,FRONTEND,,,3,5,OPEN,,,
slot_a,r1,1,2,4,9,UP,L7OK,Layer7 check passed,
slot_a,r2,0,0,0,0,DOWN,L4CON,Layer4 connection problem,
slot_a,BACKEND,0,0,4,9,UP,,,
slot_b,r1,,,0,0,MAINT,,,
"""


def test_the_statistics_give_each_replica_with_its_requests() -> None:
    found = [(s.slot, s.number, s.is_up, s.sessions) for s in edge.parse_stat(STAT)]

    assert found == [("a", 1, True, 5), ("a", 2, False, 0), ("b", 1, False, 0)]
