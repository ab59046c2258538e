import type { IncomingHttpHeaders } from 'node:http'
import { isObject } from '../util/objects.js'
import { shown } from '../util/shown.js'
import { metaOf } from './request-meta.js'
import { MetaKey } from './revisions.js'

export const VERSION_HEADER = 'MCP-Protocol-Version'

/**
 * The methods whose requests have the header `Mcp-Name`. The value is the member of `params` that the header
 * repeats.
 */
const NAMED_BY = new Map([
  ['tools/call', 'name'],
  ['prompts/get', 'name'],
  ['resources/read', 'uri'],
])

/** A header value in Base64. */
const BASE64_VALUE = /^=\?base64\?(.*)\?=$/s
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
/** A valid header value: visible ASCII, space and tab. */
const HEADER_VALUE = /^[\t\x20-\x7e]*$/
/** A field name of RFC 9110. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
/** The prefix of the headers that repeat an argument. */
const PARAMETER_PREFIX = 'mcp-param-'
const NONE: readonly string[] = []
const NUMBER = /^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/i

/** A header that differs from the body. */
export interface Mismatch {
  /**
   * The name of the header. If the specification defines the header, the spelling is that of the
   * specification.
   */
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
  /** Whether the specification allows Base64 in this header. */
  encodable: boolean
}

/**
 * Returns the names of the mirrored headers in a legacy request that differ from its body. A missing header
 * is no difference, because a legacy request need not have these headers.
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
 * Returns the headers of a modern request that are missing or differ from its body. {@link versionMismatch}
 * checks `MCP-Protocol-Version` separately.
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
 * Returns the `Mcp-Param-…` headers whose value is not the value of any argument. A stricter check would need
 * the input schema of the tool.
 *
 * @param headers with names in lower case
 */
export function strayParameters(message: unknown, headers: IncomingHttpHeaders): Mismatch[] {
  return Object.entries(headers).flatMap(([name, sent]) => {
    if (!name.startsWith(PARAMETER_PREFIX)) return []
    const read = readHeader(name, String(sent), true)
    if ('why' in read) return [{ header: name, why: read.why }]
    const args = isObject(message) && isObject(message.params) ? message.params.arguments : undefined
    if (hasMember(args, value => equals(read.text, value))) return []
    return [
      {
        header: name,
        why: `the header ${name} is ${shown(read.text)}, which is not the value of any argument`,
      },
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
 * Returns the arguments that a schema marks with `x-mcp-header`. The search follows only `properties`, at any
 * depth.
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
      : { header, why: `the header ${header} is missing: send ${shown(value)}, as in the body` }
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
 * Returns whether `fits` is true for a value or for one of its members, at any depth. This is a loop, because
 * recursion would limit the depth.
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
  const plain = HEADER_VALUE.test(text) && text === text.trim() && !BASE64_VALUE.test(text)
  return plain ? text : `=?base64?${Buffer.from(text).toString('base64')}?=`
}

/** Decodes a header value. Returns undefined if its Base64 is invalid. */
function decode(text: string): string | undefined {
  const encoded = BASE64_VALUE.exec(text)?.[1]
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
