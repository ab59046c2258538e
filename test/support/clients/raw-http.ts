import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'

export interface RawAnswer {
  status: number
  headers: IncomingHttpHeaders
  body: string
  json: unknown
}

export interface RawRequest {
  method?: string
  headers?: Record<string, string>
  /** Sent as it stands; an object as JSON. */
  body?: unknown
}

/** One request as the bytes say, Host and Origin included; fetch would not let a test forge those. */
export function send(
  url: string,
  { method = 'POST', headers = {}, body }: RawRequest = {},
): Promise<RawAnswer> {
  const payload =
    body === undefined || typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body)
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      url,
      { method, headers: { 'content-type': 'application/json', accept: BOTH, ...headers } },
      response => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8')
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: text,
            json: parse(text),
          })
        })
      },
    )
    request.on('error', reject)
    request.end(payload)
  })
}

/** The Accept header that the specification requires of clients. */
export const BOTH = 'application/json, text/event-stream'

/** A JSON-RPC request. */
export function rpc(method: string, params?: unknown, id: unknown = 1): Record<string, unknown> {
  return { jsonrpc: '2.0', id, method, ...(params === undefined ? {} : { params }) }
}

export function initialize(protocolVersion = '2025-11-25'): Record<string, unknown> {
  return rpc('initialize', { protocolVersion, capabilities: {}, clientInfo: { name: 'test', version: '1' } })
}

/** Opens a session and returns its id. */
export async function openSession(url: string, protocolVersion?: string): Promise<string> {
  const { headers } = await send(url, { body: initialize(protocolVersion) })
  return String(headers['mcp-session-id'])
}

/** The messages of a body of server-sent events. */
export function eventsOf(body: string): unknown[] {
  return body
    .split('\n')
    .filter(line => line.startsWith('data: '))
    .map(line => JSON.parse(line.slice('data: '.length)))
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
