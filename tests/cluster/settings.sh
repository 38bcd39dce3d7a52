# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# To be sourced: names, places and addresses of the cluster, each told here only.

cluster=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$cluster/../.." && pwd)
# ip, nft and the like are there.
PATH=$PATH:/usr/sbin:/sbin

# What is built stays; what runs is thrown away by `down`.
state=$root/build/cluster
bin=$state/bin
images=$state/images
logs=$state/logs
run=$state/run
certificates=$run/certificates
kubeconfig=$state/kubeconfig

# One cluster a machine: its name in control groups and links, whose it is, and the lock of those
# who start and stop it.
cluster_name=sonde-cluster
owner_file=/run/$cluster_name.owner
lock_file=/run/$cluster_name.lock
cgroups=/sys/fs/cgroup

# A network of its own without a way out: nodes 1 to 9 are 10.250.0.N, the first one also has the
# control plane and DNS, the machine itself is 10.250.0.254.
nodes_most=9
host_address=10.250.0.254
pod_network=10.244.0.0/16
service_network=10.96.0.0/16
api_service_address=10.96.0.1
api_port=6443
# After so long without a word from it a node is taken for lost (by default 50 s).
node_lost_seconds=20
ready_port=8181
proxy_health_port=10256
cluster_domain=cluster.local
pause_image=sonde.dev/pause:1

node_name() {
    echo "node$1"
}

node_address() {
    echo "10.250.0.$1"
}

node_pods() {
    echo "10.244.$1.0/24"
}

api=https://$(node_address 1):$api_port
