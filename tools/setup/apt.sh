# shellcheck shell=bash
# Debian packages, where they may be installed. Sourced after say.sh.

# Empty for root, `sudo -n` where sudo asks nothing; fails where neither is so or there is no apt.
apt_door() {
    have apt-get || return 1
    [ "$(id -u)" = 0 ] && return 0
    sudo -n true 2>/dev/null && echo "sudo -n"
}

can_apt() { apt_door >/dev/null; }

# apt_install REASON PACKAGE...: says what it installs; call it only where can_apt.
apt_install() {
    local reason=$1 door
    shift
    door=$(apt_door)
    say "installing with apt ($reason): $*"
    # shellcheck disable=SC2086  # the door is no word or two words
    logged apt-update $door apt-get update
    # shellcheck disable=SC2086
    logged apt-install $door env DEBIAN_FRONTEND=noninteractive apt-get install -y \
        --no-install-recommends -o DPkg::Lock::Timeout=300 "$@"
}
