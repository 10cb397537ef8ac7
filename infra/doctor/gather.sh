#!/bin/sh
# Tells what a host is like, for infra/doctor/facts.py; reads only, changes nothing.
# One `name<TAB>value` a line, a name again for each further line of a value;
# `name?<TAB>reason` for what could not be found out.
# Arguments: the stack, the engine it wants (auto, podman, docker), its folder on the host,
# what does the work (cpu, vulkan), the registry's name (empty: none), and the file system's root
# (empty, but in tests).
set -u
stack=$1 wanted=$2 folder=$3 accelerator=$4 registry=$5 root=${6:-}
export LC_ALL=C PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

say() { printf '%s\t%s\n' "$1" "$2"; }

unknown() { say "$1?" "$2"; }

# Standard input, a line each; carriage returns and tabs would look like ours.
lines() {
    tr '\r\t' '  ' | while IFS= read -r line || [ -n "$line" ]; do
        if [ -n "$line" ]; then say "$1" "$line"; fi
    done
}

# A file's content; nothing when it is not there.
file() {
    test -e "$2" || return 0
    if content=$(cat -- "$2" 2>/dev/null); then
        printf '%s\n' "$content" | lines "$1"
    else
        unknown "$1" "$2 cannot be read"
    fi
}

# What a program prints; a program that is not there, fails or hangs is told as such.
asked() {
    name=$1
    shift
    if ! command -v "$1" >/dev/null 2>&1; then
        unknown "$name" "there is no $1"
    elif content=$(timeout 8 "$@" 2>&1 </dev/null); then
        printf '%s\n' "$content" | lines "$name"
    else
        unknown "$name" "$1: $(printf '%s\n' "$content" | grep . | tail -n 1 | cut -c 1-300)"
    fi
}

of_system() {
    say time "$(date -u +%s)"
    say user "$(id -un 2>/dev/null || id -u)"
    say uid "$(id -u)"
    id -G | tr ' ' '\n' | lines gid
    id -Gn | tr ' ' '\n' | lines group
    file os "$root/etc/os-release"
    say kernel "$(uname -r)"
    say machine "$(uname -m)"
    file cmdline "$root/proc/cmdline"
    grep -E '^Mem(Total|Available):' "$root/proc/meminfo" | lines memory
    if test -e "$root/run/reboot-required"; then say reboot yes; fi
    file tcp "$root/proc/net/tcp"
    file tcp "$root/proc/net/tcp6"
    file ephemeral "$root/proc/sys/net/ipv4/ip_local_port_range"
    if command -v ss >/dev/null 2>&1; then ss -Hltnp 2>/dev/null | lines listener; fi
    if test -d "$root/run/systemd/system"; then
        say systemd yes
        asked clock timedatectl show --property=NTP --property=NTPSynchronized
        if test "$(id -u)" = 0; then
            asked unit systemctl show --property=UnitFileState "bentofleet-$stack.service"
        else
            asked unit systemctl --user show --property=UnitFileState "bentofleet-$stack.service"
            asked linger loginctl show-user "$(id -un)" --property=Linger
        fi
    else
        unknown clock "systemd does not run here"
    fi
}

of_disk() {
    place=$2
    while test ! -d "$place" && test "$place" != /; do place=$(dirname -- "$place"); done
    asked "$1" df -Pk -- "$place"
    asked "$1.inodes" df -Pi -- "$place"
}

of_podman() {
    asked podman.info podman info --format 'root={{.Store.GraphRoot}}
rootless={{.Host.Security.Rootless}}
cgroup={{.Host.CgroupsVersion}}
controllers={{.Host.CgroupControllers}}
runtime={{.Host.OCIRuntime.Name}}
says={{.Host.OCIRuntime.Version}}'
    for name in newuidmap slirp4netns pasta; do
        if command -v "$name" >/dev/null 2>&1; then say program "$name"; fi
    done
    file subuid "$root/etc/subuid"
    file subgid "$root/etc/subgid"
}

of_docker() {
    asked docker.info docker info --format 'root={{.DockerRootDir}}
rootless={{.SecurityOptions}}
cgroup={{.CgroupVersion}}
runtime={{.DefaultRuntime}}'
    asked docker.parts docker version \
        --format '{{range .Server.Components}}{{println .Name .Version}}{{end}}'
}

