# One image for everything that runs: web server, worker, beat, stream, sweeps and migrations. The command chooses:
#   gunicorn config.wsgi:application --config config/gunicorn.py     (the default)
#   celery --app config worker --queues money,webhooks,reports
#   celery --app config beat --schedule /tmp/beat
#   python manage.py serve_stream | work | prepare
#
# Debian's own Python is built with profile-guided optimisation. BASE may name the same image in a registry of your
# own, by digest: `docker build --build-arg BASE=registry.example/debian@sha256:…`.
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
SHELL ["/bin/sh", "-euc"]
# hadolint ignore=DL3008
RUN apt-get update; \
    apt-get install --yes --no-install-recommends python3 python3-venv; \
    rm -rf /var/lib/apt/lists/*
COPY requirements/base.txt /wallet/requirements/base.txt
RUN python3 -m venv /wallet/venv; \
    /wallet/venv/bin/pip install --no-cache-dir --no-deps --require-hashes --only-binary :all: \
        --requirement /wallet/requirements/base.txt; \
    /wallet/venv/bin/pip uninstall --yes pip setuptools
COPY manage.py /wallet/
COPY config /wallet/config
COPY users /wallet/users
COPY events /wallet/events
COPY transactions /wallet/transactions
COPY wallets /wallet/wallets
COPY tokens /wallet/tokens
COPY payments /wallet/payments
COPY backoffice /wallet/backoffice
COPY templates /wallet/templates
COPY deploy/image/build.env /wallet/build.env
# Style sheets and scripts are hashed and compressed here; the settings want to be complete, so these are no secrets.
WORKDIR /wallet
RUN set -a; . ./build.env; set +a; \
    venv/bin/python manage.py collectstatic --no-input; \
    rm build.env; \
    venv/bin/python -m compileall -q -x venv .

FROM ${BASE}
SHELL ["/bin/sh", "-euc"]
# hadolint ignore=DL3008
RUN apt-get update; \
    apt-get upgrade --yes; \
    apt-get install --yes --no-install-recommends python3 ca-certificates; \
    rm -rf /var/lib/apt/lists/*; \
    useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin wallet; \
    install --directory --owner=wallet --group=wallet /run/stream
COPY --from=build /wallet /wallet
COPY deploy/image/healthy.py deploy/image/start.sh /wallet/
WORKDIR /wallet
ENV PATH=/wallet/venv/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=config.settings.production \
    OPEN_WALLET_MODE=production \
    HOST=0.0.0.0 \
    PORT=8000 \
    PROMETHEUS_MULTIPROC_DIR=/tmp/metrics
USER 10001:10001
EXPOSE 8000
# The file system may be read-only but for /tmp, which holds the workers' metrics and heartbeats.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 CMD ["python", "healthy.py"]
ENTRYPOINT ["/bin/sh", "/wallet/start.sh"]
CMD ["gunicorn", "config.wsgi:application", "--config", "config/gunicorn.py"]
