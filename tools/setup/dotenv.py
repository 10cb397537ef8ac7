"""Writes `.env` and the passphrase it points to; keeps what a user changed or added.

Standard library only, run from the root of the repository: `python tools/setup/dotenv.py`.
"""

import re
import secrets
import sys
from pathlib import Path

HEADER = "# Written by set-up in {root}. Change or add lines as you like: set-up keeps them."
WRITTEN_IN = re.compile(r"^# Written by set-up in (.+)\. Change or add lines")
LINE = re.compile(r"^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=")
PASSPHRASE = "build/keys/passphrase"  # noqa: S105  a path
STATE = "build/pulumi-state"
ENGINE = "build/tools/engine/pulumi"
CONTAINERS_CONF = "build/containers.conf"


def wanted(root: Path) -> dict[str, str]:
    """The settings of this machine, in the order they are written."""
    settings = {
        "PULUMI_BACKEND_URL": f"file://{root / STATE}",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(root / PASSPHRASE),
        "PULUMI_HOME": str(root / "build/pulumi-home"),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "BENTOML_HOME": str(root / "build/bentoml"),
        "BENTOML_DO_NOT_TRACK": "True",
        # Else a plain `bentoml containerize` with podman drops the health check.
        "BUILDAH_FORMAT": "docker",
        # For `bentoml serve` on this machine; containers get their keys from the stack.
        "BENTOFLEET_JWKS": str(root / "build/keys/jwks.json"),
    }
    if (root / ENGINE).exists():  # an engine built from modules has no site to get plugins from
        settings["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] = "true"
    if (root / CONTAINERS_CONF).exists():
        settings["CONTAINERS_CONF"] = str(root / CONTAINERS_CONF)
    return settings


def merged(text: str, root: Path) -> str:
    """`text` with what is missing added; paths of a repository that was moved follow it."""
    lines = text.splitlines()
    before = next((match[1] for line in lines if (match := WRITTEN_IN.match(line))), None)
    if before is None:
        lines.insert(0, HEADER.format(root=root))
    elif before != str(root):
        lines = [
            re.sub(rf"{re.escape(before)}(?=[/.'\"]|$)", lambda _: str(root), line)
            for line in lines
        ]
    present = {match[1] for line in lines if (match := LINE.match(line))}
    lines += [f"{name}='{value}'" for name, value in wanted(root).items() if name not in present]
    return "\n".join(lines) + "\n"


def make_passphrase(root: Path) -> None:
    """A random passphrase where there is none.

    Raises:
        ValueError: stacks are there that were encrypted with one that is gone.
    """
    path = root / PASSPHRASE
    if path.exists():
        return
    if any((root / STATE / ".pulumi/stacks").rglob("*.json")):
        raise ValueError(
            f"{PASSPHRASE}: is gone, and {STATE} holds stacks encrypted with it. "
            f"Put it back, or remove {STATE} if those stacks are gone too."
        )
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    replace(path, secrets.token_urlsafe(32) + "\n")


def replace(path: Path, text: str) -> None:
    """Writes a file that only its owner may read; it is at every moment the old or the new one."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def main() -> int:
    """Writes what is missing; one line where that is impossible."""
    root = Path.cwd()
    try:
        if "'" in str(root) or "\n" in str(root):
            raise ValueError(f"{root}: the path must have no quote in it. Move the repository.")
        make_passphrase(root)
        (root / STATE).mkdir(parents=True, exist_ok=True)
        path = root / ".env"
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        after = merged(before, root)
        if after != before:
            sys.stdout.write(
                f"set-up: writing .env ({len(wanted(root))} settings of this machine)\n"
            )
            replace(path, after)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"set-up: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
