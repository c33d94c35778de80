"""The certificate of a process: when it expires is told to metrics, and to the log once that is soon."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from chassis.telemetry.metrics import Metrics
from chassis.trust.certificate import BadCertificate
from chassis.trust.files import EXPIRES_SOON, CertificateFiles
from tests.fakes.manual_clock import ManualClock

FILE = "tls.crt"


@dataclass(frozen=True)
class Dated:
    """A certificate of which nothing is known but its end."""

    expires: datetime
    name: str = "order"


def read(folder: Path, _now: datetime) -> Dated:
    try:
        return Dated(datetime.fromisoformat((folder / FILE).read_text()))
    except ValueError:
        raise BadCertificate("is no certificate") from None


class Process:
    """A process with a certificate in a folder."""

    def __init__(self, folder: Path, lifetime: timedelta, use: str = "mesh") -> None:
        self.clock = ManualClock()
        self.metrics = Metrics("order")
        self._file = folder / FILE
        self._use = use
        self.renew(lifetime)
        self.files = CertificateFiles(folder, (FILE,), read, self.clock, self.metrics, use)

    def renew(self, lifetime: timedelta) -> datetime:
        """Put another certificate there, and return when it expires."""
        expires = self.clock.now() + lifetime
        self._file.write_text(expires.isoformat())
        return expires

    def spoil(self) -> None:
        self._file.write_text("nothing of the kind")

    @property
    def told(self) -> dict[tuple[str, ...], float]:
        return self.metrics.certificate_expires.read()


@pytest.mark.parametrize("use", ["mesh", "rest"])
def test_when_it_expires_is_told_from_the_start(tmp_path: Path, use: str) -> None:
    process = Process(tmp_path, timedelta(days=90), use)

    assert process.told == {(use,): (process.clock.now() + timedelta(days=90)).timestamp()}
    assert process.metrics.certificate_expires.definition.name == "ordermesh.tls.certificate.expires"


def test_one_that_was_renewed_counts_as_soon_as_it_is_looked_at(tmp_path: Path) -> None:
    process = Process(tmp_path, timedelta(days=8))
    renewed = process.renew(timedelta(days=100))

    assert process.files.current() == Dated(renewed)
    assert process.told == {("mesh",): renewed.timestamp()}


def test_one_that_is_no_good_changes_nothing(tmp_path: Path) -> None:
    process = Process(tmp_path, timedelta(days=90))
    before = process.told
    process.spoil()
    process.files.current()

    assert process.told == before


def test_one_that_could_not_be_read_at_first_is_read_once_its_owner_or_mode_changes(tmp_path: Path) -> None:
    """As after `chown` of files that root has renewed: neither content nor size nor file is another one."""
    process = Process(tmp_path, timedelta(days=8))
    allowed = [False]

    def read_if_allowed(folder: Path, now: datetime) -> Dated:
        if not allowed[0]:
            raise BadCertificate("cannot be read: Permission denied")
        return read(folder, now)

    allowed[0] = True
    files = CertificateFiles(tmp_path, (FILE,), read_if_allowed, process.clock, process.metrics)
    allowed[0] = False
    renewed = process.renew(timedelta(days=100))
    assert files.current().expires < renewed
    allowed[0] = True
    before = (tmp_path / FILE).stat()
    (tmp_path / FILE).chmod(0o600)

    assert (tmp_path / FILE).stat().st_mtime_ns == before.st_mtime_ns
    assert files.current() == Dated(renewed)


def test_that_it_expires_soon_is_logged_once_a_day_until_it_is_renewed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    process = Process(tmp_path, EXPIRES_SOON + timedelta(hours=1))

    def warned(hours: float) -> int:
        caplog.clear()
        process.clock.advance(hours * 3600)
        process.files.current()
        return [record.message for record in caplog.records].count("trust.certificate_expires_soon")

    assert [warned(0), warned(1), warned(1), warned(23)] == [0, 1, 0, 1]
    process.renew(timedelta(days=90))
    assert warned(24) == 0
