"""A certificate that is replaced while it is in use: read again when its files change, kept while they are no good."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Generic, Protocol, TypeVar

from chassis.telemetry.metrics import Metrics
from chassis.trust.certificate import BadCertificate
from kernel.clock import Clock

_logger = logging.getLogger(__name__)

# Whoever renews certificates does it long before; from then on somebody has to look. cert-manager renews a certificate
# of 90 days with 30 left.
EXPIRES_SOON = timedelta(days=7)
_REMIND_AFTER = timedelta(days=1)

# When its content, and when its owner or its mode changed last; which file it is; its size.
_Stamp = tuple[tuple[int, int, int, int] | None, ...]


class Expiring(Protocol):
    """A certificate as it was read."""

    @property
    def name(self) -> str:
        """Whom it names, for the log."""
        ...

    @property
    def expires(self) -> datetime:
        """From when on nobody accepts it."""
        ...


C = TypeVar("C", bound=Expiring)


class CertificateFiles(Generic[C]):
    """The certificate in one folder. May be asked from any thread; grpc asks from its own.

    Args:
        folder: Where it lies.
        files: What has to change for it to be read again.
        read: Reads it, given the folder and the time; raises BadCertificate.
        clock: Tells what has expired.
        metrics: Gets to know when the certificate expires.
        use: What it is for: "mesh" or "rest".

    Raises:
        BadCertificate: There is none to begin with.
    """

    def __init__(
        self,
        folder: Path,
        files: Sequence[str],
        read: Callable[[Path, datetime], C],
        clock: Clock,
        metrics: Metrics,
        use: str = "mesh",
    ) -> None:
        self._folder = folder
        self._files = files
        self._read_from = read
        self._clock = clock
        self._metrics = metrics
        self._use = use
        self._lock = Lock()
        self._seen = self._stamp()
        self._current = read(folder, clock.now())
        self._reminded: datetime | None = None
        self._note()

    def current(self) -> C:
        """Return the newest certificate that is any good: the same object until there is another.

        A stat for each file as a rule. A replacement that is not atomic is met halfway at most: the key and the
        certificate do not belong together then, and the earlier pair stays until the files change again.
        """
        with self._lock:
            stamp = self._stamp()
            if stamp != self._seen:
                # Before reading: what is written meanwhile is seen the next time.
                self._seen = stamp
                self._read()
            self._remind()
            return self._current

    def _read(self) -> None:
        try:
            self._current = self._read_from(self._folder, self._clock.now())
        except BadCertificate as error:
            _logger.warning("trust.certificate_refused", extra={"reason": str(error), "kept": self._words()})
        else:
            _logger.info("trust.certificate_read", extra={"certificate": self._words()})
            self._reminded = None
            self._note()

    def _note(self) -> None:
        self._metrics.certificate_expires.set(self._current.expires.timestamp(), self._use)

    def _remind(self) -> None:
        now = self._clock.now()
        if self._current.expires - now > EXPIRES_SOON:
            return
        if self._reminded is None or now - self._reminded >= _REMIND_AFTER:
            self._reminded = now
            _logger.warning("trust.certificate_expires_soon", extra={"certificate": self._words()})

    def _words(self) -> str:
        return f"{self._current.name}, until {self._current.expires:%Y-%m-%d %H:%M} UTC"

    def _stamp(self) -> _Stamp:
        """Return what tells one state of the files from another; links are followed, as Kubernetes swaps those.

        Whoever may not read a file sees it all the same, and has to look again once they may: hence the ctime.
        """
        stamps: list[tuple[int, int, int, int] | None] = []
        for name in self._files:
            try:
                found = (self._folder / name).stat()
            except OSError:
                stamps.append(None)
            else:
                stamps.append((found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_size))
        return tuple(stamps)