# Of two engines that answer, the one that has the stack's containers is its own.
of_engines() {
    used='' answering=''
    for engine in podman docker; do
        command -v "$engine" >/dev/null 2>&1 || continue
        say engine "$engine"
        case "$wanted" in auto | "$engine") ;; *) continue ;; esac
        if test "$engine" = docker; then asks='{{.Server.Version}}'; else asks='{{.Version}}'; fi
        found=$(asked "$engine.version" "$engine" version --format "$asks")
        printf '%s\n' "$found"
        case "$found" in "$engine.version?"*) continue ;; esac
        answering="$answering $engine"
        there=$(timeout 8 "$engine" ps --all --quiet --filter "label=bentofleet.stack=$stack" \
            2>/dev/null </dev/null)
        if test -z "$used" && test -n "$there"; then used=$engine; fi
    done
    if test -z "$used"; then used=${answering# } used=${used%% *}; fi
    if test -z "$used"; then
        of_disk disk.engine /var/lib # where an engine that is installed will keep its images
        return
    fi
    say engine.used "$used"
    info=$("of_$used")
    printf '%s\n' "$info"
    asked container "$used" ps --all --filter "label=bentofleet.stack=$stack" \
        --format '{{.Names}} | {{.Status}} | {{.Ports}}'
    of_disk disk.engine "$(printf '%s\n' "$info" | sed -n "s/^$used\.info.root=//p")"
    of_mesa "$used"
}

# Mesa lies in the image: a replica that runs tells which.
of_mesa() {
    test "$accelerator" = vulkan || return 0
    replica=$("$1" ps --quiet --filter "label=bentofleet.stack=$stack" \
        --filter label=bentofleet.role=replica | head -n 1)
    test -n "$replica" || return 0
    # shellcheck disable=SC2016 # dpkg's own variable
    asked mesa "$1" exec "$replica" dpkg-query --show --showformat '${Version}' mesa-vulkan-drivers
}

of_card() {
    path=$1 card=card.${1##*/}
    say card "${path##*/}"
    for name in vendor device revision subsystem_vendor current_link_speed current_link_width \
        max_link_speed max_link_width vbios_version mem_info_vram_total pp_dpm_mclk pp_dpm_sclk \
        power_dpm_force_performance_level pcie_replay_count gpu_busy_percent; do
        file "$card.$name" "$path/$name"
    done
    file "$card.aspm" "$path/link/l1_aspm"
    if test -e "$path/driver"; then
        driver=$(readlink -f "$path/driver")
        say "$card.driver" "${driver##*/}"
    fi
    for node in "$path"/drm/*; do
        if test -d "$node"; then say "$card.node" "${node##*/}"; fi
    done
    for monitor in "$path"/hwmon/hwmon*; do
        # not its power: with that the driver may take five seconds
        for name in temp1_input temp1_crit power1_cap power1_cap_default fan1_input pwm1_enable; do
            file "$card.$name" "$monitor/$name"
        done
    done
}

of_cards() {
    if test ! -d "$root/sys/bus/pci/devices"; then unknown card "there is no /sys/bus/pci"; fi
    for path in "$root"/sys/bus/pci/devices/*; do
        case "$(cat "$path/class" 2>/dev/null)" in 0x03*) of_card "$path" ;; esac
    done
    for node in "$root"/dev/dri/renderD*; do
        test -e "$node" || continue
        rights=$(test -r "$node" && test -w "$node" && echo usable || echo closed)
        say node "${node##*/} $(stat -c '%a %u %g %U %G' -- "$node") $rights"
    done
    modules="$root/lib/modules/$(uname -r)"
    if test -d "$root/sys/module/amdgpu"; then
        say module loaded
    elif test -n "$(find "$modules" -name 'amdgpu.ko*' 2>/dev/null | head -n 1)"; then
        say module there
    elif test -d "$modules"; then
        say module none
    else
        unknown module "$modules cannot be looked into"
    fi
    grep -rhs '^[[:space:]]*\(blacklist\|install\)[[:space:]]\{1,\}amdgpu' \
        "$root/etc/modprobe.d" "$root/lib/modprobe.d" "$root/usr/lib/modprobe.d" | lines blacklist
    for name in aspm dpm runpm; do
        file "module.$name" "$root/sys/module/amdgpu/parameters/$name"
    done
    file aspm.policy "$root/sys/module/pcie_aspm/parameters/policy"
    for path in "$root"/lib/firmware/amdgpu/polaris10_mc.bin*; do
        if test -e "$path"; then say firmware "${path##*/}"; fi
    done
}

# The kernel's own words since it started, those that matter.
of_log() {
    if log=$(dmesg 2>/dev/null) && test -n "$log"; then
        say log dmesg
    elif log=$(timeout 8 journalctl --dmesg --quiet --no-pager --output=cat 2>/dev/null) &&
        test -n "$log"; then
        say log journal
    else
        unknown log "this user may not read the kernel's log"
        return
    fi
    printf '%s\n' "$log" | grep -E 'amdgpu|\[drm|AER|polaris' |
        grep -Ei 'timeout|timedout|reset|fault|fail|error|unable|invalid' |
        tail -n 40 | cut -c 1-300 | lines log.line
}

of_system
of_engines
of_disk disk.stack "$folder"
if test -n "$registry"; then
    # whatever it answers, it was reached
    asked registry curl --silent --show-error --output /dev/null --max-time 5 \
        --write-out '%{http_code}' "https://$registry/v2/"
fi
if test "$accelerator" = vulkan; then
    of_cards
    of_log
fi
say end yes
