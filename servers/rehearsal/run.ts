import { Refusal } from '../../shared/errors.js'
import { accountsOf } from './judge.js'
import { MAX_UNANSWERED, Performer, type PerformOptions } from './perform.js'
import { freshStart } from './plan/plan.js'
import type { Group, Planned, Step } from './plan/step.js'
import type { CallRecord } from './record.js'
import type { Row } from './report.js'
import { type Performed, rowOf, strayRows, unplannedRow } from './rows.js'

const NO_ANSWERS = `the gateway gave no answer ${MAX_UNANSWERED} times in a row`

const WINDOW_NOT_REACHED =
  "needs the end of a window, and this gateway uses the machine's clock; --wait-windows 70s waits for windows of a minute"

/**
 * If the gateway does not use the stage's clock, calls shortly before the end of a window are made this many
 * milliseconds before the end.
 */
const MARGIN_MS = 1000

/**
 * Steps that test a limit wait for the next window if the current window has no more than this time left, in
 * milliseconds.
 */
const LIMIT_ROWS_MS = 3000

export interface RunOptions extends Omit<PerformOptions, 'stopped'> {
  /** How long the journal is watched after the last row, in milliseconds. */
  readonly watchMs: number
  /** Maximum wait for the end of a window, in milliseconds, if the gateway does not use the stage's clock. */
  readonly waitWindowsMs: number
  readonly timeoutMs: number
  /** The names of checks that are switched off. */
  readonly off: ReadonlySet<string>
}

export interface RunResult {
  readonly rows: Row[]
  /** The reason why the rehearsal ended early, or null. */
  readonly stopped: string | null
}

/**
 * Runs the steps of a plan and judges them. Each step makes one row, except steps that only let time pass.
 */
export async function run(planned: readonly Planned[], options: RunOptions): Promise<RunResult> {
  return new Run(options).run(planned)
}

class Run {
  readonly #options: RunOptions
  readonly #performer: Performer
  readonly #begun: number

  constructor(options: RunOptions) {
    this.#options = options
    this.#performer = new Performer({ ...options, stopped: () => this.#stopped() })
    this.#begun = options.stage.machine.now()
  }

  async run(planned: readonly Planned[]): Promise<RunResult> {
    const { stage, way, watchMs, off } = this.#options
    const done: (Performed | Row)[] = []
    for (const group of planned) {
      if ('why' in group) done.push(unplannedRow(group))
      else done.push(...(await this.#group(group)))
    }
    const stopped = this.#stopped()
    // A gateway may forward denied calls later. Such calls arrive during this pause.
    await stage.pause(stopped === undefined ? watchMs : 0)
    await new Promise(resolve => setImmediate(resolve))
    const strays = this.#performer.finish()
    const records = done.flatMap(each => ('records' in each ? each.records.filter(isRecord) : []))
    const judging = {
      off,
      namesRules: way.namesRules,
      knowsCallers: way.grants > 1,
      credentials: stage.credentials,
      accounts: accountsOf(records),
    }
    const rows = done.map(each => ('mark' in each ? each : rowOf(each, judging)))
    const lastOutput = way.lastOutput?.() ?? ''
    return {
      rows: [...rows, ...(off.has('strays') ? [] : strayRows(strays))],
      stopped: stopped === undefined ? null : `${stopped}${lastOutput === '' ? '' : `; ${lastOutput}`}`,
    }
  }

  async #group({ title, fresh, windowMs, steps }: Group): Promise<Performed[]> {
    const { stage, way, policy } = this.#options
    if (way.advances) {
      if (fresh && policy !== undefined)
        await stage.clock.advance(freshStart(policy, stage.clock.now()) - stage.clock.now())
    } else if (windowMs !== undefined && this.#stopped() === undefined) await this.#avoidWindowEnd(windowMs)
    const performed: Performed[] = []
    let windowMissed = false
    for (const step of steps) {
      await this.#avoidWindowEndOf(step)
      const stopped = this.#stopped()
      if ('advance' in step || 'windowMs' in step) {
        if (stopped === undefined) windowMissed = !(await this.#passTime(step)) || windowMissed
        continue
      }
      const why = stopped ?? (windowMissed ? WINDOW_NOT_REACHED : undefined)
      performed.push(
        why === undefined ? await this.#step(title, step) : { group: title, step, unchecked: why },
      )
    }
    return performed
  }

  async #step(
    group: string,
    step: Exclude<Step, { advance: number } | { windowMs: number }>,
  ): Promise<Performed> {
    const performer = this.#performer
    const { refusal } = performer
    if (refusal !== undefined) throw onlyRefuses(this.#options.way.name, refusal)
    const row = { group, step }
    if ('list' in step) return { ...row, listed: await performer.list(step) }
    if ('relay' in step) return { ...row, relayed: await performer.relay(step) }
    if ('calls' in step) {
      const records = await performer.calls(step)
      return { ...row, records }
    }
    const records = await performer.approve()
    return records === undefined
      ? { ...row, unchecked: 'the rehearsal cannot approve calls of this gateway' }
      : { ...row, records }
  }

  /**
   * Lets time pass: advances the stage's clock, or waits if the gateway does not use that clock.
   *
   * @returns false if the wait would exceed `waitWindowsMs`
   */
  async #passTime(step: Extract<Step, { advance: number } | { windowMs: number }>): Promise<boolean> {
    const { stage, way, now, waitWindowsMs } = this.#options
    if (way.advances) {
      const clock = stage.clock
      const ms =
        'advance' in step
          ? step.advance
          : step.windowMs - (clock.now() % step.windowMs) - (step.shortlyBefore ? 1 : 0)
      await clock.advance(ms)
      return true
    }
    const ms =
      'advance' in step
        ? step.advance
        : step.windowMs - (now() % step.windowMs) + (step.shortlyBefore ? -MARGIN_MS : MARGIN_MS / 4)
    if (ms > waitWindowsMs) return false
    await stage.pause(Math.max(0, ms))
    return true
  }

  /** Waits for the next window if the current window would end during a scenario step with a limit. */
  async #avoidWindowEndOf(step: Step): Promise<void> {
    const limit = 'calls' in step ? step.calls[0]?.limit : undefined
    if (limit?.kind === 'window' && this.#stopped() === undefined) await this.#avoidWindowEnd(limit.per)
  }

  /** Waits for the next window if the current window would end during the steps that test a limit. */
  async #avoidWindowEnd(windowMs: number): Promise<void> {
    const { stage, way, now } = this.#options
    if (way.advances) return
    const left = windowMs - (now() % windowMs)
    if (left <= LIMIT_ROWS_MS) await stage.pause(left + MARGIN_MS / 4)
  }

  /** Returns the reason why the rehearsal ends early. Undefined if it continues. */
  #stopped(): string | undefined {
    const { stage, timeoutMs } = this.#options
    if (this.#performer.unresponsive) return NO_ANSWERS
    return stage.machine.now() - this.#begun >= timeoutMs
      ? `--timeout ended the rehearsal after ${Math.round(timeoutMs / 1000)} s`
      : undefined
  }
}

/** Returns the error for a gateway that opens a session and then answers only with HTTP errors. */
function onlyRefuses(gateway: string, status: number): Refusal {
  return new Refusal(
    'gateway_refused',
    `the gateway ${JSON.stringify(gateway)} answers every request with HTTP ${status}`,
    'check its URL and its path, and that its upstream is the one that this rehearsal starts',
  )
}

function isRecord(record: object): record is CallRecord {
  return 'call' in record
}
