"""What happens by itself as time passes: refunds that settle late, authorisations that expire."""

from sandbox.stripe.books import BY_ITSELF, Books
from sandbox.stripe.charges import AUTHORISATION_SECONDS
from sandbox.stripe.intents import PaymentIntents
from sandbox.stripe.refunds import SETTLING_SECONDS, Refunds


class Settling:
    """Looks for what is due."""

    def __init__(self, books: Books, intents: PaymentIntents) -> None:
        self._books = books
        self._intents = intents
        self._refunds = Refunds(books)

    def run(self) -> None:
        """Do what is due now."""
        now = self._books.now()
        for refund in self._books.waiting("refund", now - SETTLING_SECONDS):
            self._refunds.settle(refund, BY_ITSELF)
        for intent in self._books.waiting("payment_intent", now - AUTHORISATION_SECONDS):
            self._intents.expire(intent, BY_ITSELF)
