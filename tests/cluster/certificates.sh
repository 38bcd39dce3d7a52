# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# To be sourced: the keys of the cluster, made anew at every start.

# shellcheck source=tests/cluster/settings.sh
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

# request SUBJECT KEY-AND-CERTIFICATE EXTENSION ARGUMENT…
request() {
    local subject=$1 file=$2 extension=$3
    shift 3
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 365 \
        -config <(printf '[req]\ndistinguished_name=name\n[name]\n') \
        -subj "$subject" -keyout "$file.key" -out "$file.crt" -addext "$extension" "$@" 2>/dev/null
}

# signed NAME SUBJECT [ALTERNATIVE-NAMES]: by the cluster's authority, for servers and clients.
signed() {
    local more=()
    [ -z "${3:-}" ] || more=(-addext "subjectAltName=$3")
    request "$2" "$certificates/$1" basicConstraints=critical,CA:FALSE \
        -CA "$certificates/ca.crt" -CAkey "$certificates/ca.key" \
        -addext keyUsage=critical,digitalSignature \
        -addext extendedKeyUsage=serverAuth,clientAuth "${more[@]}"
}

# write_kubeconfig NAME FILE: who has NAME's certificate, in one file.
write_kubeconfig() {
    cat >"$2" <<END
apiVersion: v1
kind: Config
clusters:
- name: $cluster_name
  cluster:
    server: $api
    certificate-authority-data: $(base64 -w0 "$certificates/ca.crt")
users:
- name: $1
  user:
    client-certificate-data: $(base64 -w0 "$certificates/$1.crt")
    client-key-data: $(base64 -w0 "$certificates/$1.key")
contexts:
- name: $cluster_name
  context: {cluster: $cluster_name, user: $1}
current-context: $cluster_name
END
}

# client NAME SUBJECT [ALTERNATIVE-NAMES]: a certificate with a kubeconfig.
client() {
    signed "$@"
    write_kubeconfig "$1" "$certificates/$1.kubeconfig"
}

# make_certificates NODES
make_certificates() {
    local number node
    (
        umask 077
        mkdir -p "$certificates"
        request "/CN=$cluster_name" "$certificates/ca" basicConstraints=critical,CA:TRUE \
            -addext keyUsage=critical,keyCertSign,cRLSign
        signed apiserver /CN=kube-apiserver "DNS:kubernetes,DNS:kubernetes.default,\
DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.$cluster_domain,DNS:localhost,\
IP:$api_service_address,IP:$(node_address 1),IP:127.0.0.1"
        client admin /O=system:masters/CN=admin
        client controller-manager /CN=system:kube-controller-manager
        client scheduler /CN=system:kube-scheduler
        client proxy /CN=system:kube-proxy
        # It reads what it answers for; no other role covers Namespaces as well.
        client dns /O=system:masters/CN=coredns
        for ((number = 1; number <= $1; number++)); do
            node=$(node_name "$number")
            client "$node" "/O=system:nodes/CN=system:node:$node" \
                "DNS:$node,IP:$(node_address "$number")"
        done
        openssl ecparam -name prime256v1 -genkey -noout -out "$certificates/service-account.key"
        openssl ec -in "$certificates/service-account.key" -pubout \
            -out "$certificates/service-account.pub" 2>/dev/null
        write_kubeconfig admin "$kubeconfig"
    )
}
