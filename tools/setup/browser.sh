#!/usr/bin/env bash
# Chromium for the tests of the page at /ui. Where it cannot be had they are skipped, and say so.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tools/setup/say.sh
. tools/setup/apt.sh

for name in chromium chromium-browser google-chrome; do
    if have "$name"; then exit 0; fi
done
# Ubuntu's package of this name is a snap's door, which does not open in a container.
if can_apt && grep -q '^ID=debian' /etc/os-release && (apt_install "the tests of the page at /ui want a browser" chromium); then
    exit 0
fi
say "no Chromium: the tests of the page at /ui will be skipped. Install chromium and they run."
