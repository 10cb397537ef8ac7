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
    local reason=$1 door why packages
    shift
    packages="$*"
    door=$(apt_door)
    why="apt cannot fetch $packages (build/logs/setup-apt.log). Correct the sources or the proxy below /etc/apt, or install these packages by other means, then run the same command again."
    say "installing with apt ($reason): $packages"
    logged apt "$why" apt_steps "$@"
}

# One log for both: `update` ends well without a network, and only its warnings tell why nothing is found.
apt_steps() {
    # shellcheck disable=SC2086  # the door is no word or two words
    $door apt-get update &&
        $door env DEBIAN_FRONTEND=noninteractive apt-get install -y \
            --no-install-recommends -o DPkg::Lock::Timeout=300 "$@"
}
