import { anyCipher, registeredAgent, type SafebotAgent } from '../../support/clients/safebot-agent.js'
import { HttpConnection } from './http-connection.js'

/** One caller of Safebot's HTTP API over one connection, with a key of its own. */
export class ApiCaller {
  readonly #connection: HttpConnection
  readonly #agent: SafebotAgent
  /** By target: what has been signed for ahead of its request. */
  readonly #signedAhead = new Map<string, string[]>()

  private constructor(connection: HttpConnection, agent: SafebotAgent) {
    this.#connection = connection
    this.#agent = agent
  }

  /** @param api the origin of Safebot, e.g. `http://127.0.0.1:4802` */
  static async as(api: string, handle: string): Promise<ApiCaller> {
    const agent = await registeredAgent(api, handle, () =>
      Math.floor(performance.timeOrigin + performance.now()),
    )
    return new ApiCaller(await HttpConnection.open(api), agent)
  }

  /** Posts a message of 100 bytes. */
  async say(room: string): Promise<void> {
    await this.#post(`/api/rooms/${room}/messages`, MESSAGE, '')
  }

  /** Signs for that many claims and acknowledgements to come, within the next minute: a signature does not cover the body. */
  signAhead(room: string, cycles: number): void {
    for (const target of [claimTarget(room), ackTarget(room)]) {
      const signed = Array.from({ length: cycles }, () => this.#agent.authorization('POST', target))
      this.#signedAhead.set(target, signed)
    }
  }

  /** Claims a task, waiting up to 90 s; returns what an acknowledgement needs. */
  async claim(room: string): Promise<{ claim_id: string; seq: number }> {
    const target = claimTarget(room)
    const answer = JSON.parse(await this.#signed(target, { handle: this.#agent.handle }))
    if (answer.message === undefined) throw new Error(`there was no task: ${JSON.stringify(answer)}`)
    return { claim_id: answer.claim_id, seq: answer.message.seq }
  }

  async ack(room: string, claimed: { claim_id: string; seq: number }): Promise<void> {
    await this.#signed(ackTarget(room), { handle: this.#agent.handle, ...claimed })
  }

  close(): void {
    this.#connection.close()
  }

  #signed(target: string, body: object): Promise<string> {
    const ahead = this.#signedAhead.get(target)?.pop()
    const authorization = ahead ?? this.#agent.authorization('POST', target)
    return this.#post(target, JSON.stringify(body), `Authorization: ${authorization}\r\n`)
  }

  async #post(target: string, body: string, headers: string): Promise<string> {
    const { status, body: text } = await this.#connection.post(headers, body, target)
    if (status === 200) return text
    throw new Error(`${target} was answered ${status}: ${text}`)
  }
}

const claimTarget = (room: string) => `/api/rooms/${room}/claim?timeout=90`
const ackTarget = (room: string) => `/api/rooms/${room}/ack`

const MESSAGE = JSON.stringify({ ...anyCipher(116), sender: 'poster' })
