"""The tables of the tax service. Times are milliseconds since 1970, amounts minor units."""

from sqlalchemy import BigInteger, Column, Index, MetaData, String, Table

from chassis.storage.request_keys import request_keys_table

METADATA = MetaData()

# One row per document at AvaTax: an order's sale, and each of its returns.
TAX_DOCUMENTS = Table(
    "tax_documents",
    METADATA,
    # What the document is called at AvaTax: the order's id for a sale, for a return that id and what tells it apart.
    Column("code", String(50), primary_key=True),
    # COMMITTED or VOIDED.
    Column("state", String(16), nullable=False),
    Column("currency_code", String(3), nullable=False),
    # What AvaTax recorded, and what the buyer had been charged; both negative for a return.
    Column("recorded_tax", BigInteger, nullable=False),
    Column("charged_tax", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    # SALE or RETURN.
    Column("kind", String(16), nullable=False, server_default="SALE"),
    # The order that it is about; NULL for a sale that was kept before returns were: its code is the order's id.
    Column("order_id", String(36)),
    # The date that it counts for, like 2026-11-23; NULL for what was kept before this was.
    Column("booked_on", String(10)),
)

Index("tax_documents_order", TAX_DOCUMENTS.c.order_id)
Index("tax_documents_newest", TAX_DOCUMENTS.c.created_at, TAX_DOCUMENTS.c.code)
# Few differ, and whoever looks for them looks for nothing else.
_DIFFERING = TAX_DOCUMENTS.c.recorded_tax != TAX_DOCUMENTS.c.charged_tax
Index(
    "tax_documents_differing",
    TAX_DOCUMENTS.c.created_at,
    TAX_DOCUMENTS.c.code,
    postgresql_where=_DIFFERING,
    sqlite_where=_DIFFERING,
)

REQUEST_KEYS = request_keys_table(METADATA, "tax")
