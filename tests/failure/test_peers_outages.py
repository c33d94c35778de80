"""Providers that are away, for a moment, ten minutes or thirty hours: orders go on or wait, and all is done once.

The hours are those of the simulated world, where they pass at once and the product's own code lives through them.
"""

import asyncio
from dataclasses import replace

import pytest

from tests.fakes.mesh_shop import MeshShop
from tests.fakes.payment_gateway import SLOW_BANK, THREE_D_SECURE, VISA
from tests.fakes.whole_mesh import until
from tests.simulation.chaos import Outage
from tests.simulation.script import Cue, Path, Played, play

# The tests that share the mesh of conftest.py stay together, so that one process of theirs starts it.
pytestmark = pytest.mark.long

TEN_MINUTES = 600.0

# Longer than Stripe remembers idempotency keys, which is a day.
THIRTY_HOURS = 108_000.0

# What a charge asks of Stripe; the last for a customer who acts, and for a bank that takes its time.
CALLS = ("stripe.create", "stripe.confirm", "stripe.read")


def moments(played: Played, *words: str) -> list[float]:
    """Return the seconds at which something happened that was noted in these words."""
    return [at for at, said in played.result.log if all(word in said for word in words)]


def check_settled(played: Played) -> None:
    """Check that no promise was broken at any moment or at the end, and that the order came to an end, charged once."""
    assert played.result.violations == []
    assert played.state in {"PAID", "FAILED"}
    assert len(moments(played, "stripe takes")) <= 1


async def test_orders_go_on_while_tax_and_mail_are_away_and_each_is_recorded_and_confirmed_once(shop: MeshShop) -> None:
    """The tax service is down, and nobody can buy.

    https://github.com/boomerdigital/solidus_avatax_certified/pull/37
    """
    await shop.fail("avatax", "outage")
    await shop.fail("sendgrid", "outage")
    answers = await asyncio.gather(*(shop.place(f"peers-away-{n}") for n in range(5)))
    orders = [answer.json() for answer in answers]
    assert [(order["state"], order["tax"]["source"]) for order in orders] == [("PAID", "FALLBACK")] * 5

    async def all_in_vain() -> bool:
        tasks = [task for order in orders for task in (await shop.story(order["order_id"]))["tasks"]]
        return all(task["attempts"] for task in tasks)

    await until(all_in_vain)
    for order in orders:
        books = await shop.ledger(order["order_id"])
        assert books["documents"] == books["mails"] == []
    await shop.heal()

    for order in orders:
        books = await shop.until_done(order["order_id"])
        assert [len(books[kind]) for kind in ("charges", "documents", "mails", "refunds")] == [1, 1, 1, 0]


@pytest.mark.parametrize("ordered_at", [0.0, 300.0, 590.0])
def test_an_order_of_ten_minutes_without_tax_and_mail_is_paid_at_once_and_recorded_and_confirmed_once(
    ordered_at: float,
) -> None:
    """Confirmations of an outage are lost, or sent again and again when it is over.

    https://github.com/magento/magento2/issues/37762
    """
    away = tuple(Outage(provider, 0.0, TEN_MINUTES) for provider in ("avatax", "sendgrid"))

    played = play(Path("ten minutes", "PAID", clients=(ordered_at,), outages=away))

    check_settled(played)  # which counts the tax document as well
    paid_at, *_ = moments(played, "order ", "PENDING", "-> PAID")
    assert paid_at < ordered_at + 10.0
    (mailed_at,) = moments(played, "sendgrid mails")
    assert mailed_at >= TEN_MINUTES


def test_tax_and_mail_that_go_away_right_after_the_charge_keep_no_order_from_being_recorded_and_confirmed() -> None:
    """The mail is tried once, and its failure is a line in a log.

    https://github.com/opencart/opencart/issues/7633
    """
    (charged_at,) = moments(play(Path("paid", "PAID")), "stripe takes")
    away = tuple(Outage(provider, charged_at, TEN_MINUTES) for provider in ("avatax", "sendgrid"))

    played = play(Path("ten minutes after the charge", "PAID", outages=away))

    check_settled(played)
    assert played.state == "PAID"
    assert len(moments(played, "sendgrid mails")) == 1


@pytest.mark.parametrize("card", [VISA, THREE_D_SECURE, SLOW_BANK])
def test_thirty_hours_without_stripe_from_any_moment_of_a_charge_end_with_one_charge_or_none(card: str) -> None:
    """The payment is asked for again when its key is forgotten, and made again; or given up though it was made.

    https://github.com/woocommerce/woocommerce-gateway-stripe/issues/831
    """
    way = Path("paid", "PAID", card=card, customer=(3.0, True))
    calls = [chance for chance in play(way).chances if chance.place in CALLS and chance.number == 1]
    assert len(calls) == (2 if card == VISA else 3)

    for call in calls:
        lost = Cue("lost_answer", call.place, call.number)
        for seconds_after, faults in ((0.0, ()), (0.01, (lost,))):
            away = (Outage("stripe", call.at + seconds_after, THIRTY_HOURS),)
            check_settled(play(replace(way, faults=faults, outages=away)))
