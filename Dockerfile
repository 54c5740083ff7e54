# The application, and for development a stand-in for S3 and SQS. Nobody needs it for `make run`.
#
#   docker build --tag vigil .                      the application: web, workers, clock, watch
#   docker build --tag vigil-aws --target aws .     the stand-in
#
# Everything comes from one Debian: its 13 has Python 3.13, Node.js 20 and PostgreSQL 17's client,
# which may not be older than the server that it dumps. The digest was read in other people's
# repositories and not at Docker Hub: docs/containers.md says how to check it.
ARG BASE=docker.io/library/debian:trixie-slim@sha256:a29215f6a35e51e22adffa17f89e9d2ef06214e64a2bad10d765c46aea49f11f

# Debian withdraws a version when it mends it: naming one would end every later build.
# hadolint global ignore=DL3008

FROM ${BASE} AS board
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates nodejs npm \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /board
COPY frontend/package.json frontend/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY frontend/ ./
RUN npm run build


FROM ${BASE} AS python
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*


FROM python AS packages
# Wheels alone: nothing is compiled, so that no compiler is wanted.
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ONLY_BINARY=:all: PIP_REQUIRE_HASHES=1
COPY requirements/run.txt requirements/worker.txt /requirements/
RUN python3 -m venv /opt/vigil \
    && /opt/vigil/bin/pip install -r /requirements/run.txt -r /requirements/worker.txt


FROM python AS aws-packages
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ONLY_BINARY=:all: PIP_REQUIRE_HASHES=1
COPY requirements/emulator.txt /requirements/
RUN python3 -m venv /opt/aws && /opt/aws/bin/pip install -r /requirements/emulator.txt


FROM python AS aws
RUN groupadd --gid 10002 aws \
    && useradd --uid 10002 --gid 10002 --shell /usr/sbin/nologin --home-dir /var/lib/aws --create-home aws
COPY --from=aws-packages /opt/aws /opt/aws
USER 10002:10002
WORKDIR /var/lib/aws
# S3 and SQS alone: nothing that would run code.
ENV PATH=/opt/aws/bin:$PATH SERVICES=s3,sqs,sts BIND_HOST=0.0.0.0 GATEWAY_PORT=4566 \
    IOT_MTLS_ENABLED=0 SFTP_ENABLED=0 STATE_DIR=/var/lib/aws/state S3_DATA_DIR=/var/lib/aws/s3 \
    S3_PERSIST=1 PERSIST_STATE=1 TMPDIR=/tmp
VOLUME /var/lib/aws
EXPOSE 4566
CMD ["ministack"]


FROM python AS vigil
RUN apt-get update \
    && apt-get install --yes --no-install-recommends postgresql-client-17 tini \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 vigil \
    && useradd --uid 10001 --gid 10001 --shell /usr/sbin/nologin --home-dir /var/lib/vigil --create-home vigil \
    && chmod 0700 /var/lib/vigil
COPY --from=packages /opt/vigil /opt/vigil
WORKDIR /app
COPY manage.py pyproject.toml ./
COPY requirements/ requirements/
COPY hospital/ hospital/
COPY api/ api/
COPY alerts/ alerts/
COPY ingestion/ ingestion/
COPY ops/ ops/
COPY simulator/ simulator/
COPY --from=board /board/dist frontend/dist
ARG COMMIT=""
# PostgreSQL's own folder first: Debian's pg_dump in /usr/bin asks for a cluster that is not here.
# Nothing below /app is ever written: the container may have a read-only root, with a volume at
# /var/lib/vigil and a tmpfs at /tmp.
ENV PATH=/opt/vigil/bin:/usr/lib/postgresql/17/bin:$PATH PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 HOSPITAL_DATA_DIR=/var/lib/vigil HOSPITAL_COMMIT=${COMMIT}
RUN python -m compileall -q /app /opt/vigil/lib
USER 10001:10001
VOLUME /var/lib/vigil
EXPOSE 8000
# Passes signals on and buries what dies, so that a worker that is told to stop ends its task.
ENTRYPOINT ["/usr/bin/tini", "--"]
# What Fargate runs.
CMD ["celery", "-A", "hospital", "worker", "--queues", "long", "--concurrency", "1"]
