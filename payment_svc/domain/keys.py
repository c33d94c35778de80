"""The idempotency keys that the provider sees. They follow from stored facts alone, so a restart says them again."""


def create_key(order_id: str, suffix: str = "1") -> str:
    """Return the key for making the order's intent; another suffix where the provider repeats an error for one."""
    return f"order:{order_id}:create:{suffix}"


def confirm_key(order_id: str, attempt: int) -> str:
    """Return the key of one attempt to take the money."""
    return f"order:{order_id}:confirm:{attempt}"


def refund_key(refund_id: str, send: int) -> str:
    """Return the key of one refund; the number goes up where the provider repeats an error for the one before."""
    return f"refund:{refund_id}" if send == 1 else f"refund:{refund_id}:{send}"


def release_key(request_id: str) -> str:
    """Return what the keys for giving up an orphan begin with: nothing is stored of it but the request."""
    return f"release:{request_id}"


def cancel_key(order_id: str, suffix: str) -> str:
    """Return the key of one call to give the order's intent up."""
    return f"order:{order_id}:cancel:{suffix}"


def capture_key(order_id: str, minor_units: int, suffix: str = "") -> str:
    """Return the key for taking so much of what is held; a suffix where the provider repeats an error without one."""
    return f"order:{order_id}:capture:{minor_units}{suffix and ':'}{suffix}"


def abandon_key(intent_id: str) -> str:
    """Return the key for giving up an intent that was made in vain, for an order that was given up before."""
    return f"intent:{intent_id}:abandon"
