import { describe } from 'vitest';
import {
  timestreamTimeSeries,
  type TimestreamPeer,
  type TimestreamRecord,
} from '#functions/common/time-series-timestream.ts';
import { keepsItsPromises } from '../support/time-series-suite.ts';

/** Stands for Timestream as its reference describes it; there is none to be had. It knows the two questions that we ask. */
function timestreamInMemory(): TimestreamPeer {
  const records = new Map<string, TimestreamRecord & { readonly table: string }>();
  return {
    write: (table, added) => {
      if (added.length > 100) throw new Error('ValidationException');
      for (const record of added) {
        records.set(`${table} ${record.Dimensions[0]!.Value} ${record.Time}`, { ...record, table });
      }
      return Promise.resolve();
    },
    query: (sql) => {
      const table = /FROM "arb"[.]"(\w+)"/.exec(sql)![1];
      const instrument = /instrument = '((?:[^']|'')*)'/.exec(sql)![1]!.replaceAll("''", "'");
      const from = /time >= from_milliseconds\((\d+)\)/.exec(sql)?.[1] ?? '0';
      const to = /time < from_milliseconds\((\d+)\)/.exec(sql)?.[1] ?? String(Number.MAX_SAFE_INTEGER);
      const timeMs = ({ Time }: TimestreamRecord): number => Number(BigInt(Time) / 1_000_000n);
      const found = [...records.values()]
        .filter((record) => record.table === table && record.Dimensions[0]!.Value === instrument)
        .filter((record) => timeMs(record) >= Number(from) && timeMs(record) < Number(to))
        .sort((a, b) => Number(BigInt(b.Time) - BigInt(a.Time)))
        .map((record) => [String(timeMs(record)), ...record.MeasureValues.map(({ Value }) => Value)]);
      return Promise.resolve(sql.endsWith('LIMIT 1') ? found.slice(0, 1) : found);
    },
  };
}

describe('time series in Timestream, as far as it can be told without one', () => {
  const peer = timestreamInMemory();
  keepsItsPromises(() => timestreamTimeSeries({ region: 'us-east-1', database: 'arb', table: 'candles' }, peer));
});
