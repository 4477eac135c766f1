"""What Prometheus reads of backups."""

from http.client import HTTPConnection
from pathlib import Path

from deploy.backup.metrics_server import serve_status


def test_when_prometheus_asks_the_receiver_then_all_figures_are_answered(tmp_path: Path) -> None:
    (tmp_path / "backups.prom").write_text('open_wallet_backups_kept{kind="full"} 2.000\n')
    (tmp_path / "log.prom").write_text("open_wallet_wal_unsealed_files 0.000\n")
    (tmp_path / ".log.17").write_text("half of a fi")
    server = serve_status(tmp_path, port=0)
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=10)

    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.request("GET", "/etc/passwd")
        elsewhere = connection.getresponse().status
    finally:
        connection.close()
        server.shutdown()
        server.server_close()

    assert elsewhere == 404
    assert text == 'open_wallet_backups_kept{kind="full"} 2.000\nopen_wallet_wal_unsealed_files 0.000\n'
