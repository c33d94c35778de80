"""Keeping a command's key before the command is carried out: done again, it changes nothing more."""

from payment_svc.app.ports import PaymentStore, Request
from payment_svc.app.refusals import check_use, payment_not_found, unavailable
from payment_svc.domain.payment import Payment

# How often to start over after another writer was first.
_TRIES = 4


async def claimed(store: PaymentStore, payment_id: str, request: Request) -> Payment:
    """Return the payment that a command is about, once the command's key is kept.

    Raises:
        Refusal: There is no such payment, or the key was used for another request.
    """
    for _ in range(_TRIES):
        found = await store.by_id(payment_id, request)
        check_use(found, request)
        if found.payment is None:
            raise payment_not_found(payment_id)
        if found.use is not None or await store.remember(request, payment_id):
            return found.payment
    raise unavailable("The request could not be kept; try again.")
