import { isDeepStrictEqual } from 'node:util'
import { isObject } from '../../shared/util/objects.js'
import { sawOf } from './judge.js'
import type { Answer } from './via/caller.js'

/** A list of tools as a caller saw it, page by page. */
export interface ListRecord {
  readonly pages: readonly Answer[]
  /** The tools that the upstream lists, by name. */
  readonly listing: ReadonlyMap<string, unknown>
  hides(tool: string): boolean
  /** The tools that the scenario expects to be hidden. Undefined if the scenario has no `hides`. */
  readonly expectedHidden?: readonly string[]
}

/** The results of a test of notifications. `cancelled` and `progress` are null if they were not tested. */
export interface RelayRecord {
  /** Number of upstream sessions with tool calls but without `notifications/initialized`. */
  readonly uninitialized: number
  /** Whether the cancellation of a call reached the upstream. */
  readonly cancelled: boolean | null
  /** Whether the progress of a call reached its caller. */
  readonly progress: boolean | null
}

/** The checks of a list of tools, by name. Each returns the problem in words, or null. */
export const LIST_CHECKS = {
  /** The scenario and the policy expect the same tools to be hidden. */
  intent({ listing, expectedHidden, hides }) {
    if (expectedHidden === undefined) return null
    const other = [...listing.keys()].find(name => expectedHidden.includes(name) !== hides(name))
    if (other === undefined) return null
    return expectedHidden.includes(other)
      ? `the scenario expects that ${other} is hidden, and the policy shows it`
      : `the scenario expects to see ${other}, and the policy hides it`
  },

  /** The list shows no hidden tool. */
  hidden(record) {
    const shown = toolsOf(record).filter(({ name }) => record.hides(String(name)))
    return shown.length === 0
      ? null
      : `shows ${namesOf(shown)}, which ${shown.length === 1 ? 'is' : 'are'} hidden`
  },

  /**
   * The list shows every tool that is not hidden exactly once. It shows no tool that the upstream does not
   * have.
   */
  listed(record) {
    const names = toolsOf(record).map(({ name }) => String(name))
    const gone = [...record.listing.keys()].filter(name => !record.hides(name) && !names.includes(name))
    const added = names.filter(name => !record.listing.has(name) && !record.hides(name))
    const twice = names.filter((name, index) => names.indexOf(name) !== index)
    const why = [
      ...(gone.length > 0 ? [`does not show ${gone.join(', ')}`] : []),
      ...(added.length > 0 ? [`shows ${added.join(', ')}, which the upstream does not have`] : []),
      ...(twice.length > 0 ? [`shows ${twice.join(', ')} twice`] : []),
    ]
    return why.length === 0 ? null : why.join(', and ')
  },

  /** The list shows each tool exactly as the upstream does. */
  definitions(record) {
    const changes = toolsOf(record).flatMap(tool => {
      const genuine = record.listing.get(String(tool.name))
      if (!isObject(genuine)) return []
      const fields = [...new Set([...Object.keys(genuine), ...Object.keys(tool)])]
      const changed = fields.filter(field => !isDeepStrictEqual(genuine[field], tool[field]))
      return changed.length === 0 ? [] : [`${changed.join(', ')} of ${String(tool.name)}`]
    })
    return changes.length === 0 ? null : `changes ${changes.join('; ')}`
  },
} satisfies Record<string, (record: ListRecord) => string | null>

/** The checks of notifications, by name. Each returns the problem in words, or null. */
export const RELAY_CHECKS = {
  initialized({ uninitialized }) {
    return uninitialized === 0
      ? null
      : 'the upstream got calls in a session that had no notifications/initialized'
  },
  cancellation({ cancelled }) {
    return cancelled === false ? 'a caller cancelled its call, and the call continued at the upstream' : null
  },
  progress({ progress }) {
    return progress === false ? 'the upstream reported progress, and the caller did not get it' : null
  },
} satisfies Record<string, (record: RelayRecord) => string | null>

export type ExchangeCheck = keyof typeof LIST_CHECKS | keyof typeof RELAY_CHECKS

/** Judges a list of tools. @returns the problem in words, or null */
export function judgeList(record: ListRecord, off: ReadonlySet<string>): string | null {
  const broken = record.pages.find(page => toolsIn(page) === undefined)
  if (broken !== undefined) return `is answered with ${sawOf(broken)}`
  const found = Object.entries(LIST_CHECKS).flatMap(([name, check]) =>
    off.has(name) ? [] : (check(record) ?? []),
  )
  return found.length === 0 ? null : found.join(', and ')
}

/** Judges the relay of notifications. @returns the problem in words, or null */
export function judgeRelay(record: RelayRecord, off: ReadonlySet<string>): string | null {
  const found = Object.entries(RELAY_CHECKS).flatMap(([name, check]) =>
    off.has(name) ? [] : (check(record) ?? []),
  )
  return found.length === 0 ? null : found.join(', and ')
}

/** Returns the tools on a page. Undefined if the answer is not a list of tools. */
export function toolsIn(answer: Answer): Record<string, unknown>[] | undefined {
  const result = answer.kind === 'response' ? answer.message.result : undefined
  return isObject(result) && Array.isArray(result.tools) ? result.tools.filter(isObject) : undefined
}

/** Returns the tools on all pages. */
export function toolsOf({ pages }: ListRecord): Record<string, unknown>[] {
  return pages.flatMap(page => toolsIn(page) ?? [])
}

function namesOf(tools: readonly Record<string, unknown>[]): string {
  return tools.map(({ name }) => String(name)).join(', ')
}
