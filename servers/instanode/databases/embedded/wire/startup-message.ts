import { BadFrame, readCstring } from './frames.js'

/** Longest start-up message, as in PostgreSQL (`MAX_STARTUP_PACKET_LENGTH`). */
export const LONGEST_STARTUP = 10_000

const PROTOCOL_3 = 3
const CANCEL = 80877102
const SSL = 80877103
const GSS = 80877104

/** What a client may open with. */
export type StartupMessage =
  | { kind: 'ssl' }
  | { kind: 'gss' }
  | { kind: 'cancel'; pid: number; secret: number }
  | { kind: 'unsupported'; version: string }
  /** `minor` above 0 and options that begin with `_pq_.` are to be negotiated away. */
  | { kind: 'session'; minor: number; parameters: Map<string, string>; options: string[] }

/**
 * @param body what follows the length
 * @throws BadFrame for a message that cannot be read
 */
export function readStartup(body: Buffer): StartupMessage {
  if (body.length < 4) throw new BadFrame('invalid length of startup packet')
  const code = body.readUInt32BE(0)
  if (code === SSL) return { kind: 'ssl' }
  if (code === GSS) return { kind: 'gss' }
  if (code === CANCEL) {
    if (body.length !== 12) throw new BadFrame('invalid length of cancel request')
    return { kind: 'cancel', pid: body.readInt32BE(4), secret: body.readInt32BE(8) }
  }
  const [major, minor] = [code >>> 16, code & 0xffff]
  if (major !== PROTOCOL_3) return { kind: 'unsupported', version: `${major}.${minor}` }
  const parameters = new Map<string, string>()
  const options: string[] = []
  for (let at = 4; body[at] !== 0; ) {
    const name = readCstring(body, at)
    const value = readCstring(body, name.next)
    if (name.text.startsWith('_pq_.')) options.push(name.text)
    else parameters.set(name.text, value.text)
    at = value.next
  }
  return { kind: 'session', minor, parameters, options }
}
