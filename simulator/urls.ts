/** Where each market of each venue is reached: bases, to which the venue's own REST paths are appended. */
export type MarketUrls = Readonly<
  Record<string, Readonly<Record<string, { readonly ws: string; readonly rest: string }>>>
>;

/** The simulator's addresses, as `venues.<id>.urls.<market>` takes them. */
export function urlsOf(port: number, host = '127.0.0.1'): MarketUrls {
  const [ws, rest] = [`ws://${host}:${port}`, `http://${host}:${port}`];
  const okx = { ws: `${ws}/okx/ws/v5/public`, rest: `${rest}/okx` };
  return {
    binance: {
      spot: { ws: `${ws}/binance/spot/stream`, rest: `${rest}/binance/spot` },
      usdm: { ws: `${ws}/binance/usdm/public/stream`, rest: `${rest}/binance/usdm` },
      coinm: { ws: `${ws}/binance/coinm/stream`, rest: `${rest}/binance/coinm` },
    },
    okx: { spot: okx, swap: okx },
    kraken: { spot: { ws: `${ws}/kraken/v2`, rest: `${rest}/kraken` } },
  };
}
