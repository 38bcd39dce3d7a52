# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# To be sourced: who has the cluster, and its end.

# shellcheck source=tests/cluster/settings.sh
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
# shellcheck source=tests/cluster/cgroups.sh
. "$cluster/cgroups.sh"
# shellcheck source=tests/environment/process.sh
. "$root/tests/environment/process.sh"

fail() {
    echo "$(basename "$0"): $1" >&2
    exit 1
}

# locked COMMAND…: one at a time on this machine. Nothing that the command starts gets descriptor
# 9, so the lock goes with this process, however it ends.
locked() {
    exec 9>"$lock_file"
    flock --timeout 900 9 || fail "another start or stop has held $lock_file for 15 minutes"
    "$@" 9>&-
}

# A cluster of a checkout that exists no more is nobody's.
refuse_another() {
    local owner
    owner=$(cat "$owner_file" 2>/dev/null) || return 0
    if [ "$owner" != "$root" ] && [ -d "$owner" ] && [ -n "$(cgroup_processes)" ]; then
        fail "the cluster of $owner is up: end it with $owner/tests/cluster/down"
    fi
}

link_gone() {
    ! ip link show "$cluster_name" >/dev/null 2>&1
}

# The namespaces end with their last process, and with them their mounts and links: the kernel
# takes a moment for that.
end_cluster() {
    process_await 60 cgroup_kill_round || fail "processes of $cgroups/pids/$cluster_name do not die"
    process_await 30 link_gone || ip link delete "$cluster_name"
    process_await 30 cgroup_remove_round || fail "$cgroups/*/$cluster_name cannot be removed"
    rm -rf --one-file-system "$run" "$kubeconfig"
    rm -f "$owner_file"
}
