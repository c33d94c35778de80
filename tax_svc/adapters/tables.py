"""The tables of the tax service. Times are milliseconds since 1970, amounts minor units."""

from sqlalchemy import BigInteger, Column, MetaData, String, Table

from chassis.storage.request_keys import request_keys_table

METADATA = MetaData()

# One row per order whose sale was recorded at AvaTax.
TAX_DOCUMENTS = Table(
    "tax_documents",
    METADATA,
    # The order's id, which is the document's code at AvaTax.
    Column("code", String(36), primary_key=True),
    # COMMITTED or VOIDED.
    Column("state", String(16), nullable=False),
    Column("currency_code", String(3), nullable=False),
    # What AvaTax worked out when it recorded the sale, and what the buyer had been charged.
    Column("recorded_tax", BigInteger, nullable=False),
    Column("charged_tax", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

REQUEST_KEYS = request_keys_table(METADATA, "tax")
