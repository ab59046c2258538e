/** A caller's arguments may nest until the stack is full. */
const DEEPEST = 100

/**
 * A value as Go's `%v` prints it, which is what Intercept compares where not both sides are numbers: a list is its elements in
 * brackets, and a text has no quotes, so `"5"` equals `5` and `["main"]` differs from `"main"`.
 *
 * @param float prints a number; a call's numbers are floats to Go, a policy's whole numbers are not
 */
export function goPrinted(value: unknown, float = goFloat, depth = 0): string {
  // Deeper than a policy can be, so that nothing in one is printed like it.
  if (depth > DEEPEST) return '\0'
  if (value === null || value === undefined) return '<nil>'
  if (typeof value === 'number') return float(value)
  if (typeof value !== 'object') return String(value)
  if (Array.isArray(value)) return `[${value.map(item => goPrinted(item, float, depth + 1)).join(' ')}]`
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `map[${entries.map(([key, item]) => `${key}:${goPrinted(item, float, depth + 1)}`).join(' ')}]`
}

/** A number of a policy: a whole one stays as it is written. */
export function goWritten(value: number): string {
  return Number.isSafeInteger(value) ? String(value) : goFloat(value)
}

/** Go writes an exponent from a million on, where JavaScript waits for 21 digits. */
function goFloat(value: number): string {
  if (value === 0) return Object.is(value, -0) ? '-0' : '0'
  const [digits = '', exponent = '0'] = value.toExponential().split('e')
  const power = Number(exponent)
  if (power >= -4 && power < 6) return String(value)
  return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`
}
