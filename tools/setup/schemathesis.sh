#!/usr/bin/env bash
# schemathesis, which tries the whole API in the tests, exactly as its own lock has it: build/tools/schemathesis.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tools/setup/say.sh

project=tools/schemathesis
lock=$(content_of $project/uv.lock $project/pyproject.toml)
if is_marked schemathesis "$lock" && [ -x "$TOOLS/schemathesis/bin/schemathesis" ]; then exit 0; fi
say "installing schemathesis for the tests of the API"
unset VIRTUAL_ENV
export UV_PROJECT_ENVIRONMENT="$TOOLS/schemathesis"
why="the packages of tools/schemathesis cannot be fetched (build/logs/setup-schemathesis.log). Set HTTPS_PROXY, or UV_CACHE_DIR to a cache that was filled elsewhere, then run the same command again."
logged schemathesis "$why" uv sync --frozen --project $project
mark schemathesis "$lock"
