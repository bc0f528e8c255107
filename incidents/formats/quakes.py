"""How far an earthquake was felt: an estimate, for feeds that give magnitude and depth alone."""

from __future__ import annotations

from math import exp, log, sqrt

FELT = 4.0
"""The intensity (MMI IV, "light") down to which shaking counts: felt indoors by many."""

BASIS = "estimate: intensity IV or more by Allen, Wald and Worden (2012)"


def intensity(magnitude: float, distance_km: float) -> float:
    """The median Modified Mercalli intensity at a distance from the hypocentre.

    Allen, Wald and Worden (2012), Intensity attenuation for active crustal regions, hypocentral form, no site term.
    """
    reach = -0.209 + 2.042 * exp(magnitude - 5)
    far = 0.078 * log(distance_km / 50) if distance_km > 50 else 0.0
    return 2.085 + 1.428 * magnitude - 1.402 * log(sqrt(distance_km**2 + reach**2)) + far


def felt_radius_km(magnitude: float, depth_km: float) -> float:
    """The distance from the epicentre, in whole km, up to which it was felt; 0 where it was not at all.

    `magnitude` is from −5 to 10 and `depth_km` from 0 to 1,000.
    """
    near, far = max(depth_km, 1.0), 3_000.0
    if intensity(magnitude, near) < FELT:
        return 0.0
    for _ in range(40):
        middle = (near + far) / 2
        near, far = (middle, far) if intensity(magnitude, middle) >= FELT else (near, middle)
    return float(round(sqrt(max(near**2 - depth_km**2, 0.0))))
