import type { RequestId } from '@modelcontextprotocol/sdk/types.js'
import type { JsonRpcResponse } from '../mcp/messages.js'
import { isObject } from '../util/is-object.js'

const PAD = '.'

/**
 * An answer whose JSON is exactly so many bytes: its text is padded with dots. One that is larger by itself gives way
 * to dots alone; one whose id does not leave room even for those is as small as can be.
 *
 * @param bytes of the whole JSON-RPC message
 */
export function sized(response: JsonRpcResponse, bytes: number): JsonRpcResponse {
  return padded(response, bytes) ?? padded(dotsFor(response.id), bytes) ?? dotsFor(response.id)
}

/** Undefined if it is too large, or has no text. */
function padded(response: JsonRpcResponse, bytes: number): JsonRpcResponse | undefined {
  const missing = bytes - Buffer.byteLength(JSON.stringify(response))
  if (missing < 0) return undefined
  if ('error' in response) {
    return {
      ...response,
      error: { ...response.error, message: response.error.message + PAD.repeat(missing) },
    }
  }
  const { content } = response.result
  if (!Array.isArray(content)) return undefined
  const [first, ...rest]: unknown[] = content
  if (!isObject(first) || typeof first.text !== 'string') return undefined
  const text = first.text + PAD.repeat(missing)
  return { ...response, result: { ...response.result, content: [{ ...first, text }, ...rest] } }
}

/** An error, since a result would have to bring the structure that its tool promises. */
function dotsFor(id: RequestId | undefined): JsonRpcResponse {
  const result = { content: [{ type: 'text', text: '' }], isError: true }
  return { jsonrpc: '2.0', id: id ?? 0, result }
}
