# Django: pages and the API, the controller, the Celery worker of small tasks. What decodes photos for apps is not in it.
#   docker build -t pixelyard/web:0.1.0 .
# In production pin the base to what you tested: --build-arg PYTHON_IMAGE=python:3.11-slim-bookworm@sha256:...
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
COPY requirements/web.txt /build/requirements.txt
RUN python -m venv --without-pip /opt/venv \
 && python -m pip --python /opt/venv/bin/python install --no-cache-dir --no-compile --no-deps \
      --require-hashes -r /build/requirements.txt
WORKDIR /srv/pixelyard
COPY manage.py LICENSE ./
COPY model_images/__init__.py model_images/catalog.json model_images/
COPY model_images/samples model_images/samples
COPY jobfolder jobfolder
COPY loadbalancer loadbalancer
COPY marketplace marketplace
COPY apps apps
# Styles and scripts, fingerprinted and compressed: the same in every replica. The key signs nothing.
RUN SECRET_KEY=for-this-step-only DATA_DIR=/tmp/build STATIC_ROOT=/srv/static \
      /opt/venv/bin/python manage.py collectstatic --no-input --verbosity 0 \
 && /opt/venv/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/venv /srv/pixelyard

FROM ${PYTHON_IMAGE}
RUN groupadd --gid 10001 pixelyard \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin pixelyard
COPY --from=build /opt/venv /opt/venv
COPY --from=build /srv /srv
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DJANGO_SETTINGS_MODULE=marketplace.settings \
    STATIC_ROOT=/srv/static \
    DATA_DIR=/data
WORKDIR /srv/pixelyard
USER 10001:10001
EXPOSE 8000
LABEL org.opencontainers.image.title="Pixelyard web" \
      org.opencontainers.image.description="Pages, API, controller and background tasks" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
# GUNICORN_CMD_ARGS changes any of it.
CMD ["gunicorn", "marketplace.wsgi:application", "--config", "python:marketplace.embedded.gunicorn", \
     "--bind", "0.0.0.0:8000", "--workers", "2", "--threads", "24", "--graceful-timeout", "25"]
