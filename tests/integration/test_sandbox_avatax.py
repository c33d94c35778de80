"""AvaTax as an HTTP client sees it."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.fakes.sandbox_world import AVATAX_AUTH, PHILADELPHIA, WASHINGTON, World, document, sandbox_world

CREATE = "/transactions/create"
INVOICE = "/companies/DEFAULT/transactions/order-1"


@pytest.fixture(scope="module")
async def refusing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A world for tests whose requests are all refused: they leave no trace, so one is enough for all of them."""
    async with sandbox_world(tmp_path_factory.mktemp("refusing")) as running:
        yield running


def error_of(answer: httpx.Response) -> tuple[int, str, str | None]:
    error = answer.json()["error"]
    assert error["code"] == error["details"][0]["code"]
    assert error["message"]
    assert error["details"][0]["severity"] == "Error"
    return answer.status_code, error["code"], error["details"][0].get("faultSubCode")


async def test_an_estimate_is_calculated_and_not_kept(world: World) -> None:
    answer = await world.avatax_post(CREATE, document(type="SalesOrder"))

    quote = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == "/api/v2/companies/848107/transactions/0"
    assert "x-correlation-id" in answer.headers
    assert (quote["id"], quote["status"], quote["type"]) == (0, "Temporary", "SalesOrder")
    assert (quote["totalAmount"], quote["totalTax"], quote["totalTaxable"]) == (15.0, 1.2, 15.0)
    assert [line["tax"] for line in quote["lines"]] == [0.8, 0.4]
    assert [(part["jurisType"], part["rate"], part["tax"]) for part in quote["summary"]] == [
        ("State", 0.06, 0.9),
        ("County", 0.02, 0.3),
    ]
    assert quote["messages"][0]["severity"] == "Warning"
    assert (await world.avatax_get(INVOICE)).status_code == 404
    assert (await world.ledger())["documents"] == []


async def test_an_invoice_is_kept_found_and_committed(world: World) -> None:
    saved = (await world.avatax_post(CREATE, document())).json()
    assert (saved["status"], saved["code"]) == ("Saved", "order-1")

    found = await world.avatax_get("/companies/default/transactions/ORDER-1")
    assert (found.status_code, found.json()["id"]) == (200, saved["id"])
    committed = await world.avatax_post(f"{INVOICE}/commit", {"commit": True})
    assert (committed.status_code, committed.json()["status"]) == (200, "Committed")
    again = await world.avatax_post(f"{INVOICE}/commit", {"commit": True})

    assert error_of(again) == (400, "InvalidDocumentStatusForCommit", None)
    [entry] = (await world.ledger("order-1"))["documents"]
    assert (entry["code"], entry["status"], entry["total_tax"]) == ("order-1", "Committed", 1.2)


async def test_a_saved_invoice_is_replaced_and_a_committed_one_is_not(world: World) -> None:
    await world.avatax_post(CREATE, document())
    replaced = await world.avatax_post(CREATE, document(commit=True, lines=[{"amount": 100}]))
    refused = await world.avatax_post(CREATE, document())

    assert (replaced.status_code, replaced.json()["totalTax"], replaced.json()["version"]) == (201, 8.0, 2)
    assert error_of(refused) == (400, "GetTaxError", "DocStatusError")
    assert refused.json()["error"]["details"][0]["description"] == "Expected Saved|Posted"
    assert (await world.avatax_get(INVOICE)).json()["totalTax"] == 8.0


