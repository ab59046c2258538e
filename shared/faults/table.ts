import { z } from 'zod'
import { Refusal } from '../errors.js'
import { checked } from '../util/check.js'
import type { KnownTools } from '../util/known-tools.js'
import { type Fault, type FaultAction, faultFlaw, faultSchema, isDue, targetOf } from './fault.js'

/** A fault and the number of times that it has been applied. */
export type FaultStatus = Fault & { hits: number }

/** A table of faults as plain data. */
export type FaultSnapshot = readonly { fault: Fault; seen: number; hits: number }[]

/** The faults that apply to one call. */
export interface ActiveFault {
  /** The delay before the action, in milliseconds of the instance's clock. */
  delayMs: number
  /** The action. Undefined if there is only a delay. */
  act: FaultAction | undefined
}

/**
 * A fault in the table. `seen` is the number of calls that matched the fault. `hits` is the number of calls
 * to which it applied.
 */
interface Row {
  readonly fault: Fault
  seen: number
  hits: number
}

/**
 * The faults of an instance. Faults are deterministic: each fault counts its matching calls, and applies to
 * the calls that its `when` selects.
 *
 * If several faults apply to one call, their delays add up. Of their other actions, only the first is
 * applied.
 */
export class FaultTable {
  readonly #known: KnownTools
  #rows: Row[] = []

  constructor(known: KnownTools) {
    this.#known = known
  }

  /** True if the table has at least one fault. */
  get any(): boolean {
    return this.#rows.length > 0
  }

  /**
   * Replaces all faults and sets their counts to 0. If one fault is invalid, nothing changes.
   *
   * @throws Refusal `bad_fault`, `unknown_server` or `unknown_tool`
   */
  set(faults: readonly Fault[]): void {
    const read = checked(z.array(faultSchema), faults, 'bad_fault', 'faults')
    for (const [index, fault] of read.entries()) {
      const flaw = faultFlaw(fault)
      if (flaw !== undefined) throw new Refusal('bad_fault', `faults[${index}] ${flaw}`)
      const { server, tool } = fault
      if (tool === undefined || tool === '*') this.#known.server(server)
      else this.#known.requireTool(server, tool)
    }
    this.#rows = read.map(fault => ({ fault, seen: 0, hits: 0 }))
  }

  list(): FaultStatus[] {
    return this.#rows.map(({ fault, hits }) => ({ ...structuredClone(fault), hits }))
  }

  clear(): void {
    this.#rows = []
  }

  /**
   * Checks that every fault was applied at least once.
   *
   * @throws Refusal `faults_not_hit`, which lists the faults that were never applied
   */
  expectAllHit(): void {
    const missed = this.#rows.filter(({ hits }) => hits === 0)
    if (missed.length === 0) return
    throw new Refusal(
      'faults_not_hit',
      `${missed.length} of ${this.#rows.length} faults never came:${missed.map(inWords).join('')}`,
    )
  }

  snapshot(): FaultSnapshot {
    return structuredClone(this.#rows)
  }

  /** Restores the faults and their counts from a snapshot. */
  restore(snapshot: FaultSnapshot): void {
    this.#rows = structuredClone([...snapshot])
  }

  /**
   * Counts a new request and returns the faults that apply to the request. Returns undefined if none applies.
   *
   * @param tool genuine name of the tool. Undefined for a request without a tool
   */
  due(server: string, tool: string | undefined, method = 'tools/call'): ActiveFault | undefined {
    return this.#due(
      this.#rows.filter(({ fault }) => {
        if (fault.server !== server) return false
        if (fault.method !== undefined) return fault.method === method || fault.method === '*'
        return tool !== undefined && (fault.tool === tool || fault.tool === '*')
      }),
    )
  }

  /**
   * Returns the fault action for a call of `tool` that another tool makes internally. Only faults that name
   * `tool` and have the action `toolError` or `httpStatus` count such a call and apply to it.
   */
  dueInside(server: string, tool: string): FaultAction | undefined {
    if (!this.any) return undefined
    const rows = this.#rows.filter(
      ({ fault }) =>
        fault.server === server &&
        fault.tool === tool &&
        ('toolError' in fault.do || 'httpStatus' in fault.do),
    )
    return this.#due(rows)?.act
  }

  #due(rows: readonly Row[]): ActiveFault | undefined {
    let delayMs: number | undefined
    let act: FaultAction | undefined
    for (const row of rows) {
      const { fault } = row
      if (!isDue(fault.when, ++row.seen)) continue
      if ('delayMs' in fault.do) delayMs = (delayMs ?? 0) + fault.do.delayMs
      else if (act === undefined) act = fault.do
      else continue
      row.hits++
    }
    return delayMs === undefined && act === undefined ? undefined : { delayMs: delayMs ?? 0, act }
  }
}

function inWords({ fault, seen }: Row): string {
  const { server, when, do: act } = fault
  const calls = `${seen} ${seen === 1 ? 'call' : 'calls'} matched`
  return `\n  ${server} ${targetOf(fault)} ${JSON.stringify(when)} ${JSON.stringify(act)}: ${calls}`
}
