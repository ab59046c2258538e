import { Refusal } from '../../shared/errors.js'
import { argsHash } from '../../shared/journal/entry.js'
import type { ServerName } from '../../shared/util/known-tools.js'
import { isObject } from '../../shared/util/objects.js'
import { type Policy, settlementOf } from '../gateway/policy/model.js'
import { denialIn } from './denial.js'
import { type ExchangeOptions, readList, relayed, THROUGH_MS } from './exchange.js'
import { byPolicy, type ExpectedCall, ScenarioExpectations, type ScenarioOutcome } from './expectations.js'
import { sawOf } from './judge.js'
import type { ListRecord, RelayRecord } from './judge-exchange.js'
import type { CallsStep, ListStep, PlannedCall, RelayStep } from './plan/step.js'
import { Attribution, type CallRecord, type Skipped, succeeded } from './record.js'
import type { SecretsSeen } from './secrets-seen.js'
import type { Arrived } from './stage/stage.js'
import type { Answer, Asked, Caller } from './via/caller.js'
import { Windows } from './windows.js'

/** The rehearsal stops after this number of missing answers in a row. Each missing answer costs a timeout. */
export const MAX_UNANSWERED = 3

/** Time to wait for calls that reach the upstream although they should be denied, in milliseconds. */
const RACE_MS = 60

export interface PerformOptions extends ExchangeOptions {
  /** Undefined if there is no policy, and the scenario gives the expected outcomes. */
  readonly policy: Policy | undefined
  /** Returns the time of the clock that the decision engine uses, in milliseconds. */
  now(): number
  readonly secrets: SecretsSeen
  /** Returns the reason why no more calls are made. Undefined while the rehearsal continues. */
  stopped(): string | undefined
}

/** The expected outcomes of a call. */
interface Expecting {
  /** The outcome that the policy expects. If there is no policy, the outcome that the scenario expects. */
  readonly expected: ExpectedCall
  readonly scenario: ScenarioOutcome
}

/** A call that was sent, with the promise of its answer. */
interface Sent extends Expecting {
  readonly record: CallRecord
  readonly answer: Promise<Answer>
}

/**
 * Makes the calls of a rehearsal. Records the answers that callers saw and the requests that reached the
 * upstream.
 */
export class Performer {
  readonly attribution = new Attribution()
  readonly #options: PerformOptions
  readonly #windows: Windows
  readonly #scenario: ScenarioExpectations
  #last: { call: PlannedCall; args: unknown } | undefined
  /** Number of requests in the stage's record that have already been passed to `attribution`, or skipped. */
  #mark: number
  /** Number of missing answers in a row. */
  #missing = 0
  /** The HTTP statuses of answers that are neither JSON-RPC nor a denial. */
  readonly #errorStatuses: number[] = []
  #answered = false
  #traces = 0

  constructor(options: PerformOptions) {
    this.#options = options
    this.#windows = new Windows(options)
    this.#scenario = new ScenarioExpectations(options.now, !options.way.advances)
    // Calls that an attached gateway made before the rehearsal are skipped.
    this.#mark = options.stage.mark()
  }

  /** Whether the gateway has stopped answering. */
  get unresponsive(): boolean {
    return this.#missing >= MAX_UNANSWERED
  }

  /**
   * The HTTP status of a gateway that answers only with HTTP errors. Undefined if the gateway has given a
   * JSON-RPC answer, or fewer than {@link MAX_UNANSWERED} errors.
   */
  get refusal(): number | undefined {
    return this.#answered || this.#errorStatuses.length < MAX_UNANSWERED ? undefined : this.#errorStatuses[0]
  }

