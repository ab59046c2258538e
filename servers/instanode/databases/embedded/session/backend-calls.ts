import { readyForQuery, writeFields } from '../wire/answers.js'
import { BadFrame, BODY, cstring, type Frame, frame, int16, int32, readCstring } from '../wire/frames.js'
import type { Statements } from './statements.js'

type FunctionName = 'pg_backend_pid' | 'pg_cancel_backend' | 'pg_terminate_backend'

/** A SELECT statement that calls one of these functions and nothing else. */
interface BackendCall {
  name: FunctionName
  /** The name of the column in the result. */
  column: string
  /**
   * The process id in the call: a number, or `parameter` for `$1`. Undefined for `pg_backend_pid`, which has
   * none.
   */
  argument: number | 'parameter' | undefined
}

const CALL =
  /^\s*select\s+(?:pg_catalog\.)?(pg_backend_pid|pg_cancel_backend|pg_terminate_backend)\s*\(\s*(?:(\$1|\d{1,10})(?:\s*::\s*int(?:4|eger)?)?\s*)?\)(?:\s+(?:as\s+)?("(?:[^"]|"")+"|[a-z_]\w*))?\s*;?\s*$/i

function parseCall(sql: string): BackendCall | undefined {
  const [, called = '', pid, alias] = CALL.exec(sql) ?? []
  const name = called.toLowerCase()
  if (!isFunctionName(name) || (name === 'pg_backend_pid') !== (pid === undefined)) return undefined
  const column = alias?.startsWith('"') ? alias.slice(1, -1).replaceAll('""', '"') : alias?.toLowerCase()
  const argument = pid === undefined ? undefined : pid === '$1' ? 'parameter' : Number(pid)
  return { name, column: column ?? name, argument }
}

function isFunctionName(name: string): name is FunctionName {
  return name === 'pg_backend_pid' || name === 'pg_cancel_backend' || name === 'pg_terminate_backend'
}

export interface BackendCallContext {
  /** The client's prepared statements. */
  statements: Statements
  /**
   * The status of the client's transaction: `I`, `T` or `E`. Undefined while the client's last batch has no
   * Sync yet.
   */
  status: string | undefined
  /** The process id that the client received. */
  pid: number
  /**
   * Cancels the batch of a connection, or ends the connection.
   *
   * @returns false if no connection has this process id
   */
  signal(pid: number, terminate: boolean): boolean
}

/**
 * Answers a batch that only calls `pg_backend_pid`, `pg_cancel_backend` or `pg_terminate_backend`.
 *
 * All connections share one engine. While the engine is busy, it cannot run the statement that cancels the
 * running one. So these calls are answered here, without the engine.
 *
 * @returns the messages for the client, or undefined for a batch that the engine must answer
 */
export function answerBackendCalls(batch: readonly Frame[], context: BackendCallContext): Buffer | undefined {
  if (context.status !== 'I' && context.status !== 'T') return undefined
  const plan = findAnswers(batch, context, context.status)
  if (plan === undefined) return undefined
  context.statements.noteUnsent(batch)
  return Buffer.concat(plan.map(answer => answer()))
}

function findAnswers(
  batch: readonly Frame[],
  context: BackendCallContext,
  status: string,
): Answer[] | undefined {
  try {
    return new BatchPlan(context, status).of(batch)
  } catch (error) {
    // A message of the batch is too short. The engine answers it with PostgreSQL's own error.
    if (error instanceof RangeError || error instanceof BadFrame) return undefined
    throw error
  }
}

/** A call with the value of its parameter, after a Bind message. */
interface Portal {
  call: BackendCall
  pid: number
  /** True if the client wants the result in binary format. */
  binary: boolean
}

/** Carries out one message, and returns the messages that answer it. */
type Answer = () => Buffer

/**
 * Finds the answers to a batch before any message is carried out. If the engine must answer one message, it
 * must answer the whole batch.
 */
class BatchPlan {
  /** The calls in the statements that this batch parses, by the name of the statement. */
  readonly #parsed = new Map<string, BackendCall>()
  readonly #portals = new Map<string, Portal>()

  constructor(
    readonly context: BackendCallContext,
    readonly status: string,
  ) {}

  of(batch: readonly Frame[]): Answer[] | undefined {
    // A batch of Sync and Flush messages contains no call.
    if (batch.every(({ type }) => type === 'S' || type === 'H')) return undefined
    const answers: Answer[] = []
    for (const message of batch) {
      const answer = this.#answer(message)
      if (answer === undefined) return undefined
      answers.push(answer)
    }
    return answers
  }

