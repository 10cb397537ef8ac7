#!/usr/bin/env bash
# uv: the one on PATH, else from PyPI into build/tools/uv.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tools/setup/say.sh
. tools/setup/apt.sh

if have uv && at_least "$(uv --version | cut -d ' ' -f 2)" "$(pin UV_OLDEST)"; then
    exit 0
fi

wanted=$(pin UV)
if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    can_apt || fail "uv is missing and python3 has no venv module. Install uv, or python3 with venv, and run again."
    apt_install "to get uv" python3 python3-venv
fi
say "installing uv $wanted from PyPI into build/tools/uv"
rm -rf "$TOOLS/uv.part" "$TOOLS/uv"
mkdir -p "$TOOLS/bin"
why="uv $wanted cannot be fetched from PyPI (build/logs/setup-uv.log). Set HTTPS_PROXY, or PIP_INDEX_URL to a mirror, or install uv, then run the same command again."
logged uv-venv "$why" python3 -m venv "$TOOLS/uv.part"
logged uv "$why" "$TOOLS/uv.part/bin/python" -m pip install --quiet --disable-pip-version-check "uv==$wanted"
# Only the binary is used, and it does not mind the move; the rest of that environment is not needed.
mkdir -p "$TOOLS/uv"
mv "$TOOLS/uv.part/bin/uv" "$TOOLS/uv/uv"
rm -rf "$TOOLS/uv.part"
ln -sf ../uv/uv "$TOOLS/bin/uv"
