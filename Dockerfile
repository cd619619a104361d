# The image of every pipeline step and every Beam worker, on the current stack (TFX 1.21).
#
#   docker build -t REGION-docker.pkg.dev/PROJECT/REPOSITORY/fareline:VERSION .
#   buildah build -t …                              # the same, without Docker
#   docker run --rm --entrypoint python IMAGE -m runners.submit.smoke    # is all that a step needs there
#
# docs/vertex.md and docs/kubeflow.md go on from here. `make test-image` builds this file without
# Docker, and runs the compiled pipeline in what comes of it.

# The wheels of ML Metadata and TFDV need glibc 2.39: Debian 13 has 2.41. Tag and digest name the
# same thing, the tag for people. A newer one: `docker buildx imagetools inspect debian:TAG`.
ARG BASE=debian:trixie-20260918-slim@sha256:a99cfc517144bc59b1978475ec53b46ecabec7e43635402ee5b77cc54cd1b20a
# Beam's worker must be of the version that requirements/current-py313.txt pins: a test compares.
ARG BEAM_SDK=apache/beam_python3.13_sdk:2.77.0

FROM ${BEAM_SDK} AS beam

FROM ${BASE} AS runtime
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates python3 \
 && rm -rf /var/lib/apt/lists/*

# The installer, in a stage of its own: it is in none of the layers of the result. The two arguments
# are for a mirror of the package index; an address with a password would stay in the history.
FROM runtime AS uv
ARG PIP_INDEX_URL
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3-venv \
 && rm -rf /var/lib/apt/lists/*
COPY requirements/uv.txt /tmp/
RUN python3 -m venv /opt/uv \
 && /opt/uv/bin/pip install --no-cache-dir --no-deps --only-binary :all: --require-hashes -r /tmp/uv.txt

# The project as a wheel, from what .dockerignore lets through.
FROM uv AS wheel
ARG UV_DEFAULT_INDEX
COPY . /src
RUN UV_SYSTEM_CERTS=1 /opt/uv/bin/uv build --wheel --require-hashes \
      --build-constraints /src/requirements/current-py313.txt --out-dir /wheel /src

FROM runtime
ARG UV_DEFAULT_INDEX
# RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT: or Beam's boot makes an environment of its own, in which
# nothing of this one is there. TF_USE_LEGACY_KERAS stays unset: the network is built for Keras 3.
ENV PATH=/opt/fareline/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    VIRTUAL_ENV=/opt/fareline \
    KERAS_BACKEND=tensorflow \
    LANG=C.UTF-8 \
    PYTHONUNBUFFERED=1 \
    RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1

# The pins, whole and by hash, and in a layer of their own: it is a gigabyte, and changes rarely.
# UV_SYSTEM_CERTS: a company's proxy signs with a certificate that only the system knows.
COPY requirements/current-py313.txt /opt/pins.txt
RUN --mount=type=bind,from=uv,source=/opt/uv,target=/opt/uv \
    --mount=type=cache,target=/root/.cache/uv \
    export UV_SYSTEM_CERTS=1 UV_LINK_MODE=copy UV_COMPILE_BYTECODE_TIMEOUT=600 \
 && /opt/uv/bin/uv venv --no-project --python /usr/bin/python3 /opt/fareline \
 && /opt/uv/bin/uv pip install --no-deps --require-hashes --build-constraints /opt/pins.txt \
      --compile-bytecode -r /opt/pins.txt

# Beam's boot, with the licences of what is in it.
COPY --from=beam /opt/apache/beam /opt/apache/beam

# The project itself, last: after a change of it only these layers are new. The wheel is copied and
# not mounted: a builder's cache looks at what is copied, and not every one at what is mounted.
COPY --from=wheel /wheel /opt/wheel
RUN --mount=type=bind,from=uv,source=/opt/uv,target=/opt/uv \
    /opt/uv/bin/uv pip install --no-cache --no-deps --no-index --compile-bytecode /opt/wheel/*.whl

# By number, so that a cluster that wants to know can see that it is not root. The folders are those
# into which Kubeflow's launcher puts artifacts of gs://, s3:// and MinIO.
RUN useradd --uid 1000 --create-home fareline \
 && install --directory --owner fareline /gcs /minio /s3
USER 1000:1000
WORKDIR /home/fareline

# A build that lacks something fails here, and not in the cloud.
RUN python -m runners.submit.smoke

# For Beam's workers. Every step of a compiled pipeline brings its own command.
ENTRYPOINT ["/opt/apache/beam/boot"]
