# Two images from one file; no compiler, no pip and no root in either:
#   docker build --target agent -t portcheck-agent .
#   docker build --target coordinator -t portcheck .
# docs/agents.md and docs/audit.md show how to run them.

ARG BASE=debian:bookworm-slim

FROM ${BASE} AS python
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends python3 \
 && apt-get clean && rm -rf /var/lib/apt/lists/* \
 && groupadd --system --gid 10001 portcheck \
 && useradd --system --uid 10001 --gid portcheck --home-dir /work --shell /usr/sbin/nologin portcheck \
 && install --directory --owner portcheck --group portcheck /work
ENV PATH=/opt/portcheck/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1

# pip stays here: it installs into environments that have none of their own.
FROM python AS build
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends python3-venv \
 && python3 -m venv /opt/pip \
 && python3 -m venv --without-pip /opt/portcheck
WORKDIR /src
COPY . .
RUN /opt/pip/bin/pip --python /opt/portcheck/bin/python --no-cache-dir install --compile .

FROM build AS build-coordinator
RUN /opt/pip/bin/pip --python /opt/portcheck/bin/python --no-cache-dir install --compile '.[all]'

# The coordinator: plans, commands the agents, judges, reports. Mount the inventory and the identity in /work.
FROM python AS coordinator
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends openssh-client \
 && apt-get clean && rm -rf /var/lib/apt/lists/* \
 && install --directory --owner portcheck --group portcheck --mode 700 /state
# Where `portcheck audit` keeps history and state: a volume, which Docker gives to the owner of this folder.
ENV XDG_STATE_HOME=/state
COPY --from=build-coordinator /opt/portcheck /opt/portcheck
LABEL org.opencontainers.image.title="portcheck" \
      org.opencontainers.image.description="Live network port conformance: the coordinator" \
      org.opencontainers.image.licenses="Apache-2.0"
USER 10001:10001
WORKDIR /work
ENTRYPOINT ["portcheck"]
CMD ["--help"]

# The agent: a daemon that carries out orders under mutual TLS. Mount its identity, readable by user 10001 only.
FROM python AS agent
COPY --from=build /opt/portcheck /opt/portcheck
LABEL org.opencontainers.image.title="portcheck-agent" \
      org.opencontainers.image.description="Live network port conformance: the agent" \
      org.opencontainers.image.licenses="Apache-2.0"
USER 10001:10001
WORKDIR /work
EXPOSE 7743
HEALTHCHECK --interval=30s --timeout=5s --start-period=5s --retries=3 \
  CMD ["portcheck", "agent", "--health", "127.0.0.1:7743", "--identity", "/etc/portcheck/agent.pem"]
ENTRYPOINT ["portcheck"]
CMD ["agent", "--listen", "0.0.0.0:7743", "--identity", "/etc/portcheck/agent.pem"]
