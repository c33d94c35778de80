"""What a client is told that comes without credentials, or with ones that do not count or do not reach."""

from collections.abc import Mapping

from kernel.errors import Reason, Refusal


class Unauthenticated(Refusal):
    """Nobody whom we know.

    Attributes:
        presented: Whether there were credentials, which do not count.
    """

    def __init__(self, message: str, *, presented: bool) -> None:
        super().__init__(Reason.UNAUTHENTICATED, message)
        self.presented = presented


def challenge(refusal: Refusal) -> Mapping[str, str]:
    """Return the header that tells a client what to come back with, as RFC 6750 has it."""
    if refusal.reason is Reason.UNAUTHENTICATED:
        wrong = ', error="invalid_token"' if isinstance(refusal, Unauthenticated) and refusal.presented else ""
        return {"WWW-Authenticate": f'Bearer realm="ordermesh"{wrong}'}
    scope = refusal.metadata.get("scope", "")
    if refusal.reason is Reason.PERMISSION_DENIED and scope:
        return {"WWW-Authenticate": f'Bearer realm="ordermesh", error="insufficient_scope", scope="{scope}"'}
    return {}
