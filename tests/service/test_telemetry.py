"""Log lines and metrics by themselves."""

import io
import json
import logging
import sys

import pytest

from service import telemetry
from service.telemetry import Metrics, RequestLog

FIELDS = {"path": "/v1/x", "status": 200, "reason": "busy"}


async def write(stream, json_logs, *many):
    log = RequestLog(json_logs=json_logs, stream=stream)
    for fields in many:
        log.write(1_800_000_000.5, fields)
    log.flush()
    log.flush()


def test_a_json_line_says_when_and_what(loop):
    stream = io.BytesIO()
    loop.run(write(stream, True, FIELDS))
    assert json.loads(stream.getvalue()) == {
        "time": "2027-01-15T08:00:00.500+00:00",
        "level": "info",
        "message": "request",
        "path": "/v1/x",
        "status": 200,
        "reason": "busy",
    }


def test_a_text_line_cannot_be_forged(loop):
    stream = io.BytesIO()
    loop.run(write(stream, False, {**FIELDS, "path": '/\n2027 info request status=200 "'}))
    assert stream.getvalue().decode() == (
        "2027-01-15T08:00:00.500+00:00 info request "
        'path="/\\n2027 info request status=200 \\"" status=200 reason="busy"\n'
    )


def test_many_lines_are_written_together_and_all_of_them(loop):
    stream = io.BytesIO()
    loop.run(write(stream, True, *[FIELDS] * 1234))
    assert len(stream.getvalue().splitlines()) == 1234


def record(**extra):
    try:
        raise ValueError("planted")
    except ValueError:
        made = logging.LogRecord("bentofleet.x", logging.ERROR, "f", 1, "bad %s", ("thing",), None)
        made.exc_info = sys.exc_info()
    made.__dict__.update(extra)
    return made


@pytest.mark.parametrize("json_logs", [True, False])
def test_a_record_carries_its_request_and_traceback(json_logs):
    line = telemetry._Lines(json_logs=json_logs).format(record(request_id="r-1"))
    if json_logs:
        told = json.loads(line)
        assert (told["level"], told["message"], told["request_id"]) == ("error", "bad thing", "r-1")
        assert "ValueError: planted" in told["traceback"]
        assert "\n" not in line
    else:
        assert " error bad thing request_id=r-1 " in line
        assert "ValueError: planted" in line


def test_under_bentoml_only_our_own_logger_is_ours():
    ours, root = logging.getLogger(telemetry.LOGGER), logging.getLogger()
    kept = (ours.handlers, ours.propagate, ours.level, root.handlers)
    try:
        telemetry.configure_logs(json_logs=True, whole_process=False)
        assert root.handlers == kept[3]
        assert len(ours.handlers) == 1
        assert not ours.propagate
    finally:
        ours.handlers, ours.propagate = kept[:2]
        ours.setLevel(kept[2])


def test_metrics_of_two_services_in_one_process_are_apart():
    one, other = Metrics("r1"), Metrics("r2")
    one.request("m", "predict", 200, "user", 0.1)
    assert 'bentofleet_requests_total{code="200"' in one.render().decode()
    assert 'bentofleet_requests_total{code="200"' not in other.render().decode()
    assert 'release="r2"' in other.render().decode()


def test_a_queue_is_asked_when_it_is_scraped():
    metrics = Metrics("r1")
    depth = [0]
    metrics.queue("m", lambda: depth[0])
    depth[0] = 7
    assert 'bentofleet_queue_depth{model="m"} 7.0' in metrics.render().decode()
