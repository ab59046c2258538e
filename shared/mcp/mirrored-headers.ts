import type { IncomingHttpHeaders } from 'node:http'
import { isObject } from '../util/is-object.js'
import { shown } from '../util/shown.js'
import { metaOf } from './request-meta.js'
import { MetaKey } from './revisions.js'

export const VERSION_HEADER = 'MCP-Protocol-Version'

/**
 * The methods whose subject is repeated in `Mcp-Name`. The value is the member of `params` that names the
 * subject.
 */
const NAMED_BY = new Map([
  ['tools/call', 'name'],
  ['prompts/get', 'name'],
  ['resources/read', 'uri'],
])

const SENTINEL = /^=\?base64\?(.*)\?=$/s
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
/** A valid header value: visible ASCII, space and tab. */
const HEADER_VALUE = /^[\t\x20-\x7e]*$/
/** A field name of RFC 9110. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
/** The prefix of the headers that repeat an argument. */
const PARAMETER = 'mcp-param-'
const NONE: readonly string[] = []
const NUMBER = /^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/i

/** A header that differs from the body. */
export interface Mismatch {
  /** The name of the header. A header of the specification is spelled as in the specification. */
  header: string
  /** The reason, as a sentence for the caller. */
  why: string
}

/**
 * A header and the value in the body that the header repeats. A null or undefined value means that the body
 * has no such value.
 */
interface Mirrored {
  header: string
  value: unknown
  /** Whether the header may be encoded in Base64. */
  encodable: boolean
}

/**
 * Returns the names of the mirrored headers in a legacy request that differ from its body. A legacy request
 * may leave these headers out.
 */
export function differingHeaders(message: unknown, headers: IncomingHttpHeaders): readonly string[] {
  if (headers['mcp-method'] === undefined && headers['mcp-name'] === undefined) return NONE
  return mirroredBy(message)
    .filter(mirrored => headers[mirrored.header.toLowerCase()] !== undefined)
    .flatMap(mirrored => (mismatchOf(mirrored, headers) === undefined ? [] : mirrored.header))
}

/** Compares `MCP-Protocol-Version` with the version in the body. Returns undefined if they agree. */
export function versionMismatch(message: unknown, headers: IncomingHttpHeaders): Mismatch | undefined {
  const value = metaOf(message)?.[MetaKey.version]
  return mismatchOf({ header: VERSION_HEADER, value, encodable: false }, headers)
}

/**
 * Returns the other headers of a modern request that are missing or differ from its body.
 *
 * @param schema the input schema of the called tool, if the schema is known
 */
export function mismatches(message: unknown, headers: IncomingHttpHeaders, schema?: unknown): Mismatch[] {
  const mirrored = mirroredBy(message)
  if (schema !== undefined && isObject(message) && isObject(message.params)) {
    mirrored.push(...mirroredArguments(schema, message.params.arguments))
  }
  return mirrored.flatMap(one => mismatchOf(one, headers) ?? [])
}

/**
 * Returns the `Mcp-Param-…` headers whose value is no argument of the call. Without the schema of the tool,
 * no stricter check is possible.
 *
 * @param headers with names in lower case
 */
export function strayParameters(message: unknown, headers: IncomingHttpHeaders): Mismatch[] {
  return Object.entries(headers).flatMap(([name, sent]) => {
    if (!name.startsWith(PARAMETER)) return []
    const read = readHeader(name, String(sent), true)
    if ('why' in read) return [{ header: name, why: read.why }]
    const args = isObject(message) && isObject(message.params) ? message.params.arguments : undefined
    if (hasMember(args, value => equals(read.text, value))) return []
    return [
      { header: name, why: `the header ${name} is ${shown(read.text)}, which is no argument of the body` },
    ]
  })
}

/**
 * Returns the headers that a modern request must have over HTTP. The names are in lower case.
 *
 * @param schema the input schema of the called tool, if the schema is known
 */
