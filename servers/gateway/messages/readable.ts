import { isNotification, isRequest, isResponse } from '../../../shared/mcp/messages.js'
import { isObject } from '../../../shared/util/is-object.js'
import { shown } from '../../../shared/util/shown.js'

const KEYS = {
  notification: ['jsonrpc', 'method', 'params'],
  response: ['jsonrpc', 'id', 'result', 'error'],
}

/** What the parameters of a call are known to have; one that differs in case alone is another for some readers, the same for others. */
const CALL_KEYS = ['name', 'arguments', '_meta', 'task']

/** A call of a tool: what a policy judges. */
export interface ToolCall {
  readonly tool: string
  readonly args: unknown
}

/**
 * Why a message is not let on: every reader has to make the same of it as this gateway does, or the policy has judged another
 * message than the one the upstream acts on. Undefined if it is sound.
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
    const meant = CALL_KEYS.find(known => known !== key && known === key.toLowerCase())
    if (meant !== undefined) return `params.${key} of tools/call differs from params.${meant} in case alone`
  }
  return undefined
}

function hasOnly(message: object, keys: readonly string[]): boolean {
  for (const key in message) if (!keys.includes(key)) return false
  return true
}
