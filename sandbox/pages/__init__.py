"""The sandbox's pages for people: its ledger, its mailbox, its fault switches, and the bank that asks who pays."""
