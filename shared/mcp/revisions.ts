import type { IncomingHttpHeaders } from 'node:http'
import { Refusal } from '../errors.js'
import { closestName } from '../util/closest-name.js'
import { isObject } from '../util/objects.js'

/** The first revision without a handshake and without sessions. */
const FIRST_MODERN = '2026-07-28'

/** Every revision that can be served, newest first. Revisions are dates, so they can be compared as text. */
export const REVISIONS: readonly string[] = [
  FIRST_MODERN,
  '2025-11-25',
  '2025-06-18',
  '2025-03-26',
  '2024-11-05',
  '2024-10-07',
]

const DATE = /^\d{4}-\d\d-\d\d$/

/** Keys of `params._meta` and `result._meta` that the modern era defines. */
export const MetaKey = {
  version: 'io.modelcontextprotocol/protocolVersion',
  capabilities: 'io.modelcontextprotocol/clientCapabilities',
  client: 'io.modelcontextprotocol/clientInfo',
  logLevel: 'io.modelcontextprotocol/logLevel',
  server: 'io.modelcontextprotocol/serverInfo',
  subscription: 'io.modelcontextprotocol/subscriptionId',
} as const

/** The protocol revisions that a server serves, and the rule that decides to which era a body belongs. */
export class Revisions {
  /** All served revisions, newest first. */
  readonly served: readonly string[]
  /** The served revisions with a handshake: 2025-11-25 and earlier. */
  readonly legacy: readonly string[]
  /** The served revisions in which each request states its version: 2026-07-28 and later. */
  readonly modern: readonly string[]

  constructor(served: readonly string[]) {
    this.served = served
    this.legacy = served.filter(revision => revision < FIRST_MODERN)
    this.modern = served.filter(revision => revision >= FIRST_MODERN)
  }

  /**
   * Returns whether a body belongs to the modern era. If the server serves only one era, every body belongs
   * to that era.
   *
   * @param body the parsed body. Undefined if the body is not JSON
   */
  isModern(body: unknown, headers: IncomingHttpHeaders): boolean {
    if (this.modern.length === 0) return false
    if (this.legacy.length === 0 || namesVersion(body)) return true
    if (Array.isArray(body) && body.some(namesVersion)) return true
    const named = headers['mcp-protocol-version']
    return typeof named === 'string' && named >= FIRST_MODERN && DATE.test(named)
  }
}

/** The revisions of a server that serves all of them. */
export const ALL_REVISIONS = new Revisions(REVISIONS)

/** The revisions of a server that serves only legacy revisions. */
export const LEGACY_REVISIONS = new Revisions(REVISIONS.filter(revision => revision < FIRST_MODERN))

/**
 * Reads an option that names the revisions to serve.
 *
 * @param names a list of revisions, or a text in which they are separated by commas. Default: every revision
 * @param source name of the option in error messages, e.g. `--protocol`
 * @throws Refusal `bad_protocol` for a name that is no revision, and for an empty list
 */
export function readRevisions(names: string | readonly string[] | undefined, source = 'protocol'): Revisions {
  if (names === undefined) return ALL_REVISIONS
  const wanted = (typeof names === 'string' ? names.split(',') : names).map(name => name.trim())
  const unknown = wanted.find(name => !REVISIONS.includes(name))
  if (unknown === undefined && wanted.length > 0) {
    return new Revisions(REVISIONS.filter(revision => wanted.includes(revision)))
  }
  const near = unknown === undefined ? undefined : closestName(unknown, REVISIONS)
  const question = near === undefined ? '' : `did you mean ${near}? `
  throw new Refusal(
    'bad_protocol',
    unknown === undefined ? `${source} names no revision` : `${source} names ${JSON.stringify(unknown)}`,
    `${question}it takes one or more of ${REVISIONS.join(', ')}`,
  )
}

function namesVersion(message: unknown): boolean {
  return (
    isObject(message) &&
    isObject(message.params) &&
    isObject(message.params._meta) &&
    MetaKey.version in message.params._meta
  )
}
