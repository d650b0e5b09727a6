"""
Recorded Binance depth frames through NautilusTrader and hftbacktest, as test/bench/native-case.ts asks.

stdin: {"frames": path, "rounds": n, "tick": text}; the file holds a REST snapshot in its first line and a frame in each other one.
stdout: a JSON line for each of what is timed: {name, version, ns, hash, about}. ns: nanoseconds a frame, of each round. hash: SHA-256 over best bid
and best ask after each frame, as little-endian doubles, taken in a pass of its own that is not timed.
"""

import hashlib
import json
import struct
import sys
import time


def timed(rounds, frames, prepare):
    """One round more than asked for: the first warms up."""
    ns = []
    for _ in range(rounds + 1):
        run = prepare()
        started = time.perf_counter_ns()
        run()
        ns.append((time.perf_counter_ns() - started) / frames)
    return ns[1:]


def hash_of(tops):
    return hashlib.sha256(b"".join(struct.pack("<dd", bid, ask) for bid, ask in tops)).hexdigest()[:16]


def report(name, version, ns, hash, about):
    print(json.dumps({"name": name, "version": version, "ns": ns, "hash": hash, "about": about}), flush=True)


def nautilus(snapshot, frames, rounds):
    import msgspec
    import nautilus_trader
    from nautilus_trader.adapters.binance.common.schemas.market import BinanceOrderBookData, BinanceOrderBookMsg
    from nautilus_trader.model.book import OrderBook
    from nautilus_trader.model.enums import BookType
    from nautilus_trader.model.identifiers import InstrumentId

    instrument = InstrumentId.from_str("X.BINANCE")
    decode = msgspec.json.Decoder(BinanceOrderBookMsg).decode
    levels = json.loads(snapshot)
    opening = msgspec.json.decode(
        json.dumps({"e": "", "E": 0, "s": "X", "U": 0, "u": 0, "b": levels["bids"], "a": levels["asks"]}),
        type=BinanceOrderBookData,
    ).parse_to_order_book_deltas(instrument, 0, snapshot=True)

    def opened():
        book = OrderBook(instrument, BookType.L2_MBP)
        book.apply_deltas(opening)
        return book

    def whole():
        book = opened()

        def run():
            for frame in frames:
                book.apply_deltas(decode(frame).data.parse_to_order_book_deltas(instrument, 0))
                book.best_bid_price()
                book.best_ask_price()

        return run

    decoded = [decode(frame).data.parse_to_order_book_deltas(instrument, 0) for frame in frames]

    def alone():
        book = opened()

        def run():
            for deltas in decoded:
                book.apply_deltas(deltas)
                book.best_bid_price()
                book.best_ask_price()

        return run

    book = opened()
    tops = []
    for deltas in decoded:
        book.apply_deltas(deltas)
        tops.append((float(str(book.best_bid_price())), float(str(book.best_ask_price()))))
    version = nautilus_trader.__version__
    report(
        "decode and book", version, timed(rounds, len(frames), whole), hash_of(tops),
        "msgspec and its Binance adapter's parse_to_order_book_deltas (Cython), OrderBook L2_MBP (Rust), best prices read",
    )
    report(
        "book alone", version, timed(rounds, len(frames), alone), hash_of(tops),
        "OrderBookDeltas made before, OrderBook L2_MBP (Rust), best prices read",
    )


def hftbacktest(snapshot, frames, rounds, tick):
    import importlib.metadata

    import numpy as np
    from hftbacktest import BacktestAsset, HashMapMarketDepthBacktest
    from hftbacktest.types import (
        BUY_EVENT,
        DEPTH_EVENT,
        DEPTH_SNAPSHOT_EVENT,
        LOCAL_EVENT,
        SELL_EVENT,
        event_dtype,
    )
    from numba import njit

    step = 1_000
    decimals = len(tick.split(".")[1])

    def rows_of(kind, at, bids, asks):
        for side, changes in ((BUY_EVENT, bids), (SELL_EVENT, asks)):
            for price, qty, *_ in changes:
                yield (kind | side | LOCAL_EVENT, at, at, float(price), float(qty), 0, 0, 0.0)

    levels = json.loads(snapshot)
    opening = list(rows_of(DEPTH_SNAPSHOT_EVENT, step, levels["bids"], levels["asks"]))
    # Frames that change nothing move the clock all the same.
    started = time.perf_counter_ns()
    rows = list(opening)
    for number, frame in enumerate(frames):
        data = json.loads(frame)
        data = data.get("data", data)
        rows.extend(rows_of(DEPTH_EVENT, (number + 2) * step, data["b"], data["a"]))
    events = np.array(rows, dtype=event_dtype)
    conversion = (time.perf_counter_ns() - started) / len(frames)

    def opened():
        asset = BacktestAsset().data([events]).linear_asset(1.0).constant_order_latency(0, 0).tick_size(float(tick)).lot_size(1e-8)
        return HashMapMarketDepthBacktest([asset])

    def whole():
        hbt = opened()
        hbt.elapse(step)
        return hbt._goto_end

    @njit
    def ticks_of(hbt, out):
        depth = hbt.depth(0)
        # Its clock begins at its first event: half a step later each frame is in.
        hbt.elapse(step + step // 2)
        for at in range(len(out)):
            out[at, 0] = depth.best_bid_tick
            out[at, 1] = depth.best_ask_tick
            hbt.elapse(step)

    ticks = np.zeros((len(frames), 2), dtype=np.int64)
    ticks_of(opened(), ticks)
    unit = int(tick.replace(".", ""))
    tops = [tuple(float(f"{value * unit / 10**decimals:.{decimals}f}") for value in pair) for pair in ticks.tolist()]
    report(
        "book alone", importlib.metadata.version("hftbacktest"), timed(rounds, len(frames), whole), hash_of(tops),
        f"HashMapMarketDepthBacktest (Rust) to the end of arrays made before (local events only, so one book); making them in Python took {conversion / 1e3:.0f} µs a frame",
    )


def main():
    wanted = json.load(sys.stdin)
    with open(wanted["frames"], "rb") as file:
        snapshot, *frames = file.read().splitlines()
    if wanted["peer"] == "nautilus_trader":
        nautilus(snapshot, frames, wanted["rounds"])
    else:
        hftbacktest(snapshot, frames, wanted["rounds"], wanted["tick"])


main()
