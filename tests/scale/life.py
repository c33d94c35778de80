"""What the services ask of their tables: for one order from its first commit to its end, and beside all orders.

The adapters are the product's own. What stands between them in a mesh, providers and calls, is left out: what is
measured and explained here is storage.
"""

from dataclasses import replace
from datetime import timedelta

from kernel.money import Money
from kernel.request import Request
from notify_svc.domain import sending
from order_svc.app.ports import OrderFilter
from order_svc.app.webhook_ports import DeliveryFilter, HookCommand
from order_svc.domain.commands import Command
from order_svc.domain.draft import Terms
from order_svc.domain.order import Alert, Order, Stage, State
from order_svc.domain.task import NewTask, Task, TaskKind
from order_svc.domain.tax import Recorded
from order_svc.domain.transition import Transition
from order_svc.domain.webhook_delivery import DeliveryState
from payment_svc.app.ports import ProviderEvent
from payment_svc.app.ports import Request as PaymentRequest
from payment_svc.domain.dispute import Dispute, DisputeState
from payment_svc.domain.intent import RefundState
from payment_svc.domain.payment import Payment, PaymentState
from payment_svc.domain.refund import Refund
from tax_svc.app.ports import Command as TaxCommand
from tax_svc.app.ports import Listed, Use
from tax_svc.domain.document import Document, DocumentKind, DocumentState
from tests.fakes import notify_samples
from tests.fakes.order_samples import a_draft, a_payment, an_event, an_order
from tests.fakes.webhook_samples import an_endpoint
from tests.scale.shelf import CLOCK, IDS, Shelf

_LEASE = 60.0
_TASKS = (TaskKind.COMMIT_TAX, TaskKind.SEND_CONFIRMATION)


def _any() -> str:
    """Return what sorts anywhere among its like, as the keys of callers and the ids of providers do."""
    return IDS.new()[::-1]


async def listen(shelf: Shelf) -> None:
    """Have one endpoint hear of all orders."""
    await shelf.endpoints.add(an_endpoint(), Request("local", "listen", "f" * 64), 100)


async def pattern(shelf: Shelf) -> None:
    """Take one order through all that orders go through, for the tables to be filled with its like."""
    await listen(shelf)
    order = await live(shelf)
    await _refunded(shelf, order)
    (payment,) = await shelf.payments.page(order.order_id, None, 1)
    dispute = Dispute("du_1", DisputeState.LOST, Money("EUR", 100), "fraudulent", None, CLOCK.now())
    disputed = replace(payment, version=payment.version + 1, disputes=(dispute,))
    assert await shelf.payments.save_dispute(disputed, dispute, new=True)


async def live(shelf: Shelf) -> Order:
    """Take an order through its life: placed, paid, its mail and its tax, shipped, delivered; and what others hear."""
    order = await _placed(shelf)
    await _charged(shelf, order)
    order = await _move(shelf, order, "payment.charged", Stage.SETTLED, State.PAID, *_TASKS)
    await _done(shelf, order)
    for state in (State.PROCESSING, State.SHIPPED, State.DELIVERED):
        order = await _command(shelf, order, f"order.{state.value.lower()}", state)
    await shelf.orders.get(order.order_id)
    await _told(shelf)
    return order


async def _placed(shelf: Shelf) -> Order:
    now = CLOCK.now()
    order_id, draft = IDS.new(), a_draft()
    terms = Terms(reference=f"shop-{order_id[:13]}")
    order = an_order(order_id=order_id, draft=draft, terms=terms, created_at=now, updated_at=now)
    key = Request("local", f"place-{_any()}", "f" * 64)
    assert await shelf.orders.find(key) is None
    assert await shelf.orders.create(order, key, an_event(order), _LEASE)
    quoted = an_order(Stage.CHARGING).tax
    return await _move(shelf, replace(order, tax=quoted), "tax.quoted", Stage.CHARGING, State.PENDING)


