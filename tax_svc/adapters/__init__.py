"""Where the tax service meets AvaTax and its database."""
