"""Recommenders: one file a model, one protocol, exact ranking for many users at once."""
