#!/usr/bin/env bash
# All of the set-up; what is there already is left alone.
#   setup.sh python   uv and the Python environment: enough for `make check`
#   setup.sh all      and the Pulumi CLI, a container engine, the base image, .env
#   setup.sh models   and the models, trained while Pulumi is built where it has to be
set -euo pipefail
cd "$(dirname "$0")/../.."
. tools/setup/say.sh
. tools/setup/checks.sh

until_mine() { # One set-up at a time: a second one waits, then finds everything there.
    have flock || return 0
    exec 9>build/setup.lock
    flock -n 9 || { say "waiting for another set-up to end"; flock 9; }
}

dotenv() { "$(any_python)" tools/setup/dotenv.py; }

machine() { tools/setup/containers.sh && tools/setup/pulumi.sh; }

python_side() {
    tools/setup/python.sh
    [ "$1" = models ] || return 0
    uv run --no-sync --env-file .env python -u -m bentos.build
}

# Two lanes side by side, each in a process group of its own, every line with its lane's name.
side_by_side() {
    local status=0
    set -m
    { machine 2>&1 | sed -u 's/^/[machine] /'; } </dev/null &
    lanes=($!)
    { python_side "$1" 2>&1 | sed -u 's/^/[python]  /'; } </dev/null &
    lanes+=($!)
    set +m
    trap 'stop_lanes; say "interrupted, the same command goes on from here" >&2; exit 130' INT TERM
    for _ in "${lanes[@]}"; do
        wait -n || { status=$?; break; }
    done
    trap - INT TERM
    [ "$status" = 0 ] && return 0
    stop_lanes
    fail "not finished: see the line above that tells what went wrong."
}

stop_lanes() {
    local lane
    for lane in "${lanes[@]}"; do
        kill -TERM -- "-$lane" 2>/dev/null || true
    done
    wait 2>/dev/null || true
}

what=${1:-all}
refuse_unwritable
refuse_old_clock
mkdir -p build/tmp # where BentoML may render a recipe
until_mine
tools/setup/uv.sh
if [ "$what" = python ]; then
    exec tools/setup/python.sh
fi
dotenv
tools/setup/python.sh infra
side_by_side "$what"
dotenv
say "all there: $(uv --version | cut -d ' ' -f 1,2), Pulumi $(PULUMI_SKIP_UPDATE_CHECK=true pulumi version), $("$(any_python)" -m infra.images.engine)"
