"""Who calls the gateway: API keys, tokens of an identity provider, and what each of them may ask for."""
