#!/usr/bin/env bash
# Debian's Prometheus for the tests of a canary's queries: the program alone, below build/tools, because
# the package would start a service of its own. Where it cannot be had these tests are skipped, and say so.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tools/setup/say.sh
. tools/setup/apt.sh

fetch() {
    local why="apt cannot fetch prometheus (build/logs/setup-prometheus.log). Correct the sources or the proxy below /etc/apt, or put the program on PATH, then run the same command again."
    say "fetching Debian's prometheus (the tests of a canary's queries want one)"
    mkdir -p "$TOOLS/prometheus" "$TOOLS/bin"
    logged prometheus "$why" fetch_steps
    ln -sfn ../prometheus/usr/bin/prometheus "$TOOLS/bin/prometheus"
}

fetch_steps() {
    # shellcheck disable=SC2046  # the door is no word or two words
    $(apt_door) apt-get update && (
        cd "$TOOLS/prometheus" && apt-get download prometheus &&
            dpkg-deb --extract prometheus_*.deb . && rm prometheus_*.deb
    )
}

have prometheus && exit 0
if can_apt && (fetch); then exit 0; fi
say "no prometheus: the tests of a canary's queries will be skipped. Put it on PATH and they run."
