import type { JSONRPCErrorResponse } from '@modelcontextprotocol/sdk/types.js'
import { isObject } from '../../util/is-object.js'
import { RpcCode } from '../messages.js'

/** Methods that may be answered with `input_required`. */
const MAY_ASK = new Set(['tools/call', 'prompts/get', 'resources/read'])

/** The capability that a client must declare before it can be asked, by the method of the question. */
const NEEDED = new Map([
  ['elicitation/create', 'elicitation'],
  ['sampling/createMessage', 'sampling'],
  ['roots/list', 'roots'],
])

/**
 * Returns the error that replaces a result with questions to the client. Returns undefined if the result can
 * be sent.
 *
 * @param capabilities the capabilities that the client has declared in the request
 */
export function inputRefusal(
  method: string,
  { inputRequests, requestState }: Record<string, unknown>,
  capabilities: Readonly<Record<string, unknown>>,
): JSONRPCErrorResponse['error'] | undefined {
  if (!MAY_ASK.has(method) || (inputRequests === undefined && requestState === undefined)) {
    return { code: RpcCode.internalError, message: `${method} failed: internal error` }
  }
  const asked = isObject(inputRequests) ? Object.values(inputRequests) : []
  const needed = asked.flatMap(request =>
    isObject(request) && typeof request.method === 'string' ? (NEEDED.get(request.method) ?? []) : [],
  )
  const missing = [...new Set(needed)].filter(capability => capabilities[capability] === undefined)
  if (missing.length === 0) return undefined
  return {
    code: RpcCode.missingCapability,
    message: `the request needs a client that declares ${missing.join(', ')}`,
    data: { requiredCapabilities: Object.fromEntries(missing.map(capability => [capability, {}])) },
  }
}
