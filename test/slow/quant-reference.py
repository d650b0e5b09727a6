"""Prices and Greeks of the cases on standard input, by the textbook formulas in 40 digits: an implementation that shares nothing with ours."""

import sys

import mpmath as mp

mp.mp.dps = 40
ROOT = mp.sqrt(2)


def cdf(x):
    return mp.erfc(-x / ROOT) / 2


for line in sys.stdin:
    model, *figures = line.split()
    w, underlying, strike, years, volatility, rate, carry = (mp.mpf(float(figure)) for figure in figures)
    forward = underlying * mp.exp(-carry * years)
    paid = strike * mp.exp(-rate * years)
    root = mp.sqrt(years)
    s = volatility * root
    d1 = (mp.log(underlying / strike) + (rate - carry) * years) / s + s / 2
    d2 = d1 - s
    first, second, density = cdf(w * d1), cdf(w * d2), mp.npdf(d1)
    price = w * (forward * first - paid * second)
    decay = forward * density * volatility / (2 * root)
    print(
        float(price),
        float(w * first * forward / underlying),
        float(forward * density / (underlying * underlying * s)),
        float(forward * density * root),
        float(-decay + w * (carry * forward * first - rate * paid * second)),
        float(w * years * paid * second if model == "spot" else -years * price),
    )
