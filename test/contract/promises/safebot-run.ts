import { randomBytes } from 'node:crypto'
import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { createSafebot, type SafebotAlone } from '../../../servers/understudy/index.js'
import type { ContractName } from '../../../shared/contract.js'
import { asSchema, type Schema } from '../../fuzz/json-values.js'
import { Dice } from '../../history/dice.js'
import { type RawAnswer, send } from '../../support/clients/raw-http.js'
import { createRoom, say } from '../../support/clients/room.js'
import { anyCipher, registeredAgent, SafebotAgent } from '../../support/clients/safebot-agent.js'
import { call } from '../../support/servers/understudy.js'
import type { Exchange, Run } from './check.js'
import { type Answer, field } from './promise.js'
import { EDGES, Requests } from './requests.js'
import type { Message, Operation, SafebotAsked } from './safebot.js'

const REQUESTS: readonly Operation[] = [
  'lookup',
  'post',
  'post',
  'status',
  'transcript',
  'listening',
  'claim',
  'claim',
  'ack',
  'ack',
]
const STORIES: readonly Operation[] = [
  'malformed',
  'tooLarge',
  'unknown',
  'idle',
  'steady',
  'own',
  'missing',
  'cancelled',
]
const SENDERS = ['bob', 'alice', '@alice', 'worker'] as const
const BODIES: Partial<Record<Operation, string>> = {
  post: '/api/rooms/{roomId}/messages',
  listening: '/api/rooms/{roomId}/listening',
  claim: '/api/rooms/{roomId}/claim',
  ack: '/api/rooms/{roomId}/ack',
}

type Given = Pick<SafebotAsked, 'operation' | 'roomId'> & Partial<SafebotAsked>

/** A Safebot on a manual clock. Every step has a room of its own. */
export class SafebotRun implements Run<SafebotAsked> {
  #rooms = 0

  private constructor(
    readonly contract: ContractName,
    readonly safebot: SafebotAlone,
    readonly document: Schema,
    readonly alice: SafebotAgent,
    readonly bob: SafebotAgent,
    readonly worker: Client,
    readonly boss: Client,
  ) {}

  static async start(contract: ContractName): Promise<SafebotRun> {
    const safebot = await createSafebot({ clock: 'manual', seed: 'promises', contract })
    const { apiUrl } = safebot
    const now = () => safebot.clock.now()
    const { json } = await send(`${apiUrl}/api/openapi.json`, { method: 'GET' })
    return new SafebotRun(
      contract,
      safebot,
      asSchema(json),
      await registeredAgent(apiUrl, 'alice', now),
      await registeredAgent(apiUrl, 'bob', now),
      await safebot.connect({ handle: 'worker' }),
      await safebot.connect({ handle: 'boss' }),
    )
  }

  close(): Promise<void> {
    return this.safebot.close()
  }

  async step(seed: string): Promise<Exchange<SafebotAsked>[]> {
    const dice = new Dice(seed)
    const roomId = `room-${this.#rooms++}`
    await this.safebot.clock.advance(1000)
    const exchange = dice.percent(25)
      ? await this.#story(dice.pick(STORIES), roomId)
      : await this.#request(dice, dice.pick(REQUESTS), roomId)
    return [exchange]
  }

