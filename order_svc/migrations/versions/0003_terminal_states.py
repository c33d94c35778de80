"""What the database itself refuses: an order that is over moves no more, and the journal is never rewritten.

A belt: the state machine allows none of it. What comes after PAID may grow new states without a change here.
"""

from alembic import op

revision = "0003"
down_revision = "0002"

# From the left of each pair to the right: never.
_OVER = "OLD.state IN ('FAILED', 'CANCELLED', 'REFUNDED') AND NEW.state <> OLD.state"
_BACK = (
    "OLD.state NOT IN ('PENDING', 'PAYMENT_ACTION_REQUIRED') AND NEW.state IN ('PENDING', 'PAYMENT_ACTION_REQUIRED')"
)
_UNPAID = "OLD.state IN ('PAID', 'PROCESSING', 'SHIPPED', 'DELIVERED') AND NEW.state = 'FAILED'"
_MOVES = f"({_OVER}) OR ({_BACK}) OR ({_UNPAID})"

_ON_SQLITE = (
    f"""
CREATE TRIGGER orders_over BEFORE UPDATE OF state ON orders WHEN {_MOVES}
BEGIN SELECT RAISE(ABORT, 'an order that is over moves no more'); END
""",
    """
CREATE TRIGGER order_events_kept BEFORE UPDATE ON order_events
BEGIN SELECT RAISE(ABORT, 'the journal is never rewritten'); END
""",
)

# 23514 is check_violation: what storage takes for a defect of ours, never for something to try again.
_ON_POSTGRESQL = (
    """
CREATE FUNCTION order_svc_refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = '23514'; END $$
""",
    f"""
CREATE TRIGGER orders_over BEFORE UPDATE ON orders FOR EACH ROW WHEN ({_MOVES})
EXECUTE FUNCTION order_svc_refuse('an order that is over moves no more')
""",
    """
CREATE TRIGGER order_events_kept BEFORE UPDATE ON order_events FOR EACH ROW
EXECUTE FUNCTION order_svc_refuse('the journal is never rewritten')
""",
)


def upgrade() -> None:
    for statement in _ON_SQLITE if op.get_bind().dialect.name == "sqlite" else _ON_POSTGRESQL:
        op.execute(statement)
