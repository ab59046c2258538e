import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { IdSource } from '../../../../../shared/ids.js'
import { type Verifier, verify } from '../../provider.js'
import { type PgError, pgErrorResponse } from './answers.js'
import type { ServerCertificate } from './certificate.js'
import { BadFrame, BODY, frame, int32, readCstring } from './frames.js'

/** Longest start-up message in bytes, as in PostgreSQL (`MAX_STARTUP_PACKET_LENGTH`). */
const LONGEST_STARTUP = 10_000

const MAJOR_VERSION = 3

const CANCEL_REQUEST = 80877102

const SSL_REQUEST = 80877103

const GSS_REQUEST = 80877104

/** The first message of a client on a new connection. */
type StartupMessage =
  | { kind: 'ssl' }
  | { kind: 'gss' }
  | { kind: 'cancel'; pid: number; secret: number }
  | { kind: 'unsupported'; version: string }
  /**
   * `options` are the parameters that begin with `_pq_.`. If there are any, or if `minor` is above 0, the
   * server answers with NegotiateProtocolVersion.
   */
  | { kind: 'session'; minor: number; parameters: Map<string, string>; options: string[] }

/**
 * Reads the first message of a client.
 *
 * @param body the message without its length field
 * @throws BadFrame for a message that cannot be read
 */
