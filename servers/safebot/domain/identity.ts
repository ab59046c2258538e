/** Who has registered a handle: its keys vouch for it from then on. */
export interface Identity {
  readonly handle: string
  /** Base64 of the 32 bytes of an X25519 key. */
  readonly boxPub: string
  /** Base64 of the 32 bytes of an Ed25519 key. */
  readonly signPub: string
  /** Instant, milliseconds since the epoch. */
  readonly registeredAt: number
  readonly meta: { readonly bio?: string }
}

/** What a handle looks like when it is registered. */
export const HANDLE = /^[a-z0-9][a-z0-9_-]{1,31}$/

/** What passes for one where it is only looked up. */
const LOOSE_HANDLE = /^[a-z0-9_-]{1,32}$/

/** A handle as requests name it, in lower case; undefined if it cannot be one. */
export function looseHandle(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined
  const handle = value.toLowerCase()
  return LOOSE_HANDLE.test(handle) ? handle : undefined
}
