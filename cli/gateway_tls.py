"""How the command knows the gateway: by the very certificate that it shows, where that lies on this machine."""

import ssl
from pathlib import Path

from cli.failures import Failure


def trusting(folder: Path | None) -> ssl.SSLContext | bool:
    """Return what accepts the certificate in the folder, whatever address it is asked at and whoever signed it.

    Without a folder that is what is signed by an authority which everybody trusts.

    Raises:
        Failure: There is none.
    """
    if folder is None:
        return True
    from chassis.trust.certificate import CHAIN  # noqa: PLC0415  (a probe without TLS need not load a library for it)

    try:
        context = ssl.create_default_context(cafile=str(folder / CHAIN))
    except (OSError, ssl.SSLError) as error:
        raise Failure(f"{folder / CHAIN} holds no certificate: {error.strerror}.") from None
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context
