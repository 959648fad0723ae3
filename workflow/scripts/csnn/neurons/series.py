"""Short series for expm1 and log1p where their arguments are small.

They are exact to rounding there and, unlike the functions, can be computed for many neurons at once. They are no
functions of Nengo's, so multiplications and additions may be contracted to one rounding, unlike in a neuron's step.
"""

SERIES_LIMIT = 0.05
"""Largest absolute argument for which both series are exact to rounding in double precision."""


def expm1_series(x, real):
    """exp(x) - 1 for |x| <= `SERIES_LIMIT`, by its Taylor series; the first term left out is x^10 / 10!."""
    total = real(1 / 362880)
    total = total * x + real(1 / 40320)
    total = total * x + real(1 / 5040)
    total = total * x + real(1 / 720)
    total = total * x + real(1 / 120)
    total = total * x + real(1 / 24)
    total = total * x + real(1 / 6)
    total = total * x + real(1 / 2)
    return x * (total * x + real(1))


def log1p_series(numerator, denominator, real):
    """log(1 + numerator / denominator) = 2 artanh(numerator / (2 denominator + numerator)), by its series.

    For -`SERIES_LIMIT` <= numerator / denominator <= 0; the first term left out is s^13 / 13 with |s| < 0.026.
    """
    s = numerator / (denominator + denominator + numerator)
    square = s * s
    total = real(1 / 11)
    total = total * square + real(1 / 9)
    total = total * square + real(1 / 7)
    total = total * square + real(1 / 5)
    total = total * square + real(1 / 3)
    return (s + s) * (total * square + real(1))
