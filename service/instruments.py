"""Instruments: what the writer and the worker measure of themselves as they go, for `/metrics`."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Histogram, disable_created_metrics

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_TOGETHER = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Instruments:
    """Histograms of one process; observing is safe from every thread and takes some microseconds a commit or a turn."""

    def __init__(self) -> None:
        # Each histogram's second series, which nothing here reads.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has not typed this one
        self.registry = CollectorRegistry()

        def histogram(name: str, doc: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(f"barograph_{name}", doc, buckets=buckets, registry=self.registry)

        self.commit_seconds = histogram("commit_seconds", "How long a group commit took", _SECONDS)
        self.commit_deliveries = histogram("commit_deliveries", "Deliveries of one group commit", _TOGETHER)
        self.receipt_seconds = histogram(
            "receipt_seconds", "How long the delivery that waited longest for a group commit waited", _SECONDS
        )
        self.fold_seconds = histogram("fold_seconds", "How long one transaction that reads and folds took", _SECONDS)
