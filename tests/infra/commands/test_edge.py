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
# pxname,svname,qcur,scur,stot,status,weight,check_status,check_desc,\
hrsp_1xx,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,srv_abrt,
users,FRONTEND,,3,70,OPEN,,,,0,70,0,0,0,,
slot_a,r1,1,4,61,UP,1,L7OK,Layer7 check passed,0,60,0,0,1,0,
slot_b,r1,,0,0,MAINT,1,,,0,0,0,0,0,0,
users_a,r1,0,1,61,UP,120,L7OK,Layer7 check passed,0,50,1,7,3,2,
users_a,host:r1,0,0,9,DOWN,240,L4CON,Layer4 connection problem,0,9,0,0,0,0,
users_a,BACKEND,0,1,70,UP,360,,,0,59,1,7,3,2,
inner_b,r2,0,2,5,UP,1,,,0,5,0,0,0,0,
canary_b,candidate,0,1,30,no check,1,,,0,29,0,0,0,0,
canary_b,live,0,0,2,no check,1,,,0,2,0,0,0,0,
nobody,BACKEND,0,0,0,UP,0,,,0,0,0,0,0,0,
per_client,BACKEND,0,0,0,UP,0,,,0,0,0,0,0,0,
"""


def test_the_statistics_give_every_server_with_its_requests() -> None:
    found = [(s.group, s.slot, s.name, s.number, s.is_up) for s in edge.parse_stat(STAT)]

    assert found == [
        ("slot", "a", "r1", 1, True),
        ("slot", "b", "r1", 1, False),
        ("users", "a", "r1", 1, True),
        ("users", "a", "r1", 0, False),  # a host of that name
        ("inner", "b", "r2", 2, True),
        ("canary", "b", "candidate", 0, False),
        ("canary", "a", "live", 0, False),
    ]


def test_a_server_is_told_with_what_it_answered_and_what_broke_off() -> None:
    replica, host = (s for s in edge.parse_stat(STAT) if s.group == "users")

    assert replica == edge.Server(
        group="users",
        slot="a",
        name="r1",
        status="UP",
        check="L7OK Layer7 check passed",
        weight=120,
        sessions=1,
        requests=61,
        answers=58,
        broken_answers=2,
    )
    assert (host.is_own, host.weight, host.check) == (False, 240, "L4CON Layer4 connection problem")


def test_what_the_candidates_share_falls_to_is_live() -> None:
    candidate, fallback = (s for s in edge.parse_stat(STAT) if s.group == "canary")

    assert (candidate.slot, candidate.is_backup, candidate.is_own) == ("b", False, False)
    assert (fallback.slot, fallback.is_backup, fallback.is_own) == ("a", True, False)


@pytest.mark.parametrize("column", ["stot", "scur", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "srv_abrt"])
def test_a_server_without_a_number_is_not_counted(column: str) -> None:
    assert all(s.is_counted for s in edge.parse_stat(STAT))
    assert not any(s.is_counted for s in edge.parse_stat(STAT.replace(f",{column},", ",other,")))


MAP = """\
0x55d0 live a
0x55d1 canary 500
0x55d2 release_a 0123456789ab
0x55d3 release_b none

"""


def test_what_the_running_edge_goes_by_is_read_by_its_keys() -> None:
    assert edge.parse_map(MAP) == {
        "live": "a",
        "canary": "500",
        "release_a": "0123456789ab",
        "release_b": "none",
    }
    assert edge.parse_live(MAP) == "a"
    assert edge.parse_map("\n") == {}


def test_runtime_commands_are_whole_lines_and_go_together_on_one() -> None:
    given = [
        edge.set_canary(500),
        edge.set_release("b", "0123456789ab"),
        edge.set_release("b", None),
        edge.set_live("b"),
        edge.set_weight("a", "host:lab-2", 80),
    ]

    assert given == [
        "set map /etc/bentofleet/edge/live.map canary 500\n",
        "set map /etc/bentofleet/edge/live.map release_b 0123456789ab\n",
        "set map /etc/bentofleet/edge/live.map release_b none\n",
        "set map /etc/bentofleet/edge/live.map live b\n",
        "set server users_a/host:lab-2 weight 80\n",
    ]
    assert edge.together(*given[:2]) == f"{given[0].strip()};{given[1].strip()}\n"


def test_a_replicas_state_and_health_are_set_for_gate_and_users() -> None:
    assert edge.set_state("a", 2, "drain") == (
        "set server slot_a/r2 state drain;set server users_a/r2 state drain\n"
    )
    assert edge.set_health("b", 1, on=False) == (
        "disable health slot_b/r1;disable health users_b/r1\n"
    )
    assert edge.set_health("b", 1, on=True).count("enable health ") == 2
