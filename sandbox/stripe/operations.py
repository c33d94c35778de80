"""The table of Stripe's operations: address, handler, and what is refused before anything begins."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.exchange import Operation
from sandbox.stripe.books import Books, Context
from sandbox.stripe.charges import Charges
from sandbox.stripe.confirmation import Confirmation
from sandbox.stripe.customers import Customers
from sandbox.stripe.disputes import Disputes
from sandbox.stripe.intents import PaymentIntents
from sandbox.stripe.lists import Lists
from sandbox.stripe.payment_methods import PaymentMethods
from sandbox.stripe.refunds import Refunds

Json = dict[str, Any]
Handler = Callable[[Json, Json, Context], Json]
"""Takes parameters, path arguments and context; returns the object to answer with."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One operation."""

    operation: Operation
    handler: Handler
    precheck: Callable[[Json], None] | None = None
    """What is refused before the request begins, beyond its schema: such answers no idempotency key remembers."""


def stripe_operations(books: Books, lists: Lists, intents: PaymentIntents, methods: PaymentMethods) -> list[Entry]:
    """Return every operation."""
    refunds = Refunds(books)
    customers = Customers(books)

    def read(kind: str, param: str) -> Handler:
        return lambda _params, args, _context: books.need(kind, args["id"], param=param)

    return [
        _post("payment_intents.create", "/v1/payment_intents", intents.create, intents.check_create),
        _list("payment_intents.list", "/v1/payment_intents", lists.payment_intents),
        _list("payment_intents.search", "/v1/payment_intents/search", lists.search_payment_intents),
        _get("payment_intents.retrieve", "/v1/payment_intents/{id}", read("payment_intent", "intent")),
        _post("payment_intents.update", "/v1/payment_intents/{id}", intents.update),
        _post("payment_intents.confirm", "/v1/payment_intents/{id}/confirm", intents.confirm),
        _post("payment_intents.capture", "/v1/payment_intents/{id}/capture", intents.capture),
        _post("payment_intents.cancel", "/v1/payment_intents/{id}/cancel", intents.cancel),
        _post("refunds.create", "/v1/refunds", refunds.create, refunds.check_create),
        _list("refunds.list", "/v1/refunds", lists.refunds),
        _get("refunds.retrieve", "/v1/refunds/{id}", read("refund", "refund")),
        _list("disputes.list", "/v1/disputes", lists.disputes),
        _get("disputes.retrieve", "/v1/disputes/{id}", read("dispute", "dispute")),
        _post("disputes.close", "/v1/disputes/{id}/close", Disputes(books).close),
        _get("charges.retrieve", "/v1/charges/{id}", read("charge", "id")),
        _list("events.list", "/v1/events", lists.events),
        _get("events.retrieve", "/v1/events/{id}", read("event", "id")),
        _post("customers.create", "/v1/customers", customers.create),
        _get("customers.retrieve", "/v1/customers/{id}", read("customer", "id")),
        _post("payment_methods.create", "/v1/payment_methods", methods.create),
        _get("payment_methods.retrieve", "/v1/payment_methods/{id}", read("payment_method", "payment_method")),
        _post("payment_methods.attach", "/v1/payment_methods/{id}/attach", methods.attach),
        _post("payment_methods.detach", "/v1/payment_methods/{id}/detach", methods.detach),
    ]


def _post(name: str, path: str, handler: Handler, precheck: Callable[[Json], None] | None = None) -> Entry:
    return Entry(Operation(name, "POST", path), handler, precheck)


def _get(name: str, path: str, handler: Handler) -> Entry:
    return Entry(Operation(name, "GET", path), handler)


def _list(name: str, path: str, handler: Handler) -> Entry:
    return Entry(Operation(name, "GET", path, lists=True), handler)


def wire(books: Books) -> tuple[PaymentMethods, PaymentIntents]:
    """Return the PaymentMethods and PaymentIntents over these books."""
    methods, charges = PaymentMethods(books), Charges(books)
    return methods, PaymentIntents(books, methods, charges, Confirmation(books, charges))
