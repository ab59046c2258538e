import { BODY, cstring, type Frame, frame, readCstring } from '../wire/frames.js'

/**
 * Whoever opened the engine is its superuser and may become anyone, and would become one again by this command. It is
 * answered as PostgreSQL answers a client that has no such past.
 */
const BECOMING =
  /\bset\s+(?:(?:session|local)\s+)?session\s+authorization\s+(?!default\b)|\bset\s+(?:(?:session|local)\s+)?session_authorization\b/i

const DENIED = `DO $$ BEGIN RAISE EXCEPTION 'permission denied to set session authorization' USING ERRCODE = '42501'; END $$`

/** Commands that free space, and those that only surround them. */
const FREEING = /^\s*(?:$|(?:delete|truncate|drop|vacuum|begin|start|commit|end|rollback)\b)/i

/** Puts the answer in the place of a command that is not allowed, so that a transaction fails as it should. */
export function withoutPromotion(message: Frame): Frame {
  if (!namesEnd(message)) return message
  if (message.type === 'Q') {
    if (!BECOMING.test(readCstring(message.bytes, BODY).text)) return message
    return { type: 'Q', bytes: frame('Q', DENIED) }
  }
  if (message.type !== 'P') return message
  const name = readCstring(message.bytes, BODY)
  const query = readCstring(message.bytes, name.next)
  if (!BECOMING.test(query.text)) return message
  return { type: 'P', bytes: frame('P', name.text, DENIED, message.bytes.subarray(query.next)) }
}

/**
 * Tells whether the names and the SQL that a message begins with are ended by zero bytes.
 *
 * Other messages stay as they are, so that the engine answers them with 08P01 as PostgreSQL does.
 */
function namesEnd({ type, bytes }: Frame): boolean {
  if (type === 'Q') return bytes.includes(0, BODY)
  if (type === 'D' || type === 'C') return bytes.includes(0, BODY + 1)
  if (type !== 'P' && type !== 'B') return true
  const first = bytes.indexOf(0, BODY)
  return first >= 0 && bytes.includes(0, first + 1)
}

/**
 * May a batch go beyond the quota? What frees space often needs some first: VACUUM FULL writes a table anew.
 *
 * A semicolon in a string can only turn the answer to no.
 */
export function onlyFrees(sql: readonly string[]): boolean {
  return sql.length > 0 && sql.every(text => text.split(';').every(piece => FREEING.test(piece)))
}

/** `DEALLOCATE name`, which some drivers send in place of a Close message. */
const DEALLOCATE = /^\s*deallocate\s+(?:prepare\s+)?(?:"((?:[^"]|"")+)"|([a-z_][\w$]*))\s*;?\s*$/i

/** Longest name that PostgreSQL tells from others, in bytes (`NAMEDATALEN` without its zero byte). */
const LONGEST_NAME = 63

/** A batch with private names. */
export interface PrivateBatch {
  messages: Buffer[]
  /** Names that are parsed again, ahead of the client's own messages. */
  restored: string[]
  /** Names the client's own Parse messages give, in order; `fresh` unless the name was taken. */
  parsed: { name: string; fresh: boolean }[]
  /** Of all statements concerned. */
  sql: string[]
}

/**
 * One client's prepared statements, in a session that it shares.
 *
 * Every name becomes the client's own by a prefix. What was parsed is kept, so that a statement the session has lost
 * (an unnamed one overwritten by another client, all of them after DISCARD ALL or a new engine) is parsed again, unseen,
 * before the next message that refers to it.
 */
export class Statements {
  /** By the client's own name, '' being the unnamed one: the rewritten Parse message and what it says. */
  readonly #parsed = new Map<string, { message: Buffer; sql: string }>()
  /** Which of them the engine still has. */
  readonly #present = new Set<string>()
  /** Stand-ins for names that are too long with the prefix: PostgreSQL would cut them, and two might become one. */
  readonly #shortened = new Map<string, string>()
  #lastShortened = 0

  /** @param prefix makes the names private; it must never occur in two clients */
  constructor(readonly prefix: string) {}

  /** The client has given them all up. */
  forgetAll(): void {
    this.#parsed.clear()
    this.#present.clear()
    this.#shortened.clear()
  }

  /** The engine has lost them all. */
  lostAll(): void {
    this.#present.clear()
  }

  /** What a statement says, or undefined if there is none of that name. */
  textOf(name: string): string | undefined {
    return this.#parsed.get(name)?.sql
  }

  /** Keeps the statements of a batch that the engine was not given, so that a later batch can refer to them. */
  note(frames: readonly Frame[]): void {
    const { restored, parsed } = this.rewrite(frames)
    for (const name of [...restored, ...parsed.map(({ name }) => name)]) this.#present.delete(name)
  }

  /** The unnamed one was overwritten by somebody else. */
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
    const needs = (name: string) => {
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
        // SQL that stays the same keeps its bytes, which the client may have written in another encoding.
        const rest = query === text ? [bytes.subarray(next)] : [query, bytes.subarray(types)]
        const message = frame('P', this.#private(name), ...rest)
        // A second Parse under a taken name is an error and must not replace the first.
        const fresh = name === '' || !this.#parsed.has(name)
        if (fresh) this.#parsed.set(name, { message, sql: text })
        parsed.push({ name, fresh })
        this.#present.add(name)
        sql.push(text)
        messages.push(message)
      } else if (type === 'B') {
        const portal = readCstring(bytes, BODY)
        const statement = readCstring(bytes, portal.next)
        needs(statement.text)
        messages.push(frame('B', portal.text, this.#private(statement.text), bytes.subarray(statement.next)))
      } else if ((type === 'D' || type === 'C') && bytes[BODY] === 0x53) {
        const { text: name } = readCstring(bytes, BODY + 1)
        messages.push(frame(type, Buffer.from('S'), cstring(this.#private(name))))
        if (type === 'D') needs(name)
        else this.#forget(name)
      } else if (type === 'Q') {
        const { text } = readCstring(bytes, BODY)
        sql.push(text)
        const query = this.#ownDeallocate(text)
        messages.push(query === text ? bytes : frame('Q', query))
        // As in PostgreSQL, where a simple query takes the unnamed statement's place.
        this.#forget('')
      } else messages.push(bytes)
    }
    return { messages: [...restore, ...messages], restored, parsed, sql }
  }

  /**
   * A batch failed.
   *
   * @param completed how many of its Parse messages were answered before that, restored ones included
   */
  failed({ restored, parsed }: PrivateBatch, completed: number): void {
    for (const name of restored.slice(completed)) this.#present.delete(name)
    for (const { name, fresh } of parsed.slice(Math.max(0, completed - restored.length)))
      if (fresh) this.#forget(name)
  }

  /** Takes the prefix out of a message about a statement. */
  readable(text: string): string {
    let readable = text
    for (const [name, short] of this.#shortened) readable = readable.replaceAll(`"${short}"`, `"${name}"`)
    return readable.replaceAll(this.prefix, '')
  }

  /** Messages that remove every statement this client has in the engine. */
  closeAll(): Buffer[] {
    return [...this.#present].map(name => frame('C', Buffer.from('S'), cstring(this.#private(name))))
  }

  #private(name: string): string {
    if (name === '') return ''
    if (Buffer.byteLength(this.prefix + name) <= LONGEST_NAME) return this.prefix + name
    // PostgreSQL itself cuts a name that is too long without a prefix.
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
