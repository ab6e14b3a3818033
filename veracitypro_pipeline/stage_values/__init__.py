"""What one stage leaves for the others: small immutable values, stored as JSON by asset and day.

One module a producer. Pure: neither Dagster nor I/O; `resources/state_store.py` keeps the values.
A claim is an idempotency record: it is written before the call that must not be made twice.
All instants are UTC.
"""
