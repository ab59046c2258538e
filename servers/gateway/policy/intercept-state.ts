import { cut } from '../../../shared/util/shown.js'
import type { Amount, Condition, Limit } from './model.js'
import type { Fields, Place } from './place.js'
import { WINDOW_NAMES, WINDOWS, type WindowName } from './windows.js'

const STATE_KEYS = ['counter', 'window', 'increment', 'increment_from'] as const

/** A `state` block: what it counts, before the conditions say how far. */
export interface Counting {
  path: string
  windowMs: number
  amount: Amount
}

/** @param scope of the counters, as a path has it */
export function readState(place: Place, scope: string): Counting | undefined {
  const fields = place.fields(STATE_KEYS)
  if (fields === undefined) return undefined
  const counter = fields.require('counter', 'name it')?.text()
  const window = fields.require('window', `it is one of ${WINDOW_NAMES.join(', ')}`)?.oneOf(WINDOW_NAMES)
  const amount = readAmount(fields)
  if (counter === undefined || window === undefined || amount === undefined) return undefined
  return { path: `state.${scope}.${counter}`, windowMs: WINDOWS[window], amount }
}

function readAmount(fields: Fields<(typeof STATE_KEYS)[number]>): Amount | undefined {
  const [from, by] = [fields.get('increment_from'), fields.get('increment')]
  if (from === undefined) return by === undefined ? 1 : by.wholeNumber(1)
  if (by !== undefined) by.refuse('stands beside increment_from', 'leave one out')
  const path = from.text()
  if (path === undefined) return undefined
  const keys = path.slice('args.'.length).split('.')
  if (!path.startsWith('args.') || keys.includes(''))
    return from.mismatch('a path of an argument, e.g. args.amount')
  return { keys, path }
}

/**
 * Takes the limit from among the conditions: `lt` or `lte` on the block's own counter, judged with the call already counted, so that
 * `lte 5` lets five calls through and `lt 5` four.
 *
 * @returns the limit, and the conditions that are left
 */
export function limitAmong(
  conditions: readonly Condition[],
  { path, windowMs, amount }: Counting,
  place: Place,
): { limit: Limit | undefined; rest: Condition[] } {
  const isLimit = (condition: Condition) =>
    condition.path === path && (condition.op === 'lt' || condition.op === 'lte')
  const [bound, second] = conditions.filter(isLimit)
  const rest = conditions.filter(condition => !isLimit(condition))
  if (second !== undefined) {
    place.refuse(`limits ${cut(path)} twice`, 'only the smaller would ever count: leave one')
  }
  if (bound === undefined) {
    place.warn(
      'counter_stands_still',
      `counts nothing: ${cut(path)} moves only by an lt or lte condition of this rule on it`,
    )
    return { limit: undefined, rest }
  }
  const given = Number(bound.value)
  const max = Math.trunc(given) - (bound.op === 'lt' ? 1 : 0)
  if (!Number.isSafeInteger(given))
    place.warn('limit_cut', `limits to ${given}, which is cut to a whole number`)
  if (max < 1)
    place.warn('limit_of_none', `lets no call through: ${bound.op} ${given} is reached before the first`)
  return { limit: { counter: path, windowMs, max, amount, perGrant: false }, rest }
}

/** `5/hour`. */
export function readShorthand(place: Place): { max: number; window: WindowName } | undefined {
  const value = place.plain()
  const [, count = '', word] = typeof value === 'string' ? (/^(\d{1,15})\/(\w+)$/.exec(value) ?? []) : []
  const window = WINDOW_NAMES.find(name => name === word)
  const max = Number(count)
  if (window !== undefined && max >= 1) return { max, window }
  return place.mismatch(
    typeof value === 'object' && value !== null
      ? 'it is written like 10/minute; the form with max and window is that of the tool pages, which has no version and no names'
      : 'it is written like 30/minute, with minute, hour or day',
  )
}
