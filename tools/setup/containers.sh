#!/usr/bin/env bash
# A container engine that answers (docker or podman) and the base image that every image of ours starts from.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tools/setup/say.sh
. tools/setup/apt.sh

# Podman without systemd: what keeps cgroups, events and limits working there.
write_containers_conf() {
    local runtime=crun
    have runc && runtime=runc
    mkdir -p build
    cat >build/containers.conf.part <<CONF
# Written by set-up for a machine without systemd; CONTAINERS_CONF in .env points here.
[containers]
default_ulimits = ["nofile=16384:16384", "nproc=32768:32768"]

[engine]
runtime = "$runtime"
cgroup_manager = "cgroupfs"
events_logger = "file"
CONF
    cmp -s build/containers.conf.part build/containers.conf || cp build/containers.conf.part build/containers.conf
    rm build/containers.conf.part
}

has_systemd() { [ -d /run/systemd/system ]; }

engine() { "$(any_python)" -m infra.images.engine; }

install_podman() {
    local packages=(podman runc netavark aardvark-dns iptables uidmap ca-certificates)
    [ "$(id -u)" = 0 ] || packages+=(slirp4netns fuse-overlayfs dbus-user-session)
    apt_install "no container engine answers" "${packages[@]}"
}

if ! has_systemd && [ -z "${CONTAINERS_CONF:-}" ] || [ "${CONTAINERS_CONF:-}" = "$PWD/build/containers.conf" ]; then
    export CONTAINERS_CONF=$PWD/build/containers.conf
    write_containers_conf
fi
if ! engine >/dev/null 2>&1; then
    can_apt || fail "$(engine 2>&1 || true)"
    install_podman
    has_systemd || write_containers_conf
    engine >/dev/null
fi

# 3: the base cannot be pulled, and what makes it from Debian packages is missing.
status=0
"$(any_python)" -m infra.images.base || status=$?
if [ "$status" = 3 ]; then
    can_apt || fail "the base image cannot be pulled and mmdebstrap is missing. Install mmdebstrap and debian-archive-keyring and run again."
    apt_install "the base image cannot be pulled, it is made from Debian's packages" mmdebstrap debian-archive-keyring
    "$(any_python)" -m infra.images.base
elif [ "$status" != 0 ]; then
    exit "$status"
fi
