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

/**
 * Milliseconds in which a client must log in. PostgreSQL allows 60 s (`authentication_timeout`). A tenth is
 * enough for clients on the same machine.
 */
const HANDSHAKE_MS = 6_000

/** Largest number of logins at once, so that clients without a password cannot use up the memory. */
const MAX_HANDSHAKES = 200

/** Looks up the databases behind the port, and the password verifiers of their users. */
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
 * The TCP server in front of all embedded databases. It speaks version 3 of PostgreSQL's protocol, and passes
 * each client to the database that the client names.
 */
export class PgServer {
  readonly #options: PgServerOptions
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #clients = new Map<number, Client>()
  readonly #inventedKey: Buffer
  #certificate: Promise<ServerCertificate> | undefined
  #handshakes = 0
  /**
   * The process id that the last client received. Clients use such ids in cancel requests. No process of the
   * system has them.
   */
  #lastPid = 1000

  constructor(options: PgServerOptions) {
    this.#options = options
    this.#inventedKey = options.ids.bytes(32)
    this.#server = createServer(socket => this.#accept(socket))
  }

  /**
   * Opens the port.
   *
   * @param port the port, or 0 for any free port
   * @param before the port of the last start. If `port` is 0 and this port is free, it is used again.
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
        else reject(new Error('the server of the embedded databases did not get a TCP port'))
      })
    })
  }

  get listening(): boolean {
    return this.#server.listening
  }

  /** Returns the certificate of the server. Creates it at the first call. */
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
        // The time for opening the engine has its own limit, so it is not part of the login.
        this.#handshakes--
        deadline.cancel()
      })
      .then(arrival => this.#admit(arrival, socket))
      // The client has already received the error, or has disconnected.
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
   * Returns the invented verifier of an unknown user. A user gets the same salt at each attempt, as a real
   * user does, so a client cannot learn that the user is unknown.
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
