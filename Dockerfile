# Build: docker build -t barograph .        Run: docker run -p 8080:8080 -v barograph:/data barograph
ARG BASE=python:3.11-slim
FROM ${BASE} AS build
WORKDIR /src
RUN python -m venv /opt/barograph
COPY requirements-setup.lock requirements.lock ./
RUN /opt/barograph/bin/pip install --no-cache-dir --require-hashes -r requirements-setup.lock \
    && /opt/barograph/bin/uv pip install --system-certs --no-cache --python /opt/barograph/bin/python \
       --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY incidents incidents
COPY dashboards dashboards
COPY service service
# What installed it stays behind, and what nothing here imports: plotly.js lies among our own files, and its Python package,
# 70 MB with its bytecode, judges figures in tests and draws them in notebooks.
# Bytecode that counts whatever the time of its source: layers round times to seconds, and half of it would be compiled anew at every
# start, by a user who may not keep it.
RUN /opt/barograph/bin/pip install --no-cache-dir --no-compile --no-index --no-deps --no-build-isolation . \
    && /opt/barograph/bin/pip uninstall --yes plotly narwhals uv setuptools pip \
    && /opt/barograph/bin/python -m compileall -q -f --invalidation-mode unchecked-hash /opt/barograph/lib

FROM ${BASE}
RUN groupadd --system --gid 10001 barograph \
    && useradd --system --gid 10001 --uid 10001 --home-dir /data --no-create-home barograph \
    && install --directory --owner=barograph --group=barograph --mode=0700 /data
COPY --from=build /opt/barograph /opt/barograph
ENV PATH=/opt/barograph/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    BAROGRAPH_DATA_DIR=/data
USER barograph
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ.get('BAROGRAPH_PORT', '8080')}/livez\", timeout=4)"]
ENTRYPOINT ["barograph"]
CMD ["serve", "--host", "0.0.0.0"]
