"""Works out taxes and keeps their documents, on Avalara AvaTax."""
