"""The idempotency keys of commands about webhooks, beside those of orders."""

from sqlalchemy import Connection

from chassis.storage.request_keys import RequestKey, find_request
from kernel.clock import Clock
from kernel.request import Request
from order_svc.adapters.columns_json import to_ms
from order_svc.adapters.tables import REQUEST_KEYS
from order_svc.app.webhook_ports import HookCommand, KeyTaken, Used


def find_use(connection: Connection, request: Request, command: HookCommand) -> Used | None:
    """Return an earlier use of the key for the command."""
    key = RequestKey(request.caller, command.value, request.request_id, request.fingerprint)
    found = find_request(connection, REQUEST_KEYS, key)
    return None if found is None else Used(*found)


def use(connection: Connection, request: Request, command: HookCommand, subject_id: str, clock: Clock) -> None:
    """Write down that the key is used.

    Raises:
        KeyTaken: It was before.
        Conflict: Another process uses it at this moment.
    """
    if find_use(connection, request, command) is not None:
        raise KeyTaken
    row = {
        "caller": request.caller,
        "method": command.value,
        "request_id": request.request_id,
        "fingerprint": request.fingerprint,
        "subject_id": subject_id,
        "created_at": to_ms(clock.now()),
    }
    connection.execute(REQUEST_KEYS.insert(), row)
