import { join, resolve as absolute } from 'node:path';
import { BadInput } from '#shared/assert.ts';
import { systemClock } from '#shared/clock/clock.ts';
import type { Config } from '#shared/schema/config.ts';
import type { EngineStatus } from '#shared/schema/status.ts';
import type { EngineMessage } from '#hotpath/main.ts';
import { readJournal } from '#hotpath/publish/journal.ts';
import { ENGINE_ENV, ENGINE_NODE_OPTIONS } from './engine-node.ts';
import type { Outcome, RunOptions } from './run-options.ts';
import { reportOf, summaryOf, writeReport } from './run-options.ts';
import { Screen } from './screen.ts';
import { simulatorConfigOf, simulatorKeyEnv, throughSimulator } from './simulated.ts';
import type { ChildOptions } from './supervisor.ts';
import { Child } from './supervisor.ts';

const READY_WITHIN_MS = 60_000;
const ENGINE_STOP_MS = 35_000;
const PROJECT_WITHIN_MS = 30_000;
const ENGINE_RESTART = { max: 100, backoffMs: 200 } as const;

type CloudReady = {
  readonly apiUrl: string;
  readonly dynamodbUrl: string;
  readonly kinesisUrl: string;
  readonly keyPair?: { readonly apiKey: string; readonly apiSecret: string } | undefined;
};

/** Everything as processes on this machine, as in production but for the machine. Returns the exit code. */
export async function runProcesses(options: RunOptions): Promise<number> {
  const { config, forSeconds, table, live } = options;
  const screen = new Screen(process.stdout, table);
  const children: Child[] = [];
  const ending = endOfRun(forSeconds, () => children.forEach((child) => child.kill()));
  try {
    screen.say('starting tables, streams and API …');
    const cloud = await startCloudProcess(config, children, ending.fail);
    if (cloud.ready.keyPair !== undefined) screen.say(keyText(cloud.ready.keyPair));
    const simulated = live ? undefined : await startSimulator(options, children, ending.fail);
    screen.say(`starting the engine against ${live ? 'the real venues' : 'simulated venues'} …`);
    if (config.engine.mode === 'live') screen.say(`live: real orders are sent to ${placesOf(config, live)}`);
    const engine = runEngine({ options, simulated, cloud: cloud.ready, screen, fail: ending.fail });
    children.unshift(...engine.children);
    ending.begin();

    const trouble = await ending.over;
    if (trouble !== undefined) throw new BadInput([trouble, ...engine.troubles()].join('\n'));
    screen.say('draining: open operations end, the journal is shipped …');
    return await conclude(options, { engine, cloud });
  } finally {
    ending.cancel();
    for (const child of children) await child.stop(10_000);
  }
}

const placesOf = ({ engine }: Config, live: boolean): string =>
  live ? engine.venues.join(', ') : "the simulated venues, with the simulator's keys";

/** Resolves when the run is over: its time, Ctrl-C or SIGTERM (undefined), or a child that is gone (how). A second Ctrl-C kills. */
function endOfRun(
  forSeconds: number | undefined,
  kill: () => void,
): {
  readonly over: Promise<string | undefined>;
  /** The engine starts now: its time runs. */
  readonly begin: () => void;
  readonly fail: (how: string) => void;
  readonly cancel: () => void;
} {
  let end: (trouble: string | undefined) => void = () => undefined;
  const over = new Promise<string | undefined>((resolve) => {
    end = resolve;
  });
  let timer: NodeJS.Timeout | undefined;
  let interrupts = 0;
  const interrupt = (): void => {
    interrupts += 1;
    end(undefined);
    if (interrupts === 1) return;
    kill();
    process.exit(130);
  };
  process.on('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  return {
    over,
    begin: () => {
      if (forSeconds !== undefined) timer = setTimeout(() => end(undefined), forSeconds * 1e3);
    },
    fail: (how) => end(how),
    cancel: () => {
      clearTimeout(timer);
      process.off('SIGINT', interrupt);
      process.off('SIGTERM', interrupt);
    },
  };
}

type CloudProcess = { readonly child: Child; readonly ready: CloudReady; readonly projected: () => Promise<number> };

