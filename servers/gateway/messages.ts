import { isUtf8 } from 'node:buffer'
import { HttpRejection, invalidRequest, parseError } from '../../shared/mcp/http/rejection.js'
import { RpcCode } from '../../shared/mcp/messages.js'
import { isObject } from '../../shared/util/is-object.js'
import { repeatedKey } from './messages/repeated-key.js'

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
export function readableText(text: string): ReadableBody {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    throw parseError()
  }
  const batch = Array.isArray(body)
  const key = isObject(body) || batch ? repeatedKey(text) : undefined
  if (key !== undefined) throw invalidRequest(repeatedText(key))
  return { text, messages: Array.isArray(body) ? body : [body], batch }
}

export function repeatedText(key: string): string {
  return `the key ${JSON.stringify(key.slice(0, 60))} stands twice in one object: servers differ on which of them counts`
}
