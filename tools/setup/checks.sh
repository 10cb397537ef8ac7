# shellcheck shell=bash
# What must hold before set-up begins. Sourced after say.sh.

# This user may write where set-up writes; a run with sudo leaves folders that are root's.
refuse_unwritable() {
    local path where user
    user=$(id -un 2>/dev/null || id -u)
    for path in . .env .venv build build/* reports; do
        if [ -e "$path" ] && ! [ -w "$path" ]; then
            where=$PWD/$path
            fail "${where%/.} may not be written to by $user. Give the repository to the user who runs this, sudo chown -R $user '$PWD', then run the same command again."
        fi
    done
}

# A clock that is far behind makes every download's certificate look not yet valid.
refuse_old_clock() {
    local committed
    committed=$(git log -1 --format=%ct 2>/dev/null) || return 0
    # Who committed may be a little ahead.
    [ "$(date +%s)" -lt "$((committed - 300))" ] || return 0
    committed=$(TZ=UTC0 git log -1 --date='format-local:%Y-%m-%d %H:%M' --format=%cd)
    fail "the clock says $(date -u '+%Y-%m-%d %H:%M') UTC, before this checkout's last commit ($committed UTC). Set it, sudo timedatectl set-ntp true, then run the same command again."
}
