import { BODY, cstring, type Frame, frame, readCstring } from '../wire/frames.js'

/**
 * Matches SQL that changes the user of the session. The engine would allow it, because a superuser has opened
 * the session.
 */
const CHANGES_USER =
  /\bset\s+(?:(?:session|local)\s+)?session\s+authorization\s+(?!default\b)|\bset\s+(?:(?:session|local)\s+)?session_authorization\b/i

/**
 * SQL that fails with the error that PostgreSQL gives to a user without the right to change the session's
 * user.
 */
const RAISE_DENIED = `DO $$ BEGIN RAISE EXCEPTION 'permission denied to set session authorization' USING ERRCODE = '42501'; END $$`

/** Matches commands that free space, and commands that begin or end a transaction. */
const FREES_SPACE = /^\s*(?:$|(?:delete|truncate|drop|vacuum|begin|start|commit|end|rollback)\b)/i

/**
 * Replaces SQL that changes the user of the session by SQL that fails. The engine then also marks the
 * transaction as failed, as PostgreSQL does.
 */
export function withoutUserChange(message: Frame): Frame {
  if (!stringsAreTerminated(message)) return message
  if (message.type === 'Q') {
    if (!CHANGES_USER.test(readCstring(message.bytes, BODY).text)) return message
    return { type: 'Q', bytes: frame('Q', RAISE_DENIED) }
  }
  if (message.type !== 'P') return message
  const name = readCstring(message.bytes, BODY)
  const query = readCstring(message.bytes, name.next)
  if (!CHANGES_USER.test(query.text)) return message
  return { type: 'P', bytes: frame('P', name.text, RAISE_DENIED, message.bytes.subarray(query.next)) }
}

/**
 * Returns whether the strings at the start of a message end with zero bytes.
 *
 * Callers pass on a message without these zero bytes unchanged. The engine answers it with 08P01 (protocol
 * violation), as PostgreSQL does.
 */
function stringsAreTerminated({ type, bytes }: Frame): boolean {
  if (type === 'Q') return bytes.includes(0, BODY)
  if (type === 'D' || type === 'C') return bytes.includes(0, BODY + 1)
  if (type !== 'P' && type !== 'B') return true
  const first = bytes.indexOf(0, BODY)
  return first >= 0 && bytes.includes(0, first + 1)
}

/**
 * Returns whether a batch only frees space. Such a batch runs without the storage limit, because it can need
 * more space for a short time: VACUUM FULL writes the new table before it removes the old one.
 *
 * A semicolon inside a string also counts as a separator. So the result can be false for a batch that only
 * frees space, but never true for another one.
 */
export function onlyFreesSpace(sql: readonly string[]): boolean {
  return sql.length > 0 && sql.every(text => text.split(';').every(piece => FREES_SPACE.test(piece)))
}

/** Matches `DEALLOCATE name`. Some drivers send it instead of a Close message. */
const DEALLOCATE = /^\s*deallocate\s+(?:prepare\s+)?(?:"((?:[^"]|"")+)"|([a-z_][\w$]*))\s*;?\s*$/i

/** Longest name in PostgreSQL, in bytes (`NAMEDATALEN` without its zero byte). Longer names are cut. */
const LONGEST_NAME = 63

/** A batch in which the names of prepared statements are private to the client. */
export interface PrivateBatch {
  messages: Buffer[]
  /** Names of the statements that the engine no longer has. They are parsed again before the client's messages. */
  restored: string[]
  /** Names in the client's own Parse messages, in order. `fresh` is false if the name was in use. */
  parsed: { name: string; fresh: boolean }[]
  /** The SQL of all statements that the batch contains or refers to. */
  sql: string[]
}

/**
 * The prepared statements of one client in the shared session.
 *
 * A prefix makes the names of the statements private, so that two clients can use the same name. The Parse
 * messages are kept, because the session can lose statements: another client overwrites the unnamed
 * statement, and DISCARD ALL or a new engine removes all statements. A lost statement is parsed again before
 * the next message that refers to it, and the client does not see the answer.
 */
export class Statements {
  /**
   * For each name that the client gave to a statement: the Parse message with the private name, and the SQL.
   * The unnamed statement has the name ''.
   */
  readonly #known = new Map<string, { message: Buffer; sql: string }>()
  /** Names of the statements that the engine has. */
  readonly #present = new Set<string>()
  /**
   * Short private names for statements whose name and prefix together are too long. PostgreSQL would cut such
   * names, and two names could become equal. The key is the name that the client gave, cut to 63 bytes.
   */
  readonly #shortened = new Map<string, string>()
  #lastShortened = 0

  /** @param prefix the beginning of all private names, different for each client */
  constructor(readonly prefix: string) {}

  /** Forgets all statements. Call it when the client has removed them. */
  forgetAll(): void {
    this.#known.clear()
    this.#present.clear()
    this.#shortened.clear()
  }

  /** Records that the engine has lost all statements. The client can still use them. */
  lostAll(): void {
    this.#present.clear()
  }

  /** Returns the SQL of a statement, or undefined if the client has no statement with this name. */
  textOf(name: string): string | undefined {
    return this.#known.get(name)?.sql
  }

