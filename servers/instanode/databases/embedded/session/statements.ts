import { BODY, cstring, type Frame, frame, readCstring } from '../wire/frames.js'

/**
 * Matches SQL that changes the session's user. The engine was opened by a superuser, which may become any
 * user. The client gets the error that PostgreSQL gives to a user without that right.
 */
const CHANGES_USER =
  /\bset\s+(?:(?:session|local)\s+)?session\s+authorization\s+(?!default\b)|\bset\s+(?:(?:session|local)\s+)?session_authorization\b/i

const RAISE_DENIED = `DO $$ BEGIN RAISE EXCEPTION 'permission denied to set session authorization' USING ERRCODE = '42501'; END $$`

/** Matches commands that free space, and the transaction commands around them. */
const FREES_SPACE = /^\s*(?:$|(?:delete|truncate|drop|vacuum|begin|start|commit|end|rollback)\b)/i

/** Replaces a command that is not allowed by its error, so that a transaction fails as it should. */
export function withoutUserChange(message: Frame): Frame {
  if (!namesEnd(message)) return message
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
 * Returns whether the names and the SQL at the start of a message end with zero bytes.
 *
 * Other messages are not changed, so that the engine answers them with 08P01 as PostgreSQL does.
 */
function namesEnd({ type, bytes }: Frame): boolean {
  if (type === 'Q') return bytes.includes(0, BODY)
  if (type === 'D' || type === 'C') return bytes.includes(0, BODY + 1)
  if (type !== 'P' && type !== 'B') return true
  const first = bytes.indexOf(0, BODY)
  return first >= 0 && bytes.includes(0, first + 1)
}

/**
 * Returns whether a batch may exceed the quota, because it only frees space. VACUUM FULL, for one, first
 * writes a new table.
 *
 * A semicolon in a string can only turn the answer to no.
 */
export function onlyFreesSpace(sql: readonly string[]): boolean {
  return sql.length > 0 && sql.every(text => text.split(';').every(piece => FREES_SPACE.test(piece)))
}

/** Matches `DEALLOCATE name`, which some drivers send instead of a Close message. */
const DEALLOCATE = /^\s*deallocate\s+(?:prepare\s+)?(?:"((?:[^"]|"")+)"|([a-z_][\w$]*))\s*;?\s*$/i

/** Bytes of a name that PostgreSQL compares (`NAMEDATALEN` without its zero byte). */
const LONGEST_NAME = 63

/** A batch with private statement names. */
export interface PrivateBatch {
  messages: Buffer[]
  /** Names of statements that are parsed again before the client's own messages. */
  restored: string[]
  /** Names in the client's own Parse messages, in order. `fresh` is false if the name was taken. */
  parsed: { name: string; fresh: boolean }[]
  /** The SQL of all statements in the batch. */
  sql: string[]
}

/**
 * One client's prepared statements in the shared session.
 *
 * A prefix makes every name the client's own. The Parse messages are kept, because the session can lose a
 * statement: another client overwrites the unnamed one, and DISCARD ALL or a new engine removes all. A lost
 * statement is parsed again before the next message that refers to it. The client does not see that.
 */
export class Statements {
  /** The rewritten Parse message and its SQL, by the client's own name. The unnamed statement is ''. */
  readonly #parsed = new Map<string, { message: Buffer; sql: string }>()
  /** Names of the statements that the engine has. */
  readonly #present = new Set<string>()
  /**
   * Replacements for names that are too long with the prefix. PostgreSQL would cut them, and two could become
   * one.
   */
  readonly #shortened = new Map<string, string>()
  #lastShortened = 0

  /** @param prefix makes the names private. No two clients may have the same. */
  constructor(readonly prefix: string) {}

  /** Forgets all statements, after the client has removed them. */
  forgetAll(): void {
    this.#parsed.clear()
    this.#present.clear()
    this.#shortened.clear()
  }

  /** Records that the engine has lost all statements. */
  lostAll(): void {
    this.#present.clear()
  }

  /** Returns the SQL of a statement, or undefined if there is none of that name. */
  textOf(name: string): string | undefined {
    return this.#parsed.get(name)?.sql
  }

  /**
   * Keeps the statements of a batch that the engine did not receive, so that a later batch can refer to them.
   */
  noteUnsent(frames: readonly Frame[]): void {
    const { restored, parsed } = this.rewrite(frames)
    for (const name of [...restored, ...parsed.map(({ name }) => name)]) this.#present.delete(name)
  }