export function mirroredHeaders(message: unknown, schema?: unknown): Record<string, string> {
  const version = { header: VERSION_HEADER, value: metaOf(message)?.[MetaKey.version], encodable: false }
  const all = [version, ...mirroredBy(message)]
  if (isObject(message) && isObject(message.params)) {
    all.push(...mirroredArguments(schema, message.params.arguments))
  }
  const headers: Record<string, string> = {}
  for (const { header, value, encodable } of all) {
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') continue
    headers[header.toLowerCase()] = encodable ? encode(String(value)) : String(value)
  }
  return headers
}

function mirroredBy(message: unknown): Mirrored[] {
  if (!isObject(message)) return []
  const { method, params } = message
  const mirrored: Mirrored[] = [{ header: 'Mcp-Method', value: method, encodable: false }]
  const member = typeof method === 'string' ? NAMED_BY.get(method) : undefined
  if (member !== undefined) {
    mirrored.push({
      header: 'Mcp-Name',
      value: isObject(params) ? params[member] : undefined,
      encodable: true,
    })
  }
  return mirrored
}

/**
 * Returns the arguments that a schema marks with `x-mcp-header`. Only the members of `properties` are
 * searched, at any depth.
 */
function mirroredArguments(schema: unknown, args: unknown): Mirrored[] {
  if (!isObject(schema) || !isObject(schema.properties)) return []
  return Object.entries(schema.properties).flatMap(([name, property]) => {
    if (!isObject(property)) return []
    const value = isObject(args) && Object.hasOwn(args, name) ? args[name] : undefined
    const mark = property['x-mcp-header']
    if (typeof mark === 'string' && TOKEN.test(mark)) {
      return [{ header: `Mcp-Param-${mark}`, value, encodable: true }]
    }
    return mirroredArguments(property, value)
  })
}

function mismatchOf(
  { header, value, encodable }: Mirrored,
  headers: IncomingHttpHeaders,
): Mismatch | undefined {
  const sent = headers[header.toLowerCase()]
  const absent = value === undefined || value === null
  if (sent === undefined) {
    return absent
      ? undefined
      : { header, why: `the header ${header} is missing: it repeats ${shown(value)} of the body` }
  }
  const read = readHeader(header, String(sent), encodable)
  if ('why' in read) return { header, why: read.why }
  if (!absent && equals(read.text, value)) return undefined
  const said = absent ? 'nothing' : shown(value)
  return { header, why: `the header ${header} is ${shown(read.text)}, and the body says ${said}` }
}

/** Returns the decoded value of a header, or the reason why the value cannot be read. */
function readHeader(header: string, sent: string, encodable: boolean): { text: string } | { why: string } {
  if (!HEADER_VALUE.test(sent)) {
    return { why: `the header ${header} has characters other than visible ASCII: send it in Base64` }
  }
  const text = encodable ? decode(sent) : sent
  return text === undefined
    ? { why: `the header ${header} is ${shown(sent)}, which is not valid Base64` }
    : { text }
}

/**
 * Returns whether a value, or a member of it at any depth, fits. A loop instead of recursion allows any
 * depth.
 */
function hasMember(value: unknown, fits: (member: unknown) => boolean): boolean {
  const open = [value]
  while (open.length > 0) {
    const member = open.pop()
    if (fits(member)) return true
    if (isObject(member)) for (const inner of Object.values(member)) open.push(inner)
  }
  return false
}

/** Returns a header value. Text that a header cannot hold is encoded in Base64. */
function encode(text: string): string {
  const plain = HEADER_VALUE.test(text) && text === text.trim() && !SENTINEL.test(text)
  return plain ? text : `=?base64?${Buffer.from(text).toString('base64')}?=`
}

/** Decodes a header value. Returns undefined if its Base64 is invalid. */
function decode(text: string): string | undefined {
  const encoded = SENTINEL.exec(text)?.[1]
  if (encoded === undefined) return text
  if (!BASE64.test(encoded)) return undefined
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(encoded, 'base64'))
  } catch {
    return undefined
  }
}

function equals(text: string, value: unknown): boolean {
  if (typeof value === 'number') return NUMBER.test(text) && Number(text) === value
  return (typeof value === 'string' || typeof value === 'boolean') && text === String(value)
}
