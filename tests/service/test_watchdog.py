"""The watchdog: only what stands still for too long ends the process."""

import subprocess
import sys

from service.watchdog import Watchdog


def watch(*looks, most=3):
    """The reasons that it gave after looks at these marks."""
    marks, ended = iter(looks), []
    dog = Watchdog(lambda: next(marks), most, ended.append)
    for _ in looks:
        dog.look()
    return ended


def test_what_goes_on_is_left_alone():
    assert watch(*({"loop": i, "model": 1 + 2 * (i // 3)} for i in range(12))) == []


def test_what_stands_still_for_too_long_is_named_once_it_does():
    (reason,) = watch(*({"loop": i, "model energy": 7} for i in range(4)))
    assert reason.startswith("model energy: stands still for 3 seconds.")


def test_what_ended_and_began_again_counts_anew():
    assert watch({"m": 1}, {"m": 1}, {}, {"m": 1}, {"m": 1}, {"m": 1}) == []


def test_a_process_ends_with_a_line_of_its_log_whatever_its_threads_do():
    code = (
        "import logging, threading, time\n"
        "logging.basicConfig()\n"
        "threading.Thread(target=time.sleep, args=(99,)).start()\n"
        "from service import faults\n"
        "faults.end_process('planted')\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert ended.returncode == 70
    assert b"planted" in ended.stderr


def test_a_log_that_nobody_can_write_does_not_keep_it_alive():
    code = (
        "import logging, os\n"
        "logging.basicConfig()\n"
        "from service import faults\n"
        "faults._TELL_S = 0.1\n"
        "logging.getLogger().handlers[0].acquire()\n"
        "faults.end_process('planted')\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert ended.returncode == 70
