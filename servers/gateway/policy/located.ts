import type { Plain } from './model.js'

/** A value of a policy's text that knows the line it stands on, from 1; keys are in the order of the text. */
export type Located =
  | { readonly kind: 'map'; readonly line: number; readonly entries: readonly Entry[] }
  | { readonly kind: 'list'; readonly line: number; readonly items: readonly Located[] }
  | { readonly kind: 'scalar'; readonly line: number; readonly value: string | number | boolean | null }

export interface Entry {
  readonly key: string
  readonly line: number
  readonly value: Located
}

/** What stands under `key` in a map; undefined in anything else. */
export function entryOf(node: Located | undefined, key: string): Located | undefined {
  return node?.kind === 'map' ? node.entries.find(entry => entry.key === key)?.value : undefined
}

/** The value without its lines. */
export function plain(node: Located): Plain {
  if (node.kind === 'scalar') return node.value
  if (node.kind === 'list') return node.items.map(plain)
  // fromEntries defines its keys, so that one called __proto__ is a key like any other.
  return Object.fromEntries(node.entries.map(({ key, value }) => [key, plain(value)]))
}
