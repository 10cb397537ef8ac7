"""Settings from the environment."""

import re
from pathlib import Path

import pytest

from service import contract, settings


def test_without_anything_the_defaults_hold():
    told = settings.read({})
    assert (told.models, told.release, told.auth) == ((), "dev", True)
    assert (told.host, told.port, told.metrics_host, told.metrics_port) == (
        "0.0.0.0",  # noqa: S104
        3000,
        "",
        3001,
    )
    assert told.jwks == Path("/etc/bentofleet/keys/jwks.json")
    assert (told.audience, told.issuer) == ("bentofleet", "bentofleet")
    assert (told.docs, told.threads, told.json_logs, told.drain_s) == (True, 1, True, 3)


def test_an_empty_variable_counts_as_not_set():
    assert settings.read({setting.name: "" for setting in contract.SETTINGS}) == settings.read({})


def test_every_setting_is_read():
    environ = {
        "BENTOFLEET_MODELS": "energy, wildlife,",
        "BENTOFLEET_RELEASE": "r7",
        "BENTOFLEET_AUTH": "off",
        "BENTOFLEET_JWKS": "/keys.json",
        "BENTOFLEET_AUDIENCE": "a",
        "BENTOFLEET_ISSUER": "i",
        "BENTOFLEET_HOST": "::1",
        "BENTOFLEET_PORT": "80",
        "BENTOFLEET_METRICS_HOST": "127.0.0.1",
        "BENTOFLEET_METRICS_PORT": "0",
        "BENTOFLEET_DOCS": "off",
        "BENTOFLEET_THREADS": "4",
        "BENTOFLEET_LOG": "text",
        "BENTOFLEET_DRAIN_S": "9",
        "BENTOFLEET_ACCELERATOR": "vulkan",
        "BENTOFLEET_SOFTWARE_DEVICE": "on",
    }
    assert set(environ) == {setting.name for setting in contract.SETTINGS}
    told = settings.read(environ)
    default = settings.read({})
    assert told.models == ("energy", "wildlife")
    for name in settings.Settings.__dataclass_fields__:
        assert getattr(told, name) != getattr(default, name), name


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("BENTOFLEET_AUTH", "no", "BENTOFLEET_AUTH: should be jwt or off (got 'no')."),
        (
            "BENTOFLEET_ACCELERATOR",
            "cuda",
            "BENTOFLEET_ACCELERATOR: should be cpu or vulkan (got 'cuda').",
        ),
        ("BENTOFLEET_DOCS", "true", "BENTOFLEET_DOCS: should be on or off (got 'true')."),
        ("BENTOFLEET_LOG", "JSON", "BENTOFLEET_LOG: should be json or text (got 'JSON')."),
        (
            "BENTOFLEET_PORT",
            "0",
            "BENTOFLEET_PORT: should be a whole number from 1 to 65535 (got '0').",
        ),
        (
            "BENTOFLEET_METRICS_PORT",
            "65536",
            "BENTOFLEET_METRICS_PORT: should be a whole number from 0 to 65535 (got '65536').",
        ),
        (
            "BENTOFLEET_THREADS",
            "1.5",
            "BENTOFLEET_THREADS: should be a whole number from 1 to 64 (got '1.5').",
        ),
        (
            "BENTOFLEET_DRAIN_S",
            "-1",
            "BENTOFLEET_DRAIN_S: should be a whole number from 0 to 600 (got '-1').",
        ),
        (
            "BENTOFLEET_RELEASE",
            "r\n1",
            "BENTOFLEET_RELEASE: should be plain ASCII, it goes into a header (got 'r\\n1').",
        ),
    ],
)
def test_a_wrong_setting_is_named(name, value, told):
    with pytest.raises(ValueError, match=f"^{re.escape(told)}$"):
        settings.read({name: value})
