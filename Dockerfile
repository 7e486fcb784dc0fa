# One image for every process; the command chooses: python -m services.offers | python -m gateway
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
WORKDIR /build
RUN python -m venv /opt/parley
COPY requirements/runtime.txt requirements/
# Wheels only: what needs a compiler does not belong into this image.
RUN /opt/parley/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements/runtime.txt

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="Parley" org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --system --uid 10001 --home-dir /app parley \
    && install --directory --owner parley /var/lib/parley
COPY --from=build /opt/parley /opt/parley
WORKDIR /app
COPY LICENSE ./
COPY chassis chassis
COPY console console
COPY gateway gateway
COPY services services
COPY protos/gen protos/gen
ENV PATH=/opt/parley/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/app:/app/protos/gen \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
USER parley
CMD ["python", "-m", "gateway"]
