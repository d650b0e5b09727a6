/**
 * What linear exposures gain in each scenario, two scenarios at a time: the same operations in the same order as scenarios.ts, so the results are the same bits.
 * Memory: the returns, a row a factor; the sums; the exposures. AssemblyScript; built by test/shared/quant/build-kernel.ts.
 */

/** Adds up Σ_f δ_f·r_fs for all `count` scenarios of `factors` factors, from zero. */
export function sum(factors: i32, count: i32): void {
  const row = <usize>count << 3;
  const pnl = <usize>factors * row;
  let returns: usize = 0;
  let deltas = pnl + row;
  memory.fill(pnl, 0, row);
  let factor = 0;
  for (; factor + 8 <= factors; factor += 8) {
    addEight(returns, row, deltas, pnl);
    returns += row << 3;
    deltas += 64;
  }
  for (; factor < factors; factor += 1) {
    addOne(returns, row, load<f64>(deltas), pnl);
    returns += row;
    deltas += 8;
  }
}

/** Eight rows are read side by side, so that the sums are read and written an eighth as often. */
@inline
function addEight(r0: usize, row: usize, deltas: usize, pnl: usize): void {
  const r1 = r0 + row;
  const r2 = r1 + row;
  const r3 = r2 + row;
  const r4 = r3 + row;
  const r5 = r4 + row;
  const r6 = r5 + row;
  const r7 = r6 + row;
  const d0 = v128.load64_splat(deltas);
  const d1 = v128.load64_splat(deltas, 8);
  const d2 = v128.load64_splat(deltas, 16);
  const d3 = v128.load64_splat(deltas, 24);
  const d4 = v128.load64_splat(deltas, 32);
  const d5 = v128.load64_splat(deltas, 40);
  const d6 = v128.load64_splat(deltas, 48);
  const d7 = v128.load64_splat(deltas, 56);
  const pairs = row & ~15;
  let at: usize = 0;
  for (; at < pairs; at += 16) {
    let sums = f64x2.add(v128.load(pnl + at), f64x2.mul(d0, v128.load(r0 + at)));
    sums = f64x2.add(sums, f64x2.mul(d1, v128.load(r1 + at)));
    sums = f64x2.add(sums, f64x2.mul(d2, v128.load(r2 + at)));
    sums = f64x2.add(sums, f64x2.mul(d3, v128.load(r3 + at)));
    sums = f64x2.add(sums, f64x2.mul(d4, v128.load(r4 + at)));
    sums = f64x2.add(sums, f64x2.mul(d5, v128.load(r5 + at)));
    sums = f64x2.add(sums, f64x2.mul(d6, v128.load(r6 + at)));
    sums = f64x2.add(sums, f64x2.mul(d7, v128.load(r7 + at)));
    v128.store(pnl + at, sums);
  }
  if (at < row) {
    let last = load<f64>(pnl + at);
    for (let factor: usize = 0; factor < 8; factor += 1)
      last += load<f64>(deltas + (factor << 3)) * load<f64>(r0 + factor * row + at);
    store<f64>(pnl + at, last);
  }
}

@inline
function addOne(returns: usize, row: usize, delta: f64, pnl: usize): void {
  const both = f64x2.splat(delta);
  const pairs = row & ~15;
  let at: usize = 0;
  for (; at < pairs; at += 16)
    v128.store(pnl + at, f64x2.add(v128.load(pnl + at), f64x2.mul(both, v128.load(returns + at))));
  if (at < row) store<f64>(pnl + at, load<f64>(pnl + at) + delta * load<f64>(returns + at));
}
