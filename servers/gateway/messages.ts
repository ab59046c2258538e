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
import { defined, isObject } from '../../shared/util/objects.js'
import { shown } from '../../shared/util/shown.js'
import type { DenialText } from './options.js'
import type { PolicyEngine } from './policy/model.js'

/** The beginning of the text of a denial. It shows that the denial comes from the gateway. */
export const DENIED = '[UNDERSTUDY POLICY DENIED]'

/** The error code of Intercept for a call that needs an approval. */
const APPROVAL_REQUIRED = -32003

/** The key in `_meta` under which a denial repeats its details for programs. */
export const POLICY_META = 'mcp-understudy/policy'

const KEYS = {
  notification: ['jsonrpc', 'method', 'params'],
  response: ['jsonrpc', 'id', 'result', 'error'],
}

/**
 * The known members of a call's parameters. A member that differs from a known one only in upper and lower
 * case is refused, because some servers read both as the same member.
 */
const CALL_KEYS = ['name', 'arguments', '_meta', 'task', 'inputResponses', 'requestState']

/**
 * Token numbers of jsonc-parser. The package declares them as a `const enum`, which cannot be imported with
 * `isolatedModules`.
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
 * Returns a key that occurs twice in one object of a JSON text. Returns undefined if there is no such key.
 *
 * Some parsers use the first of the two values and some the last. The policy could therefore judge one value
 * while the upstream uses the other. A text that equals its own value written as JSON has no such key. Most
 * texts are of that kind. Only other texts are scanned, because a scan is ten times slower. The scan uses a
 * loop instead of recursion, so it works at any depth.
 *
 * @param json a text that is valid JSON
 * @param value the parsed `json`
 */
export function repeatedKey(json: string, value: unknown): string | undefined {
  if (formatJson(value) === json) return undefined
  const scanner = createScanner(json, true)
  /** For each object or array that is open: the keys so far, or undefined for an array. */
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

/** The text of the body of a POST, and its messages. The text has no repeated keys. */
export interface ReadableBody {
  text: string
  messages: unknown[]
  batch: boolean
}

/**
 * Parses a body.
 *
 * @throws HttpRejection 400 if the body is not UTF-8, is not JSON, or has a repeated key
 */
export function readableBody(bytes: Buffer): ReadableBody {
  if (!isUtf8(bytes)) throw new HttpRejection(400, RpcCode.parseError, 'Parse error: the body is not UTF-8')
  return readableText(bytes.toString('utf8'))
}

/** Parses the text of a body. @throws HttpRejection 400 if the text is not JSON or has a repeated key */
function readableText(text: string): ReadableBody {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    throw parseError()
  }
  const batch = Array.isArray(body)
  const key = isObject(body) || batch ? repeatedKey(text, body) : undefined
  if (key !== undefined) throw invalidRequest(repeatedKeyMessage(key))
  return { text, messages: Array.isArray(body) ? body : [body], batch }
}

export function repeatedKeyMessage(key: string): string {
  return `the key ${JSON.stringify(key.slice(0, 60))} stands twice in one object, and servers would use different values of it`
}

/** The parts of a tool call that a policy judges. */
export interface ToolCall {
  readonly tool: string
  readonly args: unknown
}

/**
 * Checks a message. Returns the problem with an invalid message. Returns undefined for a valid message.
 *
 * The check is strict, so that every server reads the message in the same way as this gateway. Otherwise, the
 * upstream could run another call than the policy has judged.
 */
export function messageProblem(message: unknown): string | undefined {
  if (isRequest(message) || (isNotification(message) && hasOnly(message, KEYS.notification))) {
    return message.method === 'tools/call' ? callProblem(message.params) : undefined
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

function callProblem(params: unknown): string | undefined {
  if (!isObject(params) || typeof params.name !== 'string') {
    const name = isObject(params) ? params.name : undefined
    return `tools/call names no tool: params.name is ${shown(name)} and must be a string`
  }
  for (const key in params) {
    const similar = CALL_KEYS.find(known => known !== key && known.toLowerCase() === key.toLowerCase())
    if (similar !== undefined)
      return `params.${key} of tools/call differs from params.${similar} only in upper and lower case`
  }
  return undefined
}

/**
 * Formats a message as JSON. Returns undefined for a message with thousands of levels, because
 * `JSON.stringify` cannot format it.
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
 * Removes hidden tools from a message that contains a list of tools. Returns the same object if nothing
 * changes.
 *
 * A list of tools is recognized by its members, not by the method of its request. An upstream can repeat an
 * answer on a stream on which the gateway does not know the request. An entry without a name is removed,
 * because the policy cannot judge it. In the modern era, all pages of a list must have the same cache scope.
 * The gateway therefore marks every modern page as not cacheable, even a page without hidden tools.
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
  /** The id of the approval that was requested for the call. */
  approval?: string
  /** Whether the call is of the modern era. */
  modern: boolean
}

/** The answer to a denied call. The request id is still missing. */
export type DenialAnswer = Pick<JSONRPCResultResponse, 'result'> | Pick<JSONRPCErrorResponse, 'error'>

/**
 * Returns the answer to a denied call. It is a tool error, because a client shows a tool error to its model.
 * A JSON-RPC error could end the client.
 *
 * @param text the wording of the denial
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
 * Returns the answer to a call that needs an approval, in the form of Intercept since intercept@2026-04.
 *
 * The documentation of Intercept states the error code, the beginning of the message, the prefix `apr_` of
 * ids, and the field `human_instructions`. It does not state where the fields are in `data`. This project has
 * chosen their places.
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
