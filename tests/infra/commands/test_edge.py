"""The edge's runtime commands and answers."""

import pytest

from infra.commands import edge


@pytest.mark.parametrize("slot", ["a", "b", None])
def test_the_slot_that_was_set_is_the_slot_that_is_read(slot: str | None) -> None:
    assert edge.parse_live(f"0x55d0 live {slot or 'none'}\n\n") == slot


def test_an_empty_map_reads_as_nothing_live() -> None:
    assert edge.parse_live("\n") is None


PROC = """\
#<PID>          <type>          <reloads>       <uptime>        <version>
1               master          1 [failed: 0]   0d00h00m06s     2.6.12-1+deb12u4
# workers
18              worker          0               0d00h00m03s     2.6.12-1+deb12u4
# old workers
9               worker          1               0d00h00m06s     2.6.12-1+deb12u4
# programs

"""


def test_the_master_tells_the_workers_that_take_new_connections() -> None:
    assert edge.parse_workers(PROC) == {18}
    assert edge.parse_workers(PROC.replace("# old workers", "")) == {18, 9}
    assert edge.parse_workers("") == set()


STAT = """\
# pxname,svname,qcur,qmax,scur,smax,stot,status,check_status,check_desc,
users,FRONTEND,,,3,5,70,OPEN,,,
slot_a,r1,1,2,4,9,61,UP,L7OK,Layer7 check passed,
slot_a,r2,0,0,0,0,0,DOWN,L4CON,Layer4 connection problem,
slot_a,BACKEND,0,0,4,9,61,UP,,,
slot_b,r1,,,0,0,,MAINT,,,
"""


def test_the_statistics_give_each_replica_with_its_requests() -> None:
    found = [(s.slot, s.number, s.is_up, s.sessions, s.requests) for s in edge.parse_stat(STAT)]

    assert found == [("a", 1, True, 5, 61), ("a", 2, False, 0, 0), ("b", 1, False, 0, 0)]
