# shellcheck shell=bash
# What every set-up script shares: how it speaks, fails, reads pins and leaves marks. Sourced, run from the root.

TOOLS=$PWD/build/tools
MARKS=$TOOLS/marks
LOGS=$PWD/build/logs
export PATH="$TOOLS/bin:$PATH" PULUMI_HOME="${PULUMI_HOME:-$PWD/build/pulumi-home}"

say() { printf 'set-up: %s\n' "$*"; }

fail() {
    printf 'set-up: %s\n' "$*" >&2
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# The value of a constant in infra/versions.py, the one home of pinned versions.
pin() { sed -n "s/^$1 = \"\(.*\)\"\$/\1/p" infra/versions.py; }

# at_least 3.258.0 3.258: whether the first version is the second or newer.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

# One hash over the content of files: marks are compared by it, never by file times.
content_of() { cat "$@" | sha256sum | cut -d ' ' -f 1; }

is_marked() { [ "$(cat "$MARKS/$1" 2>/dev/null)" = "$2" ]; }

mark() {
    mkdir -p "$MARKS"
    printf '%s\n' "$2" >"$MARKS/$1.part"
    mv "$MARKS/$1.part" "$MARKS/$1"
}

# logged NAME COMMAND...: runs it into build/logs/setup-NAME.log; on failure shows the end and the path.
logged() {
    local name=$1 log=$LOGS/setup-$1.log
    shift
    mkdir -p "$LOGS"
    if ! "$@" >"$log" 2>&1; then
        tail -n 15 "$log" | sed 's/^/    /' >&2
        fail "'$name' failed, the whole output is in ${log#"$PWD"/}. Mend that and run the same command again."
    fi
}

# The python that runs before there is an environment, and the environment's one after.
any_python() {
    if [ -x .venv/bin/python ]; then
        echo .venv/bin/python
    else
        echo python3
    fi
}
