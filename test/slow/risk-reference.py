"""Risk figures of the portfolios on standard input (a JSON object a line), by numpy and exact fractions: written from the definitions, not from our code."""

import json
import sys
from fractions import Fraction
from statistics import NormalDist

import numpy as np


def tail(pnl, confidence):
    """The least x with P(loss <= x) >= confidence, in exact counts; ES as Rockafellar and Uryasev's minimum."""
    losses = np.sort(-np.asarray(pnl))
    alpha = Fraction(str(confidence))
    at = next(i for i in range(len(losses)) if Fraction(i + 1, len(losses)) >= alpha)
    var = losses[at]
    es = var + np.maximum(losses - var, 0).sum() / (len(losses) * float(1 - alpha))
    return [var, es]


def outcomes(returns, delta, gamma):
    return delta @ returns + 0.5 * gamma @ returns**2


def shrunk(returns):
    n = returns.shape[1]
    sample = np.atleast_2d(np.cov(returns))
    deviation = np.sqrt(np.diag(sample))
    x = (returns - returns.mean(axis=1, keepdims=True)) / deviation[:, None]
    w = x[:, None, :] * x[None, :, :]
    off = ~np.eye(len(x), dtype=bool)
    noise = (n / (n - 1) ** 3 * ((w - w.mean(axis=2, keepdims=True)) ** 2).sum(axis=2))[off].sum()
    signal = (np.corrcoef(returns).reshape(len(x), len(x))[off] ** 2).sum()
    intensity = 1.0 if signal == 0 else min(1.0, noise / signal)
    return [intensity, *np.where(off, (1 - intensity) * sample, sample).ravel()]


def ewma(returns, decay):
    covariance = np.zeros((len(returns), len(returns)))
    for r in returns.T:
        covariance = decay * covariance + (1 - decay) * np.outer(r, r)
    return covariance / (1 - decay ** returns.shape[1])


def drawdown(equity, window):
    equity = np.asarray(equity)
    peak = np.maximum.accumulate(equity)
    lost = peak - equity
    trailing = equity[-window:].max()
    return [
        lost[-1],
        lost[-1] / peak[-1],
        lost.max(),
        (lost / peak).max(),
        trailing - equity[-1],
        (trailing - equity[-1]) / trailing,
    ]


def exit_of(case):
    """Takes round after round until nothing is left."""
    mid, sign = case["mid"], 1 if case["qty"] > 0 else -1
    prices, shown = np.array(case["prices"]), np.array(case["qtys"]) * case["share"]
    worse = sign * (mid - prices)
    shown = np.where(worse <= case["slippageMax"] * mid, shown, 0)
    left, cost, rounds, in_time = abs(case["qty"]), 0.0, 0, 0.0
    while left > 1e-9 * abs(case["qty"]):
        taken = np.diff(np.minimum(np.cumsum(shown), left), prepend=0)
        cost += (taken * (worse + case["takerFee"] * prices)).sum()
        left -= taken.sum()
        if rounds * case["refillMs"] <= case["horizonMs"]:
            in_time += taken.sum()
        rounds += 1
    return [cost, (rounds - 1) * case["refillMs"], in_time * mid]


def worst_move(delta, gamma, move):
    return min(0, *(delta * m + gamma * m * m / 2 for m in (move, -move)))


