#!/usr/bin/env bash
# The project's Python environment (.venv), exactly as uv.lock has it. `python.sh infra`: only what Pulumi needs of it.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tools/setup/say.sh

sync() {
    mkdir -p "$LOGS"
    local log=$LOGS/setup-python.log
    if ! uv sync --frozen "$@" 2>&1 | tee "$log" |
        { grep --line-buffered -E '^ *(error|warning|Downloading|Downloaded|Prepared|Installed|Using CPython|Creating)|×|╰|├' || true; }; then
        could_not_sync "$log"
    fi
}

could_not_sync() { # could_not_sync LOG
    local why="the Python packages of uv.lock cannot be fetched (build/logs/setup-python.log). Set HTTPS_PROXY, or UV_CACHE_DIR to a cache that was filled elsewhere, then run the same command again."
    if grep -q python-build-standalone "$1"; then
        why="Python 3.11 cannot be fetched (build/logs/setup-python.log). Install it, or set HTTPS_PROXY or UV_PYTHON_INSTALL_MIRROR, then run the same command again."
    fi
    is_offline "$1" && fail "$why"
    fail "the Python environment could not be made, see build/logs/setup-python.log. Mend that and run the same command again."
}

if [ "${1:-all}" = infra ]; then
    [ -e .venv/lib/python3.11/site-packages/pulumi ] && exit 0
    say "installing the Pulumi SDK into .venv"
    sync --inexact --no-default-groups --group infra
    exit 0
fi

lock=$(content_of uv.lock pyproject.toml)
if is_marked python "$lock" && [ -x .venv/bin/python ]; then
    sync --quiet
    exit 0
fi
if [ -e "$MARKS/python" ] && [ -x .venv/bin/python ]; then
    say "bringing .venv to what uv.lock says now"
else
    say "installing the Python packages of uv.lock into .venv (5 GB with torch for the models' build: some minutes)"
fi
sync
mark python "$lock"
