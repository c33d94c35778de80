"""Answers have the fields that real answers of the providers have."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.fakes.sandbox_world import STRIPE_KEY, World, document, sandbox_world

# Field names as seen in real test-mode answers; only those that a caller might lean on.
PAYMENT_INTENT = """
id object amount amount_capturable amount_details amount_received application application_fee_amount
automatic_payment_methods canceled_at cancellation_reason capture_method client_secret confirmation_method created
currency customer description last_payment_error latest_charge livemode metadata next_action on_behalf_of payment_method
payment_method_options payment_method_types processing receipt_email review setup_future_usage shipping source
statement_descriptor statement_descriptor_suffix status transfer_data transfer_group
"""
CHARGE = """
id object amount amount_captured amount_refunded application application_fee application_fee_amount balance_transaction
billing_details calculated_statement_descriptor captured created currency customer description disputed
failure_balance_transaction failure_code failure_message fraud_details livemode metadata on_behalf_of outcome paid
payment_intent payment_method payment_method_details radar_options receipt_email receipt_number receipt_url refunded
review shipping source_transfer statement_descriptor statement_descriptor_suffix status transfer_data transfer_group
"""
REFUND = """
id object amount balance_transaction charge created currency destination_details metadata payment_intent reason
receipt_number source_transfer_reversal status transfer_reversal
"""
EVENT = "id object api_version created data livemode pending_webhooks request type"
TRANSACTION = """
id code companyId date paymentDate status type batchCode currencyCode exchangeRateCurrencyCode customerUsageType
entityUseCode customerVendorCode customerCode exemptNo reconciled locationCode reportingLocationCode purchaseOrderNo
referenceCode salespersonCode totalAmount totalExempt totalDiscount totalTax totalTaxable totalTaxCalculated
adjustmentReason locked version originAddressId destinationAddressId exchangeRateEffectiveDate exchangeRate modifiedDate
modifiedUserId taxDate lines addresses locationTypes summary
"""
LINE = """
id transactionId lineNumber customerUsageType entityUseCode description destinationAddressId originAddressId
discountAmount exemptAmount exemptCertId exemptNo isItemTaxable itemCode lineAmount quantity ref1 ref2 reportingDate
revAccount sourcing tax taxableAmount taxCalculated taxCode taxCodeId taxDate taxIncluded details nonPassthroughDetails
lineLocationTypes hsCode costInsuranceFreight vatCode vatNumberTypeId
"""
DETAIL = """
id transactionLineId transactionId country region stateFIPS exemptAmount jurisCode jurisName stateAssignedNo jurisType
jurisdictionType nonTaxableAmount rate sourcing tax taxableAmount taxType taxSubTypeId taxName taxAuthorityTypeId
taxCalculated rateType rateTypeCode taxableUnits nonTaxableUnits exemptUnits unitOfBasis isNonPassThru isFee
reportingTaxableUnits reportingNonTaxableUnits reportingExemptUnits reportingTax reportingTaxCalculated liabilityType
chargedTo
"""
SUMMARY = """
country region jurisType jurisCode jurisName taxAuthorityType stateAssignedNo taxType taxSubType taxName rateType
taxable rate tax taxCalculated nonTaxable exemption
"""


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with sandbox_world(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


async def read(world: World, path: str) -> dict[str, Any]:
    answer = await world.http.get(f"/stripe/v1/{path}", headers=STRIPE_KEY)
    found: dict[str, Any] = answer.json()
    return found


async def test_stripe_objects_are_complete(world: World) -> None:
    paid = await world.pay()
    refund = await world.sdk.v1.refunds.create_async({"payment_intent": paid.id, "amount": 100})
    events = await read(world, "events")

    assert set(PAYMENT_INTENT.split()) <= (await read(world, f"payment_intents/{paid.id}")).keys()
    assert set(CHARGE.split()) <= (await read(world, f"charges/{paid.latest_charge}")).keys()
    assert set(REFUND.split()) <= (await read(world, f"refunds/{refund.id}")).keys()
    assert set(EVENT.split()) <= events["data"][0].keys()
    assert {"object", "data", "has_more", "url"} == events.keys()


async def test_what_the_sandbox_notes_for_itself_is_not_shown(world: World) -> None:
    paid = await world.pay(method="pm_card_refundFail")
    await world.sdk.v1.refunds.create_async({"payment_intent": paid.id})
    stored = await world.avatax_post("/transactions/create", document(code="shown"))

    for path in (f"payment_methods/{paid.payment_method}", "refunds", "events"):
        assert '"_' not in (await world.http.get(f"/stripe/v1/{path}", headers=STRIPE_KEY)).text
    assert '"_' not in stored.text


@pytest.mark.parametrize("type_", ["SalesOrder", "SalesInvoice"])
async def test_tax_documents_are_complete(world: World, type_: str) -> None:
    answer = (await world.avatax_post("/transactions/create", document(type=type_, code=type_))).json()

    assert set(TRANSACTION.split()) <= answer.keys()
    assert set(LINE.split()) <= answer["lines"][0].keys()
    assert set(DETAIL.split()) <= answer["lines"][0]["details"][0].keys()
    assert set(SUMMARY.split()) <= answer["summary"][0].keys()
    assert {"id", "line1", "city", "region", "postalCode", "country"} <= answer["addresses"][0].keys()
