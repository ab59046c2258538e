import { createHmac } from 'node:crypto'
import { createServer, type Server, type Socket } from 'node:net'
import type { Clock } from '../../../../../shared/clock/clock.js'
import type { IdSource } from '../../../../../shared/ids.js'
import type { Verifier } from '../../provider.js'
import { notOpened } from '../session/interruption.js'
import type { Session } from '../session/session.js'
import { type Complaint, errorResponse } from './answers.js'
import { makeCertificate, type ServerCertificate } from './certificate.js'
import { Client } from './client.js'
import { type Arrival, handshake } from './handshake.js'

/** How long a client may take to prove who it is. PostgreSQL allows a minute; on one machine a tenth will do. */
const HANDSHAKE_MS = 6_000

/** How many may be at it at once: strangers must not fill the process. */
const MOST_HANDSHAKES = 200

/** What the gateway serves. */
export interface Hall {
  verifier(user: string): Verifier | undefined
  database(
    name: string,
  ): { user: string; connections: number; blocked: boolean; session: Session } | undefined
}

export interface GatewayOptions {
  machine: Clock
  ids: IdSource
  host: string
  statementTimeoutMs: number
  hall: Hall
}

/** The one TCP port of all embedded databases: PostgreSQL's protocol, version 3, routed by the database's name. */
export class Gateway {
  readonly #options: GatewayOptions
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #clients = new Map<number, Client>()
  readonly #decoyKey: Buffer
  #certificate: Promise<ServerCertificate> | undefined
  #handshakes = 0
  /** Process ids that clients are told; no process has them. */
  #lastPid = 1000

  constructor(options: GatewayOptions) {
    this.#options = options
    this.#decoyKey = options.ids.bytes(32)
    this.#server = createServer(socket => this.#accept(socket))
  }

  /**
   * Opens the port.
   *
   * @param port 0: any free one
   * @param before where it listened before, to be taken again if any will do and that one is free
   * @returns the port it is
   * @throws Error of the system's if it cannot be opened
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
        else reject(new Error('the gateway has no port'))
      })
    })
  }

  get listening(): boolean {
    return this.#server.listening
  }

  /** For clients that want to check who they talk to. */
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
    if (this.#handshakes >= MOST_HANDSHAKES) {
      socket.end(errorResponse('FATAL', { code: '53300', message: 'sorry, too many clients already' }))
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
      verifier: user => this.#options.hall.verifier(user) ?? this.#decoy(user),
    })
      .finally(() => {
        // From here on the wait is the engine's, which has a limit of its own.
        this.#handshakes--
        deadline.cancel()
      })
      .then(arrival => this.#admit(arrival, socket))
      // The client has been told, or is gone.
      .catch(() => socket.destroySoon())
  }

  async #admit(arrival: Arrival, socket: Socket): Promise<void> {
    if (arrival.kind === 'cancel') {
      const client = this.#clients.get(arrival.pid)
      if (client?.secret === arrival.secret) client.cancel()
      socket.end()
      return
    }
    const database = this.#options.hall.database(arrival.database)
    const complaint = this.#complaint(arrival, database)
    if (complaint !== undefined || database === undefined) {
      if (complaint !== undefined) arrival.socket.end(errorResponse('FATAL', complaint))
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

  #complaint(
    { user, database }: Extract<Arrival, { kind: 'session' }>,
    found: ReturnType<Hall['database']>,
  ): Complaint | undefined {
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

  /** The same for the same name every time, or asking twice would tell that there is no such user. */
  #decoy(user: string): Verifier {
    const derive = (what: string) => createHmac('sha256', this.#decoyKey).update(`${what} ${user}`).digest()
    return {
      salt: derive('salt').subarray(0, 16).toString('base64'),
      iterations: 4096,
      storedKey: derive('stored').toString('base64'),
      serverKey: derive('server').toString('base64'),
    }
  }
}
