"""Measure the filters by which soxr changes sample rates, for the page, which does as they do.

    python examples/web/write_filters.py > examples/web/page/lib/filters.js

A filter is what soxr answers to a pulse: four values a sample of the lower rate, from its middle
on. There is one for rates of which one is twice the other, and one for all others.
"""

import numpy as np
import soxr

QUARTERS = 4
LEAST = 1e-7  # what is smaller, far from the middle, is left out
# Rates before and after, and the number of samples after which the answer is a quarter further
MEASURED = {"BY_TWO": (10000, 40000, 1), "BY_ANY": (48000, 22050, 80)}


def measure(before, after, quarter):
    """Return the values of a filter."""
    lower, middle, found = min(before, after), 6400, {}
    for shift in range(0, QUARTERS * quarter, quarter) if after < before else [0]:
        pulse = np.zeros(2 * middle)
        pulse[middle + shift] = 1.0
        answer = soxr.resample(pulse, before, after, quality="HQ")
        times = lower * (np.arange(len(answer)) / after - (middle + shift) / before)
        places = np.round(QUARTERS * times).astype(int)
        found |= {i: v for i, v in zip(places.tolist(), answer * before / lower) if i >= 0}
    values = np.array([found.get(i, 0.0) for i in range(max(found) + 1)])
    return values[: np.flatnonzero(np.abs(values) > LEAST)[-1] + 1]


def main():
    print("// Written by write_filters.py: of soxr's filters the middle and all behind it, four")
    print("// values a sample of the lower rate.")
    for name, how in MEASURED.items():
        print(f"export const {name} = [")
        values = [f"{value:.9f}" for value in measure(*how)]
        for start in range(0, len(values), 7):
            print(f"  {', '.join(values[start : start + 7])},")
        print("];")


if __name__ == "__main__":
    main()
