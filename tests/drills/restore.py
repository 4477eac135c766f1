"""The restore drill: load over HTTP, PostgreSQL killed, its volume gone, restored, compared with what clients know.

Then what has to turn it red: half of the log gone, a hole, a flipped byte, a wrong key.
"""

import base64
import json
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from deploy.backup.wal_names import Segment, read_lsn, read_segment, segment_at
from tests.drills.application import books_balance, environment_on, prepare, served
from tests.drills.comparison import Comparison, compare
from tests.drills.databases import ROOT, Archive, Server
from tests.drills.load import HighWaterMark, Load, Payer
from tests.drills.outcome import Outcome, shorten

PAYERS = 40
LONGEST_RESTORE_S = 60.0
SYNCHRONOUS = "FIRST 1 (open_wallet_wal)"


class Loss:
    """A database under load that was lost, with its archive and what its clients know."""

    def __init__(self, folder: Path, outcome: Outcome, *, seconds: float) -> None:
        self.folder, self.outcome, self.seconds = folder, outcome, seconds
        self.server = Server(folder)
        self.archive = Archive(folder / "archive", keys=new_keys(), server=self.server)
        self.mark = HighWaterMark(folder / "acknowledged")
        self.moment: datetime

    def happen(self) -> None:
        """Back up under load, then kill PostgreSQL and remove its volume."""
        self.server.make()
        self.server.start()
        try:
            self.server.cluster.prepare()
            environment = environment_on([self.server], folder=self.folder)
            prepare(environment)
            payers = seeded(environment)
            self.archive.start_receiver()
            self.server.demand(SYNCHRONOUS)
            self.outcome.tell(self.archive.do("full"))
            with served(environment, folder=self.folder) as port:
                load = Load(payers, port=port, mark=self.mark)
                load.start()
                try:
                    self._pass()
                finally:
                    self.server.kill()
                    load.give_up()
        finally:
            self.server.kill()
            self.archive.kill_receiver()
        self.server.lose_volume()

    def _pass(self) -> None:
        time.sleep(self.seconds / 4)
        self.outcome.tell(self.archive.do("incremental"))
        time.sleep(self.seconds / 4)
        (self.moment,) = self.server.ask("SELECT date_trunc('second', clock_timestamp()) + interval '1 s'")[0]
        time.sleep(1 + self.seconds / 4)
        self.outcome.tell(self.archive.do("incremental"))
        time.sleep(self.seconds / 4)

    def restored(self, name: str, *arguments: str, archive: Archive | None = None) -> tuple[Server, float]:
        """Restore and start a server; return it with the seconds from the command to the first write."""
        server = Server(self.folder, name=name, made_from=self.server)
        began = time.monotonic()
        (archive or self.archive).do("restore", "--into", str(server.data), *arguments)
        server.start()
        server.wait_until_recovered()
        return server, time.monotonic() - began


def drill(*, seconds: float) -> int:
    """Run the drill with a load of that long; return the exit code."""
    outcome = Outcome("restore")
    folder = Path(tempfile.mkdtemp(prefix="open-wallet-drill-"))
    try:
        loss = Loss(folder, outcome, seconds=seconds)
        loss.happen()
        latest = _restore_all(loss, outcome)
        _restore_moment(loss, outcome, latest=latest)
        _lose_half(loss, outcome)
        _damage(loss, outcome)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return outcome.end()


def _restore_all(loss: Loss, outcome: Outcome) -> Comparison:
    size = shorten(loss.archive.directory)
    server, took_s = loss.restored("restored")
    try:
        found = compare(server, loss.mark)
        balance = books_balance(environment_on([server], folder=loss.folder))
        goes_on = _go_on(loss, server)
    finally:
        server.kill()
    outcome.prove(
        f"{found.acknowledged} transfers were acknowledged, {len(found.lost)} of them are lost, {len(found.doubled)} "
        f"doubled; {len(found.unacknowledged)} more were committed when the kill came",
        holds=found.is_clean and found.acknowledged > 0,
    )
    outcome.prove("check_books proves the restored books", holds=balance)
    outcome.prove(
        f"{took_s:.1f} s from the command to the first write, from an archive of {size}",
        holds=took_s <= LONGEST_RESTORE_S,
    )
    outcome.prove(
        f"the restored server is received and backed up again: {goes_on}",
        holds=goes_on.startswith("4 backups"),
    )
    outcome.note("acknowledged", found.acknowledged)
    outcome.note("lost", len(found.lost))
    outcome.note("restore_s", round(took_s, 1))
    return found


def _go_on(loss: Loss, server: Server) -> str:
    """Receive from the restored server with an empty spool, take a backup, and prove old and new together."""
    archive = _copied(loss, "going-on")
    archive.server = server
    shutil.rmtree(archive.spool)
    archive.start_receiver()
    try:
        server.demand(SYNCHRONOUS)
        server.ask("CREATE TABLE written_after (number bigint)")
        archive.do("full")
        return archive.do("verify")
    finally:
        server.demand("")
        archive.kill_receiver()


