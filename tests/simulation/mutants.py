"""Known-bad variants of the product: a simulation that does not catch them proves nothing.

Each replaces methods or functions of the product, for as long as its worlds run, by worse ones. Where one mistake alone
does no harm, because another layer makes up for it, that layer is taken away as well: a refund under a new key for each
try is harmless as long as somebody looks first, and an event that is taken at its word as long as what is settled is
not touched any more. So it is with an answer that was lost and is never looked for, as long as the worker reads what is
open. Some mistakes do no harm here at all, and are not in the list: a new key for each confirmation or each capture,
because Stripe moves money once for each intent, whatever the key; and a charge that begins however late it is, because
every try of an order's charge is under the order's own key, and no order is given up before its charge has been
answered.

Some mistakes matter only where several things come together that a seed seldom draws. Those name the path on which
they do, with what goes wrong there besides; it is played first.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from chassis.storage.view import View
from notify_svc.adapters.notifications_store import NotificationsStore
from notify_svc.domain import sending
from order_svc.adapters import notify_grpc
from order_svc.adapters.orders_store import OrdersStore
from order_svc.adapters.payment_grpc import GrpcPayments
from order_svc.adapters.webhook_announcer import Announcer
from order_svc.app import command, confirm, driver, fulfil, outbox, webhook_sender
from order_svc.app.mail_news import MailNewsWatcher
from order_svc.app.news import NewsWatcher
from order_svc.app.outbox import Outbox
from order_svc.app.sweeper import Sweeper
from order_svc.domain import commands, hold, news, refunding, saga, transition
from order_svc.domain.refund import Refund
from payment_svc.adapters import stripe_events
from payment_svc.adapters.payments_store import StoredPayments
from payment_svc.adapters.stripe_events import StripeEvents
from payment_svc.app import events, refund
from payment_svc.app.attempt import Attempts
from payment_svc.app.charge import ChargePayment
from payment_svc.app.disputes import Disputes
from payment_svc.app.events import ApplyEvent
from payment_svc.app.manage import CancelPayment
from payment_svc.app.ports import Found
from payment_svc.app.refund import Refunds
from payment_svc.app.settlement import Settlement
from tax_svc import wire as tax_wire
from tax_svc.app.commit import CommitTax
from tests.simulation import mistakes, mistakes_afterwards
from tests.simulation.mistakes import Mutation
from tests.simulation.paths import PATHS
from tests.simulation.run import Result, run
from tests.simulation.script import Cue, play


class Mutant:
    """A variant.

    Args:
        name: What is wrong with it.
        changes: What is replaced: the class or module that it belongs to, its name there, and what makes it worse.
        on: Where it is sure to do harm: the name of a path.
        cues: What goes wrong there besides.
        seed: Of the path.
    """

    def __init__(
        self, name: str, *changes: tuple[Any, str, Mutation], on: str = "", cues: Sequence[str] = (), seed: int = 1
    ) -> None:
        self.name = name
        self.on = on
        self._changes = changes
        self._cues = [Cue.parsed(each) for each in cues]
        self._seed = seed

    def directed(self) -> Result | None:
        """Return what becomes of the path on which the mistake does harm; None where none is named."""
        if not self.on:
            return None
        (path,) = (each for each in PATHS if each.name == self.on)
        return play(path, self._cues, self._seed).result

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Have the product be worse."""
        with ExitStack() as stack:
            for owner, attribute, mutation in self._changes:
                good = getattr(owner, attribute)
                stack.callback(setattr, owner, attribute, good)
                setattr(owner, attribute, mutation(good))
            yield


@dataclass(frozen=True, slots=True)
class Caught:
    """A variant that broke a promise.

    Attributes:
        result: The world in which it did.
        worlds: How many it took, that one included.
        on: The name of the path, where it was one.
    """

    result: Result
    worlds: int
    on: str = ""


def caught(mutant: Mutant, seeds: range) -> Caught | None:
    """Return the first world that breaks a promise with the variant; None when none of them does."""
    with mutant.in_place():
        directed = mutant.directed()
        if directed is not None and directed.violations:
            return Caught(directed, 1, mutant.on)
        for number, seed in enumerate(seeds, start=1):
            if (result := run(seed, to_the_end=False)).violations:
                return Caught(result, number + (directed is not None))
    return None


