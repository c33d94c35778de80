"""The words that every part shares: money, addresses, ids, time, errors, outcomes. Standard library only, no I/O."""
