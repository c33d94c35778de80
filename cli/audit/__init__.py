"""`ordermesh audit`: our ledgers against the providers' own lists."""