  #asked(given: Given): SafebotAsked {
    return {
      ...{ tool: false, method: 'POST', side: () => this.contract, messages: [], body: {}, query: {} },
      ...{ now: this.safebot.clock.now(), handle: 'alice', signature: 'good', lease: undefined },
      ...given,
    }
  }

  /** One request made from the schemas, in a room with up to three messages and perhaps a lease. */
  async #request(dice: Dice, operation: Operation, fresh: string): Promise<Exchange<SafebotAsked>> {
    const { alice, bob } = this
    const { clock } = this.safebot
    const messages: Message[] = []
    for (let left = dice.below(4); left > 0; left--) {
      const sender = dice.pick(SENDERS)
      const { json } = await bob.say(fresh, anyCipher(), { sender })
      messages.push({ seq: Number(field(json, 'seq')), sender })
    }
    const others = messages.some(({ sender }) => !sender.endsWith('alice'))
    const begun = clock.now()
    const claimed = others && dice.percent(50) ? await alice.claim(fresh) : undefined
    if (claimed !== undefined && operation === 'ack')
      await clock.advance(dice.pick([0, 59_999, 60_000, 60_001]))
    const roomId = dice.percent(90) ? fresh : dice.pick(['abc', 'a.b.c', 'x'.repeat(65), '%00'])
    const lease =
      claimed === undefined || roomId !== fresh
        ? undefined
        : {
            claimId: String(field(claimed.json, 'claim_id')),
            seq: Number(field(field(claimed.json, 'message'), 'seq')),
            ageMs: clock.now() - begun,
          }
    const valid = (property: string) => this.#valid(dice, property, lease)
    const body = this.#body(operation, new Requests(dice, this.document, valid))
    const handle = this.#handle(dice, operation)
    const signature = dice.percent(80) ? 'good' : dice.pick(['wrong', 'stale', 'none'] as const)
    const query = { after: dice.pick([0, messages[0]?.seq ?? 0]), limit: dice.pick([1, 2, 500]) }
    const asked = this.#asked({
      ...{ operation, roomId, messages: roomId === fresh ? messages : [], body, handle, query, lease },
      signature: operation === 'post' ? (body.sender_sig === undefined ? 'none' : 'wrong') : signature,
    })
    return { asked, answer: await this.#answer(asked, signature) }
  }

  #body(operation: Operation, requests: Requests): Schema {
    const path = BODIES[operation]
    if (path === undefined) return {}
    const { requestBody } = asSchema(asSchema(asSchema(this.document.paths)[path]).post)
    const body = requests.object(asSchema(asSchema(asSchema(requestBody).content)['application/json']).schema)
    // A signature needs a handle beside it.
    if (operation === 'post') {
      for (const name of ['sender_handle', 'sender_ts', 'sender_nonce', 'sender_sig', 'signed_only'])
        delete body[name]
      if (requests.dice.percent(10)) body.signed_only = true
      if (requests.dice.percent(10)) Object.assign(body, { sender_handle: 'alice', sender_sig: 'AAAA' })
    }
    return body
  }

  #handle(dice: Dice, operation: Operation): string {
    if (dice.percent(70)) return 'alice'
    if (operation === 'lookup') return dice.pick(['@Bob', 'ALICE', 'nobody', 'x'.repeat(40)])
    return dice.pick(['nobody', 'not a handle', ''])
  }

  #valid(dice: Dice, property: string, lease: SafebotAsked['lease']): unknown {
    const values: Record<string, unknown> = {
      ciphertext: anyCipher().ciphertext,
      nonce: anyCipher().nonce,
      sender: dice.pick(SENDERS),
      reply_to: 'abcdefgh',
      ttl_ms: dice.pick([0, 30_000, 29_999, 60_000]),
      name: dice.pick(['alice', 'a b', ...EDGES.slice(0, 3)]),
      box_pub: randomBytes(32).toString('base64'),
      claim_id: lease?.claimId ?? 'none',
      seq: lease?.seq ?? 1,
      exclude_senders: [dice.pick(SENDERS)],
    }
    return values[property]
  }

  async #answer(asked: SafebotAsked, signature: SafebotAsked['signature']): Promise<Answer> {
    const { operation, handle, query, body } = asked
    const roomId = encodeURIComponent(asked.roomId)
    const { alice } = this
    if (operation === 'lookup')
      return answerOf(await alice.get(`/api/identity/${encodeURIComponent(handle)}`))
    if (operation === 'status') return answerOf(await alice.get(`/api/rooms/${roomId}/status`))
    if (operation === 'transcript') {
      const { after, limit } = query
      return answerOf(await alice.get(`/api/rooms/${roomId}/transcript?after=${after}&limit=${limit}`))
    }
    if (operation === 'post') return answerOf(await alice.post(`/api/rooms/${roomId}/messages`, body))
    if (operation === 'listening') return answerOf(await alice.post(`/api/rooms/${roomId}/listening`, body))
    const target = operation === 'claim' ? `/api/rooms/${roomId}/claim?timeout=1` : `/api/rooms/${roomId}/ack`
    const headers = this.#authorization(target, signature)
    return answerOf(
      await this.#parked(alice.post(target, { ...body, handle }, headers), 1000).then(([answer]) => answer),
    )
  }

  #authorization(target: string, signature: SafebotAsked['signature']): Record<string, string> {
    if (signature === 'none') return {}
    const { alice, bob } = this
    const signer = signature === 'wrong' ? new SafebotAgent(alice.base, 'alice', bob.now) : alice
    // A timestamp is fresh by the instance's clock or by the machine's.
    const ts = signature === 'stale' ? 1 : alice.now()
    return { authorization: signer.authorization('POST', target, { ts }) }
  }

  /** Waits for a call. One that waits itself gets its time. @returns its result, and whether it has waited */
  async #parked<T>(calling: Promise<T>, ms: number): Promise<[result: T, waited: boolean]> {
    const { clock } = this.safebot
    const waits = clock.whenPending(1).then(() => true)
    const waited = await Promise.race([calling.then(() => false), waits])
    if (waited) await clock.advance(ms)
    return [await calling, waited]
  }

  /** A situation that a row of the contract is about. */
  async #story(operation: Operation, roomId: string): Promise<Exchange<SafebotAsked>> {
    const answer = await this.#tell(operation, roomId)
    return { asked: this.#asked({ operation, roomId }), answer }
  }

  async #tell(operation: Operation, roomId: string): Promise<Answer> {
    const { alice, bob } = this
    const { clock } = this.safebot
    const target = `/api/rooms/${roomId}/messages`
    const status = async () => answerOf(await alice.get(`/api/rooms/${roomId}/status`))
    switch (operation) {
      case 'malformed':
        return answerOf(await alice.post(target, '{"ciphertext":'))
      case 'tooLarge':
        return answerOf(await alice.post(target, JSON.stringify({ ciphertext: 'x'.repeat(196_609) })))
      case 'idle':
        await bob.say(roomId)
        await alice.claim(roomId)
        await clock.advance(60_000)
        return status()
      case 'steady':
        for (let nth = 0; nth < 3; nth++) await bob.say(roomId)
        for (let nth = 0; nth < 3; nth++) {
          await clock.advance(20_000)
          const { json } = await alice.claim(roomId)
          const seq = field(field(json, 'message'), 'seq')
          await alice.ack(roomId, { claim_id: field(json, 'claim_id'), seq })
        }
        return status()
      case 'own':
        return told({ waited: await this.#ownMessage(roomId) })
      case 'missing':
        return told({ waited: await this.#missingRoom() })
      case 'cancelled':
        return told({ lost: await this.#cancelled() })
      default:
        return answerOf(await alice.get('/api/nothing'))
    }
  }

  /** @returns whether a parked claim goes on waiting when a message of its own comes */
  async #ownMessage(roomId: string): Promise<boolean> {
    const { alice } = this
    const { clock } = this.safebot
    await alice.say(roomId)
    const claiming = alice.claim(roomId, '?timeout=20')
    await clock.whenPending(1)
    await alice.say(roomId)
    const waited = clock.pending > 0
    await clock.advance(20_000)
    await claiming
    return waited
  }

  async #missingRoom(): Promise<boolean> {
    const url = await createRoom(this.worker)
    const [, waited] = await this.#parked(call(this.worker, 'claim_task', { url, timeout_seconds: 1 }), 1000)
    return waited
  }

  /** @returns whether a message is gone that came after the caller of next_task had left */
  async #cancelled(): Promise<boolean> {
    const { boss, worker } = this
    const { clock } = this.safebot
    const url = await createRoom(boss)
    await say(boss, url, 'opens the room')
    await call(worker, 'next_task', { url, timeout_seconds: 1 })
    const leaving = new AbortController()
    const calling = call(worker, 'next_task', { url }, { signal: leaving.signal }).catch(() => undefined)
    await clock.whenPending(1)
    leaving.abort()
    await calling
    await say(boss, url, 'work')
    const [claimed] = await this.#parked(call(worker, 'claim_task', { url, timeout_seconds: 1 }), 1000)
    return field(claimed.structuredContent, 'task') === null
  }
}

function answerOf({ status, headers, body, json }: RawAnswer): Answer {
  return { status, type: headers['content-type'] ?? '', text: body, json }
}

function told(json: object): Answer {
  return { status: 200, type: 'application/json', text: JSON.stringify(json), json }
}
