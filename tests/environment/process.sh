# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# To be sourced: looks after processes by the files that hold their ids. WORD is part of the
# process's command line, so that a reused id is never taken for it.

# process_running FILE WORD: does it run? A zombie has an empty command line: it does not.
process_running() {
    local id
    { [ -s "$1" ] && read -r id <"$1" && [[ $id =~ ^[1-9][0-9]*$ ]]; } || return 1
    { tr '\0' ' ' <"/proc/$id/cmdline" | grep -qF -- "$2"; } 2>/dev/null
}

process_gone() {
    ! process_running "$@"
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

# process_stop FILE WORD: SIGTERM, after 20 s SIGKILL; returns when it has ended.
process_stop() {
    local id
    if process_running "$@"; then
        read -r id <"$1"
        kill -TERM "$id" 2>/dev/null || true
        if ! process_await 20 process_gone "$@"; then
            kill -KILL "$id" 2>/dev/null || true
            process_await 10 process_gone "$@"
        fi
    fi
    rm -f "$1"
}

# process_start FILE LOG COMMAND…: in a session of its own, with its id in FILE before a signal
# can end us.
process_start() {
    local id_file=$1 log=$2
    shift 2
    trap : HUP INT TERM
    setsid "$@" </dev/null >"$log" 2>&1 9>&- &
    echo $! >"$id_file"
    trap - HUP INT TERM
    disown
}
