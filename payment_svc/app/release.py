"""Giving up an orphan: a PaymentIntent that carries our ids, and that no payment of ours stands for."""

import uuid

from kernel.clock import Clock
from kernel.errors import Reason, Refusal
from kernel.ids import Ids
from kernel.outcome import Done, NotDone, Unknown
from payment_svc.app.books import ListedPayment, ProviderBooks
from payment_svc.app.contradictions import telling_contradictions
from payment_svc.app.ports import KeySpent, PaymentGateway, PaymentStore, Refused, Request, WrongState
from payment_svc.app.refusals import check_use, unavailable
from payment_svc.domain.errors import Contradiction
from payment_svc.domain.intent import Intent, ProviderRefund, RefundState
from payment_svc.domain.keys import release_key
from payment_svc.domain.payment import PaymentState, payment_id_of
from payment_svc.domain.refund import Refund

# How often to go on from what is read, when others move the intent at the same time or a key is spent.
_TRIES = 4

# Any UUID will do, as long as it never changes: the ids of the refunds of orphans are made from it.
_NAMESPACE = uuid.UUID("0b4c5f2a-7a53-5a0e-8f0b-5b6a4f7d2c11")

# What the table of request keys holds of an id; Stripe's are half as long.
_LONGEST_SUBJECT = 64


class ReleaseOrphan:
    """Gives orphans up: cancels them while no money has moved, and refunds them otherwise.

    Args:
        books: Shows what the provider has.
        gateway: Moves the money.
        store: Knows which payments are ours.
        clock: The present.
        ids: New ids.
    """

    def __init__(
        self, books: ProviderBooks, gateway: PaymentGateway, store: PaymentStore, clock: Clock, ids: Ids
    ) -> None:
        self._books = books
        self._gateway = gateway
        self._store = store
        self._clock = clock
        self._ids = ids

    async def __call__(self, intent_id: str, request: Request) -> ListedPayment:
        """Return the intent as the provider has it now: it holds no money any more.

        Raises:
            Refusal: It is no orphan, or whether it was given up is not known: repeat the request. Or the provider
                refuses for good, and a person has to look.
        """
        key, refused = release_key(request.request_id), ""
        for _ in range(_TRIES):
            orphan = await self._orphan(intent_id, request)
            if orphan is None:
                continue
            if orphan.state is PaymentState.CANCELLED or orphan.captured.minor_units == orphan.refunded.minor_units > 0:
                return orphan
            match await self._let_go(orphan, key):
                case KeySpent():
                    # At most what is left can be given back, whatever the key.
                    key = release_key(f"{request.request_id}:{self._ids.new()}")
                case Unknown(cause, retry_after):
                    raise unavailable(f"Whether it was given up is not known yet ({cause}); repeat it.", retry_after)
                case NotDone(Refused(code)) if code != refused:
                    refused = code  # by itself it may mean that others were first, which is read
                case NotDone(Refused(code)):
                    with telling_contradictions(orphan.order_id):
                        raise Contradiction(f"intent {intent_id} is nobody's and cannot be given up ({code})")
                case NotDone() | Done():
                    pass  # what that made of it is read
        raise unavailable("It is still being given up; repeat the request to learn what it comes to.")

    async def _orphan(self, intent_id: str, request: Request) -> ListedPayment | None:
        """Return the intent, if it is an orphan, once the command's key is kept; None when that has to be seen.

        Our tables are read after the provider: a payment is kept before money can move on its intent, so that money
        which was seen there without a payment here is nobody's.
        """
        listed = await self._listed(intent_id)
        # Others on the account may name their ids as we do; that the one follows from the other they cannot know.
        if not listed.order_id or listed.payment_id != payment_id_of(listed.order_id):
            raise Refusal(Reason.ILLEGAL_STATE, "The PaymentIntent does not carry our ids: it is not ours to give up.")
        found = await self._store.by_order(listed.order_id, request)
        check_use(found, request)
        if await self._store.by_intent(intent_id) is not None:
            raise Refusal(
                Reason.ILLEGAL_STATE,
                "This is one of our payments: cancel or refund it as such.",
                metadata={"orderId": listed.order_id, "paymentId": listed.payment_id},
            )
        if found.use is None and not await self._store.remember(request, intent_id[:_LONGEST_SUBJECT]):
            return None
        return listed

    async def _listed(self, intent_id: str) -> ListedPayment:
        match await self._books.payment(intent_id):
            case NotDone(refused):
                raise Refusal(
                    Reason.PAYMENT_NOT_FOUND,
                    f"Stripe has no such PaymentIntent ({refused.code}).",
                    metadata={"providerPaymentId": intent_id},
                )
            case Unknown(cause, retry_after):
                raise unavailable(f"Stripe cannot be asked now ({cause}); nothing was given up.", retry_after)
            case done:
                return done.value

    async def _let_go(
        self, orphan: ListedPayment, key: str
    ) -> Done[Intent] | Done[ProviderRefund] | NotDone[WrongState | Refused] | NotDone[Refused] | Unknown:
        """Ask for what is to be done with it now, and return the outcome."""
        if not orphan.captured.minor_units:
            return await self._gateway.cancel_intent(orphan.intent_id, f"{key}:cancel")
        now = self._clock.now()
        refund = Refund(
            refund_id=str(uuid.uuid5(_NAMESPACE, key)),
            payment_id=orphan.payment_id,
            state=RefundState.PENDING,
            amount=orphan.captured - orphan.refunded,
            provider_refund_id="",
            send=1,
            created_at=now,
            updated_at=now,
        )
        return await self._gateway.create_refund(orphan.intent_id, refund, f"{key}:refund")
