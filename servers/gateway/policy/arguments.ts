/**
 * What stands at the end of `keys`; undefined if they lead nowhere. Keys go into objects alone, as both products have it: an element
 * of a list has no path.
 */
export function argumentAt(args: Readonly<Record<string, unknown>>, keys: readonly string[]): unknown {
  let current: unknown = args
  for (const key of keys) {
    if (typeof current !== 'object' || current === null || Array.isArray(current)) return undefined
    // Else "constructor" would be an argument of every call.
    if (!Object.hasOwn(current, key)) return undefined
    current = Reflect.get(current, key)
  }
  return current
}
