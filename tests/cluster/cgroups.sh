# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# To be sourced: the control groups that hold every process of the cluster.
# A process cannot leave its group by forking, so what is in there is ours, whatever became of
# those who started it.

# shellcheck source=tests/cluster/settings.sh
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

cgroup_hierarchies() {
    awk -v below="$cgroups/" '$3 ~ /^cgroup2?$/ && index($2, below) == 1 { print $2 }' \
        /proc/self/mounts
}

# cgroup_make GROUP: in each hierarchy; kubelets look for theirs in all of them.
cgroup_make() {
    local hierarchy directory file
    for hierarchy in $(cgroup_hierarchies); do
        directory=$hierarchy/$cluster_name/$1
        mkdir -p "$directory"
        # What is measured in pods is not to be what else the machine does.
        [ ! -e "$directory/cpu.shares" ] || echo 65536 >"$hierarchy/$cluster_name/cpu.shares"
        [ -e "$directory/cpuset.cpus" ] || continue
        for file in cpuset.cpus cpuset.mems; do
            cat "$hierarchy/$file" >"$hierarchy/$cluster_name/$file"
            cat "$hierarchy/$file" >"$directory/$file"
        done
    done
}

cgroup_processes() {
    find "$cgroups/pids/$cluster_name/${1:-}" -name cgroup.procs -exec cat {} + 2>/dev/null
}

# A process that its container's pause has frozen does not even die.
cgroup_thaw() {
    local file
    while IFS= read -r file; do
        echo THAWED >"$file"
    done < <(find "$cgroups/freezer/$cluster_name/${1:-}" -name freezer.state 2>/dev/null)
}

# cgroup_kill_round [GROUP]: succeeds when nobody is left to kill.
cgroup_kill_round() {
    local ids
    mapfile -t ids < <(cgroup_processes "${1:-}")
    [ ${#ids[@]} -gt 0 ] || return 0
    kill -KILL "${ids[@]}" 2>/dev/null || true
    cgroup_thaw "${1:-}" 2>/dev/null || true
    return 1
}

cgroup_remove_round() {
    local hierarchy gone=0
    for hierarchy in $(cgroup_hierarchies); do
        [ -d "$hierarchy/$cluster_name" ] || continue
        find "$hierarchy/$cluster_name" -depth -type d -exec rmdir {} + 2>/dev/null || gone=1
    done
    return $gone
}

# The caller joins, so that what it starts and leaves behind when it is killed is found.
joined_from=
cgroup_join() {
    joined_from=$(sed -nE 's/^[0-9]+:pids:(.*)$/\1/p' /proc/self/cgroup)
    echo $$ >"$cgroups/pids/$cluster_name/$1/cgroup.procs"
}

cgroup_leave() {
    [ -z "$joined_from" ] || echo $$ >"$cgroups/pids$joined_from/cgroup.procs"
}
