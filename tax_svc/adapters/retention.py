"""What the tax service need not keep for ever. Documents are the books, and each is guarded by its own code."""

from chassis.storage.retention import Rule
from tax_svc.adapters.tables import REQUEST_KEYS

RULES = (Rule("keys", "idempotency keys of commands", 400, REQUEST_KEYS, lambda old: REQUEST_KEYS.c.created_at < old),)