async def test_create_or_adjust_can_be_repeated(world: World) -> None:
    body = {"createTransactionModel": document(commit=True)}

    answers = [await world.avatax_post("/transactions/createoradjust", body) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [201, 200, 200]
    assert [answer.json()["status"] for answer in answers] == ["Committed"] * 3
    assert len((await world.ledger())["documents"]) == 1


async def test_a_voided_document_stays_void(world: World) -> None:
    await world.avatax_post(CREATE, document(commit=True))

    voided = await world.avatax_post(f"{INVOICE}/void", {"code": "DocVoided"})
    again = await world.avatax_post(f"{INVOICE}/void", {"code": "DocVoided"})

    assert (voided.status_code, voided.json()["status"]) == (200, "Cancelled")
    assert error_of(again) == (400, "TransactionAlreadyCancelled", None)
    assert error_of(await world.avatax_post(f"{INVOICE}/commit", {"commit": True}))[0] == 400


async def test_a_document_that_was_reported_is_not_voided(world: World) -> None:
    await world.avatax_post(CREATE, document(commit=True))
    locked = await world.http.post("/avatax/_sandbox/companies/DEFAULT/transactions/order-1/lock")

    refused = await world.avatax_post(f"{INVOICE}/void", {"code": "DocVoided"})

    assert (locked.status_code, locked.json()["locked"]) == (200, True)
    assert error_of(refused) == (400, "CannotModifyLockedTransaction", None)
    assert (await world.avatax_get(INVOICE)).json()["status"] == "Committed"


@pytest.mark.parametrize(
    ("refund", "amount", "tax"),
    [
        ({"refundType": "Full"}, -15.0, -1.2),
        ({"refundType": "Partial", "refundLines": ["2"]}, -5.0, -0.4),
        ({"refundType": "Percentage", "refundPercentage": "20.0"}, -3.0, -0.24),
        ({"refundType": "TaxOnly"}, 0.0, -1.2),
    ],
)
async def test_a_refund_turns_the_figures_round(
    world: World, refund: dict[str, Any], amount: float, tax: float
) -> None:
    await world.avatax_post(CREATE, document(commit=True))

    answer = await world.avatax_post(
        f"{INVOICE}/refund", {"refundTransactionCode": "order-1-r1", "refundDate": "2026-11-24", **refund}
    )

    returned = answer.json()
    assert answer.status_code == 201
    assert (returned["type"], returned["status"], returned["code"]) == ("ReturnInvoice", "Committed", "order-1-r1")
    assert (returned["totalAmount"], returned["totalTax"], returned["referenceCode"]) == (amount, tax, "order-1")
    assert sum(part["tax"] for part in returned["summary"]) == pytest.approx(tax)
    assert len((await world.ledger("order-1"))["documents"]) == 2
    found = await world.avatax_get("/companies/DEFAULT/transactions/order-1-r1?documentType=ReturnInvoice")
    assert found.json()["id"] == returned["id"]


@pytest.mark.parametrize(
    ("refund", "code"),
    [
        ({"refundType": "Full", "refundPercentage": 10}, "RefundTypeAndPercentageMismatch"),
        ({"refundType": "Full", "refundLines": ["1"]}, "RefundTypeAndLineMismatch"),
        ({"refundType": "Partial"}, "RefundLinesRequired"),
        ({"refundType": "Partial", "refundLines": ["9"]}, "LineNoOutOfRange"),
        ({"refundType": "Percentage"}, "RefundPercentageMissing"),
        ({"refundType": "Percentage", "refundPercentage": 101}, "RefundPercentageOutOfRange"),
    ],
)
async def test_a_senseless_refund_is_refused(world: World, refund: dict[str, Any], code: str) -> None:
    await world.avatax_post(CREATE, document(commit=True))

    answer = await world.avatax_post(f"{INVOICE}/refund", {"refundDate": "2026-11-24", **refund})

    assert error_of(answer) == (400, code, None)


async def test_only_a_committed_sale_is_refunded(world: World) -> None:
    await world.avatax_post(CREATE, document())

    early = await world.avatax_post(f"{INVOICE}/refund", {"refundDate": "2026-11-24"})
    nothing = await world.avatax_post("/companies/DEFAULT/transactions/nope/refund", {"refundDate": "2026-11-24"})

    assert error_of(early) == (400, "InvalidDocumentStatus", None)
    assert error_of(nothing) == (404, "EntityNotFoundError", None)


async def test_a_return_is_created_with_the_tax_that_its_lines_say(world: World) -> None:
    override = {"type": "TaxAmount", "taxDate": "2026-11-01", "reason": "Refund"}
    body = document(
        type="ReturnInvoice",
        code="order-1-r1",
        referenceCode="order-1",
        commit=True,
        taxOverride={"type": "TaxDate", "taxDate": "2026-11-01", "reason": "Refund"},
        lines=[
            {"number": "1", "amount": -9.99, "taxOverride": {**override, "taxAmount": -0.79}},
            {"number": "2", "amount": 1.0, "taxOverride": {**override, "taxAmount": 0.09}},
            {"number": "3", "amount": 0.0, "taxOverride": {**override, "taxAmount": 0.0}},
        ],
    )

    answer = await world.avatax_post(CREATE, body)
    again = await world.avatax_post(CREATE, body)

    returned = answer.json()
    assert (answer.status_code, returned["type"], returned["status"]) == (201, "ReturnInvoice", "Committed")
    assert (returned["totalAmount"], returned["totalTax"], returned["totalTaxCalculated"]) == (-8.99, -0.7, -0.72)
    assert [(line["lineAmount"], line["tax"], line["taxOverrideType"]) for line in returned["lines"]] == [
        (-9.99, -0.79, "TaxAmount"),
        (1.0, 0.09, "TaxAmount"),
        (0.0, 0.0, "TaxAmount"),
    ]
    assert [sum(part["tax"] for part in line["details"]) for line in returned["lines"]] == pytest.approx(
        [-0.79, 0.09, 0.0]
    )
    assert (returned["taxDate"], returned["date"], returned["referenceCode"]) == ("2026-11-01", "2026-11-23", "order-1")
    assert error_of(again) == (400, "GetTaxError", "DocStatusError")
    assert [each["code"] for each in (await world.ledger("order-1"))["documents"]] == ["order-1-r1"]


@pytest.mark.parametrize("how", [{"exemptionNo": "EX-1"}, {"entityUseCode": "A"}])
async def test_an_exempt_buyer_pays_nothing_and_it_is_said(world: World, how: dict[str, str]) -> None:
    exempt = (await world.avatax_post(CREATE, document(type="SalesOrder", **how))).json()

    assert (exempt["totalAmount"], exempt["totalTax"], exempt["totalExempt"]) == (15.0, 0.0, 15.0)
    assert exempt["entityUseCode"] == how.get("entityUseCode", "")
    assert exempt["exemptNo"] == how.get("exemptionNo", "")


@pytest.mark.parametrize(
    ("currency", "amounts", "total", "tax"),
    [("JPY", (1080, -108), 900.0, 72.0), ("KWD", (10.8, -1.08), 9.0, 0.72), ("USD", (10.8, -1.08), 9.0, 0.72)],
)
async def test_prices_with_tax_and_discounts_are_worked_out_in_every_currency(
    world: World, currency: str, amounts: tuple[float, float], total: float, tax: float
) -> None:
    lines = [{"number": str(place), "amount": each, "taxIncluded": True} for place, each in enumerate(amounts)]
    body = document(type="SalesOrder", currencyCode=currency, businessIdentificationNo="X-1", lines=lines)

    quote = (await world.avatax_post(CREATE, body)).json()

    assert (quote["totalAmount"], quote["totalTax"], quote["businessIdentificationNo"]) == (total, tax, "X-1")
    for line, price in zip(quote["lines"], amounts, strict=True):
        assert line["lineAmount"] + line["tax"] == pytest.approx(price)


async def test_requests_are_read_leniently(world: World) -> None:
    body = document(
        lines=[
            {"Number": "1", "Amount": "10.0", "quantity": None},
            {"number": "2", "amount": "5", "addresses": {"ShipFrom": WASHINGTON, "ShipTo": PHILADELPHIA}},
        ],
        type="salesinvoice",
        entityUseCode=None,
    )

    answer = await world.avatax_post(CREATE, body)

    assert (answer.status_code, answer.json()["type"], answer.json()["totalTax"]) == (201, "SalesInvoice", 1.2)


@pytest.mark.parametrize(
    ("change", "code", "sub_code"),
    [
        ({"lines": []}, "MissingLine", None),
        ({"customerCode": None}, "ValueRequiredError", None),
        ({"code": "x" * 51}, "StringLengthError", None),
        ({"type": "Gift"}, "InvalidEnumValue", None),
        ({"date": "tomorrow"}, "DateFormatError", None),
        ({"currencyCode": "XYZ"}, "InvalidEnumValue", None),
        ({"lines": [{"amount": "ten"}]}, "ModelStateInvalid", None),
        ({"lines": [{"amount": 1e30}]}, "InvalidDecimalValue", None),
        ({"linse": 1}, "ModelStateInvalid", None),
        ({"taxOverride": {"type": "TaxAmount"}}, "ValueRequiredError", None),
        ({"taxOverride": {"type": "TaxDate", "taxDate": "2026-01-01"}}, "ValueRequiredError", None),
        ({"addresses": None}, "MissingAddress", None),
        ({"addresses": {"shipTo": PHILADELPHIA}}, "NotEnoughAddressesInfo", None),
        ({"addresses": {"singleLocation": {"city": "Paris", "country": "Atlantis"}}}, "GetTaxError", "CountryError"),
        ({"addresses": {"singleLocation": {**PHILADELPHIA, "region": "ZZ"}}}, "GetTaxError", "RegionCodeError"),
        (
            {"addresses": {"singleLocation": {**PHILADELPHIA, "region": "CA"}}},
            "GetTaxError",
            "InvalidZipForStateError",
        ),
        (
            {"addresses": {"singleLocation": {**PHILADELPHIA, "postalCode": "00000"}}},
            "GetTaxError",
            "InvalidZipForStateError",
        ),
        ({"addresses": {"singleLocation": {"city": "Philadelphia", "country": "US"}}}, "InvalidAddress", None),
        ({"addresses": {"singleLocation": {**PHILADELPHIA, "postalCode": "1" * 12}}}, "StringLengthError", None),
    ],
)
async def test_what_cannot_be_taxed_is_refused(
    refusing: World, change: dict[str, Any], code: str, sub_code: str | None
) -> None:
    answer = await refusing.avatax_post(CREATE, document(**change))

    assert error_of(answer) == (400, code, sub_code)
    assert (await refusing.ledger())["documents"] == []


async def test_a_wrong_zip_names_every_line_that_uses_it(refusing: World) -> None:
    wrong = {"shipFrom": WASHINGTON, "shipTo": {**PHILADELPHIA, "postalCode": "00000"}}

    answer = await refusing.avatax_post(CREATE, document(addresses=wrong))

    assert [detail["refersTo"] for detail in answer.json()["error"]["details"]] == [
        'Addresses[1]; Line["1"] : PA 00000',
        'Addresses[1]; Line["2"] : PA 00000',
    ]


async def test_a_senders_region_is_mended_by_its_postal_code(world: World) -> None:
    addresses = {"shipFrom": {**WASHINGTON, "region": "NY"}, "shipTo": PHILADELPHIA}

    answer = await world.avatax_post(CREATE, document(addresses=addresses))

    assert [address["region"] for address in answer.json()["addresses"]] == ["PA", "DC"]


async def test_only_account_and_key_open_the_door(refusing: World) -> None:
    nobody = await refusing.http.post("/avatax/api/v2/transactions/create", json=document())
    keyless = await refusing.http.post("/avatax/api/v2/transactions/create", json=document(), auth=("1", ""))
    bearer = await refusing.http.get(f"/avatax/api/v2{INVOICE}", headers={"authorization": "Bearer x"})
    ping = await refusing.http.get("/avatax/api/v2/utilities/ping")
    known = await refusing.http.get("/avatax/api/v2/utilities/ping", auth=AVATAX_AUTH)

    for answer in (nobody, keyless, bearer):
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "AuthenticationException")
    assert (ping.status_code, ping.json()["authenticated"]) == (200, False)
    assert known.json()["authenticated"] is True


