"""Who may call what: the rules of the contract, and the signed word of the gateway on whom it calls for."""
