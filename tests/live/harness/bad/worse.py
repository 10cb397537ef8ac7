"""Makes the service worse in one way, and then runs it: the bad releases of the live tests."""

import asyncio
import sys
import time

import service.__main__ as command
from service import fleet
from service.runtimes.onnx import OnnxRuntime

KIND = sys.argv[1]
MIB = 1024 * 1024
kept = []


def takes_memory(mib):
    block = bytearray(mib * MIB)
    block[::4096] = b"x" * len(block[::4096])  # a page that nobody touched takes no memory
    kept.append(block)


def before_each_run(items):
    """What goes wrong once a model serves."""
    if KIND == "answers 500":
        raise RuntimeError("planted")
    if KIND == "slow":
        time.sleep(0.5)
    if KIND.startswith("slower by"):
        time.sleep(int(KIND.split()[2]) / 1000)
    if KIND == "leaks":
        takes_memory(16)
    if KIND == "fails on one payload only" and any(is_rare(item) for item in items):
        raise RuntimeError("planted")


def is_rare(item):
    """The coldest day that the energy model takes: the gate's payloads stay near the examples."""
    return isinstance(item, dict) and item.get("temperature_c", 0) <= -29.9


def serve_worse(self, model, serve=fleet.Fleet._serve):
    """Takes a model whose golden answers were right, and makes each run worse from then on."""
    run = model.run

    def worse(items):
        before_each_run(items)
        return run(items)

    model.run = worse
    serve(self, model)


async def never(self):
    await asyncio.Event().wait()


def run_wrong(self, inputs, run=OnnxRuntime.run):
    return run(self, inputs) + 1000


fleet.Fleet._serve = serve_worse
if KIND == "does not start":
    sys.exit("planted: this release does not start")
if KIND == "never ready":
    fleet.Fleet.load = never
if KIND == "wrong golden answer":
    OnnxRuntime.run = run_wrong
if KIND == "needs more memory than its limit":
    takes_memory(4096)
sys.exit(command.main())
