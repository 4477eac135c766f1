#!/bin/sh
# Makes the folder that the processes of one container share their metrics in, empty, and becomes the command.
set -eu
if [ -n "${PROMETHEUS_MULTIPROC_DIR:-}" ]; then
    rm -rf -- "$PROMETHEUS_MULTIPROC_DIR"
    mkdir -p -- "$PROMETHEUS_MULTIPROC_DIR"
fi
exec "$@"
