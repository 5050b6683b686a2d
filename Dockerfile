# One image for the server, the workers and the runs of a docker pool: all must have the same Prefect.
# Nothing secret goes in at build time; GEMINI_API_KEY comes when a container starts.
FROM python:3.11-slim AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
COPY requirements-build.lock ./
RUN pip install --no-deps --require-hashes -r requirements-build.lock
COPY pyproject.toml README.md LICENSE ./
COPY assets assets
COPY config config
COPY emulator emulator
COPY exports exports
COPY flows flows
COPY viewer viewer
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheel .


FROM python:3.11-slim AS quire

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PYTHONUNBUFFERED=1 \
    DO_NOT_TRACK=1 \
    PREFECT_SERVER_ANALYTICS_ENABLED=false \
    QUIRE_CONFIG=/app/config/docker.yaml

# The owner of the files in /data. Give your own numbers when /data is a folder of the host.
ARG UID=1000
ARG GID=1000
# A new volume gets what is here, owner and all: the folders that scans are copied into have to be there before.
RUN groupadd --gid "$GID" quire \
    && useradd --uid "$UID" --gid "$GID" --create-home quire \
    && install -d -o quire -g quire /home/quire/.prefect /backups \
        /data /data/dataset /data/dataset/page_images /data/dataset/source_documents /data/dataset/output_results \
        /data/manifests

WORKDIR /app
# The packages first: they change less often than the code.
COPY requirements.lock ./
RUN pip install --no-deps --require-hashes -r requirements.lock
RUN --mount=from=build,source=/wheel,target=/wheel pip install --no-deps --no-index /wheel/*.whl
# What is read by its place: the deployments are registered from here, and their runs start here.
COPY prefect.yaml prefect.kubernetes.yaml prefect.kubernetes.job.json ./
COPY config/docker.yaml config/docker.yaml

USER quire
VOLUME ["/data", "/backups"]
CMD ["quire", "status"]


# The local Gemini of a trial, which reads with OCR: never part of what runs a collection.
FROM quire AS emulator

USER root
COPY requirements-emulator.lock ./
RUN pip install --no-deps --require-hashes -r requirements-emulator.lock

USER quire
CMD ["quire", "emulator", "--host", "0.0.0.0"]


# What a build without a target makes.
FROM quire
