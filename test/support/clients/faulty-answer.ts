import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { gunzipSync } from 'node:zlib'
import type { ToyServer } from '../servers/toy-server.js'
import { BOTH, rpc } from './raw-http.js'

/** The answer to one call as it came over the wire, however spoilt. */
export interface Answer {
  /** Undefined on a pipe, or if none came. */
  status: number | undefined
  headers: IncomingHttpHeaders
  /** As text; uncompressed if it was compressed. */
  text: string
  compressed: boolean
  /** Whether the connection was cut before the answer was complete. */
  cut: boolean
}

/** The ways a call can come in and be answered on a wire. */
export const WAYS = ['stdio', 'HTTP JSON', 'HTTP SSE'] as const

export type Way = (typeof WAYS)[number]

const echo = (text: string, progress = false) =>
  rpc('tools/call', {
    name: 'echo',
    arguments: { text },
    ...(progress && { _meta: { progressToken: 'p' } }),
  })

/** Calls `echo` and resolves with what came back, once that is complete or cut. */
export function callEcho(toy: ToyServer, way: Way, text = 'hello'): Promise<Answer> {
  if (way === 'stdio') return overPipe(toy, echo(text))
  return overHttp(toy.url, echo(text, way === 'HTTP SSE'))
}

/** The one JSON-RPC message of a good answer, as bytes on the wire had it; undefined if there is none. */
export function messageOf({ text }: Answer): string | undefined {
  const data = text.startsWith('event: ')
    ? /^event: message\ndata: (.*)\n\n$/.exec(text)?.[1]
    : text.replace(/\n$/, '')
  try {
    JSON.parse(data ?? '')
    return data
  } catch {
    return undefined
  }
}

function overHttp(url: string, body: object): Promise<Answer> {
  return new Promise(resolve => {
    const headers = { 'content-type': 'application/json', accept: BOTH }
    const request = httpRequest(url, { method: 'POST', headers }, response => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', () => undefined)
      response.on('close', () => {
        const { statusCode: status, complete } = response
        resolve({ status, headers: response.headers, ...read(Buffer.concat(chunks)), cut: !complete })
      })
    })
    request.on('error', () =>
      resolve({ status: undefined, headers: {}, text: '', compressed: false, cut: true }),
    )
    request.end(JSON.stringify(body))
  })
}

/** A line is complete with its end; of a message that is broken in two, both are taken. */
function overPipe(toy: ToyServer, body: object): Promise<Answer> {
  const { input, output } = toy.pipe()
  return new Promise(resolve => {
    const chunks: Buffer[] = []
    const answered = (cut: boolean) => {
      const read_ = read(Buffer.concat(chunks))
      resolve({ status: undefined, headers: {}, ...read_, cut })
    }
    output.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      if (chunk.at(-1) === 0x0a) answered(false)
    })
    output.on('end', () => answered(true))
    input.write(`${JSON.stringify(body)}\n`)
  })
}

function read(bytes: Buffer): { text: string; compressed: boolean } {
  const compressed = bytes.at(0) === 0x1f && bytes.at(1) === 0x8b
  // On a pipe a line ends behind it.
  const body = compressed && bytes.at(-1) === 0x0a && !complete(bytes) ? bytes.subarray(0, -1) : bytes
  return { text: (compressed ? gunzipSync(body) : bytes).toString('utf8'), compressed }
}

function complete(bytes: Buffer): boolean {
  try {
    gunzipSync(bytes)
    return true
  } catch {
    return false
  }
}
