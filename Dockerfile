# One image for the API, the workers and the migrations:
#   docker build --tag eventimport .
#   docker run IMAGE migrate
#   docker run -p 8000:8000 IMAGE
#   docker run --no-healthcheck IMAGE worker
# The settings come as environment variables or files; see docs/configuration.md. compose.yaml and
# deploy/helm run all of it.
#
# To get the same image from the same source, also pin the base image's digest:
#   image=python:3.13.9-slim-trixie
#   digest=$(docker buildx imagetools inspect $image --format '{{.Manifest.Digest}}')
#   docker build --build-arg PYTHON_IMAGE=$image@$digest .
ARG PYTHON_IMAGE=python:3.13.9-slim-trixie

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ONLY_BINARY=:all: PIP_ROOT_USER_ACTION=ignore
WORKDIR /source
COPY requirements.lock ./
# Every wheel of the lock, checked against its hash. What follows installs from these alone.
RUN pip download --require-hashes --no-deps --dest /wheels --requirement requirements.lock
ENV PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels
RUN python -m venv /build && /build/bin/pip install hatchling
COPY pyproject.toml README.md LICENSE ./
COPY alembic ./alembic
COPY src ./src
RUN /build/bin/pip wheel --no-build-isolation --no-deps --wheel-dir /wheel .
# Without pip, and with compiled modules: the file system may be read-only later.
RUN python -m venv --without-pip /app \
    && /build/bin/pip --python /app/bin/python install "$(echo /wheel/*.whl)[otel]"

FROM ${PYTHON_IMAGE}
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="eventimport" \
      org.opencontainers.image.description="Imports whole conferences into PostgreSQL" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
# The account's number is fixed, for volumes and for Kubernetes' runAsNonRoot.
RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin eventimport \
    && install --directory --owner 10001 --group 10001 /data
COPY --from=build /app /app
ENV PATH=/app/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 LOCAL_STORAGE_PATH=/data
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
# API and worker finish what runs on SIGTERM; give a worker SHUTDOWN_GRACE plus ten seconds.
STOPSIGNAL SIGTERM
# Of the API: a worker has no port, so run it with --no-healthcheck.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["eventimport"]
CMD ["serve", "--host", "0.0.0.0"]
