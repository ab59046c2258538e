import { z } from 'zod'
import { oneKind, strict } from '../util/check.js'

/**
 * Smallest size that the action `bytes` accepts, in bytes. Without padding, the JSON of a tool error is never
 * larger, if its request id is of ordinary length.
 */
const SMALLEST_BYTES = 128
const LARGEST_BYTES = 64 * 1024 * 1024

/** Maximum size of a raw body, in bytes. */
const LARGEST_RAW_BYTES = 8 * 1024 * 1024

/** The methods that a fault can name. */
export const FAULTABLE_METHODS = [
  'initialize',
  'ping',
  'server/discover',
  'subscriptions/listen',
  'tools/call',
  'tools/list',
] as const

const status = z.int().min(200).max(599)

/** The name of an HTTP header, as RFC 9110 defines it. */
const headerName = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'a header name is a token of RFC 9110')

const headerValue = z
  .string()
  .regex(/^[\t\x20-\x7e\x80-\xff]*$/, 'a header value has no line break and no control character')

const rawBody = z.string().refine(body => Buffer.byteLength(body) <= LARGEST_RAW_BYTES, {
  error: ({ input }) =>
    `a raw body has at most 8 MiB, and this one has ${Buffer.byteLength(String(input))} bytes`,
})

const on = z.literal(true)

/** Selects the calls to which a fault applies. The calls that match the fault are counted from 1. */
const when = oneKind('when', {
  nth: strict({ nth: z.int().min(1) }),
  first: strict({ first: z.int().min(1) }),
  every: strict({ every: z.int().min(1) }),
  always: strict({ always: on }),
})

/** The action of a fault. `docs/faults-and-overlays.md` has a table of the effects. */
const action = oneKind('fault', {
  delayMs: strict({ delayMs: z.int().min(0) }),
  toolError: strict({ toolError: z.string() }),
  rpcError: strict({
    rpcError: strict({ code: z.int(), message: z.string(), data: z.unknown().exactOptional() }),
  }),
  httpStatus: strict({
    httpStatus: status,
    body: z.union([z.string(), z.record(z.string(), z.unknown())]).exactOptional(),
  }),
  hang: strict({ hang: on }),
  drop: strict({ drop: z.enum(['before', 'after']) }),
  crash: strict({ crash: on }),
  bytes: strict({ bytes: z.int().min(SMALLEST_BYTES).max(LARGEST_BYTES) }),
  malformed: strict({ malformed: z.enum(['json', 'sse', 'truncated']) }),
  gzip: strict({ gzip: on }),
  raw: strict({
    raw: strict({
      status: status.exactOptional().describe('only over HTTP; 200 if not given'),
      headers: z.record(headerName, headerValue).exactOptional().describe('only over HTTP'),
      body: rawBody.describe('{{id}} in the body is replaced by the id of the request'),
    }),
  }),
})

/** A fault that applies to some calls of a tool, or to some requests of a method. */
export const faultSchema = strict({
  server: z.string(),
  tool: z.string().exactOptional().describe('the genuine name of a tool, or * for every tool'),
  method: z
    .enum([...FAULTABLE_METHODS, '*'])
    .exactOptional()
    .describe('in place of tool: a method, or * for every request'),
  when,
  do: action,
})

export type Fault = z.infer<typeof faultSchema>
export type FaultAction = Fault['do']
export type RawAnswer = Extract<FaultAction, { raw: unknown }>['raw']

/** Returns whether a fault applies to the `count`-th matching call. */
export function isDue(when: Fault['when'], count: number): boolean {
  if ('nth' in when) return count === when.nth
  if ('first' in when) return count <= when.first
  if ('every' in when) return count % when.every === 0
  return true
}

/** Returns the tool or the method that a fault names. */
export function targetOf({ tool, method }: Pick<Fault, 'tool' | 'method'>): string {
  return tool ?? method ?? ''
}

/** Returns the reason why a well-formed fault is refused. Returns undefined if the fault is valid. */
export function faultFlaw({ tool, method, do: act }: Fault): string | undefined {
  if ((tool === undefined) === (method === undefined)) {
    return tool === undefined
      ? 'names neither a tool nor a method'
      : 'names a tool and a method: name only one of them'
  }
  if (method === undefined || method === 'tools/call') return undefined
  if ('toolError' in act) return `toolError is an answer to tools/call, not to ${method}: use rpcError`
  return 'bytes' in act ? `bytes pads an answer to tools/call, not to ${method}: use raw` : undefined
}
