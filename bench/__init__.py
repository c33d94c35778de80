"""How much an order costs: the product, its floor, and four empty hops on stock settings, measured side by side in one run."""
