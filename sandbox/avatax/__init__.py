"""Avalara AvaTax REST v2: tax documents, their states and the rates behind them."""
