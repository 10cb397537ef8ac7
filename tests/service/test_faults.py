"""What a process cannot outlive ends it at once, with a code and a line of its log."""

import contextlib
import os
import signal
import time
from pathlib import Path

import httpx
import pytest

ROW = {"when": "2017-07-14T14:30:00", "a": 3.5, "b": 2}
BAD = {**ROW, "a": 77.0}
PREDICT = "/v1/adder/predict"
SHADE = "/v1/shade/predict"
FAULT = 70

IN_A_THREAD = "from service import proof; proof._QUICK_S = -1.0\n"
HASTY = "from service import contract; contract.STUCK_S = 2\n"
ADDER = (
    "import os, time\n"
    "from bentos.adder import features\n"
    "encode = features.encode\n"
    "def planted(items):\n"
    "    if items[0]['a'] == 77:\n"
    "        {}\n"
    "    return encode(items)\n"
    "features.encode = planted\n"
)
DECODER = (
    "from service import decoders\n"
    "from bentos.shade import features\n"
    "encode = features.encode\n"
    "def planted(picture):\n"
    "    if picture.size == (77, 77):\n"
    "        raise SystemExit\n"
    "    return encode(picture)\n"
    "features.encode = planted\n"
)
RUN = "import runpy; runpy.run_module('service', run_name='__main__')\n"


def ask(service, body=BAD):
    """The status, or 0 where the process ended before it answered."""
    with contextlib.suppress(httpx.TransportError):
        return httpx.post(service.url + PREDICT, json=body).status_code
    return 0


@pytest.mark.parametrize("where", [IN_A_THREAD, ""], ids=["in its thread", "in the loop"])
@pytest.mark.parametrize(
    ("planted", "code"),
    [("raise SystemExit", FAULT), ("raise KeyboardInterrupt", FAULT), ("os.abort()", -6)],
)
def test_a_model_that_ends_its_thread_ends_the_process(run, where, planted, code):
    service = run(("-c", where + ADDER.format(planted) + RUN))
    service.wait()
    assert ask(service) == 0
    assert service.process.wait(30) == code
    assert code != FAULT or "adder: the model ended with " in service.log()


def test_a_decoder_that_ends_its_thread_ends_the_process(run, picture):
    service = run(("-c", DECODER + RUN))
    service.wait()
    kind = {"content-type": "image/jpeg"}
    assert httpx.post(service.url + SHADE, content=picture(), headers=kind).status_code == 200
    with contextlib.suppress(httpx.TransportError):
        httpx.post(service.url + SHADE, content=picture(size=(77, 77)), headers=kind)
    assert service.process.wait(30) == FAULT
    assert "a decoder ended with SystemExit()" in service.log()


@pytest.mark.parametrize("where", [IN_A_THREAD, ""], ids=["in its thread", "in the loop"])
def test_a_run_that_hangs_ends_the_process_so_that_it_is_started_again(run, where):
    service = run(("-c", HASTY + where + ADDER.format("time.sleep(600)") + RUN))
    service.wait()
    with contextlib.suppress(httpx.TransportError):
        httpx.post(service.url + PREDICT, json=BAD, timeout=1)
    assert service.process.wait(60) == FAULT
    assert "model adder: stands still for 2 seconds." in service.log()


def test_a_loop_that_hangs_does_so_too(run):
    planted = (
        "import time\n"
        "from service.api import info\n"
        "async def livez(self, request): time.sleep(600)\n"
        "info.Info.livez = livez\n"
    )
    service = run(("-c", HASTY + planted + RUN))
    service.wait()
    with contextlib.suppress(httpx.TransportError):
        httpx.get(f"{service.url}/livez", timeout=1)
    assert service.process.wait(60) == FAULT
    assert "the event loop: stands still for 2 seconds." in service.log()


def test_while_a_run_hangs_the_other_model_and_health_answer(run, picture):
    service = run(("-c", IN_A_THREAD + ADDER.format("time.sleep(600)") + RUN))
    service.wait()
    assert ask(service) == 504
    kind = {"content-type": "image/jpeg"}
    others = [httpx.post(service.url + SHADE, content=picture(), headers=kind) for _ in range(20)]
    assert [answer.status_code for answer in others] == [200] * 20
    assert httpx.get(f"{service.url}/livez").status_code == 200
    service.process.terminate()
    assert service.process.wait(60) == 0  # what hangs does not keep it


def test_a_model_that_wants_to_end_the_process_while_it_loads_is_just_not_there(run, picture):
    planted = "import sys; sys.modules['bentos.adder.features'] = None\n"
    stop = "from service import models\nload = models.load\ndef planted(spec, *rest):\n"
    stop += "    if spec.name == 'adder': raise SystemExit(0)\n    return load(spec, *rest)\n"
    for code in (planted, stop + "models.load = planted\n"):
        service = run(("-c", code + RUN))
        reasons = service.wait(503)
        while "being loaded" in reasons.text:
            reasons = service.wait(503)
        kind = {"content-type": "image/jpeg"}
        answer = httpx.post(service.url + SHADE, content=picture(), headers=kind)
        assert answer.status_code == 200
        assert ask(service, ROW) == 503
        service.process.terminate()
        assert service.process.wait(60) == 0


def catches(service, number):
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    mask = int(status.partition("SigCgt:")[2].split()[0], 16)
    return bool(mask >> (number - 1) & 1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_it_imports_ends_it_at_once(run, tmp_path, number):
    note = tmp_path / "importing"
    code = (
        "import pathlib, sys, time\n"
        "class Slow:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name == 'uvloop':\n"
        f"            pathlib.Path({str(note)!r}).touch()\n"
        "            time.sleep(600)\n"
        "sys.meta_path.insert(0, Slow())\n"
    )
    service = run(("-c", code + RUN))
    while not note.exists():
        time.sleep(0.01)
    assert catches(service, number)  # as a container's first process it would not hear it else
    os.kill(service.process.pid, number)
    assert service.process.wait(30) == 0


def test_a_signal_while_it_loads_does_not_wait_for_the_load_nor_for_draining(run):
    code = "import time\nfrom service import models\nmodels.load = lambda *_: time.sleep(600)\n"
    service = run(("-c", code + RUN), BENTOFLEET_DRAIN_S="500")
    service.wait(503)
    service.process.terminate()
    assert service.process.wait(60) == 0
