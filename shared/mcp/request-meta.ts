import { isObject } from '../util/objects.js'
import { cut, shown } from '../util/shown.js'
import { isRequestId } from './messages.js'
import { MetaKey } from './revisions.js'

/** The name and version of a client, from its requests. */
export interface ClientInfo {
  name: string
  version: string
}

const LOG_LEVELS = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency']

const ONE_OF_LEVELS = `one of ${LOG_LEVELS.join(', ')}`

/**
 * Maximum number of characters of a name, version or revision in the journal. Longer texts are cut, because
 * they do not count towards the size limit of the journal.
 */
const MAX_NAME_CHARS = 200

/** Returns a revision in the form that the journal keeps. Returns null for a value that is not a string. */
export function notedRevision(value: unknown): string | null {
  return typeof value === 'string' ? cut(value, MAX_NAME_CHARS) : null
}

let latestClient: ClientInfo = { name: '', version: '' }

/**
 * Reads a client's name and version. Returns undefined for a value that does not have both members as text.
 *
 * A modern client repeats its name and version in each request, and the journal keeps them. To save memory,
 * consecutive calls with equal values return the same object.
 */
export function readClient(value: unknown): ClientInfo | undefined {
  if (!isClient(value)) return undefined
  if (value.name !== latestClient.name || value.version !== latestClient.version) {
    latestClient = { name: cut(value.name, MAX_NAME_CHARS), version: cut(value.version, MAX_NAME_CHARS) }
  }
  return latestClient
}

function isClient(value: unknown): value is ClientInfo {
  return isObject(value) && typeof value.name === 'string' && typeof value.version === 'string'
}

/** Returns the `_meta` of a message. Returns undefined if there is none or it is not an object. */
export function metaOf(message: unknown): Record<string, unknown> | undefined {
  if (!isObject(message) || !isObject(message.params) || !isObject(message.params._meta)) return undefined
  return message.params._meta
}

/** Returns the reason why the version in `_meta` cannot be read. Returns undefined if it can be read. */
export function versionFault(params: unknown): string | undefined {
  if (params !== undefined && !isObject(params)) return `params is ${shown(params)}: send an object`
  const meta = params?._meta
  if (meta === undefined)
    return `params._meta is missing: send ${MetaKey.version} and ${MetaKey.capabilities}`
  if (!isObject(meta)) return `params._meta is ${shown(meta)}: send an object`
  return memberFault(meta, MetaKey.version, 'a text', isText)
}

/**
 * Checks the members of `_meta` other than the version. Returns the reason why one is refused. Returns
 * undefined if all are valid.
 */
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
  isValid: (value: unknown) => boolean,
): string | undefined {
  if (!(key in meta)) return `params._meta has no ${key}: send ${wanted}`
  return optionalFault(meta, key, wanted, isValid)
}

function optionalFault(
  meta: Record<string, unknown>,
  key: string,
  wanted: string,
  isValid: (value: unknown) => boolean,
): string | undefined {
  const value = meta[key]
  if (value === undefined || isValid(value)) return undefined
  return `params._meta[${JSON.stringify(key)}] is ${shown(value)}: send ${wanted}`
}
