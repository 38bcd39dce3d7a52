# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# To be sourced: the programs of the cluster, each a function that starts it. The log of program
# P is logs/P.log, its id is in run/P.pid and its command, for a restart, in run/P.command.

# shellcheck source=tests/cluster/settings.sh
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
# shellcheck source=tests/environment/process.sh
. "$root/tests/environment/process.sh"

# launch PROGRAM NUMBER COMMAND…: on that node.
launch() {
    local program=$1
    shift
    printf '%q ' "$cluster/enter" "$@" >"$run/$program.command"
    process_start "$run/$program.pid" "$logs/$program.log" "$cluster/enter" "$@"
}

start_etcd() {
    launch etcd 1 "$bin/kube" etcd --name="$cluster_name" --data-dir="$run/etcd" --unsafe-no-fsync \
        --listen-client-urls=http://127.0.0.1:2379 --advertise-client-urls=http://127.0.0.1:2379 \
        --listen-peer-urls=http://127.0.0.1:2380 --log-level=warn \
        --initial-advertise-peer-urls=http://127.0.0.1:2380 \
        --initial-cluster="$cluster_name=http://127.0.0.1:2380"
}

# The audit log is one file, however long: by default it would be put aside after 100 MB.
start_apiserver() {
    launch apiserver 1 "$bin/kube" kube-apiserver \
        --etcd-servers=http://127.0.0.1:2379 --advertise-address="$(node_address 1)" \
        --secure-port="$api_port" --service-cluster-ip-range="$service_network" \
        --client-ca-file="$certificates/ca.crt" \
        --tls-cert-file="$certificates/apiserver.crt" \
        --tls-private-key-file="$certificates/apiserver.key" \
        --service-account-issuer="https://kubernetes.default.svc.$cluster_domain" \
        --service-account-signing-key-file="$certificates/service-account.key" \
        --service-account-key-file="$certificates/service-account.pub" \
        --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
        --feature-gates=MutatingAdmissionPolicy=true \
        --runtime-config=admissionregistration.k8s.io/v1beta1=true \
        --allow-privileged --kubelet-preferred-address-types=InternalIP \
        --kubelet-certificate-authority="$certificates/ca.crt" \
        --kubelet-client-certificate="$certificates/admin.crt" \
        --kubelet-client-key="$certificates/admin.key" \
        --audit-policy-file="$cluster/audit-policy.yaml" --audit-log-path="$logs/audit.log" \
        --audit-log-maxsize=100000
}

# It starts one controller after the other, each with requests: its usual rate takes 4 s longer.
start_controller_manager() {
    launch controller-manager 1 "$bin/kube" kube-controller-manager \
        --kubeconfig="$certificates/controller-manager.kubeconfig" --leader-elect=false \
        --use-service-account-credentials --root-ca-file="$certificates/ca.crt" \
        --service-account-private-key-file="$certificates/service-account.key" \
        --node-monitor-period=1s --node-monitor-grace-period="$node_lost_seconds"s \
        --kube-api-qps=200 --kube-api-burst=300 --authentication-skip-lookup
}

start_scheduler() {
    launch scheduler 1 "$bin/kube" kube-scheduler \
        --kubeconfig="$certificates/scheduler.kubeconfig" --leader-elect=false \
        --authentication-skip-lookup
}

start_dns() {
    cat >"$run/Corefile" <<END
.:53 {
    bind $(node_address 1)
    errors
    ready $(node_address 1):$ready_port
    kubernetes $cluster_domain in-addr.arpa {
        kubeconfig $certificates/dns.kubeconfig
    }
}
END
    launch dns 1 "$bin/coredns" -conf "$run/Corefile"
}

start_containerd() {
    local node directory
    node=$(node_name "$1")
    directory=$run/$node
    mkdir -p "$directory/cni"
    cat >"$directory/cni/pods.conflist" <<END
{"cniVersion": "0.4.0", "name": "$node", "plugins": [{
  "type": "bridge", "bridge": "pods", "isGateway": true, "hairpinMode": true,
  "ipam": {"type": "host-local", "ranges": [[{"subnet": "$(node_pods "$1")"}]],
           "routes": [{"dst": "0.0.0.0/0"}]}}]}
END
    cat >"$directory/containerd.toml" <<END
version = 3
disabled_plugins = [
  "io.containerd.internal.v1.opt", "io.containerd.nri.v1.nri",
  "io.containerd.snapshotter.v1.blockfile", "io.containerd.snapshotter.v1.erofs",
  "io.containerd.tracing.processor.v1.otlp",
]
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["/usr/lib/cni"]
    conf_dir = "$directory/cni"
[plugins.'io.containerd.cri.v1.images']
  snapshotter = "overlayfs"
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = "$pause_image"
END
    launch "$node-containerd" "$1" "$bin/containerd" --config "$directory/containerd.toml"
}

start_kubelet() {
    local node directory
    node=$(node_name "$1")
    directory=$run/$node
    echo "nameserver $(node_address 1)" >"$directory/resolv.conf"
    cat >"$directory/kubelet.yaml" <<END
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: $certificates/ca.crt}
authorization: {mode: Webhook}
tlsCertFile: $certificates/$node.crt
tlsPrivateKeyFile: $certificates/$node.key
clusterDomain: $cluster_domain
clusterDNS: [$(node_address 1)]
resolvConf: $directory/resolv.conf
volumePluginDir: /var/lib/kubelet/volume-plugins
cgroupDriver: cgroupfs
cgroupRoot: /$cluster_name/$node
failCgroupV1: false
failSwapOn: false
enforceNodeAllocatable: []
localStorageCapacityIsolation: false
makeIPTablesUtilChains: false
oomScoreAdj: 0
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 64Mi, nodefs.available: 1%, imagefs.available: 1%}
nodeLeaseDurationSeconds: $node_lost_seconds
END
    launch "$node-kubelet" "$1" "$bin/kube" kubelet --config="$directory/kubelet.yaml" \
        --kubeconfig="$certificates/$node.kubeconfig" --hostname-override="$node" \
        --node-ip="$(node_address "$1")"
}

start_proxy() {
    local node
    node=$(node_name "$1")
    cat >"$run/$node/proxy.yaml" <<END
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clientConnection: {kubeconfig: $certificates/proxy.kubeconfig}
hostnameOverride: $node
clusterCIDR: $pod_network
healthzBindAddress: $(node_address "$1"):$proxy_health_port
conntrack: {maxPerCore: 0, min: 0}
oomScoreAdj: 0
END
    launch "$node-proxy" "$1" "$bin/kube" kube-proxy --config="$run/$node/proxy.yaml"
}
