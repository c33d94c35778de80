"""Asking what is wrong with an address."""

from kernel.address import Address
from kernel.outcome import Done, NotDone, Unknown
from tax_svc.app.ports import TaxAuthority
from tax_svc.app.refusals import away, rejected
from tax_svc.domain.resolution import Resolution


class ResolveAddress:
    """Has an address looked at; nothing is kept of it."""

    def __init__(self, authority: TaxAuthority) -> None:
        self._authority = authority

    async def __call__(self, address: Address) -> Resolution:
        """Return what is wrong with the address, and how the post would write it.

        Raises:
            Refusal: UNAVAILABLE while AvaTax cannot be asked; PROVIDER_REFUSED when it does not take the question.
        """
        match await self._authority.resolve(address):
            case Done(resolution):
                return resolution
            case NotDone(rejection):
                raise rejected(rejection)
            case Unknown() as unknown:
                raise away("AvaTax could not be asked about the address", unknown)
