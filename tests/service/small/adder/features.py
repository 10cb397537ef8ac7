"""Code of the table model; two inputs misbehave on purpose."""

import time

import numpy as np

FAILS = 13.0
SLEEPS = 99.0


def encode(items):
    for item in items:
        if item["a"] == FAILS:
            raise RuntimeError("planted failure")
        if item["a"] == SLEEPS:
            time.sleep(0.7)
    return np.array([[item["a"], item["b"], item["when"].hour] for item in items], np.float32)


def answer(outputs):
    names = ("sum", "ratio", "hour")
    return [dict(zip(names, row, strict=True)) for row in outputs.tolist()]
