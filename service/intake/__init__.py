"""Webhooks, from the socket to stable storage and on to the worker that reads them."""
