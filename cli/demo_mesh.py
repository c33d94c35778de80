"""A running mesh as its customers see it, over REST, and the levers of its sandbox."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import sleep
from typing import Any

import httpx

from cli.config import CliConfig
from cli.failures import Failure, Unavailable
from cli.gateway_tls import trusting
from kernel.clock import SystemClock
from kernel.ids import Uuid7Ids

Json = dict[str, Any]

# PlaceOrder answers within 10 s, settled or not.
_CALL_SECONDS = 15.0
_LOOK_AGAIN_SECONDS = 0.1


class DemoMesh:
    """The mesh, and the outside world that it calls.

    All methods raise:
        Unavailable: Nobody answers.
        Failure: An answer that makes no sense here.
    """

    def __init__(self, config: CliConfig) -> None:
        signed = {"authorization": f"Bearer {config.api_key.reveal()}"} if config.api_key else {}
        self._gateway = httpx.Client(
            base_url=config.gateway_url,
            timeout=_CALL_SECONDS,
            headers=signed,
            verify=trusting(config.gateway_tls_dir),
        )
        self._sandbox = httpx.Client(base_url=config.sandbox_url, timeout=_CALL_SECONDS)
        self._clock = SystemClock()
        self._ids = Uuid7Ids(self._clock)

    def close(self) -> None:
        """Close the connections."""
        self._gateway.close()
        self._sandbox.close()

    def check(self) -> None:
        """Make sure that both are there before anything is changed."""
        self._get(self._gateway, "/healthz")
        self._get(self._sandbox, "/healthz")

    def new_customer(self) -> str:
        """Return the id of a customer who has not ordered before."""
        return f"demo-{self._ids.new()}"

    def place(self, document: Json) -> tuple[int, Json]:
        """Place an order under a new key; return the HTTP status and the order, or the problem."""
        key = {"Idempotency-Key": f"demo-{self._ids.new()}"}
        answer = self._send(self._gateway, "POST", "/api/v1/orders", document, key)
        if answer.status_code not in {httpx.codes.CREATED, httpx.codes.PAYMENT_REQUIRED}:
            raise Failure(f"The order was answered with {answer.status_code}: {answer.text}")
        placed: Json = answer.json()
        return answer.status_code, placed

    def order(self, order_id: str) -> Json:
        """Return an order."""
        return self._get(self._gateway, f"/api/v1/orders/{order_id}")

    def story(self, order_id: str) -> Json:
        """Return the story of an order."""
        return self._get(self._gateway, f"/api/v1/orders/{order_id}:explain")

    def ledger(self, order_id: str) -> Json:
        """Return what the outside world has seen of an order."""
        return self._get(self._sandbox, f"/ledger?order_id={order_id}")

    def authenticate(self, payment_intent: str) -> None:
        """Finish 3-D Secure as the customer would."""
        path = f"/stripe/_sandbox/payment_intents/{payment_intent}/authenticate"
        self._expect_ok(self._send(self._sandbox, "POST", path, {"outcome": "succeed"}))

    @contextmanager
    def avatax_down(self) -> Iterator[None]:
        """Cut every connection to AvaTax inside the block; afterwards its faults are those from before."""
        before = self._get(self._sandbox, "/faults/avatax")["avatax"]
        try:
            self._expect_ok(self._send(self._sandbox, "PUT", "/faults/avatax", {"mode": "outage"}))
            yield
        finally:
            self._send(self._sandbox, "DELETE", "/faults/avatax")
            for fault in before:
                self._send(self._sandbox, "PUT", "/faults/avatax", fault)

    def wait(self, read: Callable[[], Json], satisfied: Callable[[Json], bool], seconds: float) -> Json:
        """Read again and again until the answer satisfies or the time is up; return the last one."""
        until = self._clock.monotonic() + seconds
        while not satisfied(document := read()) and self._clock.monotonic() < until:
            sleep(_LOOK_AGAIN_SECONDS)
        return document

    def _get(self, client: httpx.Client, path: str) -> Json:
        document: Json = self._expect_ok(self._send(client, "GET", path)).json()
        return document

    def _expect_ok(self, answer: httpx.Response) -> httpx.Response:
        if answer.is_error:
            raise Failure(f"{answer.request.method} {answer.url} was answered with {answer.status_code}: {answer.text}")
        return answer

    def _send(
        self,
        client: httpx.Client,
        method: str,
        path: str,
        document: Json | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        try:
            return client.request(method, path, json=document, headers=headers)
        except httpx.TransportError:
            part = "mesh" if client is self._gateway else "sandbox (the demo does not order from real providers)"
            raise Unavailable(
                f"No {part} answers at {client.base_url}.\nStart one with `make up`, in another terminal."
            ) from None
