# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# To be sourced: looks after processes by files that hold an id and the time it started (clock
# ticks since boot, field 22 of /proc/ID/stat), so that a reused id is never taken for it.

# process_started ID: sets `started`; fails when it has ended (a zombie has). It needs no subshell,
# which a signal would end.
process_started() {
    local stat fields
    started=
    { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
    # The name may hold spaces: what follows its bracket starts with field 3, the state.
    read -r -a fields <<<"${stat##*) }"
    [ "${fields[0]}" != Z ] && started=${fields[19]}
}

process_id() {
    local id
    read -r id _ <"$1" && echo "$id"
}

process_running() {
    local id noted started
    [ -s "$1" ] && read -r id noted <"$1" && process_started "$id" && [ "$started" = "$noted" ]
}

process_gone() {
    ! process_running "$1"
}

# process_await SECONDS COMMAND…: repeats the command until it succeeds.
process_await() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.05
    done
}

# process_stop FILE: SIGTERM, after 20 s SIGKILL; returns when it has ended.
process_stop() {
    local id
    if process_running "$1"; then
        id=$(process_id "$1")
        kill -TERM "$id" 2>/dev/null || true
        if ! process_await 20 process_gone "$1"; then
            kill -KILL "$id" 2>/dev/null || true
            process_await 10 process_gone "$1"
        fi
    fi
    rm -f "$1"
}

# process_start FILE LOG COMMAND…: in a session of its own, noted in FILE before a signal can end
# us. The command does not inherit the lock that its caller holds on descriptor 9.
process_start() {
    local file=$1 log=$2 started
    shift 2
    trap : HUP INT TERM
    setsid "$@" </dev/null >"$log" 2>&1 9>&- &
    process_started $! || true
    echo "$! $started" >"$file"
    trap - HUP INT TERM
    disown
}
