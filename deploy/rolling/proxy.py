"""nginx as operators run it: our own configuration file, with the ports and the certificate of the drill."""

import socket
import ssl
import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from deploy.local.nginx import find_nginx
from deploy.local.refusals import CannotStart

SHIPPED = Path(__file__).resolve().parents[1] / "nginx" / "open-wallet.conf"
NAME = "localhost"

# `{user}` as a server that root started gives its workers to a user who may not look into the drill's folder.
MAIN = """\
{user}daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 1024; }}
http {{
    log_format drill '$status $upstream_addr';
    access_log {folder}/access.log drill;
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/proxied;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {shipped};
}}
"""


@dataclass(frozen=True)
class Proxy:
    """A running nginx."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    def context(self, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
        """Give what a client of this proxy connects with, at most in that version of TLS."""
        context = ssl.create_default_context(cafile=self.folder / "certificate.pem")
        context.maximum_version = version
        return context

    def served_by(self) -> Counter[str]:
        """Count the calls by the instance that answered; one that another was asked for first names both."""
        lines = (self.folder / "access.log").read_text().splitlines()
        return Counter(line.split(" ", 1)[1].replace(str(self.folder), "") for line in lines)

    def complaints(self) -> list[str]:
        """Tell what nginx had to say."""
        return (self.folder / "error.log").read_text().splitlines()

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(10)


def start_proxy(folder: Path, *, port: int, links: list[Path], runs_as_root: bool) -> Proxy:
    """Start nginx with the shipped configuration in front of the links. Refuses with CannotStart."""
    program = find_nginx()
    write_certificate(folder)
    site = folder / "open-wallet"
    site.mkdir()
    (site / "instances.conf").write_text("".join(f"server unix:{link} max_fails=0;\n" for link in links))
    (site / "listen.conf").write_text(
        f"listen 127.0.0.1:{port} ssl;\nserver_name {NAME};\n"
        f"ssl_certificate {folder}/certificate.pem;\nssl_certificate_key {folder}/key.pem;\n"
    )
    user = "user root;\n" if runs_as_root else ""
    main = folder / "nginx.conf"
    main.write_text(MAIN.format(user=user, folder=folder, shipped=SHIPPED))
    command = [program, "-c", str(main), "-p", str(folder)]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True)
    if checked.returncode != 0:
        raise CannotStart(f"nginx refuses deploy/nginx/open-wallet.conf: {checked.stderr}")
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    until_s = time.monotonic() + 10
    while not _listens(port):
        if process.poll() is not None or time.monotonic() > until_s:
            raise CannotStart(f"nginx doesn't start: {(folder / 'error.log').read_text()[-500:]}")
        time.sleep(0.05)
    return Proxy(folder, port, process)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def write_certificate(folder: Path) -> None:
    """Make a key and a certificate of its own for this machine, good for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.DNSName(NAME), x509.IPAddress(ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, SHA256())
    )
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
