"""Services that are asked in HTTP, or HTTPS: whichever they speak. `known_by` tells them from other web servers, by
their headers and the beginning of the body; health is told by the status, and by what the body says.
"""

from __future__ import annotations

from probe.protocols.named import Named

_NOTHING = "nothing, but where requests are logged"
_REFUSED = [200, 401, 403]


def _web(path: str, status: int | list[int], known_by: str, body: str = "") -> dict[str, object]:
    http: dict[str, object] = {"known_by": known_by} | ({"body": {"regex": body}} if body else {})
    return {"path": path, "status": status, "http": http}


ALERTMANAGER = Named(
    port=9093,
    verified="Alertmanager 0.25.0",
    web=_web("/api/v2/status", 200, '"versionInfo"'),
    sends="`GET /api/v2/status`",
    healthy="200, with its version",
    proves="Alertmanager is there (https://prometheus.io/docs/alerting/latest/management_api/)",
    logs=_NOTHING,
    programs="alertmanager prometheus-aler",
)
CONSUL = Named(
    port=8500,
    web=_web("/v1/status/leader", 200, r'(?mi)^x-consul-|\n\n"[^"]*"\s*\Z', '"[^"]+"'),
    sends="`GET /v1/status/leader`",
    healthy="200, with the address of a leader; without one it is unhealthy",
    proves="a Consul agent is there and its servers have a leader (https://developer.hashicorp.com/consul/api-docs/status)",
    logs=_NOTHING,
    programs="consul",
)
DOCKER_REGISTRY = Named(
    port=5000,
    verified="docker-registry 2.8.2",
    web=_web("/v2/", [200, 401], "(?mi)^docker-distribution-api-version: registry/2"),
    sends="`GET /v2/`",
    healthy="200 or 401, with `Docker-Distribution-Api-Version: registry/2.0`",
    proves="a container registry is there (https://distribution.github.io/distribution/spec/api/); no image is pulled",
    logs="docker-registry: two lines for the request",
    programs="registry docker-registry",
)
ELASTICSEARCH = Named(
    port=9200,
    # Before 7.14 nothing but the error says who refuses.
    web=_web("/", _REFUSED, '(?mi)^x-elastic-product: elasticsearch|"cluster_name"|opensearch|"security_exception"'),
    sends="`GET /`",
    healthy="200 with the cluster's name, or 401 or 403 with `X-elastic-product: Elasticsearch`",
    proves="an Elasticsearch or OpenSearch node is there; the state of its cluster is not asked",
    logs="nothing",
    programs="Elasticsearch OpenSearch",
)
ETCD = Named(
    port=2379,
    verified="etcd 3.4.23",
    web=_web("/health", 200, '"health"', '"health": ?"?true'),
    sends="`GET /health`",
    healthy='200, `{"health":"true"}`',
    proves="an etcd member is there and has a leader (https://etcd.io/docs/latest/op-guide/monitoring/)",
    logs="etcd 3.4: nothing; 3.5 and later: nothing at the default level",
    programs="etcd",
)
ETCD_PEER = Named(
    port=2380,
    verified="etcd 3.4.23",
    web=_web("/members", 200, '"peerURLs"'),
    sends="`GET /members`",
    healthy="200, with the members",
    proves="an etcd member is there for its peers; where they show certificates, `tls` has to say which is ours",
    logs="nothing",
    programs="etcd",
)
HAPROXY_STATS = Named(
    port=8404,
    verified="HAProxy 2.6.12",
    web=_web("/stats;csv", [200, 401], r"# pxname,|(?i:haproxy)"),
    sends="`GET /stats;csv`; `path` says where else they are",
    healthy="200 with the statistics, or 401 in HAProxy's name",
    proves="HAProxy is there and shows its statistics",
    logs="nothing, but where requests are logged",
    programs="haproxy",
)
INFLUXDB = Named(
    port=8086,
    verified="InfluxDB 1.6.7",
    web=_web("/ping", [200, 204], "(?mi)^x-influxdb-version:"),
    sends="`GET /ping`",
    healthy="204, with `X-Influxdb-Version`",
    proves="InfluxDB is there (https://docs.influxdata.com/influxdb/v1/tools/api/#ping-http-endpoint)",
    logs="influxd 1: one line for the request",
    programs="influxd",
)
KUBELET = Named(
    port=10250,
    web=_web("/healthz", _REFUSED, r"\n\n(ok|Unauthorized|Forbidden)"),
    sends="`GET /healthz`",
    healthy="200 `ok`, or that we may not ask (401, 403)",
    proves="a kubelet is there; 401 and 403 say nothing of the node's health",
    logs=_NOTHING,
    programs="kubelet k3s k3s-server k3s-agent",
)
KUBERNETES_API = Named(
    port=6443,
    web=_web("/version", _REFUSED, '"gitVersion"|"kind": ?"Status"'),
    sends="`GET /version`",
    healthy="200 with the version, or a Status that says that we may not ask (401, 403)",
    proves="a Kubernetes API server is there (https://kubernetes.io/docs/reference/using-api/)",
    logs=_NOTHING,
    programs="kube-apiserver k3s k3s-server",
)
MINIO = Named(
    port=9000,
    web=_web("/minio/health/live", 200, "(?mi)^server: minio"),
    sends="`GET /minio/health/live`",
    healthy="200 from `Server: MinIO`",
    proves="a MinIO server is there and live (https://min.io/docs/minio/linux/operations/monitoring/healthcheck-probe.html)",
    logs="nothing",
    programs="minio",
)
NSQD_HTTP = Named(
    port=4151,
    web=_web("/ping", [200, 500], r"\n\n(OK|NOK)\b", r"\AOK"),
    sends="`GET /ping`",
    healthy="200 `OK`; `NOK` is unhealthy",
    proves="nsqd's HTTP side is there (https://nsq.io/components/nsqd.html)",
    logs="one line for the request",
    programs="nsqd",
)
NSQLOOKUPD_HTTP = Named(
    port=4161,
    web=_web("/ping", 200, r"\n\nOK\s*\Z"),
    sends="`GET /ping`",
    healthy="200 `OK`",
    proves="nsqlookupd's HTTP side is there (https://nsq.io/components/nsqlookupd.html)",
    logs="one line for the request",
    programs="nsqlookupd",
)
PROMETHEUS = Named(
    port=9090,
    verified="Prometheus 2.42.0",
    web=_web("/-/healthy", 200, r"\n\nPrometheus"),
    sends="`GET /-/healthy`",
    healthy="200, in Prometheus' own name",
    proves="Prometheus is there (https://prometheus.io/docs/prometheus/latest/management_api/)",
    logs="nothing",
    programs="prometheus",
)
PROMETHEUS_EXPORTER = Named(
    port=9100,
    verified="node exporter 1.5.0",
    web=_web("/metrics", 200, "(?m)^# (HELP|TYPE)"),
    sends="`GET /metrics`",
    healthy="200, with metrics in the text format",
    proves="something is there that Prometheus can scrape; whose metrics they are is not judged",
    logs="nothing",
)
PUSHGATEWAY = Named(
    port=9091,
    verified="Pushgateway 1.5.1",
    web=_web("/api/v1/status", 200, '"build_information"'),
    sends="`GET /api/v1/status`",
    healthy="200, with its build",
    proves="a Pushgateway is there (https://github.com/prometheus/pushgateway#query-api)",
    logs="nothing",
    programs="pushgateway prometheus-push",
)