  /** Records that another client has overwritten the unnamed statement. */
  lostUnnamed(): void {
    this.#present.delete('')
  }

  /** Makes the names in a batch of messages private. */
  rewrite(frames: readonly Frame[]): PrivateBatch {
    const messages: Buffer[] = []
    const restore: Buffer[] = []
    const restored: string[] = []
    const sql: string[] = []
    const parsed: PrivateBatch['parsed'] = []
    const restoreIfLost = (name: string) => {
      const kept = this.#parsed.get(name)
      if (kept === undefined) return
      sql.push(kept.sql)
      if (this.#present.has(name)) return
      restore.push(kept.message)
      restored.push(name)
      this.#present.add(name)
    }
    for (const message of frames) {
      const { type, bytes } = message
      if (!namesEnd(message)) messages.push(bytes)
      else if (type === 'P') {
        const { text: name, next } = readCstring(bytes, BODY)
        const { text, next: types } = readCstring(bytes, next)
        const query = this.#ownDeallocate(text)
        // Unchanged SQL keeps its bytes, because the client may use another encoding.
        const rest = query === text ? [bytes.subarray(next)] : [query, bytes.subarray(types)]
        const message = frame('P', this.#private(name), ...rest)
        // A second Parse under a taken name is an error, and must not replace the first.
        const fresh = name === '' || !this.#parsed.has(name)
        if (fresh) this.#parsed.set(name, { message, sql: text })
        parsed.push({ name, fresh })
        this.#present.add(name)
        sql.push(text)
        messages.push(message)
      } else if (type === 'B') {
        const portal = readCstring(bytes, BODY)
        const statement = readCstring(bytes, portal.next)
        restoreIfLost(statement.text)
        messages.push(frame('B', portal.text, this.#private(statement.text), bytes.subarray(statement.next)))
      } else if ((type === 'D' || type === 'C') && bytes[BODY] === 0x53) {
        const { text: name } = readCstring(bytes, BODY + 1)
        messages.push(frame(type, Buffer.from('S'), cstring(this.#private(name))))
        if (type === 'D') restoreIfLost(name)
        else this.#forget(name)
      } else if (type === 'Q') {
        const { text } = readCstring(bytes, BODY)
        sql.push(text)
        const query = this.#ownDeallocate(text)
        messages.push(query === text ? bytes : frame('Q', query))
        // In PostgreSQL, a simple query replaces the unnamed statement.
        this.#forget('')
      } else messages.push(bytes)
    }
    return { messages: [...restore, ...messages], restored, parsed, sql }
  }

  /**
   * Forgets the statements that a failed batch did not parse.
   *
   * @param completed number of Parse messages that were answered before the error, restored ones included
   */
  noteFailed({ restored, parsed }: PrivateBatch, completed: number): void {
    for (const name of restored.slice(completed)) this.#present.delete(name)
    for (const { name, fresh } of parsed.slice(Math.max(0, completed - restored.length)))
      if (fresh) this.#forget(name)
  }

  /** Removes the prefix from a message about a statement. */
  withoutPrefix(text: string): string {
    let readable = text
    for (const [name, short] of this.#shortened) readable = readable.replaceAll(`"${short}"`, `"${name}"`)
    return readable.replaceAll(this.prefix, '')
  }

  /** Returns messages that remove every statement of this client from the engine. */
  closeAll(): Buffer[] {
    return [...this.#present].map(name => frame('C', Buffer.from('S'), cstring(this.#private(name))))
  }

  #private(name: string): string {
    if (name === '') return ''
    if (Buffer.byteLength(this.prefix + name) <= LONGEST_NAME) return this.prefix + name
    // PostgreSQL cuts a name that is too long even without a prefix.
    const cut = Buffer.from(name).subarray(0, LONGEST_NAME).toString()
    const short = this.#shortened.get(cut) ?? `${this.prefix}"${++this.#lastShortened}`
    this.#shortened.set(cut, short)
    return short
  }

  #forget(name: string): void {
    this.#parsed.delete(name)
    this.#present.delete(name)
    this.#shortened.delete(name)
  }

  #ownDeallocate(sql: string): string {
    const [, quoted, plain] = DEALLOCATE.exec(sql) ?? []
    const name = quoted?.replaceAll('""', '"') ?? plain?.toLowerCase()
    if (name === undefined || !this.#parsed.has(name)) return sql
    const own = this.#private(name).replaceAll('"', '""')
    this.#forget(name)
    return `DEALLOCATE "${own}"`
  }
}
