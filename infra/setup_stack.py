"""Makes a stack on this machine: its file, keys and place in the state. Changes no existing one."""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from infra import addresses, config, stack_file

KEYS = stack_file.ROOT / "build" / "keys"
COMMAND_TIMEOUT_S = 120


class SetupError(Exception):
    """A stack could not be made: one line."""


def main() -> int:
    """Makes the stack where it is missing; exit 1 with one line when that cannot be done."""
    parser = argparse.ArgumentParser(prog="python -m infra.setup_stack", description=__doc__)
    parser.add_argument("--stack", default="demo")
    args = parser.parse_args()
    try:
        _make(args.stack)
    except (SetupError, config.ConfigError) as e:
        sys.stderr.write(f"{e}\n")
        return 1
    return 0


def _make(stack: str) -> None:
    path = stack_file.path_of(_checked(stack))
    if not path.exists():
        _say(f"{path.name}: made, a stack on this machine")
        _replace(path, {"config": {config.KEY: this_machine()}})
    stack_file.load(stack)
    keys = yaml.safe_load(path.read_text())["config"]
    if not _is_in_state(stack):
        _pulumi("stack", "init", stack)
    if not {"bentofleet:tokens-jwks", "bentofleet:tokens-key"} <= keys.keys():
        _say(f"{path.name}: keys for tokens set; the private one lies in build/keys, mode 0600")
        key, jwks = _token_keys()
        _pulumi(
            "config", "set", "--plaintext", "bentofleet:tokens-jwks", "--stack", stack, stdin=jwks
        )
        _pulumi("config", "set", "--secret", "bentofleet:tokens-key", "--stack", stack, stdin=key)


def _checked(stack: str) -> str:
    try:
        return addresses.stack_name(stack)
    except ValueError as e:
        raise SetupError(str(e)) from e


def this_machine() -> dict[str, Any]:
    """The demo's configuration: this machine, reached over loopback, a short gate and canary."""
    return {
        "kind": "local",
        "hosts": [{"name": "here", "address": "127.0.0.1", "connection": "local"}],
        "edge": {"address": "127.0.0.1"},
        "gate": {"profile": "short"},
        "rollout": {
            "canary": [{"weight": 20, "hold_s": 15}],
            "settle_s": 2,
            "min_samples": 100,
        },
    }


def _replace(path: Path, content: dict[str, Any]) -> None:
    new = path.with_suffix(".new")
    new.write_text(yaml.safe_dump(content, sort_keys=False))
    new.replace(path)


def _is_in_state(stack: str) -> bool:
    return stack in {
        line.split()[0].rstrip("*") for line in _pulumi("stack", "ls").splitlines()[1:]
    }


def _token_keys() -> tuple[str, str]:
    """The private key (PEM) and the public key set (JSON), made once per machine."""
    key, jwks = KEYS / "token-key.pem", KEYS / "jwks.json"
    if not (key.exists() and jwks.exists()):
        _run([sys.executable, "-m", "service.tokens", "new-key", "--out-dir", str(KEYS)])
    return key.read_text(), jwks.read_text()


def _pulumi(*words: str, stdin: str = "") -> str:
    return _run(["pulumi", *words, "--non-interactive"], stdin)


def _run(argv: list[str], stdin: str = "") -> str:
    try:
        done = subprocess.run(
            argv,
            input=stdin,
            capture_output=True,
            text=True,
            cwd=stack_file.ROOT,
            env=os.environ,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError as e:
        msg = f"{argv[0]}: is not on PATH. Run `make setup`."
        raise SetupError(msg) from e
    except subprocess.TimeoutExpired as e:
        msg = (
            f"{argv[0]}: `{' '.join(argv[:3])}` did not end (waited {COMMAND_TIMEOUT_S} s). "
            "Check that PULUMI_BACKEND_URL in .env answers, then run the same command again."
        )
        raise SetupError(msg) from e
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no message"]
        msg = (
            f"{argv[0]}: `{' '.join(argv[:3])}` failed ({lines[-1]}). "
            "Mend that, then run the same command again."
        )
        raise SetupError(msg)
    return done.stdout


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