async function startCloudProcess(
  config: Config,
  children: Child[],
  fail: (how: string) => void,
): Promise<CloudProcess> {
  const answers = new Map<number, (value: number) => void>();
  const { child, line } = startAndWait(
    {
      name: 'the cloud plane',
      entry: 'infra/local/main.ts',
      args: [JSON.stringify({ config, dataDir: config.system.data_dir })],
    },
    (how) => {
      // What a dead process was asked it will not answer.
      for (const answer of answers.values()) answer(-1);
      answers.clear();
      fail(how);
    },
    (message) => {
      const { id, value } = message as { readonly id: number; readonly value?: number };
      answers.get(id)?.(value ?? -1);
      answers.delete(id);
    },
  );
  children.push(child);
  const { ready } = JSON.parse(await line) as { readonly ready: CloudReady };
  let questions = 0;
  return {
    child,
    ready,
    projected: () =>
      new Promise((resolve) => {
        questions += 1;
        answers.set(questions, resolve);
        if (!child.send({ ask: 'projected', id: questions, engine: config.engine.name })) resolve(-1);
      }),
  };
}

async function startSimulator(
  { config, seed }: RunOptions,
  children: Child[],
  fail: (how: string) => void,
): Promise<Config['venues']> {
  const { child, line } = startAndWait(
    {
      name: 'the venue simulator',
      entry: 'simulator/main.ts',
      args: [JSON.stringify({ ...simulatorConfigOf(config), seed })],
    },
    fail,
  );
  children.push(child);
  const { listening } = JSON.parse(await line) as { readonly listening: number };
  return throughSimulator(config, listening);
}

/** Starts a child and waits for its first line of output, which says that it is ready. */
function startAndWait(
  { name, entry, args }: { readonly name: string; readonly entry: string; readonly args: readonly string[] },
  fail: (how: string) => void,
  onMessage: (message: unknown) => void = () => undefined,
): { readonly child: Child; readonly line: Promise<string> } {
  const troubles = new Recent();
  let ready: (line: string) => void = () => undefined;
  let failed: (error: BadInput) => void = () => undefined;
  const line = new Promise<string>((resolve, reject) => {
    ready = resolve;
    failed = reject;
  });
  const timer = setTimeout(
    () => failed(new BadInput(`${name} was not ready within ${String(READY_WITHIN_MS / 1e3)} s`)),
    READY_WITHIN_MS,
  );
  const child = new Child({
    name,
    entry,
    args,
    onMessage,
    onLine: (text) => {
      clearTimeout(timer);
      ready(text);
    },
    onTrouble: (text) => troubles.add(text),
    onGone: (how) => {
      clearTimeout(timer);
      failed(new BadInput([`${how}:`, ...troubles.lines].join('\n')));
      fail([`${how}:`, ...troubles.lines].join('\n'));
    },
  });
  return { child, line };
}

type EngineProcess = {
  /** The engine, and its standby where one was asked for. */
  readonly children: readonly Child[];
  /** The standby first: it must not take over from an engine that was asked to go. True when all left by themselves. */
  readonly stop: (graceMs: number) => Promise<boolean>;
  readonly firstSeq: () => number;
  readonly lastStatus: () => EngineStatus | undefined;
  readonly finished: () => Extract<EngineMessage, { kind: 'finished' }> | undefined;
  readonly startedAtMs: number;
  readonly troubles: () => readonly string[];
};

type EngineSetting = {
  readonly options: RunOptions;
  readonly simulated: Config['venues'] | undefined;
  readonly cloud: CloudReady;
  readonly screen: Screen;
  readonly fail: (how: string) => void;
};

function runEngine(setting: EngineSetting): EngineProcess {
  const { options, cloud, screen } = setting;
  const clock = systemClock();
  const startedAtMs = clock.unixMs(clock.now());
  const troubles = new Recent();
  let firstSeq: number | undefined;
  let lastStatus: EngineStatus | undefined;
  let finished: ReturnType<EngineProcess['finished']>;
  let active: Child | undefined;
  const show = (status: EngineStatus): void => {
    lastStatus = status;
    screen.show(status, {
      apiUrl: cloud.apiUrl,
      restarts: children.reduce((sum, { restarts }) => sum + restarts, 0),
      seconds: (clock.unixMs(clock.now()) - startedAtMs) / 1e3,
      ofSeconds: options.forSeconds,
      notice: troubles.lines.at(-1),
    });
  };
  const hear = (message: EngineMessage, from: Child): void => {
    switch (message.kind) {
      case 'standby':
        return;
      case 'started':
        if (active !== undefined && active !== from) screen.say('the standby takes over');
        active = from;
        // The run began with the engine's first start in it; a restart goes on.
        firstSeq ??= message.firstSeq;
        return;
      case 'status':
        show(message.status);
        return;
      case 'finished':
        finished = message;
    }
  };
  const startChild = (): Child => {
    const child: Child = engineChild(setting, {
      onMessage: (message) => hear(message as EngineMessage, child),
      onTrouble: (line) => troubles.add(line),
    });
    return child;
  };
  const children = options.standby ? [startChild(), startChild()] : [startChild()];
  return {
    children,
    stop: async (graceMs) => {
      let graceful = true;
      const inOrder = [...children].sort((a, b) => Number(a === active) - Number(b === active));
      for (const child of inOrder) graceful = (await child.stop(graceMs)) && graceful;
      return graceful;
    },
    firstSeq: () => firstSeq ?? 1,
    lastStatus: () => lastStatus,
    finished: () => finished,
    startedAtMs,
    troubles: () => troubles.lines,
  };
}

