# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# To be sourced: the links and routes of the cluster. The first node has a switch (a bridge), to
# which the other nodes and this machine are linked; every one knows the way to each node's pods.
# There is no way out: no node has a default route.

# shellcheck source=tests/cluster/settings.sh
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
# shellcheck source=tests/environment/process.sh
. "$root/tests/environment/process.sh"

# on NUMBER ARGUMENT…: ip there.
on() {
    nsenter --target "$(process_id "$run/$(node_name "$1").pid")" --net -- ip "${@:2}"
}

make_switch() {
    # With an address of its own it does not take another when one of its ports goes.
    on 1 link add switch address 02:00:0a:fa:00:01 type bridge
    on 1 addr add "$(node_address 1)/24" dev switch
    on 1 link set switch up
    services_from 1 switch
}

# services_from NUMBER DEVICE: kube-proxy gives a packet of the node itself, as the API server's to
# a webhook, its real destination only when there is a route for the address of the Service.
services_from() {
    on "$1" route add "$service_network" dev "$2" src "$(node_address "$1")"
}

plug_in() {
    on 1 link set "$1" master switch up
}

# link_node NUMBER: any but the first.
link_node() {
    local node
    node=$(node_name "$1")
    on 1 link add "$node" type veth peer name uplink netns "$(process_id "$run/$node.pid")"
    plug_in "$node"
    on "$1" addr add "$(node_address "$1")/24" dev uplink
    on "$1" link set uplink up
    services_from "$1" uplink
}

# The machine itself reaches the API server, the nodes, pods and Services.
link_machine() {
    ip link add "$cluster_name" type veth \
        peer name machine netns "$(process_id "$run/$(node_name 1).pid")"
    plug_in machine
    ip addr add "$host_address/24" dev "$cluster_name"
    ip link set "$cluster_name" up
    ip route add "$service_network" via "$(node_address 1)"
}

# make_routes NODES
make_routes() {
    local from to
    for ((to = 1; to <= $1; to++)); do
        ip route add "$(node_pods "$to")" via "$(node_address "$to")"
        for ((from = 1; from <= $1; from++)); do
            [ "$from" = "$to" ] ||
                on "$from" route add "$(node_pods "$to")" via "$(node_address "$to")"
        done
    done
}

# make_network NODES
make_network() {
    local number
    make_switch
    for ((number = 2; number <= $1; number++)); do
        link_node "$number"
    done
    link_machine
    make_routes "$1"
}
