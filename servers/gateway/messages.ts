import { isUtf8 } from 'node:buffer'
import type { JSONRPCErrorResponse, JSONRPCResultResponse } from '@modelcontextprotocol/sdk/types.js'
import { createScanner } from 'jsonc-parser'
import { HttpRejection, invalidRequest, parseError } from '../../shared/mcp/http/rejection.js'
import {
  hasOnly,
  isNotification,
  isRequest,
  isResponse,
  NOT_CACHED,
  RpcCode,
} from '../../shared/mcp/messages.js'
import type { Approval } from '../../shared/schemas/approval.js'
import { defined } from '../../shared/util/defined.js'
import { isObject } from '../../shared/util/is-object.js'
import { shown } from '../../shared/util/shown.js'
import type { DenialText } from './options.js'
import type { PolicyEngine } from './policy/model.js'

/** The beginning of every denial's text, which shows that the denial comes from the gateway. */
export const DENIED = '[UNDERSTUDY POLICY DENIED]'

/** Intercept's error code for a call that needs an approval. */
const APPROVAL_REQUIRED = -32003

/** The key of the denial's details in `_meta`, for programs. */
export const POLICY_META = 'mcp-understudy/policy'

const KEYS = {
  notification: ['jsonrpc', 'method', 'params'],
  response: ['jsonrpc', 'id', 'result', 'error'],
}

/**
 * Known members of a call's parameters. Servers differ on whether a key with other upper and lower case is
 * the same key.
 */
const CALL_KEYS = ['name', 'arguments', '_meta', 'task', 'inputResponses', 'requestState']

/**
 * Token numbers of jsonc-parser. The package's `const enum` cannot be imported when each module is compiled
 * separately.
 */
const TOKEN = {
  openObject: 1,
  closeObject: 2,
  openArray: 3,
  closeArray: 4,
  comma: 5,
  text: 10,
  end: 17,
} as const

/**
 * Returns a key that occurs twice in one object of a JSON text. Returns undefined if there is none.
 *
 * Parsers differ on which of the two values counts, so a policy could judge one value while the upstream uses
 * the other. A text that equals the output of a serializer has no such key. Most texts are of that kind, and
 * only the others are scanned, because a scan costs ten times as much. A loop instead of recursion allows any
 * depth.
 *
 * @param json a text that is valid JSON
 * @param value the parsed `json`
 */
export function repeatedKey(json: string, value: unknown): string | undefined {
  if (formatJson(value) === json) return undefined
  const scanner = createScanner(json, true)
  /** The keys of every open object. An open array has undefined here. */
  const open: (Set<string> | undefined)[] = []
  let atKey = false
  for (let token: number = scanner.scan(); token !== TOKEN.end; token = scanner.scan()) {
    const keys = open.at(-1)
    if (token === TOKEN.text && atKey && keys !== undefined) {
      const key = scanner.getTokenValue()
      if (keys.has(key)) return key
      keys.add(key)
    } else if (token === TOKEN.openObject) open.push(new Set())
    else if (token === TOKEN.openArray) open.push(undefined)
    else if (token === TOKEN.closeObject || token === TOKEN.closeArray) open.pop()
    atKey = token === TOKEN.openObject || token === TOKEN.comma
  }
  return undefined
}

/** The body of a POST: its text and its parsed messages. All parsers read this text in the same way. */
export interface ReadableBody {
  text: string
  messages: unknown[]
  batch: boolean
}

/**
 * Parses a body.
 *
 * @throws HttpRejection 400 for a body that is not valid, or that parsers could read in different ways
 */
export function readableBody(bytes: Buffer): ReadableBody {
  if (!isUtf8(bytes)) throw new HttpRejection(400, RpcCode.parseError, 'Parse error: the body is not UTF-8')
  return readableText(bytes.toString('utf8'))
}

/** Parses the text of a body. @throws HttpRejection 400 in the same cases */
function readableText(text: string): ReadableBody {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    throw parseError()
  }
  const batch = Array.isArray(body)
  const key = isObject(body) || batch ? repeatedKey(text, body) : undefined
  if (key !== undefined) throw invalidRequest(repeatedText(key))
  return { text, messages: Array.isArray(body) ? body : [body], batch }
}

export function repeatedText(key: string): string {
  return `the key ${JSON.stringify(key.slice(0, 60))} stands twice in one object: servers differ on which of them counts`
}

/** A call of a tool, as a policy judges it. */
export interface ToolCall {
  readonly tool: string
  readonly args: unknown
}

/**
 * Returns the reason why a message is refused. Returns undefined if the message is valid.
 *
 * Every server must read a message as this gateway does. Otherwise, the upstream could run another call than
 * the policy has judged.
 */