function engineChild(
  { options, simulated, cloud, screen, fail }: EngineSetting,
  listeners: Pick<ChildOptions, 'onMessage' | 'onTrouble'>,
): Child {
  const { seed, standby, recordFile } = options;
  const config = {
    ...options.config,
    ...(simulated === undefined ? {} : { venues: simulated }),
    ...(standby ? { lease: { ...options.config.lease, enabled: true } } : {}),
  };
  const aws = { region: 'us-east-1', kinesisEndpoint: cloud.kinesisUrl, dynamodbEndpoint: cloud.dynamodbUrl };
  return new Child({
    name: 'the engine',
    entry: 'hotpath/main.ts',
    nodeOptions: ENGINE_NODE_OPTIONS,
    env: simulated === undefined ? ENGINE_ENV : { ...ENGINE_ENV, ...simulatorKeyEnv(config.engine.venues) },
    args: [
      JSON.stringify({
        config,
        written: options.config,
        seed,
        aws,
        ...(recordFile === undefined ? {} : { record: absolute(recordFile) }),
      }),
    ],
    ...listeners,
    onLine: () => undefined,
    restart: ENGINE_RESTART,
    onRestart: (count) => screen.say(`the engine died and is started again (${String(count)})`),
    onGone: fail,
  });
}

/** Engine first, then what it left on its way, then the report. */
async function conclude(
  options: RunOptions,
  { engine, cloud }: { readonly engine: EngineProcess; readonly cloud: CloudProcess },
): Promise<number> {
  const clock = systemClock();
  const graceful = await engine.stop(ENGINE_STOP_MS);
  const seconds = (clock.unixMs(clock.now()) - engine.startedAtMs) / 1e3;
  const finished = engine.finished();
  const status = finished?.status ?? engine.lastStatus();
  if (status === undefined)
    throw new BadInput(['the run ended before the engine was up', ...engine.troubles()].join('\n'));

  const published = finished?.published ?? status.journal.published;
  const projected = await projectedUpTo(published, cloud.projected);
  const outcome: Outcome = {
    status,
    decisionHash: finished?.decisionHash ?? '',
    firstSeq: engine.firstSeq(),
    seconds,
    published,
    projected,
  };
  const journalDir = join(options.config.system.data_dir, 'journal');
  const report = reportOf(options, outcome, (afterSeq) => readJournal(journalDir, afterSeq));
  process.stdout.write(summaryOf(report));
  if (options.reportFile !== undefined) writeReport(options.reportFile, report);

  const complete =
    report.events.journalled === report.events.published && report.events.published === report.events.projected;
  if (!complete)
    process.stderr.write('arb: not everything was shipped in time; the next start goes on where this one stopped\n');
  if (finished === undefined)
    process.stderr.write('arb: the engine did not live to its last word; the next start recovers\n');
  return graceful && complete && finished !== undefined ? 0 : 1;
}

/** What the tables hold once they hold all that was published, or when waiting has an end. */
async function projectedUpTo(published: number, projected: () => Promise<number>): Promise<number> {
  const clock = systemClock();
  const untilNs = clock.now() + PROJECT_WITHIN_MS * 1e6;
  let count = 0;
  for (;;) {
    // Without an answer the last one stands.
    count = Math.max(count, await projected());
    if (count >= published || clock.now() > untilNs) return count;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const keyText = ({ apiKey, apiSecret }: NonNullable<CloudReady['keyPair']>): string =>
  `API key (shown once):  ${apiKey}\nAPI secret:            ${apiSecret}`;

/** The last lines of a stream: enough to say what went wrong. */
class Recent {
  readonly lines: string[] = [];

  add(line: string): void {
    this.lines.push(line.slice(0, 500));
    if (this.lines.length > 5) this.lines.shift();
  }
}
