import { isObject } from '../util/is-object.js'
import { cut, shown } from '../util/shown.js'
import { isRequestId } from './messages.js'
import { MetaKey } from './revisions.js'

/** Name and version of a client, as it gives them itself. */
export interface ClientInfo {
  name: string
  version: string
}

const LOG_LEVELS = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency']

const ONE_OF_LEVELS = `one of ${LOG_LEVELS.join(', ')}`

/** The journal keeps no more of a name, a version or a revision: they are not counted among its bytes. */
const MAX_NAME_CHARS = 200

/** A revision as the journal keeps it; null for a value that is no text. */
export function notedRevision(value: unknown): string | null {
  return typeof value === 'string' ? cut(value, MAX_NAME_CHARS) : null
}

let latest: ClientInfo = { name: '', version: '' }

/**
 * Undefined for a value that does not have both members.
 *
 * Modern clients repeat it in each request, and the journal keeps it. Equal ones in a row share an object.
 */
export function readClient(value: unknown): ClientInfo | undefined {
  if (!isClient(value)) return undefined
  if (value.name !== latest.name || value.version !== latest.version) {
    latest = { name: cut(value.name, MAX_NAME_CHARS), version: cut(value.version, MAX_NAME_CHARS) }
  }
  return latest
}

function isClient(value: unknown): value is ClientInfo {
  return isObject(value) && typeof value.name === 'string' && typeof value.version === 'string'
}

/** The `_meta` of a message; undefined if it has none that can be read. */
export function metaOf(message: unknown): Record<string, unknown> | undefined {
  if (!isObject(message) || !isObject(message.params) || !isObject(message.params._meta)) return undefined
  return message.params._meta
}

/** Says why the `_meta` of a request has no readable version; undefined if it has one. */
export function versionFault(params: unknown): string | undefined {
  if (params !== undefined && !isObject(params)) return `params is ${shown(params)}: send an object`
  const meta = params?._meta
  if (meta === undefined)
    return `params._meta is missing: send ${MetaKey.version} and ${MetaKey.capabilities}`
  if (!isObject(meta)) return `params._meta is ${shown(meta)}: send an object`
  return memberFault(meta, MetaKey.version, 'a text', isText)
}

/** Says why the rest of the `_meta` of a request is refused; undefined if it is not. */
export function metaFault(meta: Record<string, unknown>): string | undefined {
  return (
    memberFault(meta, MetaKey.capabilities, 'an object', isObject) ??
    optionalFault(meta, MetaKey.client, 'an object with name and version', isClient) ??
    optionalFault(meta, MetaKey.logLevel, ONE_OF_LEVELS, isLogLevel) ??
    optionalFault(meta, 'progressToken', 'a text or an integer', isRequestId)
  )
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isLogLevel(value: unknown): boolean {
  return isText(value) && LOG_LEVELS.includes(value)
}

function memberFault(
  meta: Record<string, unknown>,
  key: string,
  wanted: string,
  isRight: (value: unknown) => boolean,
): string | undefined {
  if (!(key in meta)) return `params._meta has no ${key}: send ${wanted}`
  return optionalFault(meta, key, wanted, isRight)
}

function optionalFault(
  meta: Record<string, unknown>,
  key: string,
  wanted: string,
  isRight: (value: unknown) => boolean,
): string | undefined {
  const value = meta[key]
  if (value === undefined || isRight(value)) return undefined
  return `params._meta[${JSON.stringify(key)}] is ${shown(value)}: send ${wanted}`
}