export function readStartup(body: Buffer): StartupMessage {
  if (body.length < 4) throw new BadFrame('invalid length of startup packet')
  const code = body.readUInt32BE(0)
  if (code === SSL_REQUEST) return { kind: 'ssl' }
  if (code === GSS_REQUEST) return { kind: 'gss' }
  if (code === CANCEL_REQUEST) {
    if (body.length !== 12) throw new BadFrame('invalid length of cancel request')
    return { kind: 'cancel', pid: body.readInt32BE(4), secret: body.readInt32BE(8) }
  }
  const [major, minor] = [code >>> 16, code & 0xffff]
  if (major !== MAJOR_VERSION) return { kind: 'unsupported', version: `${major}.${minor}` }
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

/** Longest message during the login in bytes, as in PostgreSQL (`PG_MAX_AUTH_TOKEN_LENGTH`). */
const LONGEST_PROOF = 65_535

/**
 * First byte of a TLS handshake. A client with `sslnegotiation=direct` starts with it and sends no
 * SSLRequest.
 */
const TLS_HANDSHAKE_RECORD = 0x16

/** Thrown if the server refuses a connection. The client receives `pgError`. */
export class Rejected extends Error {
  constructor(readonly pgError: PgError) {
    super(pgError.message)
  }
}

/**
 * The outcome of a handshake: a cancel request, or a client that has logged in. `early` are
 * the bytes that the client has sent after its password, before it received an answer.
 */
export type HandshakeResult =
  | { kind: 'cancel'; pid: number; secret: number }
  | {
      kind: 'session'
      socket: Socket
      early: Buffer
      user: string
      database: string
      parameters: Map<string, string>
    }

export interface AuthContext {
  ids: IdSource
  certificate(): Promise<ServerCertificate>
  /**
   * Returns the password verifier of a user. For an unknown user, returns an invented verifier that no
   * password matches, because the login must not reveal which users exist.
   */
  verifier(user: string): Verifier
}

/**
 * Logs a client in on a new socket: TLS if the client asks for it, the start-up message, and the password by
 * SCRAM.
 *
 * The caller checks the name of the database after the password, as PostgreSQL does. So a client without a
 * password cannot learn which databases exist.
 *
 * @throws Rejected if the client is refused and has received the error
 * @throws Disconnected if the client closes the connection
 */
export async function handshake(socket: Socket, auth: AuthContext): Promise<HandshakeResult> {
  const login = new Handshake(socket, auth)
  try {
    return await login.run()
  } catch (error) {
    const rejected = asRejected(error)
    if (rejected !== undefined) login.refuse(rejected.pgError)
    throw rejected ?? error
  }
}

function asRejected(error: unknown): Rejected | undefined {
  if (error instanceof Rejected) return error
  if (error instanceof BadFrame || error instanceof BadExchange)
    return new Rejected({ code: '08P01', message: error.message })
  return undefined
}

class Handshake {
  #socket: Socket
  #reader: SocketReader
  #endPoint: Buffer | undefined

  constructor(
    socket: Socket,
    readonly auth: AuthContext,
  ) {
    this.#socket = socket
    this.#reader = new SocketReader(socket)
  }

  async run(): Promise<HandshakeResult> {
    const startup = await this.#startup()
    if (startup.kind === 'cancel') return startup
    const user = startup.parameters.get('user')
    if (user === undefined)
      throw new Rejected({ code: '28000', message: 'no PostgreSQL user name specified in startup packet' })
    if (startup.parameters.has('replication') && startup.parameters.get('replication') !== 'false')
      throw new Rejected({ code: '42501', message: 'replication connections are not supported' })
    if (startup.minor > 0 || startup.options.length > 0) this.#negotiate(startup.options)
    await this.#authenticate(user)
    return {
      kind: 'session',
      socket: this.#socket,
      early: this.#reader.release(),
      user,
      database: startup.parameters.get('database') ?? user,
      parameters: startup.parameters,
    }
  }

  refuse(pgError: PgError): void {
    this.#socket.end(pgErrorResponse('FATAL', pgError))
  }

  async #startup(): Promise<Extract<StartupMessage, { kind: 'cancel' | 'session' }>> {
    // A client may ask for GSS encryption and for TLS once
    // each before the start-up message. More would be a loop.
    for (let turn = 0; turn < 3; turn++) {
      const message = await this.#message()
      if (message.kind === 'session' || message.kind === 'cancel') return message
      if (message.kind === 'unsupported')
        throw new Rejected({
          code: '0A000',
          message: `unsupported frontend protocol ${message.version}: server supports 3.0`,
        })
      if (message.kind === 'ssl' && this.#endPoint === undefined) await this.#encrypt()
      else this.#socket.write('N')
    }
    throw new BadFrame('expected a startup message')
  }

  async #message(): Promise<StartupMessage> {
    const head = await this.#reader.read(4)
    if (head[0] === TLS_HANDSHAKE_RECORD && this.#endPoint === undefined) {
      await this.#encrypt(head)
      return this.#message()
    }
    const size = head.readUInt32BE(0)
    if (size < 8 || size > LONGEST_STARTUP) throw new BadFrame('invalid length of startup packet')
    return readStartup(await this.#reader.read(size - 4))
  }

  /**
   * Switches the connection to TLS.
   *
   * @param firstBytes the first bytes of the TLS handshake, if the client sent no SSLRequest
   */
  async #encrypt(firstBytes?: Buffer): Promise<void> {
    // The certificate is awaited before the reader releases the socket. Between `release` and the TLS socket
    // nothing may be awaited, because bytes that arrive then would be lost.
    const certificate = await this.auth.certificate()
    const early = this.#reader.release()
    if (firstBytes === undefined) {
      // A third party may have inserted these unencrypted bytes (CVE-2021-23222).
      if (early.length > 0)
        throw new Rejected({ code: '08P01', message: 'received unencrypted data after SSL request' })
      this.#socket.write('S')
    } else this.#socket.unshift(Buffer.concat([firstBytes, early]))
    const secured = new TLSSocket(this.#socket, {
      isServer: true,
      secureContext: certificate.context,
      ALPNProtocols: ['postgresql'],
    })
    secured.on('error', () => secured.destroy())
    this.#socket = secured
    this.#reader = new SocketReader(secured)
    this.#endPoint = certificate.endPoint
  }

  /**
   * Sends NegotiateProtocolVersion with the newest supported version and the options that the server does not
   * know.
   */
  #negotiate(options: string[]): void {
    this.#socket.write(frame('v', int32(MAJOR_VERSION << 16), int32(options.length), ...options))
  }

  async #authenticate(user: string): Promise<void> {
    const mechanisms = this.#endPoint === undefined ? [SCRAM] : [SCRAM_PLUS, SCRAM]
    this.#socket.write(frame('R', int32(10), ...mechanisms, Buffer.from([0])))
    const initial = await this.#proof()
    const { text: mechanism, next } = readCstring(initial, BODY)
    const exchange = new ScramExchange(
      mechanism,
      this.auth.verifier(user),
      this.auth.ids.bytes(18).toString('base64'),
      this.#endPoint,
    )
    const first = exchange.first(initial.toString('utf8', next + 4))
    this.#socket.write(frame('R', int32(11), Buffer.from(first)))
    const final = exchange.final((await this.#proof()).toString('utf8', BODY))
    if (final === undefined)
      throw new Rejected({ code: '28P01', message: `password authentication failed for user "${user}"` })
    this.#socket.write(frame('R', int32(12), Buffer.from(final)))
  }

  async #proof(): Promise<Buffer> {
    const head = await this.#reader.read(BODY)
    const size = head.readUInt32BE(1)
    if (head[0] !== 0x70 || size < 4 || size > LONGEST_PROOF)
      throw new Rejected({ code: '08P01', message: `expected SASL response, got message type ${head[0]}` })
    return Buffer.concat([head, await this.#reader.read(size - 4)])
  }
}

/** Thrown if the client disconnects during the handshake. */
class Disconnected extends Error {}

/** Reads a given number of bytes from a socket, for the messages of the login. */
class SocketReader {
  #buffered: Buffer = Buffer.alloc(0)
  #wake: () => void = () => {}
  #ended = false

  constructor(readonly socket: Socket) {
    socket.on('data', this.#onData)
    socket.on('close', this.#onClose)
  }

  /** Returns the next `size` bytes. */
  async read(size: number): Promise<Buffer> {
    while (this.#buffered.length < size) {
      if (this.#ended) throw new Disconnected('the client has disconnected during the login')
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
    const bytes = this.#buffered.subarray(0, size)
    this.#buffered = this.#buffered.subarray(size)
    return bytes
  }

  /** Stops reading from the socket and pauses it. @returns the bytes that were received and not read yet */
  release(): Buffer {
    this.socket.pause()
    this.socket.off('data', this.#onData)
    this.socket.off('close', this.#onClose)
    return this.#buffered
  }

  readonly #onData = (bytes: Buffer) => {
    this.#buffered = Buffer.concat([this.#buffered, bytes])
    this.#wake()
  }

  readonly #onClose = () => {
    this.#ended = true
    this.#wake()
  }
}

/** Thrown if a message of the client violates SCRAM. A wrong password is no violation. */
export class BadExchange extends Error {}

/**
 * SCRAM without channel binding. A connection without TLS has no certificate, so it offers only this
 * mechanism.
 */
const SCRAM = 'SCRAM-SHA-256'

/** SCRAM with channel binding to the certificate of the connection. */
const SCRAM_PLUS = 'SCRAM-SHA-256-PLUS'

/**
 * The server's side of SCRAM-SHA-256 (RFC 5802 and RFC 7677), as PostgreSQL implements it. The user name in
 * the SCRAM messages is ignored, because PostgreSQL takes the name from the start-up message.
 */
export class ScramExchange {
  #clientHeader = ''
  #clientFirst = ''
  #serverFirst = ''
  readonly #mechanism: string

  /**
   * @param mechanism the mechanism that the client has chosen
   * @param nonce the server's nonce, 18 random bytes in base64
   * @param certificate SHA-256 hash of the certificate. Undefined: the connection is not encrypted.
   * @throws BadExchange for a mechanism that was not offered
   */
  constructor(
    mechanism: string,
    readonly verifier: Verifier,
    readonly nonce: string,
    readonly certificate: Buffer | undefined,
  ) {
    if (mechanism !== SCRAM && !(mechanism === SCRAM_PLUS && certificate !== undefined))
      throw new BadExchange('client selected an invalid SASL authentication mechanism')
    this.#mechanism = mechanism
  }

  /**
   * Reads the client's first message.
   *
   * @returns the server's first message
   * @throws BadExchange if the message violates SCRAM
   */
  first(message: string): string {
    const parts =
      /^((p=tls-server-end-point|n|y),(?:a=[^,]*)?,)((?:n=[^,]*),r=([\x21-\x2b\x2d-\x7e]+))(?:,.*)?$/.exec(
        message,
      )
    const [, header, flag, bare, clientNonce] = parts ?? []
    if (header === undefined || bare === undefined) throw new BadExchange('malformed SCRAM message')
    if ((flag === 'p=tls-server-end-point') !== (this.#mechanism === SCRAM_PLUS))
      throw new BadExchange('malformed SCRAM message: channel binding does not fit the mechanism')
    // "y" means that the client supports channel binding and believes that the server does not. This server
    // has offered it, so a third party has changed the list of mechanisms.
    if (flag === 'y' && this.certificate !== undefined)
      throw new BadExchange('SCRAM channel binding negotiation error')
    this.#clientHeader = header
    this.#clientFirst = bare
    this.#serverFirst = `r=${clientNonce}${this.nonce},s=${this.verifier.salt},i=${this.verifier.iterations}`
    return this.#serverFirst
  }

  /**
   * Reads the client's final message.
   *
   * @returns the server's final message, or undefined if the password is wrong
   * @throws BadExchange if the message violates SCRAM
   */
  final(message: string): string | undefined {
    const parts = /^(c=([^,]+),r=([^,]+)(?:,.*)?),p=([A-Za-z0-9+/=]+)$/.exec(message)
    const [, withoutProof, binding, nonce, proof] = parts ?? []
    if (withoutProof === undefined || proof === undefined) throw new BadExchange('malformed SCRAM message')
    if (!this.#serverFirst.startsWith(`r=${nonce},`)) throw new BadExchange('SCRAM nonce does not match')
    if (binding !== this.#expectedBinding().toString('base64'))
      throw new BadExchange('SCRAM channel binding check failed')
    const exchange = `${this.#clientFirst},${this.#serverFirst},${withoutProof}`
    const signature = verify(this.verifier, exchange, Buffer.from(proof, 'base64'))
    return signature === undefined ? undefined : `v=${signature.toString('base64')}`
  }

  #expectedBinding(): Buffer {
    const header = Buffer.from(this.#clientHeader)
    const bound = this.#mechanism === SCRAM_PLUS ? this.certificate : undefined
    return bound === undefined ? header : Buffer.concat([header, bound])
  }
}
