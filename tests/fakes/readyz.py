"""What a gateway says of itself, read by whoever waits for more than a balancer does."""

import httpx


def sees_all(answer: httpx.Response) -> bool:
    """Say whether a gateway is ready and sees every service serving; /readyz is 200 with the order service alone."""
    return answer.status_code == httpx.codes.OK and set(answer.json()["services"].values()) == {"serving"}
