"""The product without its provider calls: the services as they ship, on providers that answer at once from memory.

`python -m bench.instant tax|payment|notify` runs one service like this; order_svc calls no provider and runs as it is.
"""

import chassis.process  # noqa: F401  # isort: skip  (settings that grpc reads when it is imported)

import sys
import uuid
from collections.abc import Callable
from datetime import date

from bench.config import environment
from chassis.service import Running, run_alone
from chassis.telemetry.setup import Telemetry
from kernel.address import Address
from kernel.money import Money
from kernel.outcome import Done, NotDone
from notify_svc.__main__ import running as notify
from notify_svc.config import NotifyConfig
from notify_svc.domain.notification import Notification
from payment_svc.__main__ import running as payment
from payment_svc.app.ports import Refused
from payment_svc.config import PaymentConfig
from payment_svc.domain.dispute import Dispute
from payment_svc.domain.intent import Intent, IntentStatus, Manner, NewIntent, ProviderRefund
from payment_svc.domain.refund import Refund
from tax_svc.__main__ import running as tax
from tax_svc.app.ports import RecordedPage
from tax_svc.config import TaxConfig
from tax_svc.domain.basis import Basis
from tax_svc.domain.document import Recorded
from tax_svc.domain.giveback import Giveback
from tax_svc.domain.quote import Quote, Source, TaxLine
from tax_svc.domain.resolution import Resolution

_TODAY = date(2026, 1, 1)


class InstantTaxes:
    """Knows every tax: one dollar a line."""

    async def quote(self, basis: Basis) -> Done[Quote]:
        """Return the tax."""
        lines = [TaxLine(line.line_id, Money(basis.currency_code, 100)) for line in basis.lines]
        return Done(Quote.of(Source.AVATAX, lines, basis.currency_code))

    async def record(self, order_id: str, basis: Basis) -> Done[Recorded]:
        """Return the tax that was quoted."""
        return Done(Recorded(Money(basis.currency_code, 100 * len(basis.lines)), _TODAY))

    async def give_back(self, giveback: Giveback, sold_on: date) -> Done[Recorded]:
        """Return the tax that is given back."""
        return Done(Recorded(giveback.tax() * -1, _TODAY))

    async def void(self, order_id: str) -> Done[Recorded | None]:
        """Return nothing: no record is kept."""
        return Done(None)

    async def resolve(self, address: Address) -> Done[Resolution]:
        """Return the address: all are good."""
        return Done(Resolution(address, ()))

    async def list_recorded(self, skip: int, limit: int) -> Done[RecordedPage]:
        """Return nothing: no record is kept."""
        return Done(RecordedPage((), has_more=False))


class InstantPayments:
    """Takes every payment, and remembers the intents that are not confirmed yet."""

    def __init__(self) -> None:
        self._intents: dict[str, NewIntent] = {}

    async def create_intent(self, intent: NewIntent, key: str) -> Done[Intent]:
        """Make the intent."""
        intent_id = f"pi_{intent.order_id}"
        self._intents[intent_id] = intent
        return Done(_intent(intent_id, intent, IntentStatus.UNCONFIRMED, Money.zero(intent.amount.currency_code)))

    async def confirm_intent(
        self, intent_id: str, payment_method: str, key: str, manner: Manner | None = None
    ) -> Done[Intent]:
        """Take the money."""
        intent = self._intents.pop(intent_id)
        return Done(_intent(intent_id, intent, IntentStatus.SUCCEEDED, intent.amount))

    async def read_intent(self, intent_id: str) -> NotDone[Refused]:
        """Refuse: nothing is ever unknown here."""
        return NotDone(Refused("resource_missing"))

    async def cancel_intent(self, intent_id: str, key: str) -> NotDone[Refused]:
        """Refuse: nothing is ever cancelled here."""
        return NotDone(Refused("resource_missing"))

    async def create_refund(self, intent_id: str, refund: Refund, key: str) -> NotDone[Refused]:
        """Refuse: nothing is ever refunded here."""
        return NotDone(Refused("resource_missing"))

    async def capture_intent(self, intent_id: str, amount: Money, key: str) -> NotDone[Refused]:
        """Refuse: nothing is ever held here."""
        return NotDone(Refused("resource_missing"))

    async def list_refunds(self, intent_id: str) -> Done[list[ProviderRefund]]:
        """Find none."""
        return Done([])

    async def list_disputes(self, intent_id: str) -> Done[list[Dispute]]:
        """Find none."""
        return Done([])


class InstantMails:
    """Accepts every mail."""

    is_up = True

    def pause_seconds(self) -> float:
        """Never ask for a pause."""
        return 0.0

    async def probe(self) -> None:
        """Be there."""

    async def send(self, notification: Notification) -> Done[str]:
        """Accept the mail."""
        return Done(uuid.uuid4().hex)  # noqa: TID251  (a bench injects nothing)


def _intent(intent_id: str, made_for: NewIntent, status: IntentStatus, captured: Money) -> Intent:
    return Intent(intent_id, made_for.payment_id, made_for.order_id, status, made_for.amount, captured, None, "secret")


def _tax(telemetry: Telemetry) -> Running:
    return tax(TaxConfig.from_env(environment()), telemetry, InstantTaxes())


def _payment(telemetry: Telemetry) -> Running:
    return payment(PaymentConfig.from_env(environment()), telemetry, InstantPayments())


def _notify(telemetry: Telemetry) -> Running:
    return notify(NotifyConfig.from_env(environment()), telemetry, InstantMails())


_PARTS: dict[str, Callable[[Telemetry], Running]] = {"tax": _tax, "payment": _payment, "notify": _notify}


def main() -> None:
    """Run the service that the command line names."""
    part = sys.argv[1]
    data_dir = TaxConfig.from_env(environment()).data_dir  # the same for every service
    run_alone(part, data_dir, "", "", _PARTS[part])


if __name__ == "__main__":
    main()
