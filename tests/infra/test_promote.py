"""`make promote`: production gets what staging serves, or is told why not."""

from types import SimpleNamespace
from typing import Any

import pytest

from infra import config, promote, release
from infra.host import Host
from infra.images import manifest
from infra.images.manifest import BuiltImage
from infra.provider import keep, live

ENTRY: dict[str, Any] = {"name": "lab-1", "address": "192.0.2.11", "connection": "local"}
TAG = "localhost/bentofleet/service:cpu-0123456789ab"


def settings(**service: Any) -> config.Stack:
    return config.parse({"kind": "local", "hosts": [ENTRY], "service": service})


def host(name: str, *, entry: bool = False) -> Host:
    return Host(
        name=name,
        address=f"{name}.example",
        connection="ssh",
        accelerator="cpu",
        stack="staging",
        ports_from=21000,
        entry=entry,
    )


def planned(stack: config.Stack) -> str:
    env = release.environment(stack.service)
    return release.release_id([TAG], env, stack.service.memory_mib)


class Staging:
    """What staging serves, with which verdict; production's settings."""

    def __init__(self) -> None:
        self.production = settings()
        self.live: str | None = planned(settings())
        self.verdict: str | None = "pass"
        self.asked: list[str] = []

    def hosts(self, _: str) -> tuple[config.Stack, list[Host]]:
        return settings(), [host("one"), host("two", entry=True)]

    def all_hosts(self, _: str) -> tuple[config.Stack, list[Host]]:
        return self.production, [host("three")]

    def open_machine(self, asked: Host) -> Host:
        self.asked.append(asked.name)
        return asked

    def read(self, _: Host) -> Any:
        return None if self.live is None else SimpleNamespace(release=self.live)

    def promoted(self, _: Host) -> list[dict[str, object]]:
        if self.verdict is None:
            return []
        return [{"release": self.live, "verdict": self.verdict}]


@pytest.fixture
def staging(monkeypatch: pytest.MonkeyPatch) -> Staging:
    there = Staging()
    monkeypatch.setattr(promote, "stack_file", there)
    monkeypatch.setattr(promote, "open_machine", there.open_machine)
    monkeypatch.setattr(live, "read", there.read)
    monkeypatch.setattr(keep, "promoted", there.promoted)
    built = BuiltImage(name="cpu", tag=TAG, image_id="0" * 64, bento=None, inputs={})
    edge = BuiltImage(name="edge", tag="edge:1", image_id="1" * 64, bento=None, inputs={})
    monkeypatch.setattr(
        manifest, "load_fresh", lambda *_: {"cpu": built, "edge": edge, "vulkan": edge}
    )
    return there


def run() -> int:
    return promote.main(["--from", "staging", "--stack", "production"])


def test_what_staging_serves_and_was_built_may_be_released(
    staging: Staging, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run() == 0

    assert capsys.readouterr().out == (
        f"production: gets release {staging.live}, which staging serves\n"
    )
    assert staging.asked == ["two"]  # its entry


def test_other_settings_of_the_service_make_another_release(
    staging: Staging, capsys: pytest.CaptureFixture[str]
) -> None:
    staging.production = settings(threads=2)

    assert run() == 1

    assert capsys.readouterr().err == (
        f"production: would release {planned(staging.production)}, and staging serves "
        f"{staging.live}. Give both the same `service` section and kinds of accelerator, and take "
        "the images that were released there: its commit, and make unbundle FILE=….\n"
    )


def test_a_stack_that_pins_a_release_gets_no_other(
    staging: Staging, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = {"kind": "local", "hosts": [ENTRY], "rollout": {"pin": "0123456789ab"}}
    staging.production = config.parse(raw)

    assert run() == 1

    assert capsys.readouterr().err == (
        "production: pins release 0123456789ab, so it gets no other. "
        "Run make unpin STACK=production first.\n"
    )


@pytest.mark.parametrize("verdict", ["fail", "inconclusive", None])
def test_what_has_not_passed_goes_nowhere(
    staging: Staging, capsys: pytest.CaptureFixture[str], verdict: str | None
) -> None:
    staging.verdict = verdict

    assert run() == 1

    assert f"has not passed there (got {verdict or 'no record'})" in capsys.readouterr().err


def test_a_stack_that_serves_nothing_has_nothing_to_give(
    staging: Staging, capsys: pytest.CaptureFixture[str]
) -> None:
    staging.live = None

    assert run() == 1

    assert capsys.readouterr().err == ("staging: no release is live. Run make up STACK=staging.\n")
