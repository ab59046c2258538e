import { createHmac } from 'node:crypto'
import { createServer, type Server, type Socket } from 'node:net'
import type { Clock } from '../../../../../shared/clock/clock.js'
import type { IdSource } from '../../../../../shared/ids.js'
import type { Verifier } from '../../provider.js'
import { notOpened } from '../session/interruption.js'
import type { Session } from '../session/session.js'
import { type PgError, pgErrorResponse } from './answers.js'
import { makeCertificate, type ServerCertificate } from './certificate.js'
import { Client } from './client.js'
import { type HandshakeResult, handshake } from './handshake.js'

/** Milliseconds for a client's login. PostgreSQL allows a minute. On one machine a tenth is enough. */
const HANDSHAKE_MS = 6_000

/** Largest number of logins at once, so that unknown clients cannot fill the process. */
const MAX_HANDSHAKES = 200

/** The databases and users that the server has. */
export interface ServedDatabases {
  verifier(user: string): Verifier | undefined
  database(
    name: string,
  ): { user: string; connections: number; blocked: boolean; session: Session } | undefined
}

export interface PgServerOptions {
  machine: Clock
  ids: IdSource
  host: string
  statementTimeoutMs: number
  databases: ServedDatabases
}

/**
 * The one TCP port of all embedded databases. It speaks PostgreSQL's protocol 3 and routes by the name of the
 * database.
 */
export class PgServer {
  readonly #options: PgServerOptions
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #clients = new Map<number, Client>()
  readonly #inventedKey: Buffer
  #certificate: Promise<ServerCertificate> | undefined
  #handshakes = 0
  /** Last process id that a client received. No process has it. */
  #lastPid = 1000

  constructor(options: PgServerOptions) {
    this.#options = options
    this.#inventedKey = options.ids.bytes(32)
    this.#server = createServer(socket => this.#accept(socket))
  }

  /**
   * Opens the port.
   *
   * @param port 0 for any free port
   * @param before the port of the last start. It is used again if `port` is 0 and it is free.
   * @returns the port in use
   * @throws the system's error if the port cannot be opened
   */
  async listen(port: number, before = 0): Promise<number> {
    if (port !== 0 || before === 0) return this.#open(port)
    try {
      return await this.#open(before)
    } catch {
      return this.#open(0)
    }
  }

  #open(port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(port, this.#options.host, () => {
        this.#server.off('error', reject)
        const address = this.#server.address()
        if (typeof address === 'object' && address !== null) resolve(address.port)
        else reject(new Error('the server of the embedded databases has no port'))
      })
    })
  }

  get listening(): boolean {
    return this.#server.listening
  }

  /** Returns the certificate, for clients that verify it. */
  certificate(): Promise<ServerCertificate> {
    this.#certificate ??= makeCertificate()
    return this.#certificate
  }

  async close(): Promise<void> {
    const closed = new Promise<void>(resolve => this.#server.close(() => resolve()))
    for (const socket of this.#sockets) socket.destroySoon()
    await closed
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.once('close', () => this.#sockets.delete(socket))
    if (this.#handshakes >= MAX_HANDSHAKES) {
      socket.end(pgErrorResponse('FATAL', { code: '53300', message: 'sorry, too many clients already' }))
      return
    }
    const { machine } = this.#options
    this.#handshakes++
    const deadline = machine.wakeAt(machine.now() + HANDSHAKE_MS, () => {
      socket.destroy()
    })
    handshake(socket, {
      ids: this.#options.ids,
      certificate: () => this.certificate(),
      verifier: user => this.#options.databases.verifier(user) ?? this.#inventedVerifier(user),
    })
      .finally(() => {
        // The wait for the engine has a limit of its own.
        this.#handshakes--
        deadline.cancel()
      })
      .then(arrival => this.#admit(arrival, socket))
      // The client has received its error or has left.
      .catch(() => socket.destroySoon())
  }

  async #admit(arrival: HandshakeResult, socket: Socket): Promise<void> {
    if (arrival.kind === 'cancel') {
      const client = this.#clients.get(arrival.pid)
      if (client?.secret === arrival.secret) client.cancel()
      socket.end()
      return
    }
    const database = this.#options.databases.database(arrival.database)
    const pgError = this.#pgError(arrival, database)
    if (pgError !== undefined || database === undefined) {
      if (pgError !== undefined) arrival.socket.end(pgErrorResponse('FATAL', pgError))
      return
    }
    const client = new Client(arrival.socket, database.session, {
      pid: ++this.#lastPid,
      secret: this.#options.ids.bytes(4).readInt32BE(),
      user: arrival.user,
      startup: arrival.parameters,
      statementTimeoutMs: this.#options.statementTimeoutMs,
    })
    this.#clients.set(client.pid, client)
    arrival.socket.once('close', () => this.#clients.delete(client.pid))
    try {
      await client.start(arrival.early)
    } catch (error) {
      client.fatal(notOpened(error))
    }
  }

  #pgError(
    { user, database }: Extract<HandshakeResult, { kind: 'session' }>,
    found: ReturnType<ServedDatabases['database']>,
  ): PgError | undefined {
    if (found === undefined) return { code: '3D000', message: `database "${database}" does not exist` }
    if (found.user !== user || found.blocked)
      return {
        code: '42501',
        message: `permission denied for database "${database}"`,
        detail: 'User does not have CONNECT privilege.',
      }
    if (found.session.connections >= found.connections)
      return { code: '53300', message: `too many connections for role "${user}"` }
    return undefined
  }

  /**
   * Returns a verifier for an unknown user. It is the same each time, so that two attempts do not reveal that
   * the user is unknown.
   */
  #inventedVerifier(user: string): Verifier {
    const derive = (what: string) =>
      createHmac('sha256', this.#inventedKey).update(`${what} ${user}`).digest()
    return {
      salt: derive('salt').subarray(0, 16).toString('base64'),
      iterations: 4096,
      storedKey: derive('stored').toString('base64'),
      serverKey: derive('server').toString('base64'),
    }
  }
}
