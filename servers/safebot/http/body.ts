import type { HttpCall } from '../../../shared/http/http-call.js'
import { isObject } from '../../../shared/util/is-object.js'

import { BODY_LIMIT } from '../limits.js'

export type Fields = Readonly<Record<string, unknown>>

/** Thrown for a body of which nothing can be made: the framework answers these, not the route. */
export class UnreadableBody extends Error {
  override readonly name = 'UnreadableBody'

  /** @param status HTTP */
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message)
  }
}

const READ = new WeakMap<HttpCall, Fields>()

/**
 * The fields of a JSON body, read once a call. What is no JSON by its content type, and a list, has none:
 * the route then finds missing what it needs.
 *
 * @throws UnreadableBody 400 for JSON that is broken or a bare value, 413 for too much of it, 415 for one that is encoded
 */
export function readFields(call: HttpCall): Fields {
  const known = READ.get(call)
  if (known !== undefined) return known
  const fields = read(call)
  READ.set(call, fields)
  return fields
}

function read({ headers, body, tooLarge }: HttpCall): Fields {
  if (!isJson(headers['content-type'])) return {}
  if (tooLarge) throw new UnreadableBody(413, `the body is larger than ${BODY_LIMIT} bytes`)
  const encoding = headers['content-encoding'] ?? 'identity'
  if (encoding !== 'identity') {
    throw new UnreadableBody(415, `content encoding "${encoding}" is not supported: send the body as it is`)
  }
  if (body.length === 0) return {}
  const value = parse(body.toString('utf8'))
  if (typeof value !== 'object' || value === null) {
    throw new UnreadableBody(400, 'the body is JSON, but neither an object nor a list')
  }
  return isObject(value) ? value : {}
}

function isJson(contentType = ''): boolean {
  return /^application\/json\s*(;|$)/i.test(contentType.trim())
}

/** @throws UnreadableBody 400 */
function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new UnreadableBody(400, 'the body is not valid JSON')
  }
}