  #answer({ type, bytes }: Frame): Answer | undefined {
    if (type === 'S') return () => readyForQuery(this.status)
    if (type === 'H') return () => Buffer.alloc(0)
    if (type === 'Q') return this.#query(bytes)
    if (type === 'P') return this.#parse(bytes)
    if (type === 'B') return this.#bind(bytes)
    if (type === 'D') return this.#describe(bytes)
    if (type === 'E') return this.#execute(bytes)
    return undefined
  }

  #call(statement: string): BackendCall | undefined {
    return this.#parsed.get(statement) ?? parseCall(this.context.statements.textOf(statement) ?? '')
  }

  #query(bytes: Buffer): Answer | undefined {
    const call = parseCall(readCstring(bytes, BODY).text)
    if (call === undefined || call.argument === 'parameter') return undefined
    const portal = { call, pid: call.argument ?? this.context.pid, binary: false }
    return () => Buffer.concat([columns(call, false), this.#run(portal, 0), readyForQuery(this.status)])
  }

  #parse(bytes: Buffer): Answer | undefined {
    const name = readCstring(bytes, BODY)
    const call = parseCall(readCstring(bytes, name.next).text)
    // A statement whose name is in use is an error. The engine answers it with PostgreSQL's own error.
    const nameInUse = name.text !== '' && this.context.statements.textOf(name.text) !== undefined
    if (call === undefined || nameInUse) return undefined
    this.#parsed.set(name.text, call)
    return () => frame('1')
  }

  #bind(bytes: Buffer): Answer | undefined {
    const name = readCstring(bytes, BODY)
    const statement = readCstring(bytes, name.next)
    const call = this.#call(statement.text)
    const portal = call && readBind(bytes, statement.next, call, this.context.pid)
    if (portal === undefined) return undefined
    this.#portals.set(name.text, portal)
    return () => frame('2')
  }

  #describe(bytes: Buffer): Answer | undefined {
    const { text: name } = readCstring(bytes, BODY + 1)
    if (bytes.toString('latin1', BODY, BODY + 1) === 'S') {
      const call = this.#call(name)
      return call && (() => Buffer.concat([parameters(call), columns(call, false)]))
    }
    const portal = this.#portals.get(name)
    return portal && (() => columns(portal.call, portal.binary))
  }

  #execute(bytes: Buffer): Answer | undefined {
    const name = readCstring(bytes, BODY)
    const portal = this.#portals.get(name.text)
    const maxRows = bytes.readInt32BE(name.next)
    return portal && (() => this.#run(portal, maxRows))
  }

  /**
   * Runs a call and returns the messages with its result.
   *
   * @param maxRows the number of rows that the client asks for, 0 for all. The answer for more than 0 is
   *   PortalSuspended, as in PostgreSQL.
   */
  #run({ call, pid, binary }: Portal, maxRows: number): Buffer {
    const end = maxRows > 0 ? frame('s') : frame('C', 'SELECT 1')
    if (call.name === 'pg_backend_pid')
      return Buffer.concat([row(binary ? int32(pid) : Buffer.from(String(pid))), end])
    const found = this.context.signal(pid, call.name === 'pg_terminate_backend')
    const notice = found ? Buffer.alloc(0) : noSuchProcess(pid)
    const value = binary ? Buffer.from([found ? 1 : 0]) : Buffer.from(found ? 't' : 'f')
    return Buffer.concat([notice, row(value), end])
  }
}

/**
 * Reads the part of a Bind message after the names: the formats and the parameters.
 *
 * @param at position of this part, in bytes
 * @param own the process id of the client, for a call of `pg_backend_pid`
 * @returns undefined if the number of parameters is wrong or the parameter is not a number
 */
function readBind(bytes: Buffer, at: number, call: BackendCall, own: number): Portal | undefined {
  const format = readFormat(bytes, at)
  const count = bytes.readInt16BE(format.next)
  if (count !== (call.argument === 'parameter' ? 1 : 0)) return undefined
  let next = format.next + 2
  let pid = call.argument ?? own
  if (pid === 'parameter') {
    const value = bytes.subarray(next + 4, next + 4 + bytes.readUInt32BE(next))
    next += 4 + value.length
    pid = format.binary ? readInteger(value) : Number(value.toString('latin1') || Number.NaN)
  }
  return Number.isSafeInteger(pid) ? { call, pid, binary: readFormat(bytes, next).binary } : undefined
}

/** Reads a list of formats, of which only the first counts: 0 is text, 1 is binary. */
function readFormat(bytes: Buffer, at: number): { binary: boolean; next: number } {
  const count = bytes.readUInt16BE(at)
  return { binary: count > 0 && bytes.readInt16BE(at + 2) === 1, next: at + 2 + 2 * count }
}

/** Reads an `int2`, `int4` or `int8` in binary format. */
function readInteger(value: Buffer): number {
  return value.length === 8 ? Number(value.readBigInt64BE(0)) : value.readIntBE(0, value.length)
}

/** The types of the parameter and the results: object ids in `pg_type` and sizes in bytes. */
const INT4 = { oid: 23, size: 4 }
const BOOL = { oid: 16, size: 1 }

/** Returns a ParameterDescription message for a call. */
function parameters(call: BackendCall): Buffer {
  return call.argument === 'parameter' ? frame('t', int16(1), int32(INT4.oid)) : frame('t', int16(0))
}

/** Returns a RowDescription message for the result of a call: one column that belongs to no table. */
function columns(call: BackendCall, binary: boolean): Buffer {
  const { oid, size } = call.name === 'pg_backend_pid' ? INT4 : BOOL
  const origin = [int32(0), int16(0)]
  return frame(
    'T',
    int16(1),
    cstring(call.column),
    ...origin,
    int32(oid),
    int16(size),
    int32(-1),
    int16(binary ? 1 : 0),
  )
}

/** Returns a DataRow message with one value. */
function row(value: Buffer): Buffer {
  return frame('D', int16(1), int32(value.length), value)
}

/** Returns PostgreSQL's warning for a process id that no connection has. */
function noSuchProcess(pid: number): Buffer {
  const fields: [string, string][] = [
    ['S', 'WARNING'],
    ['V', 'WARNING'],
    ['C', '01000'],
    ['M', `PID ${pid} is not a PostgreSQL server process`],
  ]
  return writeFields('N', new Map(fields))
}
