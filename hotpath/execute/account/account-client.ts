import { BadInput } from '#shared/assert.ts';
import type { Clock } from '#shared/clock/clock.ts';
import type { VenueId } from '#shared/domain/ids.ts';
import type { Fence } from '#shared/domain/order.ts';
import type { Random } from '#shared/random.ts';
import { Backoff } from '../../runtime/backoff.ts';
import type { Logger } from '../../runtime/logger.ts';
import { rerouted } from '../../runtime/reroute.ts';
import type { HttpResult, Transport } from '../../runtime/transport.ts';
import type { Priority } from '../../runtime/weight-limiter.ts';
import { WeightLimiter } from '../../runtime/weight-limiter.ts';
import type {
  Account,
  AccountContext,
  Answer,
  Call,
  Credentials,
  KeyPermissions,
  Meaning,
  Refusal,
  Reply,
} from '../../venues/venue-account.ts';
import { Redaction } from './redaction.ts';
import { RequestLine } from './request-line.ts';

/** What I/O needs of the world: all of it is passed in, so that a run can be repeated. */
export type Outside = {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
};

/** One key's account of a venue, as this run uses it. */
export type AccountSetup = {
  readonly venue: VenueId;
  readonly account: Account;
  readonly credentials: Credentials;
  readonly marginMode: AccountContext['marginMode'];
  readonly leverage: number;
  /** Everything is reached through this address instead. See runtime/reroute.ts. */
  readonly via?: string;
  /** The share of every limit that is kept for cancels and hedges. */
  readonly reserved: number;
  /** Otherwise a key that may withdraw is refused. */
  readonly allowWithdraw?: boolean;
  /** Shared by the accounts of one key; one of its own when absent. */
  readonly line?: RequestLine;
};

export type AskOptions = {
  /** For logs: `place`, `balances`. */
  readonly name: string;
  readonly priority: Priority;
  /** Without an answer after so long it has failed. */
  readonly timeoutMs?: number;
  /** Not sent after waiting so long for its turn. */
  readonly withinMs?: number;
  /** Asked when its turn has come: what it closes for is not sent. */
  readonly fence?: Fence;
};

/** What became of a request. `failed`: it may have been done. `unsent`: it surely was not. */
export type Outcome<T> =
  | Extract<Answer<T>, { readonly kind: 'ok' }>
  | Refusal
  | { readonly kind: 'failed'; readonly cause: 'timeout' | 'disconnect' }
  | { readonly kind: 'unsent'; readonly why: 'full' | 'too-heavy' | 'too-late' | 'fenced' };

/** The account was not answered: it may be later. What is no such problem does not go away by itself. */
export class AccountUnreachable extends BadInput {}

export type Made<T> = (context: AccountContext) => Call<T>;

const TIMEOUT_MS = 10_000;
const QUEUE_MAX = 256;
const PAGES_MAX = 50;
const RETRY = { minMs: 250, maxMs: 5_000 } as const;
/** Of what the account needs before it can start. */
const ATTEMPTS_MAX = 6;
/** An answer that took longer does not move a clock that was read before. */
const ROUND_TRIP_MS_MAX = 1_000;
/** The clocks are not compared more often than this when requests are refused for their time. */
const RESYNC_NS = 10e9;
/** Banned without a word for how long: Binance answers 418 once an address is banned, at least for two minutes. */
const BAN_MS = 120_000;
/** Limited without a word for how long: at least this, and the longest window of what was asked. */
const LIMITED_MS = 1_000;
/** The longest ban that a venue documents is three days. */
const PAUSE_MS_MAX = 3 * 86_400_000;

const utf8 = new TextDecoder();

/**
 * Signed requests of one account: made and signed when their turn comes, kept within the limits, read by the venue's file. Never throws for what a venue
 * does. Nothing is sent twice.
 */
export class AccountClient {
  readonly setup: AccountSetup;
  readonly clock: Clock;
  readonly random: Random;
  readonly transport: Transport;
  readonly redaction: Redaction;
  /** Blots out what must not be told. */
  readonly logger: Logger;
  readonly limiter: WeightLimiter;
  /** Refusals whose code no table has. */
  unlisted = 0;
  #facts: Readonly<Record<string, string>> = {};
  readonly #line: RequestLine;
  /** Venue's clock less ours, milliseconds. */
  #offsetMs = 0;
  /** Whether that was ever read from an answer that came soon. */
  #isSynced = false;
  #resyncedNs = Number.NEGATIVE_INFINITY;
  #stopped = false;

