import { isUtf8 } from 'node:buffer'
import type { JSONRPCErrorResponse, JSONRPCResultResponse } from '@modelcontextprotocol/sdk/types.js'
import { createScanner } from 'jsonc-parser'
import { HttpRejection, invalidRequest, parseError } from '../../shared/mcp/http/rejection.js'
import { isNotification, isRequest, isResponse, RpcCode } from '../../shared/mcp/messages.js'
import type { Approval } from '../../shared/schemas/approval.js'
import { defined } from '../../shared/util/defined.js'
import { isObject } from '../../shared/util/is-object.js'
import { shown } from '../../shared/util/shown.js'
import type { DenialText } from './options.js'
import type { PolicyEngine } from './policy/model.js'

/** Begins the text of every denial, so that a reader knows that it is the gateway's. */
export const DENIED = '[UNDERSTUDY POLICY DENIED]'

/** Intercept's code for a call that needs an approval. */
const APPROVAL_REQUIRED = -32003

/** The key of `_meta` under which a program finds the denial. */
export const POLICY_META = 'mcp-understudy/policy'

const KEYS = {
  notification: ['jsonrpc', 'method', 'params'],
  response: ['jsonrpc', 'id', 'result', 'error'],
}

/** Known members of the parameters of a call. Readers differ on whether a key in another case is the same key. */
const CALL_KEYS = ['name', 'arguments', '_meta', 'task', 'inputResponses', 'requestState']

/** Tokens of jsonc-parser. Its own `const enum` cannot be imported into a module that is compiled by itself. */
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
 * Finds a key that one object of a JSON text has twice. Returns undefined if there is none.
 *
 * Readers differ on which of the two counts: a policy that judged one would let the other through. A text that a serializer
 * would write again in the same way has no such key, and most texts are of that kind. Only the others are scanned, because a
 * scan costs ten times as much. It is a loop, so the depth of the text does not matter.
 *
 * @param json known to be valid
 * @param value the parsed `json`
 */
export function repeatedKey(json: string, value: unknown): string | undefined {
  if (formatJson(value) === json) return undefined
  const scanner = createScanner(json, true)
  /** The keys of every object that is open. An array has undefined. */
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

/** The body of a POST as text, and as what it means to every reader alike. */
export interface ReadableBody {
  text: string
  messages: unknown[]
  batch: boolean
}

/** @throws HttpRejection 400 for what different readers may understand differently */
export function readableBody(bytes: Buffer): ReadableBody {
  if (!isUtf8(bytes)) throw new HttpRejection(400, RpcCode.parseError, 'Parse error: the body is not UTF-8')
  return readableText(bytes.toString('utf8'))
}

/** Likewise, of a line that a pipe brought. @throws HttpRejection */
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

/** A call of a tool, for a policy to judge. */
export interface ToolCall {
  readonly tool: string
  readonly args: unknown
}

/**
 * Why a message does not pass; undefined if it does.
 *
 * Every reader has to understand a message as this gateway does. Otherwise the upstream acts on another call than the one that
 * the policy has judged.
 */
export function unsound(message: unknown): string | undefined {
  if (isRequest(message) || (isNotification(message) && hasOnly(message, KEYS.notification))) {
    return message.method === 'tools/call' ? unsoundCall(message.params) : undefined
  }
  if (isResponse(message) && hasOnly(message, KEYS.response)) return undefined
  return 'not a JSON-RPC 2.0 request, notification or response'
}

/** The call that a sound message makes, if it makes one. */
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

function hasOnly(message: object, keys: readonly string[]): boolean {
  for (const key in message) if (!keys.includes(key)) return false
  return true
}

/**
 * A message as JSON; undefined if it is nested so deeply (thousands of levels) that it could be read but
 * cannot be written.
 */
export function formatJson(message: unknown): string | undefined {
  try {
    return JSON.stringify(message)
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

/** Members of a list that must not be cached. Each grant may have a list of its own. */
const NOT_CACHED = { ttlMs: 0, cacheScope: 'private' }

/**
 * Filters a list of tools from the upstream. Returns the same object if nothing changes.
 *
 * A list is recognized by its members, because an answer that is replayed on another stream is a list, too. An entry without a
 * name cannot be judged, and is left out. Each page of a modern list loses its permission to be cached, also a page without a
 * hidden tool: the pages of a list have the same scope.
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
  /** The id of the approval that would let the call through. */
  approval?: string
  /** Whether the call is of the modern era. */
  modern: boolean
}

/** The answer to a call that is not let through, but for its id. */
export type DenialAnswer = Pick<JSONRPCResultResponse, 'result'> | Pick<JSONRPCErrorResponse, 'error'>

/**
 * Answers a denied call with a tool error. A model reads that, and a JSON-RPC error may end a client.
 *
 * @param text how the denial is worded
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
 * Answers a call that needs an approval as Intercept publishes it since intercept@2026-04.
 *
 * Published are the code, the beginning of the text, ids that begin with `apr_`, and the field `human_instructions`.
 * The place of the fields in `data` is this project's reading.
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