MUTANTS = (
    Mutant("orders: an idempotency key is not kept", (OrdersStore, "create", mistakes.key_is_not_kept)),
    Mutant("orders: acknowledged before the commit", (OrdersStore, "create", mistakes.in_the_background)),
    Mutant("orders: a new order's commit in doubt counts as done", (OrdersStore, "create", mistakes.doubt_is_success)),
    Mutant("orders: a move's commit in doubt counts as done", (OrdersStore, "move", mistakes.doubt_is_success)),
    Mutant("orders: a move without its journal entry", (OrdersStore, "move", mistakes.no_journal)),
    Mutant("storage: no guard holds (no compare-and-set)", (View, "failed_guard", mistakes.always(None))),
    Mutant("saga: an unknown charge counts as failed", (GrpcPayments, "charge", mistakes.unknown_is_failure)),
    Mutant("saga: a payment counts as given up unasked", (GrpcPayments, "cancel", mistakes.cancelled_unasked)),
    Mutant("saga: a late success is ignored", (saga, "_money_taken", mistakes.always(value=False))),
    Mutant("saga: a paid order leaves no tasks", (driver, "after_charge", mistakes.no_tasks)),
    Mutant("saga: the mail is due before the charge", (driver, "after_quote", mistakes.mail_too_early)),
    Mutant("saga: told before it is written", (driver.Driver, "_written", mistakes.told_before_written)),
    Mutant("sweeper: does nothing", (Sweeper, "sweep", mistakes.soon(value=False))),
    Mutant("outbox: an unknown outcome counts as done", (Outbox, "_call", mistakes.unknown_is_done)),
    Mutant("outbox: done without asking", (Outbox, "_call", mistakes.never_asked)),
    Mutant(
        "payments: money moves before the intent's id is stored", (StoredPayments, "add", mistakes.in_the_background)
    ),
    Mutant("payments: an earlier payment is not found", (StoredPayments, "by_order", mistakes.soon(Found(None, None)))),
    Mutant("tax: an unknown record counts as done", (CommitTax, "_record", mistakes.recorded_anyway)),
    Mutant("mail: a lost answer counts as sent", (sending, "lost", mistakes.lost_is_sent)),
    Mutant("mail: the first event decides", (sending, "observed", mistakes.first_event_decides)),
    Mutant(
        "mail: attempts are not bounded",
        (sending, "exhausted", mistakes.always(value=False)),
        (sending, "_WAITS_AFTER_LOST", mistakes.without_end),
    ),
    Mutant("orders: tasks are not in the commit of the payment", (OrdersStore, "move", mistakes.tasks_later)),
    Mutant("orders: a refund that was asked for counts as made", (GrpcPayments, "refund", mistakes.asked_is_refunded)),
    Mutant("saga: the tax is committed before the charge", (driver, "after_quote", mistakes.taxed_too_early)),
    Mutant("news: acknowledged before it is taken in", (NewsWatcher, "_taken_in", mistakes.acknowledged_first)),
    Mutant("news: nobody listens", (NewsWatcher, "look", mistakes.soon(value=True))),
    Mutant("payments: created and confirmed in one", (ChargePayment, "_intent", mistakes.created_and_confirmed)),
    Mutant("payments: a stored error counts as a decline", (Attempts, "_confirm", mistakes.stored_error_is_decline)),
    Mutant(
        "payments: a lost answer is looked for by nobody",
        (Attempts, "_look", mistakes.soon(None)),
        (Settlement, "read", mistakes.unread),
    ),
    Mutant(
        "payments: a refund under a new key each try, and nobody looks first",
        (refund, "refund_key", mistakes.new_each_time),
        (Refunds, "_look", mistakes.soon(None)),
    ),
    Mutant(
        "payments: a refund is not looked at once it is made",
        (Refunds, "next_look", mistakes.always(None)),
        (events, "_may_learn", mistakes.always(value=False)),
    ),
    Mutant("events: answered before they are stored", (StoredPayments, "add_event", mistakes.in_the_background)),
    Mutant(
        "events: the payload says what is true",
        (ApplyEvent, "_read", mistakes.taken_from_the_payload),
        (events, "_may_learn", mistakes.always(value=True)),
    ),
    Mutant(
        "events: each one of a refund counts, twice if it comes twice",
        (ApplyEvent, "_read", mistakes.each_event_counts),
    ),
    Mutant("events: believed whoever signed them", (StripeEvents, "read", mistakes.believed)),
    Mutant("events: a signature is good for ever", (stripe_events, "_TOLERANCE_SECONDS", mistakes.at_any_time)),
    Mutant("mail: accepted before it is stored", (NotificationsStore, "add", mistakes.in_the_background)),
    Mutant("mail: sent again after SendGrid has taken it", (sending, "sent", mistakes.sent_and_due_again)),
    # What a shop does with its orders afterwards.
    Mutant("refunds: all of an order under one key", (driver, "_give_back_key", mistakes_afterwards.one_number)),
    Mutant(
        "refunds: one by hand is taken in twice",
        (news, "with_payment", mistakes_afterwards.by_hand_is_new_each_time),
        (refunding, "with_payment", mistakes_afterwards.by_hand_is_new_each_time),
    ),
    Mutant("refunds: one that failed counts as given back", (Refund, "counts", mistakes_afterwards.always_counts)),
    Mutant(
        "refunds: told before Stripe has taken them",
        (news, "follow_ups", mistakes_afterwards.told_before_it_is_made),
        (refunding, "follow_ups", mistakes_afterwards.told_before_it_is_made),
        (outbox, "_untrue", mistakes.always(None)),
        on="refunded whole",
        cues=("lost_request@stripe.refund#1",),
    ),
    Mutant(
        "refunds: no document takes back what was sold",
        (news, "follow_ups", mistakes_afterwards.no_refund_tax),
        (refunding, "follow_ups", mistakes_afterwards.no_refund_tax),
    ),
    Mutant(
        "payments: what was given back by hand is not looked for",
        (Refunds, "_taken_in", mistakes_afterwards.as_it_was),
        on="refunded by hand",
    ),
    Mutant(
        "payments: what comes along with money that was taken is forgotten",
        (transition, "as_taken", mistakes_afterwards.nothing_comes_along),
        (hold, "as_taken", mistakes_afterwards.nothing_comes_along),
        on="held, taken, and given back by hand before it was heard of",
    ),
    Mutant(
        "captures: all is taken though the rest was let go", (driver, "capture_amount", mistakes_afterwards.all_of_it)
    ),
    Mutant("holds: one that lapsed counts as taken", (hold, "_lapsed", mistakes_afterwards.lapsed_is_taken)),
    Mutant("shipments: shipped before the money is taken", (fulfil, "ship", mistakes_afterwards.shipped_first)),
    Mutant(
        "cancel: an unanswered charge counts as none",
        (GrpcPayments, "forestall", mistakes_afterwards.forestalled_unasked),
    ),
    Mutant(
        "cancel: forestalled under the key of giving up",
        (GrpcPayments, "forestall", mistakes_afterwards.forestalled_under_the_key_of_giving_up),
        on="cancelled while the bank decides",
    ),
    Mutant(
        "payments: given up before it began, and forgotten",
        (CancelPayment, "of_order", mistakes_afterwards.nothing_is_kept),
        on="cancelled before its charge arrived",
        seed=0,
    ),
    Mutant("confirm: another card under the same attempt", (confirm, "confirm", mistakes_afterwards.same_attempt)),
    Mutant("commands: the etag is ignored", (command, "check_version", mistakes.always(None))),
    Mutant(
        "commands: an idempotency key is not kept", (OrdersStore, "obey", mistakes_afterwards.command_key_is_not_kept)
    ),
    Mutant("commands: done whatever the state", (commands, "_allowed_now", mistakes.always(value=True))),
    Mutant(
        "tax: a return under a code of its own each try",
        (tax_wire, "giveback_from_wire", mistakes_afterwards.own_code_each_try),
        on="refunded whole",
        cues=("lost_answer@avatax.give_back#1",),
    ),
    Mutant("mails: one for each try", (notify_grpc, "_request_id", mistakes.new_each_time)),
    Mutant(
        "webhooks: a lost answer counts as taken",
        (webhook_sender, "after_attempt", mistakes_afterwards.hook_lost_is_taken),
        on="told to the shop's other systems",
        cues=("lost_request@listener.post#1",),
    ),
    Mutant(
        "webhooks: not in the commit of what they tell of",
        (Announcer, "__call__", mistakes.always(())),
        on="told to the shop's other systems",
    ),
    Mutant(
        "disputes: nobody looks for them",
        (Disputes, "_taken_in", mistakes_afterwards.as_it_was),
        on="disputed by the customer's bank",
    ),
    Mutant(
        "disputes: no order shows them",
        (news, "_with_disputes", mistakes_afterwards.as_told),
        on="disputed by the customer's bank",
    ),
    Mutant("mails: nobody hears of those that did not arrive", (MailNewsWatcher, "look", mistakes.soon(None))),
)