export function unsound(message: unknown): string | undefined {
  if (isRequest(message) || (isNotification(message) && hasOnly(message, KEYS.notification))) {
    return message.method === 'tools/call' ? unsoundCall(message.params) : undefined
  }
  if (isResponse(message) && hasOnly(message, KEYS.response)) return undefined
  return 'not a JSON-RPC 2.0 request, notification or response'
}

/** Returns the tool call in a valid message. Returns undefined if the message is not a tool call. */
export function callOf(message: {
  method: string
  params?: Record<string, unknown> | undefined
}): ToolCall | undefined {
  if (message.method !== 'tools/call') return undefined
  return { tool: String(message.params?.name), args: message.params?.arguments }
}

function unsoundCall(params: unknown): string | undefined {
  if (!isObject(params) || typeof params.name !== 'string') {
    const name = isObject(params) ? params.name : undefined
    return `tools/call names no tool: params.name is ${shown(name)}, a text is wanted`
  }
  for (const key in params) {
    const meant = CALL_KEYS.find(known => known !== key && known.toLowerCase() === key.toLowerCase())
    if (meant !== undefined) return `params.${key} of tools/call differs from params.${meant} in case alone`
  }
  return undefined
}

/**
 * Returns a message as JSON. Returns undefined for a message with thousands of levels, which can be parsed
 * but not written.
 */
export function formatJson(message: unknown): string | undefined {
  try {
    return JSON.stringify(message)
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

/**
 * Removes hidden tools from a list of tools. Returns the same object if nothing changes.
 *
 * A list is recognized by its members, because an upstream can repeat an answer on another stream. An entry
 * without a name cannot be judged and is removed. In the modern era, all pages of a list have the same cache
 * scope. Each modern page is therefore marked as not cacheable, even without a hidden tool.
 */
export function withoutHidden(message: unknown, engine: Pick<PolicyEngine, 'hides'>): unknown {
  if (!isObject(message) || !isObject(message.result) || !Array.isArray(message.result.tools)) return message
  const { result } = message
  const tools: unknown[] = message.result.tools
  const left = tools.filter(
    tool => isObject(tool) && typeof tool.name === 'string' && !engine.hides(tool.name),
  )
  const modern = 'resultType' in result || 'ttlMs' in result || 'cacheScope' in result
  const cached = modern && (result.ttlMs !== NOT_CACHED.ttlMs || result.cacheScope !== NOT_CACHED.cacheScope)
  if (left.length === tools.length && !cached) return message
  return { ...message, result: { ...result, tools: left, ...(modern && NOT_CACHED) } }
}

export interface Denial {
  outcome: 'denied' | 'refused' | 'approval_required'
  tool: string
  rule: string
  message: string
  grant: string
  /** The id of the approval that would allow the call. */
  approval?: string
  /** Whether the call is of the modern era. */
  modern: boolean
}

/** The answer to a denied call, without the request id. */
export type DenialAnswer = Pick<JSONRPCResultResponse, 'result'> | Pick<JSONRPCErrorResponse, 'error'>

/**
 * Returns a tool error as the answer to a denied call. A model can read a tool error, but a JSON-RPC error
 * may end a client.
 *
 * @param text the form of the denial's text
 */
export function denialAnswer(
  { tool, message, outcome, rule, grant, approval, modern }: Denial,
  text: DenialText,
): DenialAnswer {
  const meta = { outcome, rule, grant, ...defined({ approval }) }
  const result = {
    ...(modern && { resultType: 'complete' }),
    content: [{ type: 'text', text: denialText(text, tool, message) }],
    isError: true,
    _meta: { [POLICY_META]: meta },
  }
  return { result }
}

function denialText(text: DenialText, tool: string, message: string): string {
  if (text === 'intercept') return `[INTERCEPT POLICY DENIED] ${message}`
  return text === 'policylayer' ? `[POLICY DENIED] ${message}` : `${DENIED} ${tool.slice(0, 200)}: ${message}`
}

/**
 * Returns the answer to a call that needs an approval, in the form that Intercept publishes since
 * intercept@2026-04.
 *
 * Intercept publishes the error code, the beginning of the text, the prefix `apr_` of ids, and the field
 * `human_instructions`. The arrangement of the fields in `data` is this project's interpretation.
 */
export function approvalRequired({ id, tool, rule, message, expiresAt }: Approval): DenialAnswer {
  const data = {
    approval_id: id,
    tool,
    rule,
    expires_at: expiresAt,
    human_instructions: `A person approves it with POST /approvals/${id} {"decision":"approve"}, on the approvals port of the gateway or on the control plane. Then make the same call again, before ${expiresAt}.`,
  }
  return { error: { code: APPROVAL_REQUIRED, message: `[INTERCEPT APPROVAL REQUIRED] ${message}`, data } }
}
