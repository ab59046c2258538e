import { z } from 'zod'
import { Refusal } from '../errors.js'
import { checked } from '../util/check.js'
import type { KnownTools } from '../util/known-tools.js'
import { type Fault, type FaultAction, faultFlaw, faultSchema, isDue, targetOf } from './fault.js'

/** A fault, and how often it has been carried out. */
export type FaultStatus = Fault & { hits: number }

/** A table of faults as plain data. */
export type FaultSnapshot = readonly { fault: Fault; seen: number; hits: number }[]

/** The faults to apply to one call. */
export interface ActiveFault {
  /** Milliseconds of the instance's clock, before everything else. */
  delayMs: number
  act: FaultAction | undefined
}

/** A fault in the table. `seen` is the number of calls that matched it, due or not. */
interface Row {
  readonly fault: Fault
  seen: number
  hits: number
}

/**
 * The faults of an instance. They are deterministic: each counts its matching calls, and applies to those that its
 * `when` selects.
 *
 * If several apply to one call, their delays add up, and the first of their other actions is applied.
 */
export class FaultTable {
  readonly #known: KnownTools
  #rows: Row[] = []

  constructor(known: KnownTools) {
    this.#known = known
  }

  /** Whether the table has a fault. */
  get any(): boolean {
    return this.#rows.length > 0
  }

  /**
   * Replaces all faults, their counts at 0; if one cannot be, all stays as it was.
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

  /** @throws Refusal `faults_not_hit`, with those that were never carried out */
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

  /** Puts the table back as it was when the snapshot was made, counts included. */
  restore(snapshot: FaultSnapshot): void {
    this.#rows = structuredClone([...snapshot])
  }

  /**
   * Counts a new request, and returns the faults to apply to it.
   *
   * @param tool the genuine name. Undefined for a request without a tool.
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
   * Returns the fault for a call of `tool` inside of another tool. Only errors apply there. Other faults, and faults
   * for every call, neither apply nor count it.
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
