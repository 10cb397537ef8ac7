"""Kills a walk at one of its effects on the host.

Python imports this when it starts, where a test has put the folder into PYTHONPATH; it does
nothing unless BENTOFLEET_TEST_KILL names a file with {"victim", "when", "stages", "hit"}.
"""

import json
import os
import signal
from pathlib import Path

from infra import connection


def arm(plan):
    """Counts the commands of the walk, and kills at the one that is meant, once."""
    stages = [list(stage) for stage in plan["stages"]]
    run = connection.Local.run
    hit = Path(plan["hit"])

    def counted(self, argv, stdin="", timeout_s=connection.COMMAND_TIMEOUT_S):
        text = f"{' '.join(argv)} < {stdin}"
        is_last = False
        if stages and all(word in text for word in stages[0][0]):
            stages[0][1] -= 1
            if stages[0][1] == 0:
                stages.pop(0)
                is_last = not stages
        if is_last and plan["when"] == "before":
            kill()
        done = run(self, argv, stdin, timeout_s)
        if is_last and plan["when"] == "after":
            kill()
        return done

    def kill():
        if hit.exists():
            return
        hit.touch()
        pid = os.getppid() if plan["victim"] == "pulumi" else os.getpid()
        os.kill(pid, signal.SIGKILL)

    connection.Local.run = counted


named = os.environ.get("BENTOFLEET_TEST_KILL")
if named and Path(named).exists():
    arm(json.loads(Path(named).read_text()))