  /** Makes the calls of a step. */
  async calls({ calls, sending, leavesOne }: CallsStep): Promise<(CallRecord | Skipped)[]> {
    await this.#windows.untilKnown(calls)
    if (sending === 'as a batch') return this.#batch(calls)
    if (sending === 'at once') return this.#together(calls)
    const leaves = leavesOne && { ...leavesOne, args: await this.#resolve(leavesOne) }
    const records: (CallRecord | Skipped)[] = []
    for (const call of calls) {
      await this.#windows.untilKnown([call])
      if (leaves !== undefined && !this.#allowsTwo(leaves)) break
      records.push(...(await this.#together([call])))
    }
    this.#options.stage.endFaults()
    return records
  }

  /** Returns whether the policy would now allow a call two more times. */
  #allowsTwo({ tool, args, as }: PlannedCall & { args: unknown }): boolean {
    const { engine } = this.#options
    if (engine === undefined) return true
    const decisions = [1, 2].map(() => engine.decide({ tool, args, grant: as }))
    for (const decision of decisions) if (decision.outcome === 'allow') decision.settle('refunded')
    return decisions.every(({ outcome }) => outcome === 'allow')
  }

  #resolve({ tool, args, as, ownFixtures }: PlannedCall): Promise<unknown> {
    return this.#options.stage.resolve(tool, args, as, ownFixtures)
  }

  /**
   * Approves the last call and makes it again. Returns undefined if there is no last call, or if the
   * rehearsal cannot approve calls of this gateway.
   */
  async approve(): Promise<(CallRecord | Skipped)[] | undefined> {
    const { way } = this.#options
    if (way.approve === undefined || this.#last === undefined) return undefined
    way.approve()
    const { call, args } = this.#last
    // The arguments are already resolved, so they contain no references.
    return this.#together([call], { args })
  }

  /** Reads all pages of a server's list of tools. */
  async list(step: ListStep): Promise<ListRecord> {
    const record = await readList(this.#options, step)
    for (const page of record.pages) this.#count(page)
    return record
  }

  /** Tests notifications in both directions. See {@link relayed}. */
  async relay(step: RelayStep): Promise<RelayRecord> {
    this.#assignStrays()
    const record = await relayed(this.#options, step)
    // The calls of this test are skipped, because they are not judged one by one.
    this.#mark = this.#options.stage.mark()
    return record
  }

  /** Assigns the requests that arrived after the last call. @returns the requests that belong to no call */
  finish(): Arrived[] {
    return this.attribution.finish(this.#options.stage.calls(this.#mark))
  }

  async #together(
    planned: readonly PlannedCall[],
    approved?: { args: unknown },
  ): Promise<(CallRecord | Skipped)[]> {
    const { stage, way } = this.#options
    const calls = planned.map(call => this.#withFailure(call))
    const skipped = this.#skips(calls)
    if (skipped !== undefined) return calls.map(() => skipped)
    const atOnce = calls.length > 1
    await this.#windows.avoidWindowEnd(calls)
    const prepared = []
    for (const call of calls) {
      const args = approved === undefined ? await this.#resolve(call) : approved.args
      const server = call.server ?? stage.serverOf(call.tool)
      const caller = await this.#callerOf(server, call)
      prepared.push({ call, args, server, caller })
    }
    this.#assignStrays()
    const begun = this.#windows.now()
    if (atOnce) stage.delay(calls)
    else for (const call of calls) stage.fail(call)
    const sent = prepared.map(each => this.#send(each, approved !== undefined, atOnce))
    if (atOnce) await this.#releaseRace(sent)
    for (const { record, answer } of sent) record.answer = await answer
    if (!way.advances && calls.some(({ notification }) => notification)) await stage.pause(RACE_MS)
    const records = sent.map(({ record }) => record)
    this.attribution.take(records, this.#takeArrived())
    matchDecisions(records)
    for (const each of sent) this.#settle(each)
    const windowEnded = this.#windows.windowEnded(begun, calls)
    return records.map(record => (windowEnded === undefined ? record : skip(record, windowEnded)))
  }

  /**
   * Adds the failure `http_error` to a further call of `create_postgres` if the dialect gives quota back for
   * tool errors. Returns other calls unchanged.
   *
   * The stage makes only one database, and by default fails further calls with a tool error. Such a failure
   * would give the quota back, and the calls would never use up a limit.
   */
  #withFailure(call: PlannedCall): PlannedCall {
    const { stage, engine } = this.#options
    const fails = stage.hasDatabase && call.tool === 'create_postgres' && engine?.refundsToolErrors === true
    return fails && call.failure === undefined ? { ...call, failure: 'http_error' } : call
  }

  async #callerOf(server: ServerName, { as, session }: PlannedCall): Promise<Caller> {
    const { way } = this.#options
    if (session === 'new' && way.newSession !== undefined) return way.newSession(server, as)
    const caller = await way.caller(server, as)
    return (session === 'none' ? caller.withoutSession?.() : undefined) ?? caller
  }

  #send(
    { call, args, server, caller }: { call: PlannedCall; args: unknown; server: ServerName; caller: Caller },
    approved: boolean,
    traced: boolean,
  ): Sent {
    const { tool, as, notification = false } = call
    const expecting = this.#expect(call, args, approved)
    // `expect` and `limit` are left out, because they do not apply when the call is made again.
    this.#last = { call: { tool, args, as, server }, args }
    const trace = traced ? (++this.#traces).toString(16).padStart(32, '0') : null
    const meta = trace === null ? {} : { _meta: { traceparent: `00-${trace}-00000000000000ff-01` } }
    const params = { name: tool, arguments: args, ...meta }
    const asked: Asked | undefined = notification ? undefined : caller.ask('tools/call', params, call.id)
    const answer = asked?.answer ?? caller.notify('tools/call', params)
    const record = recordOf({ call, server, args, trace, id: asked?.id }, expecting)
    return { record, ...expecting, answer }
  }

  /**
   * Returns the expected outcome of a call.
   *
   * @throws TypeError if neither the policy nor the scenario gives an outcome
   */
  #expect(call: PlannedCall, args: unknown, approved = false): Expecting {
    const { engine } = this.#options
    const scenario = this.#scenario.of(call)
    if (engine !== undefined) return { scenario, expected: byPolicy(engine, { call, args, approved }) }
    const { expectation = approved ? ({ outcome: 'allow' } as const) : undefined } = scenario
    if (expectation === undefined)
      throw new TypeError(`neither policy nor scenario has an outcome for ${call.tool}`)
    return { scenario, expected: { expectation, settle: outcome => scenario.settle(outcome) ?? expectation } }
  }

  /** Releases the answers after the allowed calls have arrived and denied calls have had time to arrive. */
  async #releaseRace(sent: readonly Sent[]): Promise<void> {
    const { stage } = this.#options
    const allowed = sent.filter(({ expected }) => expected.expectation.outcome === 'allow').length
    await stage.until(() => stage.calls(this.#mark).length >= allowed, THROUGH_MS)
    if (allowed < sent.length) await stage.pause(RACE_MS)
    await stage.release()
  }

  #settle({ record, expected, scenario }: Sent): void {
    const { stage, secrets, engine } = this.#options
    const { call, answer, args, arrived } = record
    this.#count(answer, call)
    const outcome = {
      arrived: arrived.length > 0,
      succeeded: succeeded(answer),
      refunded: settlementOf(endOf(record), engine ?? {}) === 'refunded' || record.refusedBatch,
    }
    const final = expected.settle(outcome)
    if (engine === undefined) record.expected = final
    else record.scenarioExpected = scenario.settle(outcome)
    if (arrived.length > 0 && stage.listing(record.server).has(call.tool)) {
      secrets.note(call.tool, 'arguments', args)
      if (answer.kind === 'response') secrets.note(call.tool, 'results', answer.message.result)
      if (call.tool === 'create_postgres' && succeeded(answer)) stage.databaseMade()
    }
    if (call.keep !== undefined) stage.keep(call.keep, structured(answer, call.tool, call.keep))
  }

  /** Sends calls as one batch. The whole batch is refused if no call arrives and no call succeeds. */
  async #batch(calls: readonly PlannedCall[]): Promise<(CallRecord | Skipped)[]> {
    const { stage, way } = this.#options
    const skipped = this.#skips(calls)
    if (skipped !== undefined) return calls.map(() => skipped)
    await this.#windows.avoidWindowEnd(calls)
    const made: { call: PlannedCall; args: unknown }[] = []
    for (const call of calls) made.push({ call, args: await stage.resolve(call.tool, call.args, call.as) })
    const [first] = calls
    const server = first?.server ?? stage.serverOf(first?.tool ?? '')
    const caller = await way.caller(server, first?.as ?? 'agent')
    this.#assignStrays()
    const begun = this.#windows.now()
    const expecting = made.map(({ call, args }) => this.#expect(call, args))
    const asked = caller.askAll(
      made.map(({ call, args }) => ({ method: 'tools/call', params: { name: call.tool, arguments: args } })),
    )
    const answers = await Promise.all(asked.map(({ answer }) => answer))
    const arrived = this.#takeArrived()
    const refused =
      arrived.length === 0 && answers.every(answer => answer.kind !== 'nothing' && !succeeded(answer))
    const sent = expecting.flatMap((each, at): Sent[] => {
      const { call, args } = made[at] ?? {}
      if (call === undefined) return []
      const record = recordOf({ call, server, args, trace: null, id: asked[at]?.id }, each)
      const answer = answers[at] ?? record.answer
      const refusedBatch = refused && record.expected.outcome === 'allow'
      return [
        {
          record: { ...record, answer, batched: true, refusedBatch },
          ...each,
          answer: Promise.resolve(answer),
        },
      ]
    })
    const records = sent.map(({ record }) => record)
    this.attribution.take(records, arrived)
    for (const each of sent) this.#settle(each)
    const windowEnded = this.#windows.windowEnded(begun, calls)
    return records.map(record => (windowEnded === undefined ? record : skip(record, windowEnded)))
  }

  /**
   * Returns the results of calls that cannot be made, with the reason. Undefined if the calls can be made.
   */
  #skips(calls: readonly PlannedCall[]): Skipped | undefined {
    const { way, policy, stopped } = this.#options
    const why =
      stopped() ??
      this.#windows.uncertain(calls) ??
      (calls.some(call => call.as !== 'agent' && way.grants <= 1 && isCounted(call, policy))
        ? 'this gateway cannot tell callers apart; give --bearer twice, with a token for each caller'
        : undefined)
    return why === undefined ? undefined : { expected: 'allow', why, arrived: [] }
  }

  /** Assigns the requests that arrived while no call was under way. */
  #assignStrays(): void {
    this.attribution.take([], this.#takeArrived())
  }

  #takeArrived(): Arrived[] {
    const { stage } = this.#options
    const arrived = stage.calls(this.#mark)
    this.#mark = stage.mark()
    return arrived
  }

  #count(answer: Answer, call?: PlannedCall): void {
    if (call?.notification === true) return
    this.#missing = answer.kind === 'nothing' ? this.#missing + 1 : 0
    if (answer.kind === 'response') this.#answered = true
    else if (answer.kind === 'http' && denialIn(answer) === undefined) this.#errorStatuses.push(answer.status)
  }
}

/** Returns how a call ended at the upstream. The ending decides whether its quota is given back. */
function endOf({ call, arrived: [request] }: CallRecord): 'result' | 'tool_error' | 'rpc_error' | 'lost' {
  const answer = request?.answer
  if (answer === undefined || call.failure === 'http_error') return 'lost'
  if ('error' in answer) return 'rpc_error'
  return isObject(answer.result) && answer.result.isError === true ? 'tool_error' : 'result'
}

/** Returns the record of a call that is about to be sent. */
function recordOf(
  sent: Pick<CallRecord, 'call' | 'server' | 'args' | 'trace' | 'id'>,
  { expected }: Expecting,
): CallRecord {
  return {
    ...sent,
    argsHash: argsHash(sent.args),
    expected: expected.expectation,
    answer: { kind: 'nothing', why: 'no answer' },
    arrived: [],
    late: [],
    refusedBatch: false,
  }
}

/**
 * If a call that had to be denied arrived, and a concurrent call of the same tool that had to be allowed did
 * not, swaps their expected outcomes. The gateway is free to choose which of the concurrent calls it denies.
 */
function matchDecisions(records: readonly CallRecord[]): void {
  for (const passed of records) {
    if (passed.expected.outcome === 'allow' || passed.arrived.length === 0) continue
    const other = records.find(
      ({ expected, arrived, call }) =>
        expected.outcome === 'allow' && arrived.length === 0 && call.tool === passed.call.tool,
    )
    if (other === undefined) continue
    const { expected } = other
    other.expected = passed.expected
    passed.expected = expected
  }
}

function skip({ expected, arrived }: CallRecord, why: string): Skipped {
  return { expected: expected.outcome, why, arrived }
}

/** Returns whether a limit applies to the call that counts the calls of each caller separately. */
function isCounted({ tool, limit }: PlannedCall, policy: Policy | undefined): boolean {
  const rules = [...(policy?.tools.get(tool) ?? []), ...(policy?.everyTool ?? [])]
  return limit !== undefined || rules.some(({ demand }) => demand.kind === 'limit' && demand.limit.perGrant)
}

function structured(answer: Answer, tool: string, name: string): unknown {
  const result = answer.kind === 'response' ? answer.message.result : undefined
  if (isObject(result) && isObject(result.structuredContent)) return result.structuredContent
  const reason = `${tool} returned no structured result to keep as ${name}: ${sawOf(answer)}`
  const hint = 'use keep only in a step whose call is allowed and succeeds'
  throw new Refusal('nothing_to_keep', reason, hint)
}