async def test_a_body_that_is_not_json_is_refused(refusing: World) -> None:
    for body in (b"{", b"\xff", b"NaN"):
        answer = await refusing.http.post("/avatax/api/v2/transactions/create", content=body, auth=AVATAX_AUTH)
        assert error_of(answer) == (400, "JsonFormatError", None)
    not_objects: list[object] = [[], 3, "text"]
    for body_ in not_objects:
        answer = await refusing.avatax_post(CREATE, body_)
        assert error_of(answer) == (400, "ModelStateInvalid", None)


async def test_addresses_are_resolved(refusing: World) -> None:
    good = await refusing.avatax_post("/addresses/resolve", PHILADELPHIA)
    nowhere = await refusing.avatax_get(
        "/addresses/resolve?line1=invalid+address&city=Philadelphia&region=PA&postalCode=19147&country=US"
    )
    misfit = await refusing.avatax_post("/addresses/resolve", {**PHILADELPHIA, "region": "NY"})
    too_long = await refusing.avatax_get("/addresses/resolve?line1=822+Reed+St&postalCode=too_long_zipcode")
    empty = await refusing.avatax_post("/addresses/resolve", {})

    assert good.json()["validatedAddresses"][0]["city"] == "Philadelphia"
    assert "messages" not in good.json()
    for answer in (nowhere, misfit):
        assert (answer.status_code, answer.json()["messages"][0]["severity"]) == (200, "Error")
    assert error_of(too_long) == (400, "StringLengthError", None)
    assert error_of(empty) == (400, "InvalidAddress", None)
    assert (await refusing.avatax_get("/nothing")).status_code == 404


