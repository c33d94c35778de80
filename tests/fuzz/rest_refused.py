"""What a request that keeps to the OpenAPI document may still be refused for: rules that are no shapes, by operation.

Everywhere else schemathesis's check `positive_data_acceptance` holds as it is: what fits the document is accepted, or
there is no such thing (404), or what there is does not allow it (409).
"""

from dataclasses import dataclass

# The check's own, without what it lets pass besides: 401 and 403, as nothing needs credentials here, and 5xx.
_ACCEPTED = ("2xx", "3xx", "404", "409", "429")


@dataclass(frozen=True, slots=True)
class Refused:
    """Operations that share a rule.

    Attributes:
        operations: By method and path.
        statuses: What they are answered besides.
        why: The rule.
    """

    operations: tuple[str, ...]
    statuses: tuple[str, ...]
    why: str


_ORDER = "/api/v1/orders/{order_id}"

REFUSED = (
    Refused(
        tuple(
            f"GET /api/v1/{name}"
            for name in ("notifications", "orders", "payments", "taxDocuments", "webhookDeliveries")
        ),
        ("400",),
        "page_token has to be one that we have given; orders: only some filters go together, and a time before another",
    ),
    Refused(
        ("POST /api/v1/orders",),
        ("400", "402"),
        "currencies are those of ISO 4217, one per order; addresses exist; no card numbers; the card may be declined",
    ),
    Refused(
        ("POST /api/v1/orders:quote", "POST /api/v1/addresses:resolve"),
        ("400",),
        "currencies are those of ISO 4217, one per order; addresses exist",
    ),
    Refused(
        ("POST /api/v1/notifications:preview",),
        ("400",),
        "currencies are those of ISO 4217, one per mail; each kind of mail needs its own facts",
    ),
    Refused(
        (f"POST {_ORDER}:refund", f"POST {_ORDER}:confirmPayment"),
        ("400", "402", "412"),
        "currencies are those of ISO 4217; what is given back was paid; the card may be declined; another version",
    ),
    Refused(
        tuple(
            f"POST {_ORDER}:{command}"
            for command in ("annotate", "cancel", "deliver", "markReviewed", "retry", "ship", "startProcessing")
        ),
        # If-Match has a pattern, which schemathesis leaves out where it draws a text of a certain length.
        ("400", "412"),
        "the order has another version; what is shipped is in the order; If-Match is one tag in quotes",
    ),
    Refused(
        ("POST /api/v1/webhookEndpoints", "PATCH /api/v1/webhookEndpoints/{endpoint_id}"),
        ("400",),
        "a URL is https, or http to this machine, and leads nowhere inside",
    ),
    Refused(("POST /webhooks/stripe", "POST /webhooks/sendgrid"), ("400",), "the signature is the provider's"),
)


def configuration() -> str:
    """Return the rules as schemathesis's configuration file has them."""
    check = "checks.positive_data_acceptance.expected-statuses"
    lines = ["[checks]", f"positive_data_acceptance.expected-statuses = {list(_ACCEPTED)!r}"]
    for each in REFUSED:
        lines += [f"# {each.why}", "[[operations]]", f"include-name = {list(each.operations)!r}"]
        lines += [f"{check} = {[*_ACCEPTED, *each.statuses]!r}"]
    return "\n".join(lines) + "\n"
