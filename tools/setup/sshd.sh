#!/usr/bin/env bash
# sshd, sudo and ip for the tests over SSH. Where they cannot be had these are skipped, and say so.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tools/setup/say.sh
. tools/setup/apt.sh

has_all() { PATH=$PATH:/usr/sbin:/sbin; have sshd && have sudo && have ip; }

has_all && exit 0
# With systemd the package would open this machine's own port 22: that is its owner's to decide.
if [ ! -d /run/systemd/system ] && can_apt && (apt_install "the tests over SSH want a server" openssh-server sudo iproute2); then
    exit 0
fi
say "no sshd: the tests over SSH will be skipped. Install openssh-server, sudo and iproute2 and they run."