def stresses(case):
    """By pricing each position anew: it is worth v + d(p - 1) + g(p - 1)^2 / 2 of its currency at a price of p times now's."""
    rows, terms, stable = case["positions"], case["terms"], case["stable"]
    figures = []
    for venue in range(case["venues"]):
        held = max(0, sum(r["valueUsd"] for r in rows if r["venue"] == venue))
        pnl = -terms["lostShare"] * held
        for asset in range(len(stable)):
            if stable[asset]:
                continue
            mine = [
                (1 - terms["lostShare"] if r["venue"] == venue else 1, r) for r in rows if r["asset"] == asset
            ]
            pnl += worst_move(
                sum(kept * r["deltaUsd"] for kept, r in mine),
                sum(kept * r["gammaUsd"] for kept, r in mine),
                terms["hedgeMove"],
            )
        figures.append(pnl)
    stables = [asset for asset in range(len(stable)) if stable[asset]]
    for coin in stables:
        x = 1 - terms["depeg"]
        pnl = 0
        for r in rows:
            if r["asset"] == coin:
                pnl += r["deltaUsd"] * (x - 1) + r["gammaUsd"] * (x - 1) ** 2 / 2
            elif r["currency"] == coin:
                pnl += x * (r["valueUsd"] + r["deltaUsd"] * (1 / x - 1)) - r["valueUsd"]
                pnl += r["gammaUsd"] * (x - 1) ** 2 / 2
        figures.append(pnl)
    for m in (terms["gap"], -terms["gap"]):
        figures.append(
            sum(r["deltaUsd"] * m + r["gammaUsd"] * m * m / 2 for r in rows if not stable[r["asset"]])
        )
    for rate in (terms["fundingRate"], -terms["fundingRate"]):
        figures.append(-sum(r["perpetualUsd"] for r in rows) * rate * terms["fundingTimes"])
    legs = case["legs"]
    figures.append(
        sum(
            min(
                worst_move(leg["deltaUsd"], leg["gammaUsd"], terms["legMove"]) - leg["exitCostUsd"]
                for leg in legs
                if leg["plan"] == plan
            )
            for plan in {leg["plan"] for leg in legs}
        )
    )
    return figures


def figures_of(case):
    returns = np.array(case["returns"], dtype=float).reshape(case["factors"], -1)
    normals = np.array(case["normals"]).reshape(case["factors"], -1)
    delta, gamma = (np.array(case[name], dtype=float) for name in ("deltaUsd", "gammaUsd"))
    n = returns.shape[1]
    pnl = outcomes(returns, delta, gamma)
    planned, planned_gamma = delta.copy(), gamma.copy()
    for leg in case["plan"]:
        planned[leg["factor"]] += leg["deltaUsd"]
        planned_gamma[leg["factor"]] += leg["gammaUsd"]
    with_plan = outcomes(returns, planned, planned_gamma)
    found = {
        "historical": [each for c in case["confidences"] for each in tail(pnl, c)],
        "planned": [each for c in case["confidences"] for each in tail(with_plan, c)],
        "ewma": ewma(returns, case["decay"]).ravel().tolist(),
        "drawdown": drawdown(case["equity"], case["window"]),
        "exit": exit_of(case["exit"]),
        "stresses": stresses(case["stress"]),
    }
    groups, amounts = np.array(case["groups"]), delta
    gross, net = np.bincount(groups, np.abs(amounts)), np.bincount(groups, amounts)
    share = gross / gross.sum()
    found["exposure"] = [*gross, *net, (share**2).sum(), share.max(), gross.sum() / case["equity"][-1]]
    if n > 2:
        sample = np.atleast_2d(np.cov(returns))
        deviation = np.sqrt(delta @ sample @ delta)
        normal = NormalDist()
        found["covariance"] = sample.ravel().tolist()
        found["shrunk"] = shrunk(returns)
        found["correlation"] = np.atleast_2d(np.corrcoef(returns)).ravel().tolist()
        found["parametric"] = [
            each
            for c in case["confidences"]
            for each in (
                deviation * normal.inv_cdf(c),
                deviation * normal.pdf(normal.inv_cdf(c)) / float(1 - Fraction(str(c))),
            )
        ]
        found["correlationRisk"] = [deviation / (np.abs(delta) @ np.sqrt(np.diag(sample)))]
    if n > 2 * case["factors"]:
        drawn = np.linalg.cholesky(sample) @ normals
        found["monteCarlo"] = [each for c in case["confidences"] for each in tail(outcomes(drawn, delta, gamma), c)]
    return {name: [float(each) for each in figures] for name, figures in found.items()}


for line in sys.stdin:
    print(json.dumps(figures_of(json.loads(line))))