def _restore_moment(loss: Loss, outcome: Outcome, *, latest: Comparison) -> None:
    server, took_s = loss.restored("earlier", "--until", loss.moment.isoformat())
    try:
        found = compare(server, loss.mark)
        balance = books_balance(environment_on([server], folder=loss.folder))
    finally:
        server.kill()
    wanted = {key for key, moment in latest.committed_at.items() if moment <= loss.moment}
    later = [moment for moment in latest.committed_at.values() if moment > loss.moment]
    last = max(moment for moment in latest.committed_at.values() if moment <= loss.moment)
    outcome.prove(
        f"up to {loss.moment:%H:%M:%S}: exactly the {len(wanted)} transfers committed by then and none of the "
        f"{len(later)} after (the nearest {_ms(loss.moment - last)} before, {_ms(min(later) - loss.moment)} after)",
        holds=set(found.committed_at) == wanted and later != [] and balance,
    )
    outcome.note("to_a_moment_s", round(took_s, 1))


def _lose_half(loss: Loss, outcome: Outcome) -> None:
    """An archive whose receiver had ended long ago looks whole from within; the high-water mark knows better."""
    archive = _copied(loss, "half")
    folders = sorted(archive.directory.glob("base/*-incremental"))
    kept = json.loads((folders[0] / "backup.json").read_text())
    last = segment_at(read_lsn(kept["stop_lsn"]) - 1, timeline=kept["timeline"])
    for folder in folders[1:]:
        shutil.rmtree(folder)
    for path in [*archive.directory.glob("wal/*.sealed"), *archive.spool.iterdir()]:
        if _segment_of(path).number > last.number:
            path.unlink()
    server, _ = loss.restored("half", archive=archive)
    try:
        found = compare(server, loss.mark)
        balance = books_balance(environment_on([server], folder=loss.folder))
    finally:
        server.kill()
    outcome.prove(
        f"without the later log the restore passes and check_books {'does' if balance else 'does not'}, but "
        f"{len(found.lost)} of {found.acknowledged} acknowledged are missed",
        holds=not found.is_clean and balance,
    )


def _damage(loss: Loss, outcome: Outcome) -> None:
    def flip_backup(archive: Archive) -> None:
        _flip(sorted(archive.directory.glob("base/*-full/base*"))[0])

    def flip_log(archive: Archive) -> None:
        _flip(sorted(archive.directory.glob("wal/*.sealed"))[-1])

    def cut_backup(archive: Archive) -> None:
        path = sorted(archive.directory.glob("base/*-incremental/base*"))[-1]
        path.write_bytes(path.read_bytes()[:-1])

    def lose_log(archive: Archive) -> None:
        sorted(archive.directory.glob("wal/*.sealed"))[-1].unlink()

    def change_key(archive: Archive) -> None:
        archive.keys = new_keys()

    damages: dict[str, Callable[[Archive], None]] = {
        "a flipped byte in the backup": flip_backup,
        "a flipped byte in the log": flip_log,
        "a backup cut short": cut_backup,
        "a missing file of the log": lose_log,
        "a wrong key": change_key,
    }
    for name, damage in damages.items():
        archive = _copied(loss, "damaged")
        damage(archive)
        refused = archive.run("restore", "--into", str(loss.folder / "refused"))
        outcome.prove(
            f"{name} is refused: {refused.stderr.strip().splitlines()[-1] if refused.stderr else 'it is not'}",
            holds=refused.returncode == 1 and not (loss.folder / "refused").exists(),
        )
        shutil.rmtree(archive.folder)


def _copied(loss: Loss, name: str) -> Archive:
    folder = loss.folder / f"archive-{name}"
    shutil.copytree(loss.archive.folder, folder)
    return Archive(folder, keys=loss.archive.keys, server=loss.server)


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _segment_of(path: Path) -> Segment:
    return read_segment(path.name[:24])


def _ms(span: timedelta) -> str:
    return f"{span.total_seconds() * 1000:.1f} ms"


def new_keys() -> str:
    """Make a key ring of one key."""
    return f"drill:{base64.b64encode(secrets.token_bytes(32)).decode()}"


def seeded(environment: dict[str, str]) -> list[Payer]:
    """Make customers with money. Raises RuntimeError where that fails."""
    alone = {name: value for name, value in environment.items() if "PROMETHEUS" not in name}
    command = [sys.executable, "-m", "tests.drills.seeds", str(PAYERS)]
    made = subprocess.run(command, cwd=ROOT, env=alone, capture_output=True, text=True)
    if made.returncode != 0:
        raise RuntimeError(f"No customers can be made:\n{made.stderr[-2000:]}")
    return [Payer(UUID(wallet), authorization) for wallet, authorization in json.loads(made.stdout)]
