import type { Random } from '#shared/random.ts';

/** What may go wrong, and how likely it is at each occasion in an episode that has it. */
const LIKELY = {
  'ack-lost': 0.15,
  'fill-lost': 0.2,
  'word-late': 0.1,
  'word-repeated': 0.2,
  'words-reordered': 0.2,
  'fill-after-end': 0.35,
  'fill-during-cancel': 0.5,
  'fill-after-cancel': 0.5,
  'fill-during-replace': 0.9,
  'replace-lost': 0.7,
  'replace-unanswered': 0.7,
  'replace-refused': 0.6,
  'replace-slow': 0.7,
  'partial-then-reject': 0.1,
  'partial-fill': 0.4,
  'no-fill': 0.2,
  refused: 0.15,
  'unknown-delivered': 0.15,
  'unknown-lost': 0.15,
  'lost-silently': 0.1,
  'slow-arrival': 0.1,
  'stays-live': 0.15,
  'rate-limit': 0.15,
  ban: 0.08,
  'read-outage': 0.3,
  'history-truncated': 0.3,
  'question-lost': 0.3,
  'query-lag': 0.3,
  'alien-status': 0.15,
  'clock-jump': 0.5,
  'wall-step': 0.5,
  'balance-drift': 0.3,
  deleveraged: 0.8,
  liquidated: 0.8,
  'force-untold': 0.3,
  'venue-down': 0.5,
  'book-away': 0.5,
  'thin-book': 0.4,
  'fee-in-token': 0.2,
} as const;

export type FaultKind = keyof typeof LIKELY;
export const FAULTS = Object.keys(LIKELY) as readonly FaultKind[];

/** Of every episode some faults, each as likely as it likes, for the first so many orders and seconds: every story has an end. */
export class Weather {
  readonly counts = new Map<FaultKind, number>();
  readonly #random: Random;
  readonly #likely = new Map<FaultKind, number>();
  #left: number;

  constructor(random: Random) {
    this.#random = random;
    const share = random.next();
    for (const kind of FAULTS) if (random.next() < share) this.#likely.set(kind, LIKELY[kind] * (0.5 + random.next()));
    this.#left = random.integer(30);
  }

  /** Whether the fault happens now. */
  strikes(kind: FaultKind): boolean {
    const likely = this.#likely.get(kind);
    if (likely === undefined || this.#left === 0 || this.#random.next() >= likely) return false;
    this.#left -= 1;
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    return true;
  }
}
