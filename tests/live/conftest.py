"""The stack that the live tests share, made before the first and destroyed after the last."""

from collections.abc import Iterator

import pytest
from harness.figures import Figures
from harness.stack import NAME, ROOT, LiveStack

from infra.images import manifest

_SOAK = pytest.StashKey[Figures]()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveStack]:
    """The stack, made before the first test and destroyed after the last, whatever happened."""
    try:
        manifest.load_fresh(ROOT)
    except ValueError as e:
        pytest.fail(f"{e} (`make test` does that first)")
    live = LiveStack(tmp_path_factory.mktemp("live"))
    live.sweep()
    live.make()
    yield live
    live.run("pulumi", "destroy", "--yes", "--skip-preview", "-s", NAME)
    live.file.unlink(missing_ok=True)


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> Figures:
    """Where the soak's tests write what they measured."""
    made = Figures(ROOT / "reports/soak.json")
    pytestconfig.stash[_SOAK] = made
    return made


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """The soak's promises, where one was run."""
    if _SOAK not in config.stash:
        return
    terminalreporter.section("promises (reports/soak.json)")
    for promise in config.stash[_SOAK].promises:
        terminalreporter.line(promise.text)