  constructor(setup: AccountSetup, { transport, clock, random, logger }: Outside) {
    const { apiKey, secret, passphrase } = setup.credentials;
    this.setup = setup;
    this.#line = setup.line ?? new RequestLine();
    this.clock = clock;
    this.random = random;
    this.transport = transport;
    this.redaction = new Redaction([apiKey, secret, passphrase]);
    this.logger = this.redaction.around(logger);
    this.limiter = new WeightLimiter(clock, {
      buckets: setup.account.limits.buckets,
      reserved: setup.reserved,
      queueMax: QUEUE_MAX,
    });
  }

  get venueOffsetMs(): number {
    return this.#offsetMs;
  }

  /** Whose it is, for logs. */
  get name(): { readonly venue: string; readonly account: string } {
    return { venue: this.setup.venue, account: this.setup.account.id };
  }

  /** Unix milliseconds by our estimate of the venue's clock. */
  nowMs(): number {
    return Math.round(this.clock.unixMs(this.clock.now()) + this.#offsetMs);
  }

  /** What one request is made from. Each has a nonce greater than any before, also across starts while clocks do not go back. */
  context(): AccountContext {
    const nowMs = this.nowMs();
    // Of our own clock: the estimate of theirs may go back.
    const nonce = this.#line.nonce(this.clock.unixMs(this.clock.now()) * 1_000);
    const { credentials, marginMode, leverage } = this.setup;
    return { credentials, nowMs, nonce, facts: this.#facts, marginMode, leverage };
  }

  /**
   * Asks once, and elsewhere where the venue keeps what it did not find. `done` is called once: within this call when it cannot be asked, else later.
   */
  ask<T>(make: Made<T>, options: AskOptions, done: (outcome: Outcome<T>) => void): void {
    let fresh: Call<T> | undefined = make(this.context());
    const { name, priority, withinMs } = options;
    const admission = this.limiter.submit({
      priority,
      weight: fresh.weight,
      run: () => {
        if (options.fence?.() !== undefined) done({ kind: 'unsent', why: 'fenced' });
        else if (this.setup.account.limits.serial === true) this.#sendInLine(make, options, done);
        else this.#send(fresh ?? make(this.context()), options, done);
      },
      drop: () => done({ kind: 'unsent', why: 'too-late' }),
      ...(withinMs === undefined ? {} : { withinMs }),
    });
    // What must wait is made again: signatures age, and nonces must not come in another order.
    fresh = undefined;
    if (admission !== 'full' && admission !== 'too-heavy') return;
    this.logger.warn('account-request-refused', { ...this.name, request: name, reason: admission });
    done({ kind: 'unsent', why: admission });
  }

  /** Asks one call and all pages that follow it, one after the other; the first that is not answered ends it. */
  pages<T>(make: Made<T>, options: AskOptions, done: (outcome: Outcome<readonly T[]>) => void): void {
    const pages: T[] = [];
    const next = (page: Made<T>): void => {
      this.ask(page, options, (outcome) => {
        if (outcome.kind !== 'ok') {
          done(outcome);
          return;
        }
        pages.push(outcome.value);
        if (outcome.more !== undefined && pages.length < PAGES_MAX) {
          next(outcome.more);
          return;
        }
        if (outcome.more !== undefined)
          this.logger.warn('account-list-cut', { ...this.name, request: options.name, pages: PAGES_MAX });
        done({ kind: 'ok', value: pages });
      });
    };
    next(make);
  }

  /** Asks all calls that `make` says, each with its pages and each with a context of its own: no nonce is used twice. */
  all<T>(
    make: (context: AccountContext) => readonly Call<T>[],
    options: AskOptions,
    done: (outcome: Outcome<readonly T[]>) => void,
  ): void {
    const count = make(this.context()).length;
    const answers: T[] = [];
    const next = (at: number): void => {
      if (at === count) {
        done({ kind: 'ok', value: answers });
        return;
      }
      this.pages(
        (context) => make(context)[at]!,
        options,
        (outcome) => {
          if (outcome.kind !== 'ok') {
            done(outcome);
            return;
          }
          answers.push(...outcome.value);
          next(at + 1);
        },
      );
    };
    next(0);
  }

  /** Tries again, later and later, what may be asked twice: until it is answered, refused for good, or `attemptsMax` is reached. */
  persist<T>(
    attempt: (done: (outcome: Outcome<T>) => void) => void,
    attemptsMax: number,
    done: (outcome: Outcome<T>) => void,
  ): void {
    const backoff = new Backoff(RETRY, this.random);
    const once = (): void => {
      attempt((outcome) => {
        const waitMs = backoff.nextMs();
        if (this.#stopped || !mayPass(outcome) || backoff.attempts >= attemptsMax) done(outcome);
        else this.clock.after(waitMs, () => (this.#stopped ? done(outcome) : once()));
      });
    };
    once();
  }

  /** Compares the clocks; the offset stays as it was when the venue does not say. */
  syncClock(done: (outcome: Outcome<number>) => void = () => undefined): void {
    const { time } = this.setup.account.rest;
    if (time === undefined) {
      done({ kind: 'ok', value: this.#offsetMs });
      return;
    }
    let sentNs = this.clock.now();
    const make = (): Call<number> => {
      sentNs = this.clock.now();
      return time;
    };
    this.ask(make, { name: 'time', priority: 'order' }, (outcome) => {
      if (outcome.kind === 'ok') {
        const nowNs = this.clock.now();
        const isClose = (nowNs - sentNs) / 1e6 <= ROUND_TRIP_MS_MAX;
        // Read half-way between question and answer, as far as anybody can tell: of a slow answer nobody can, and an offset that is seconds off refuses orders.
        if (isClose || !this.#isSynced)
          this.#offsetMs = outcome.value - (this.clock.unixMs(sentNs) + this.clock.unixMs(nowNs)) / 2;
        this.#isSynced ||= isClose;
      }
      done(outcome);
    });
  }

  /**
   * Compares clocks, learns what requests must name, and what the key may do. `done` gets the reason why the account cannot be used: it was not
   * answered (AccountUnreachable), its key is refused, or may withdraw.
   */
  start(done: (problem: BadInput | undefined) => void): void {
    const problem = (what: string, outcome: Outcome<unknown>): BadInput => {
      const { venue, account } = this.name;
      const text = `account ${account} of ${venue}: ${what}: ${textOfOutcome(outcome)}`;
      return mayPass(outcome) ? new AccountUnreachable(text) : new BadInput(text);
    };
    this.persist<number>(
      (told) => this.syncClock(told),
      ATTEMPTS_MAX,
      (time) => {
        if (time.kind !== 'ok') {
          done(problem('the clock was not answered', time));
          return;
        }
        this.#prepare((prepared) => {
          if (prepared.kind === 'ok') this.#checkKey(problem, done);
          else done(problem('it cannot be prepared', prepared));
        });
      },
    );
  }

  /** A refusal as it may be told. A code that the venue's table does not have is an alarm. */
  noted({ kind, meaning, code, text }: Refusal, request: string): Refusal {
    const told = { kind, meaning, code, text: this.redaction.text(text) };
    if (meaning === 'unlisted') {
      this.unlisted += 1;
      this.logger.warn('account-code-unlisted', { ...this.name, request, code, text: told.text });
    }
    return told;
  }

  /** Sends nothing more; what waits is dropped. */
  stop(): void {
    this.#stopped = true;
    this.limiter.clear();
  }

  #prepare(done: (outcome: Outcome<unknown>) => void): void {
    const { prepare } = this.setup.account;
    if (prepare === undefined) {
      done({ kind: 'ok', value: undefined });
      return;
    }
    this.persist<readonly Facts[]>(
      (told) => this.all(prepare, { name: 'prepare', priority: 'order' }, told),
      ATTEMPTS_MAX,
      (outcome) => {
        if (outcome.kind === 'ok') this.#facts = Object.assign({}, ...outcome.value) as Facts;
        done(outcome);
      },
    );
  }

  #checkKey(
    problem: (what: string, outcome: Outcome<unknown>) => BadInput,
    done: (problem: BadInput | undefined) => void,
  ): void {
    const { permissions } = this.setup.account.rest;
    if (permissions === undefined) {
      this.logger.warn('account-key-unchecked', { ...this.name, reason: 'the venue does not say what a key may do' });
      done(undefined);
      return;
    }
    this.persist<KeyPermissions>(
      (told) => this.ask(permissions, { name: 'permissions', priority: 'order' }, told),
      ATTEMPTS_MAX,
      (outcome) => {
        if (outcome.kind !== 'ok') done(problem('it does not say what the key may do', outcome));
        else if (outcome.value.withdraw === true && this.setup.allowWithdraw !== true) {
          const { venue, account } = this.name;
          done(
            new BadInput(`account ${account} of ${venue}: the key may withdraw: make one that may only read and trade`),
          );
        } else {
          if (!outcome.value.trade) this.logger.warn('account-key-cannot-trade', this.name);
          done(undefined);
        }
      },
    );
  }

  /** What waits in the line may become too late there too: what stands before it may take seconds to be answered. */
  #sendInLine<T>(make: Made<T>, options: AskOptions, done: (outcome: Outcome<T>) => void): void {
    const { priority, withinMs = Infinity, fence } = options;
    const enteredNs = this.clock.now();
    this.#line.enter(priority, (leave) => {
      const isLate = (this.clock.now() - enteredNs) / 1e6 > withinMs;
      if (isLate || fence?.() !== undefined) {
        leave();
        done({ kind: 'unsent', why: isLate ? 'too-late' : 'fenced' });
      } else this.#send(make(this.context()), options, done, leave);
    });
  }

  #send<T>(call: Call<T>, options: AskOptions, done: (outcome: Outcome<T>) => void, leave?: () => void): void {
    const { account, via } = this.setup;
    const whole = /^https?:/.test(call.path);
    const request = {
      method: call.method,
      url: rerouted(whole ? call.path : account.restUrl + call.path, via),
      headers: call.headers,
      timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
      ...(call.body === undefined ? {} : { body: call.body }),
    };
    this.transport.request(request, (result) => {
      leave?.();
      if (result.kind === 'failure') {
        this.logger.warn('account-request-failed', { ...this.name, request: options.name, cause: result.cause });
        done({ kind: 'failed', cause: result.cause });
        return;
      }
      const answer = this.#read(call, options.name, result);
      if (answer.kind === 'refused' && answer.elsewhere !== undefined) this.ask(answer.elsewhere, options, done);
      else done(answer);
    });
  }

