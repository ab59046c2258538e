import { BODY, cstring, type Frame, frame, int32, readCstring } from './frames.js'

/** An error in the form of PostgreSQL. `code` is the SQLSTATE. */
export interface PgError {
  code: string
  message: string
  detail?: string
  hint?: string
}

/**
 * Returns an ErrorResponse message.
 *
 * @param severity `FATAL` announces the end of the connection. The caller closes it.
 */
export function pgErrorResponse(severity: 'ERROR' | 'FATAL', pgError: PgError): Buffer {
  const fields: [string, string | undefined][] = [
    ['S', severity],
    ['V', severity],
    ['C', pgError.code],
    ['M', pgError.message],
    ['D', pgError.detail],
    ['H', pgError.hint],
  ]
  const body = fields.flatMap(([field, text]) => (text === undefined ? [] : [cstring(field + text)]))
  return frame('E', ...body, Buffer.from([0]))
}

/**
 * Returns a ReadyForQuery message.
 *
 * @param status `I` idle, `T` in a transaction, `E` in a failed transaction
 */
export function readyForQuery(status: string): Buffer {
  return frame('Z', Buffer.from(status, 'latin1'))
}

export function parameterStatus(name: string, value: string): Buffer {
  return frame('S', name, value)
}

export function backendKeyData(pid: number, secret: number): Buffer {
  return frame('K', int32(pid), int32(secret))
}

/** Reads the fields of an ErrorResponse or NoticeResponse. @returns the values by the letter of the field */
export function readFields(message: Buffer): Map<string, string> {
  const fields = new Map<string, string>()
  for (let at = BODY; message[at] !== 0 && at < message.length; ) {
    const { text, next } = readCstring(message, at)
    fields.set(text.charAt(0), text.slice(1))
    at = next
  }
  return fields
}

/** Returns an ErrorResponse or NoticeResponse. @param fields values by the letter of the field */
export function writeFields(type: string, fields: Map<string, string>): Buffer {
  return frame(type, ...[...fields].map(([field, text]) => cstring(field + text)), Buffer.from([0]))
}

/** Reads the values of a DataRow message as text. Null is SQL's NULL. */
export function readRow({ bytes }: Frame): (string | null)[] {
  const values: (string | null)[] = []
  let at = BODY + 2
  for (let remaining = bytes.readInt16BE(BODY); remaining > 0; remaining--) {
    const size = bytes.readInt32BE(at)
    at += 4
    values.push(size < 0 ? null : bytes.toString('utf8', at, at + size))
    at += Math.max(0, size)
  }
  return values
}
