"""Customers: as much as attaching a card needs."""

from typing import Any

from sandbox.stripe.books import Books, Context

Json = dict[str, Any]

_TEXTS = ("description", "email", "name", "phone")


class Customers:
    """The operations on Customers."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def create(self, params: Json, args: Json, context: Context) -> Json:
        """POST /v1/customers."""
        customer = {
            "id": self._books.new_id("cus"),
            "object": "customer",
            "address": params.get("address") or None,
            "balance": params.get("balance", 0),
            "created": self._books.now(),
            "currency": None,
            "default_source": None,
            "delinquent": False,
            "discount": None,
            "invoice_settings": {
                "custom_fields": None,
                "default_payment_method": None,
                "footer": None,
                "rendering_options": None,
            },
            "livemode": False,
            "metadata": params.get("metadata") or {},
            "preferred_locales": params.get("preferred_locales", []),
            "shipping": params.get("shipping") or None,
            "tax_exempt": params.get("tax_exempt") or "none",
            "test_clock": None,
            **{name: params.get(name) for name in _TEXTS},
        }
        self._books.save(customer)
        return customer