async def test_a_companys_documents_are_listed_page_by_page_without_their_lines(world: World) -> None:
    for number in range(3):
        await world.avatax_post(CREATE, document(code=f"order-{number}", commit=True))
    await world.avatax_post(CREATE, document(code="elsewhere", companyCode="OTHER"))

    first = (await world.avatax_get("/companies/default/transactions?$orderby=id%20asc&$top=2")).json()
    rest = (await world.http.get(f"/avatax{first['@nextLink']}", auth=AVATAX_AUTH)).json()

    assert first["@recordsetCount"] == rest["@recordsetCount"] == 3
    assert [found["code"] for found in first["value"] + rest["value"]] == ["order-0", "order-1", "order-2"]
    assert "@nextLink" not in rest
    assert (first["value"][0]["totalAmount"], first["value"][0]["totalTax"]) == (15.0, 1.2)
    assert not {"lines", "addresses", "summary", "_company"} & first["value"][0].keys()


async def test_without_a_date_the_last_thirty_days_are_listed_and_with_one_what_it_says(world: World) -> None:
    await world.avatax_post(CREATE, document(code="old", date="2020-05-05"))
    await world.avatax_post(CREATE, document(code="older", date="2019-05-05", commit=True))

    async def codes(condition: str) -> list[str]:
        found = await world.http.get(
            "/avatax/api/v2/companies/DEFAULT/transactions", params={"$filter": condition}, auth=AVATAX_AUTH
        )
        return [listed["code"] for listed in found.json()["value"]]

    assert await codes("") == []
    assert await codes("date ge '2020-01-01'") == ["old"]
    assert await codes("status eq 'Committed' and date between '2019-01-01' and '2020-12-31'") == ["older"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"$filter": "date is nice"}, "ParserSyntaxError"),
        ({"$filter": "colour eq 'red'"}, "ParserFieldNameError"),
        ({"$orderby": "id sideways"}, "ParserSyntaxError"),
        ({"$top": "1001"}, "RangeError"),
        ({"$skip": "-1"}, "RangeError"),
    ],
)
async def test_a_list_that_cannot_be_understood_is_refused(refusing: World, query: dict[str, str], code: str) -> None:
    answer = await refusing.http.get("/avatax/api/v2/companies/DEFAULT/transactions", params=query, auth=AVATAX_AUTH)

    assert error_of(answer) == (400, code, None)
