"""`make demo`'s last words: where the service answers, how to ask it, and where the report lies."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from bentos.catalog import MODELS
from bentos.spec import Table
from infra import addresses, config_hosts, stack_file
from infra.config import ConfigError, Stack
from infra.config_edge import SELF_SIGNED
from service import contract

KEY = stack_file.ROOT / "build" / "keys" / "token-key.pem"
CERTIFICATES = "build/certificates.pem"
TOKEN_LIFETIME = "12h"  # noqa: S105 - how long, not what


def main() -> int:
    """Prints the address, a curl for a table and for a photo, and the verdict's report."""
    parser = argparse.ArgumentParser(prog="python -m infra.demo", description=__doc__)
    parser.add_argument("--stack", default="demo")
    args = parser.parse_args()
    try:
        stack = stack_file.load(args.stack)
    except ConfigError as e:
        sys.stderr.write(f"{e}\n")
        return 1
    sys.stdout.write("\n".join(_lines(args.stack, stack)) + "\n")
    return 0


def _lines(name: str, stack: Stack) -> list[str]:
    entry = config_hosts.entries(stack.hosts)[0]
    url = addresses.url(entry.address, stack.edge.port, tls=stack.edge.has_tls)
    report = stack_file.ROOT / "reports" / name / "latest"
    lines = [
        "",
        f"Live:    {url}   (page: {url}{contract.UI}, docs: {url}{contract.DOCS})",
        f"Verdict: {_verdict(report)}",
    ]
    lines += [f"Report:  {(report / 'verdict.html').relative_to(stack_file.ROOT)}", ""]
    lines += ["Ask it (the token holds for 12 hours; `make token` gives another):", ""]
    lines += [f"  TOKEN={_token()}"] if stack.service.auth == "jwt" else []
    if stack.edge.tls.certificate == SELF_SIGNED:
        lines += [f"  make certificates STACK={name} >{CERTIFICATES}"]
    return lines + [_curl(url, model, stack) for model in stack.service.models]


def _verdict(report: Path) -> str:
    try:
        return str(json.loads((report / "verdict.json").read_text())["verdict"])
    except (OSError, ValueError, KeyError):
        return "none yet"


def _token() -> str:
    argv = [sys.executable, "-m", "service.tokens", "issue"]
    argv += ["--key", str(KEY), "--scope", contract.SCOPE_PREDICT, "--lifetime", TOKEN_LIFETIME]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=stack_file.ROOT, check=False)
    return done.stdout.strip() or "$(make -s token)"


def _curl(url: str, model: str, stack: Stack) -> str:
    spec = MODELS[model]
    request = contract.example_request(spec)
    bearer = '-H "Authorization: Bearer $TOKEN" ' if stack.service.auth == "jwt" else ""
    if isinstance(spec.takes, Table):
        body = f"--data '{request.body.decode()}'"
    else:
        photo = contract.example_photos(spec)[0].relative_to(stack_file.ROOT)
        body = f"--data-binary @{photo}"
    bare = "-g " if "[" in url else ""  # else curl takes the brackets for a range of addresses
    if stack.edge.tls.certificate == SELF_SIGNED:
        bare += f"--cacert {CERTIFICATES} "
    return (
        f"  curl {bare}{url}{request.path} {bearer}-H 'Content-Type: {request.content_type}' {body}"
    )


if __name__ == "__main__":
    sys.exit(main())
