"""Tables larger than memory, or spread over machines: the same estimators on Dask collections.

Partitions send summaries, never their points: a coreset for the centers, sums for prices and bounds, and for
the exact assignment only the points nearest to a border between clusters. Needs the extra ``dask``.
"""
