import type { Condition } from '../../gateway/policy/model.js'
import { testOf } from '../../gateway/policy/operators.js'

/**
 * Texts that a pattern could match: names, invented secrets, the URL of a room on another server. All texts
 * are harmless.
 */
const TEXTS = [
  'rehearsal',
  'a',
  'A-1',
  'main',
  'prod',
  '1',
  '',
  ' ',
  'no such value!',
  'two words; and more',
  'name@host.example',
  'https://elsewhere.invalid/room/rehearsal#k=CANARY',
  'postgres://usr_canary:CANARY@db.invalid/db_canary',
  'eyJDQU5BUlk.eyJDQU5BUlk.CANARY',
  '../../etc/canary',
  'x'.repeat(200),
]

/**
 * A value for which a condition holds, and a value for which it fails. Each is undefined if no such value was
 * found.
 */
export interface Around {
  readonly holding: unknown
  readonly failing: unknown
}

/**
 * Returns a value for which a condition holds and a value for which it fails. Both are as near to the
 * boundary as possible.
 *
 * @param sample the usual value of the argument, or undefined if the argument has no usual value
 */
export function around({ op, value }: Condition, sample: unknown): Around {
  const test = testOf(op, value)
  const near = [...nearValues(op, value, sample), ...(typeof value === 'string' ? literals(value) : [])]
  const candidates = [...(sample === undefined ? [] : [sample]), ...near, ...TEXTS, 0, 1, true, false]
  const bound = op === 'lt' || op === 'lte' || op === 'gt' || op === 'gte'
  return {
    holding: (bound ? [...near, ...candidates] : candidates).find(test),
    failing: [...near, ...candidates].find(candidate => !test(candidate)),
  }
}

function nearValues(op: Condition['op'], value: Condition['value'], sample: unknown): unknown[] {
  if (typeof value === 'number') return [value, value - 1, value + 1]
  if (Array.isArray(value)) return [...value, 'not-in-the-list']
  if (typeof value === 'boolean') return [value, !value]
  if (op === 'contains' && typeof value === 'string')
    return [`${typeof sample === 'string' ? sample : ''}${value}`]
  if (op === 'regex') return []
  return [value, `${String(value)}-not`]
}

/**
 * Returns a text for each top-level alternative of a pattern. A group is replaced by its first alternative.
 * Special characters are removed, or replaced by a character that they match.
 */
function literals(pattern: string): string[] {
  let plain = pattern
    .replace(/\(\?[a-z]*:?/g, '(')
    .replace(/\\[bBAz]/g, '')
    .replace(/\\d/g, '1')
    .replace(/\\w/g, 'a')
    .replace(/\\s/g, ' ')
    .replace(/[$^](?![^[]*\])/g, '')
    .replace(/\\(.)/g, '$1')
  for (let before = ''; before !== plain; ) {
    before = plain
    plain = plain.replace(/\(([^()|]*)(\|[^()]*)?\)/g, '$1')
  }
  return plain
    .split('|')
    .map(text => text.replace(/\[\^?([^\]])[^\]]*\]/g, '$1').replace(/[+*?]|\{[^}]*\}/g, ''))
}
