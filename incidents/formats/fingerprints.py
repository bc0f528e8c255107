"""Fingerprints of alerts as Prometheus and Alertmanager make them: 64 bits of FNV-1a over the sorted labels. Pure.

Source: `labelSetToFingerprint` in github.com/prometheus/common/model/signature.go.
"""

from __future__ import annotations

from collections.abc import Mapping

_OFFSET, _PRIME = 0xCBF29CE484222325, 0x100000001B3
_SEPARATOR = b"\xff"


def of_labels(labels: Mapping[str, str]) -> str:
    """Sixteen hex digits, as Alertmanager's webhook gives them."""
    number = _OFFSET
    for name in sorted(labels, key=str.encode):
        for byte in b"".join((name.encode(), _SEPARATOR, labels[name].encode(), _SEPARATOR)):
            number = ((number ^ byte) * _PRIME) & 0xFFFFFFFFFFFFFFFF
    return f"{number:016x}"
