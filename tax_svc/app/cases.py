"""All use cases of the service, made of its ports."""

from dataclasses import dataclass

from kernel.clock import Clock
from tax_svc.app.cache import QuoteCache
from tax_svc.app.commit import CommitTax
from tax_svc.app.listing import ListDocuments, ListRecorded
from tax_svc.app.ports import Documents, TaxAuthority
from tax_svc.app.quote import QuoteTax
from tax_svc.app.refund import RefundTax
from tax_svc.app.resolve import ResolveAddress
from tax_svc.app.void import VoidTax
from tax_svc.domain.fallback import FallbackRates


@dataclass(frozen=True, slots=True)
class Cases:
    """What the service does: one use case for each of its calls."""

    quote: QuoteTax
    commit: CommitTax
    refund: RefundTax
    void: VoidTax
    resolve: ResolveAddress
    list_documents: ListDocuments
    list_recorded: ListRecorded


def cases(
    authority: TaxAuthority, documents: Documents, clock: Clock, fallback: FallbackRates, cache_seconds: float
) -> Cases:
    """Return the use cases.

    Args:
        authority: Who is asked for taxes.
        documents: Our own record.
        clock: For the age of quotes and the time of documents.
        fallback: The rates while the authority cannot be asked.
        cache_seconds: How long a quote is remembered; 0 remembers none.
    """
    return Cases(
        quote=QuoteTax(authority, fallback, QuoteCache(clock, cache_seconds)),
        commit=CommitTax(authority, documents, clock),
        refund=RefundTax(authority, documents, clock),
        void=VoidTax(authority, documents, clock),
        resolve=ResolveAddress(authority),
        list_documents=ListDocuments(documents),
        list_recorded=ListRecorded(authority),
    )