  #read<T>(call: Call<T>, name: string, { status, headers: given, body }: Response): Answer<T> {
    const headers = Object.fromEntries(Object.entries(given).map(([key, value]) => [key.toLowerCase(), value]));
    const reply = { status, headers, text: utf8.decode(body) };
    const used = this.setup.account.limits.used?.(headers);
    // Another host, which has limits of its own, speaks of those in the same words.
    if (used !== undefined)
      this.limiter.told(Object.fromEntries(Object.entries(used).filter(([bucket]) => bucket in call.weight)));
    this.#obey(call, reply);
    const answer = call.read(reply);
    if (answer.kind === 'ok') return answer;
    if (answer.meaning === 'rate-limited') this.limiter.spent(call.weight);
    if (answer.meaning === 'clock-skew') this.#resyncClock();
    return { ...answer, ...this.noted(answer, name) };
  }

  /** Silent for as long as the venue asks. */
  #obey(call: Call<unknown>, { status, headers }: Reply): void {
    const limited = status === 429 || status === 418;
    if (!limited && headers['retry-after'] === undefined) return;
    const { buckets } = this.setup.account.limits;
    const windows = Object.keys(call.weight).map((name) => buckets[name]?.windowMs ?? 0);
    const unsaidMs = status === 418 ? BAN_MS : Math.max(LIMITED_MS, ...windows);
    const pauseMs = this.#retryAfterMs(headers['retry-after']) ?? (limited ? unsaidMs : 0);
    this.limiter.pause(pauseMs);
    this.logger.warn('account-limited', { ...this.name, status, pauseMs });
  }

  /** Seconds or an HTTP date. @see https://www.rfc-editor.org/rfc/rfc9110#field.retry-after */
  #retryAfterMs(text: string | undefined): number | undefined {
    if (text === undefined) return undefined;
    const delayMs = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - this.nowMs();
    return Number.isFinite(delayMs) ? Math.min(Math.max(delayMs, 0), PAUSE_MS_MAX) : undefined;
  }

  /** Our clock or theirs was set. Asked once a while: every refused request says the same. */
  #resyncClock(): void {
    const nowNs = this.clock.now();
    if (nowNs - this.#resyncedNs < RESYNC_NS) return;
    this.#resyncedNs = nowNs;
    this.syncClock();
  }
}

/** What became of a request, in words without its secrets. */
export function textOfOutcome(outcome: Outcome<unknown>): string {
  switch (outcome.kind) {
    case 'ok':
      return 'ok';
    case 'refused':
      return `${outcome.meaning} (${outcome.code}) ${outcome.text}`.trim();
    case 'failed':
      return outcome.cause;
    case 'unsent':
      return `not sent: ${outcome.why}`;
  }
}

/** Whether it may go away by itself. */
function mayPass(outcome: Outcome<unknown>): boolean {
  switch (outcome.kind) {
    case 'ok':
      return false;
    case 'refused':
      return PASSING.has(outcome.meaning);
    case 'failed':
      return true;
    case 'unsent':
      return outcome.why !== 'too-heavy' && outcome.why !== 'fenced';
  }
}

const PASSING: ReadonlySet<Meaning> = new Set(['in-doubt', 'rate-limited', 'clock-skew', 'venue-down', 'unlisted']);

type Facts = Readonly<Record<string, string>>;
type Response = Extract<HttpResult, { readonly kind: 'response' }>;