async def _charged(shelf: Shelf, order: Order) -> None:
    """Do what the payment service does for a charge."""
    request = PaymentRequest("order", "ChargePayment", f"charge-{order.order_id}", "f" * 64)
    assert (await shelf.payments.by_order(order.order_id, request)).payment is None
    now = CLOCK.now()
    nothing, amount = Money("EUR", 0), Money("EUR", 7076)
    payment = Payment(
        payment_id=IDS.new(),
        order_id=order.order_id,
        version=1,
        state=PaymentState.PENDING,
        amount=amount,
        captured=nothing,
        refunded=nothing,
        intent_id=f"pi_{_any()}",
        attempt=1,
        payment_method="pm_card_visa",
        past_failure="",
        decline=None,
        created_at=now,
        updated_at=now,
        trace="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )
    assert await shelf.payments.add(payment, now + timedelta(seconds=30), request)
    paid = replace(payment, version=2, state=PaymentState.SUCCEEDED, captured=amount)
    assert await shelf.payments.save(paid, None)
    assert await shelf.payments.by_intent(payment.intent_id) is not None
    event = ProviderEvent(f"evt_{_any()}", "payment_intent.succeeded", payment.intent_id)
    assert await shelf.payments.add_event(event, now, now)
    await shelf.payments.applied(event.event_id)


async def _done(shelf: Shelf, order: Order) -> None:
    """Do what follows from a paid order: its tax document and its mail, and note that they are there."""
    use = Use(TaxCommand.COMMIT, Request("order", f"tax-{order.order_id}", "f" * 64))
    tax, now = Money("EUR", 1179), CLOCK.now()
    assert (await shelf.documents.earlier(use, order.order_id)).document is None
    document = Document(
        code=order.order_id,
        order_id=order.order_id,
        kind=DocumentKind.SALE,
        state=DocumentState.COMMITTED,
        recorded_tax=tax,
        charged_tax=tax,
        booked_on=now.date(),
        created_at=now,
    )
    assert await shelf.documents.add(use, document)
    recorded = Task(order.order_id, TaskKind.COMMIT_TAX, 2, 1, None, done=True, result=order.order_id)
    event = an_event(order, "tax.committed", cause="outbox")
    await shelf.orders.finish_task(recorded, event, Recorded(order.order_id, Money("EUR", 0)))

    mail = sending.begun(
        notify_samples.notification(now, notification_id=IDS.new(), summary=notify_samples.summary(order.order_id)), now
    )
    assert await shelf.notifications.add(Request("order", f"mail-{order.order_id}", "f" * 64), mail)
    assert await shelf.notifications.update(mail, sending.sent(mail, "message-1", now))
    heard = notify_samples.event("delivered", mail.notification_id, event_id=f"sg-{_any()}")
    assert await shelf.notifications.ingest([heard]) == 1
    accepted = Task(order.order_id, TaskKind.SEND_CONFIRMATION, 2, 1, None, done=True, result=mail.notification_id)
    await shelf.orders.finish_task(accepted, an_event(order, "mail.accepted", cause="outbox"))


async def _told(shelf: Shelf) -> None:
    """Share out what was told, and deliver it."""
    await shelf.deliveries.pending()
    await shelf.deliveries.share_out(100)
    for parcel in await shelf.deliveries.claim(8, {}, _LEASE):
        version = parcel.delivery.version + 1
        done = replace(parcel.delivery, version=version, state=DeliveryState.DELIVERED, due_at=None, attempts=1)
        await shelf.deliveries.finish(done)


async def _move(shelf: Shelf, order: Order, kind: str, stage: Stage, state: State, *tasks: TaskKind) -> Order:
    payment = a_payment(order.total, order_id=order.order_id) if state is State.PAID and order.total else order.payment
    after = replace(order, stage=stage, state=state, payment=payment, version=order.version + 1, fence=order.fence + 1)
    transition = Transition(after, kind, {}, tuple(NewTask(each) for each in tasks))
    await shelf.orders.move(transition, an_event(after, kind), _LEASE)
    return after


async def _command(shelf: Shelf, order: Order, kind: str, state: State) -> Order:
    after = replace(order, state=state, version=order.version + 1, fence=order.fence + 1)
    command, request = Command.ANNOTATE, Request("local", f"{kind}-{_any()}", "f" * 64)
    assert await shelf.orders.find(request, command) is None
    assert await shelf.orders.obey(command, request, Transition(after, kind, {}), an_event(after, kind))
    return after


async def look_around(shelf: Shelf, order: Order) -> None:
    """Ask everything that is asked beside the life of an order: lists with every filter, and background work."""
    await _lists(shelf, order)
    await _background(shelf, order)
    await _refunded(shelf, order)
    use = Use(TaxCommand.VOID, Request("order", f"void-{order.order_id}", "f" * 64))
    assert await shelf.documents.void(use, order.order_id)
    await _annotated(shelf, order)


async def _lists(shelf: Shelf, order: Order) -> None:
    customer, at = order.draft.customer.customer_id, CLOCK.now() - timedelta(days=100)
    reference = order.terms.reference
    wanted = [
        OrderFilter(),
        OrderFilter(customer_id=customer),
        OrderFilter(needs_review=True),
        OrderFilter(created_from=at),
        OrderFilter(created_before=at),
        OrderFilter(created_from=at, created_before=at + timedelta(days=1)),
        OrderFilter(reference_prefix=reference),
        OrderFilter(tax_differs=True),
        OrderFilter(alerted=True),
        OrderFilter(customer_id=customer, state=State.PAID),
        OrderFilter(customer_id=customer, created_before=at),
        OrderFilter(state=State.DELIVERED, created_before=at),
        *(OrderFilter(state=state) for state in State),
    ]
    for each in wanted:
        await shelf.orders.page(each, "", 50)
        await shelf.orders.page(each, order.order_id, 50)
    await shelf.orders.journal(order.order_id)
    await shelf.orders.standings({order.order_id})
    for log in (
        DeliveryFilter(),
        DeliveryFilter(order_id=order.order_id),
        DeliveryFilter(endpoint_id=(await shelf.endpoints.endpoints())[0].endpoint_id),
        *(DeliveryFilter(state=state) for state in DeliveryState),
    ):
        await shelf.deliveries.page(log, "", 50)
    for place in (None, (at, order.order_id)):
        await shelf.payments.page("", place, 50)
        await shelf.payments.page("", place, 50, disputed=True)
        await shelf.documents.listed(Listed("", differing=False, after=place, limit=50))
        await shelf.documents.listed(Listed("", differing=True, after=place, limit=50))
    await shelf.payments.page(order.order_id, None, 50)
    await shelf.documents.listed(Listed(order.order_id, differing=False, after=None, limit=50))
    await shelf.documents.of_order(order.order_id)
    await shelf.notifications.page(order.order_id, "", 50)
    await shelf.notifications.page("", "", 50)


async def _background(shelf: Shelf, order: Order) -> None:
    now = CLOCK.now()
    (endpoint,) = await shelf.endpoints.endpoints()
    for before, disabled in ((endpoint, True), (replace(endpoint, disabled=True), False)):
        request = Request("local", f"alter-{_any()}", "f" * 64)
        after = replace(before, disabled=disabled)
        assert await shelf.endpoints.alter(before, after, request, HookCommand.UPDATE, endpoint.endpoint_id)
    await shelf.orders.release_own()
    await shelf.deliveries.release_own()
    await shelf.orders.due()
    await shelf.orders.claim_orders(50, _LEASE)
    await shelf.orders.claim_tasks(50, _LEASE)
    await shelf.orders.backlog()
    await shelf.orders.counted(now - timedelta(minutes=1), 10_000)
    await shelf.deliveries.backlog()
    await shelf.payments.news(50)
    await shelf.payments.open_disputes()
    for payment in await shelf.payments.due_payments(now, 50):
        await shelf.payments.take_payment(payment.payment_id, now, now + timedelta(days=400))
    for _, refund in await shelf.payments.due_refunds(now, 50):
        await shelf.payments.take_refund(refund.refund_id, now, None)
    for event, _ in await shelf.payments.due_events(now, 50):
        await shelf.payments.take_event(event.event_id, now, now + timedelta(days=400))
    await shelf.notifications.next_due()
    await shelf.notifications.claim(16)
    await shelf.notifications.backlog()
    for mail in await shelf.notifications.news(50):
        await shelf.notifications.heard(mail.notification_id, mail.version)
    await shelf.notifications.page(order.order_id, "", 50)


async def _refunded(shelf: Shelf, order: Order) -> None:
    """Give some of the money of an order back."""
    now = CLOCK.now()
    request = PaymentRequest("order", "RefundPayment", f"refund-{order.order_id}", "f" * 64)
    (payment,) = await shelf.payments.page(order.order_id, None, 1)
    found = await shelf.payments.by_id(payment.payment_id, request)
    assert found.payment is not None
    refund = Refund(IDS.new(), payment.payment_id, RefundState.PENDING, Money("EUR", 400), "", 1, now, now)
    after = replace(payment, version=payment.version + 1, refunded=Money("EUR", 400), refunds=(refund,))
    assert await shelf.payments.add_refund(after, refund, now, request)
    made = replace(refund, state=RefundState.SUCCEEDED, provider_refund_id=f"re_{order.order_id}")
    last = replace(after, version=after.version + 1, refunds=(made,), news_at=now)
    assert await shelf.payments.save_refund(last, made, None)
    assert await shelf.payments.heard(last.payment_id, last.version)


async def _annotated(shelf: Shelf, order: Order) -> None:
    """Leave an order to a person, with a mail that did not arrive."""
    story = await shelf.orders.journal(order.order_id)
    assert story is not None
    now = CLOCK.now()
    alert = Alert("mail.bounced", "n-1", "It bounced.", now)
    after = replace(
        story.order, alerts=(alert,), version=story.order.version + 1, fence=story.order.fence + 1, needs_review=True
    )
    task = NewTask(TaskKind.SEND_REFUNDED, 1)
    await shelf.orders.move(Transition(after, "mail.bounced", {}, (task,), parked=True), an_event(after), 0.0)
    refused = Task(order.order_id, TaskKind.SEND_REFUNDED, 2, 1, None, number=1, last_error="PROVIDER_REFUSED")
    await shelf.orders.refuse_task(refused, an_event(after, "mail.refused:1"))
