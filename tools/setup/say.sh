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

# Whether a log tells that something on the network was not reached.
is_offline() {
    grep -qiE "could not resolve|failure (in name resolution|resolving)|name or service not known|no such host|\
connection (refused|reset|timed out)|network is unreachable|no route to host|could not connect|failed to (fetch|connect)|\
dial tcp|proxyconnect|i/o timeout|tunnel (connection )?(error|failed)|error sending request|max retries exceeded|\
could not find a version|no matching distribution|certificate (verify failed|has expired|signed by unknown)" "$1"
}

# gave_up LOG WHY: ends set-up. With the network away WHY is the line, else the log's end and where it lies.
gave_up() {
    is_offline "$1" && fail "$2"
    tail -n 15 "$1" | sed 's/^/    /' >&2
    local name=${1##*/setup-}
    fail "'${name%.log}' failed, the whole output is in ${1#"$PWD"/}. Mend that and run the same command again."
}

# logged NAME WHY COMMAND...: runs it into build/logs/setup-NAME.log; WHY tells what to do without a network.
logged() {
    local log=$LOGS/setup-$1.log why=$2
    shift 2
    mkdir -p "$LOGS"
    "$@" >"$log" 2>&1 || gave_up "$log" "$why"
}

# The python that runs before there is an environment, and the environment's one after.
any_python() {
    if [ -x .venv/bin/python ]; then
        echo .venv/bin/python
    else
        echo python3
    fi
}
