"""Which ports are taken."""

from infra.commands import ports

TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1
   1: 0100007F:1F91 0100007F:ABCD 01 00000000:00000000 00:00000000 00000000     0        0 1 1
  sl  local_address                         remote_address                        st tx_queue
   0: 00000000000000000000000000000000:0BB8 00000000000000000000000000000000:0000 0A 00000000
"""


def test_only_ports_that_listen_count_as_taken() -> None:
    assert ports.listening(TABLE) == {8080, 3000}


def test_no_table_means_no_port() -> None:
    assert ports.listening("") == set()
