import type { Asked } from './promise.js'

export const TICK = 5 * 60_000

export type Operation =
  | 'create'
  | 'list'
  | 'mint'
  | 'claim'
  | 'delete'
  | 'receive'
  | 'preview'
  | 'health'
  | 'unknown'
export type Caller = 'nobody' | 'invalid' | 'free' | 'paid' | 'other'

/** A resource, as its answers have told of it. */
export interface Resource {
  readonly token: string
  readonly type: 'postgres' | 'webhook'
  readonly subnet: string
  /** The account that owns it, or null. */
  owner: Caller | null
  tier: 'anonymous' | 'paid'
  /** Milliseconds since the epoch; null: it never expires. */
  expiresAt: number | null
  deleted: boolean
  /** The first tick after it grew over 10 MB, if it was in use at that tick. */
  outgrownAt: number | null
}

export interface InstanodeAsked extends Asked {
  readonly operation: Operation
  readonly type: 'postgres' | 'webhook'
  readonly caller: Caller
  /** The field that the request is about, `name` or `token`, as Go decodes it. Undefined: the body cannot be decoded. */
  readonly text: string | undefined
  /** Whether the schema of the tool refuses the arguments. */
  readonly badArguments: boolean
  readonly bodyBytes: number
  readonly resource: Resource | undefined
  readonly owned: readonly Resource[]
  /** Of this type and from this subnet, the latest first. */
  readonly alike: readonly Resource[]
  /** Anonymous provisions of the subnet on this UTC day, before this one. */
  readonly provisions: number
  /** Requests that the address may still make at this instant. */
  readonly requestsLeft: number
  readonly now: number
  /** The instant of the latest five-minute tick. */
  readonly lastTick: number
}

export const isUuid = (text: string) =>
  /^(urn:uuid:)?[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i.test(text)
export const trimmed = (text: string) => text.replace(/^\p{White_Space}+|\p{White_Space}+$/gu, '')

export function isName(text: string | undefined): boolean {
  const name = trimmed(text ?? '')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the service refuses them
  return name !== '' && Buffer.byteLength(name) <= 64 && !/[\x00-\x1f\x7f]/.test(name)
}

export const creates = (x: InstanodeAsked) => x.operation === 'create'
export const account = (x: InstanodeAsked) =>
  x.caller === 'free' || x.caller === 'paid' || x.caller === 'other'
export const pays = (x: InstanodeAsked) => x.caller === 'paid' || x.caller === 'other'
export const isAnonymous = (x: InstanodeAsked) =>
  !account(x) || (x.caller === 'free' && x.side('linksFreeAccounts') === 'observed')

export const overdue = ({ expiresAt }: Resource, x: InstanodeAsked) =>
  expiresAt !== null && x.now >= expiresAt
export const isLocked = ({ outgrownAt }: Resource, x: InstanodeAsked) =>
  outgrownAt !== null && x.lastTick >= outgrownAt
const lockedNow = (resource: Resource, x: InstanodeAsked) =>
  isLocked(resource, x) && x.side('locksOverQuota') === 'observed'
export const isReaped = (resource: Resource, x: InstanodeAsked) =>
  resource.expiresAt !== null &&
  !lockedNow(resource, x) &&
  (x.side('reapsAtOnce') === 'documented' ? x.now : x.lastTick) >= resource.expiresAt
export const isListed = (resource: Resource, x: InstanodeAsked) => !resource.deleted && !isReaped(resource, x)
export const isActive = (resource: Resource, x: InstanodeAsked) =>
  isListed(resource, x) && !lockedNow(resource, x)
