"""In-memory stores: columnar, indexed for whole batches, and able to answer as of any moment of the data."""