  /**
   * Records the statements of a batch that was answered without the engine, so that a later batch can refer
   * to them.
   */
  noteUnsent(frames: readonly Frame[]): void {
    const { restored, parsed } = this.rewrite(frames)
    for (const name of [...restored, ...parsed.map(({ name }) => name)]) this.#present.delete(name)
  }

  /** Records that another client has overwritten the unnamed statement. */
  lostUnnamed(): void {
    this.#present.delete('')
  }

  /**
   * Returns a batch with private names, and with Parse messages for the lost statements that it refers to.
   * Records its statements as known, and as present in the engine.
   */
  rewrite(frames: readonly Frame[]): PrivateBatch {
    const messages: Buffer[] = []
    const restore: Buffer[] = []
    const restored: string[] = []
    const sql: string[] = []
    const parsed: PrivateBatch['parsed'] = []
    const useStatement = (name: string) => {
      const statement = this.#known.get(name)
      if (statement === undefined) return
      sql.push(statement.sql)
      if (this.#present.has(name)) return
      restore.push(statement.message)
      restored.push(name)
      this.#present.add(name)
    }
    for (const message of frames) {
      const { type, bytes } = message
      if (!stringsAreTerminated(message)) messages.push(bytes)
      else if (type === 'P') {
        const { text: name, next } = readCstring(bytes, BODY)
        const { text, next: typesAt } = readCstring(bytes, next)
        const query = this.#rewriteDeallocate(text)
        // The bytes of unchanged SQL are kept, because they may have another encoding than UTF-8.
        const rest = query === text ? [bytes.subarray(next)] : [query, bytes.subarray(typesAt)]
        const message = frame('P', this.#private(name), ...rest)
        // A Parse message with a name that is in use is an error, and must not replace the first statement.
        const fresh = name === '' || !this.#known.has(name)
        if (fresh) this.#known.set(name, { message, sql: text })
        parsed.push({ name, fresh })
        this.#present.add(name)
        sql.push(text)
        messages.push(message)
      } else if (type === 'B') {
        const portal = readCstring(bytes, BODY)
        const statement = readCstring(bytes, portal.next)
        useStatement(statement.text)
        messages.push(frame('B', portal.text, this.#private(statement.text), bytes.subarray(statement.next)))
      } else if ((type === 'D' || type === 'C') && bytes[BODY] === 0x53) {
        const { text: name } = readCstring(bytes, BODY + 1)
        messages.push(frame(type, Buffer.from('S'), cstring(this.#private(name))))
        if (type === 'D') useStatement(name)
        else this.#forget(name)
      } else if (type === 'Q') {
        const { text } = readCstring(bytes, BODY)
        sql.push(text)
        const query = this.#rewriteDeallocate(text)
        messages.push(query === text ? bytes : frame('Q', query))
        // A Query message replaces the unnamed statement, as in PostgreSQL.
        this.#forget('')
      } else messages.push(bytes)
    }
    return { messages: [...restore, ...messages], restored, parsed, sql }
  }

  /**
   * Records that a batch failed. Statements that it did not parse are no longer present in the engine. New
   * statements among them are forgotten.
   *
   * @param completed number of Parse messages that succeeded before the error, including those of lost
   *   statements
   */
  noteFailed({ restored, parsed }: PrivateBatch, completed: number): void {
    for (const name of restored.slice(completed)) this.#present.delete(name)
    for (const { name, fresh } of parsed.slice(Math.max(0, completed - restored.length)))
      if (fresh) this.#forget(name)
  }

  /** Replaces private names in an error message by the client's names. */
  withoutPrefix(text: string): string {
    let readable = text
    for (const [name, short] of this.#shortened) readable = readable.replaceAll(`"${short}"`, `"${name}"`)
    return readable.replaceAll(this.prefix, '')
  }

  /** Returns Close messages that remove all statements of this client from the engine. */
  closeAll(): Buffer[] {
    return [...this.#present].map(name => frame('C', Buffer.from('S'), cstring(this.#private(name))))
  }

  #private(name: string): string {
    if (name === '') return ''
    if (Buffer.byteLength(this.prefix + name) <= LONGEST_NAME) return this.prefix + name
    const key = cutLikePostgres(name)
    const short = this.#shortened.get(key) ?? `${this.prefix}"${++this.#lastShortened}`
    this.#shortened.set(key, short)
    return short
  }

  #forget(name: string): void {
    this.#known.delete(name)
    this.#present.delete(name)
    this.#shortened.delete(cutLikePostgres(name))
  }

  /**
   * Returns SQL in which a DEALLOCATE of one of the client's statements has the private name. Other SQL is
   * unchanged.
   */
  #rewriteDeallocate(sql: string): string {
    const [, quoted, plain] = DEALLOCATE.exec(sql) ?? []
    const name = quoted?.replaceAll('""', '"') ?? plain?.toLowerCase()
    if (name === undefined || !this.#known.has(name)) return sql
    const privateName = this.#private(name).replaceAll('"', '""')
    this.#forget(name)
    return `DEALLOCATE "${privateName}"`
  }
}

/** Cuts a statement's name to 63 bytes. PostgreSQL does the same with the client's own names. */
function cutLikePostgres(name: string): string {
  return Buffer.from(name).subarray(0, LONGEST_NAME).toString()
}
