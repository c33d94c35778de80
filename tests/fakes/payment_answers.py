"""Connections to a Stripe that answers as a test says, whatever it is asked."""

from chassis.http import Answer, HttpError, HttpTransport
from chassis.telemetry.metrics import Metrics
from tests.fakes.telemetry_sink import recording_tracer

BASE = "http://stripe.example"


class AnsweringTransport(HttpTransport):
    """Answers every request with the same thing, until it is given another.

    Attributes:
        answer: What it answers.
        asked: How often it was.
    """

    def __init__(self, answer: Answer | HttpError) -> None:
        tracer, _ = recording_tracer("payment")
        super().__init__(
            "stripe", BASE, tracer=tracer, metrics=Metrics("payment"), timeout_seconds=1.0, max_connections=1
        )
        self.answer = answer
        self.asked = 0

    async def request(self, *_: object, **__: object) -> Answer:
        self.asked += 1
        if isinstance(self.answer, HttpError):
            raise self.answer
        return self.answer
