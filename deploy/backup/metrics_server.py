"""Serves the figures of backups to Prometheus, where no node exporter reads them from their files."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def serve_status(folder: Path, *, port: int) -> ThreadingHTTPServer:
    """Serve `/metrics` on every address, in threads that end with the process."""

    class Figures(BaseHTTPRequestHandler):
        """Answers with all files of figures, one after another: no two of them have a name in common."""

        def do_GET(self) -> None:
            if self.path != "/metrics":
                self.send_error(404)
                return
            body = b"".join(path.read_bytes() for path in sorted(folder.glob("*.prom")))
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base class calls it
            """Say nothing: Prometheus asks every few seconds."""

    server = ThreadingHTTPServer(("", port), Figures)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
