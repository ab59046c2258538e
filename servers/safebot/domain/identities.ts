import type { Clock } from '../../../shared/clock/clock.js'
import { isObject } from '../../../shared/util/is-object.js'
import type { RwLock } from '../../../shared/util/locks.js'
import { inStandardAlphabet, isBase64Of, type PublicKeys } from './keys.js'
import { HANDLE, type Identity } from './model.js'
import { ServiceRefusal } from './refusals.js'
import { SIGNATURE_BYTES, type Signatures } from './signatures.js'
import type { SafebotStore } from './store.js'

const KEY_BYTES = 32
const MAX_BIO_CHARS = 280

/** Handles that cannot be registered. */
const RESERVED = ['anon', 'admin', 'safebot', 'system', 'root', 'support', 'help', 'demo', 'echo']

/** A registration request with unchecked values. */
export interface Registration {
  handle: unknown
  boxPub: unknown
  signPub: unknown
  ts: unknown
  sig: unknown
  meta: unknown
}

/** A registration request with checked types. */
interface Claimed {
  handle: string
  boxPub: string
  signPub: string
}

export interface IdentitiesOptions {
  store: SafebotStore
  clock: Clock
  keys: PublicKeys
  signatures: Signatures
  /** Largest number of handles. */
  cap: number
  lock: RwLock
}

/** The registered handles. The first caller gets a handle. Later ones must have the same key. */
export class Identities {
  readonly #options: IdentitiesOptions

  constructor(options: IdentitiesOptions) {
    this.#options = options
  }

  /**
   * Registers a handle, or confirms it to its owner. The registered values do not change.
   *
   * @throws ServiceRefusal 400, 401, 409 or 503, checked in the service's order
   */
  register(asked: Registration): Promise<Identity> {
    return this.#options.lock.shared(() => this.#register(asked))
  }

  async #register(asked: Registration): Promise<Identity> {
    const { store, clock, cap } = this.#options
    if ((await store.identityCount()) >= cap) throw capReached(cap)
    const claimed = readClaimed(asked)
    const known = await store.identity(claimed.handle)
    if (known !== undefined) return this.#confirm(known, claimed, asked)
    await this.#checkSignature(claimed, asked)
    const identity: Identity = {
      ...claimed,
      registeredAt: clock.now(),
      meta: isObject(asked.meta) ? { bio: textOf(asked.meta.bio).slice(0, MAX_BIO_CHARS) } : {},
    }
    // A concurrent registration has taken the handle.
    if (!(await store.addIdentity(identity))) throw handleTaken(claimed.handle)
    return identity
  }

  /** Confirms a registration. A request with another key gets `taken`, even if it has other faults. */
  async #confirm(known: Identity, claimed: Claimed, asked: Registration): Promise<Identity> {
    if (known.signPub !== claimed.signPub) throw handleTaken(known.handle)
    try {
      await this.#checkSignature(claimed, asked)
    } catch (error) {
      throw error instanceof ServiceRefusal ? handleTaken(known.handle) : error
    }
    return known
  }

  async #checkSignature({ handle, boxPub, signPub }: Claimed, { ts, sig }: Registration): Promise<void> {
    if (typeof ts !== 'number' || sig === undefined || sig === null || sig === '') {
      throw refused(400, 'register_ts and register_sig required', 'register_ts is a number of milliseconds')
    }
    if (!isBase64Of(SIGNATURE_BYTES, sig)) {
      throw refused(400, 'bad register_sig', `it is canonical base64 of ${SIGNATURE_BYTES} bytes`)
    }
    const { keys, signatures } = this.#options
    if (!signatures.isFresh(ts)) {
      throw refused(400, 'register_ts skew too large', 'sign with a time within 60 s of the service')
    }
    const good = keys.verifies(signPub, `register ${handle} ${ts} ${boxPub} ${signPub}`, sig)
    // The same signature in the other base64 alphabet counts as the same.
    const nonce = inStandardAlphabet(sig)
    if (good && (await signatures.useOnce('registrations', { owner: handle, nonce, ts }))) return
    if (good) throw refused(401, 'register_sig already used', 'sign anew, with the present time')
    throw refused(401, 'bad register_sig', 'sign "register <handle> <ts> <box_pub> <sign_pub>" with sign_pub')
  }
}

function readClaimed({ handle: askedHandle, boxPub, signPub }: Registration): Claimed {
  const handle = textOf(onlyElement(askedHandle))
  if (!HANDLE.test(handle)) {
    throw refused(400, 'invalid handle', '2 to 32 of a-z 0-9 _ -, beginning with a letter or digit')
  }
  if (RESERVED.includes(handle)) throw refused(409, 'handle reserved', `"${handle}" cannot be registered`)
  if (!isBase64Of(KEY_BYTES, boxPub) || !isBase64Of(KEY_BYTES, signPub)) {
    throw refused(
      400,
      'box_pub and sign_pub must be base64 of 32 bytes',
      'each is canonical base64, with padding',
    )
  }
  return { handle, boxPub, signPub }
}

/** Converts a JSON value to text as the service does. Null, false, 0 and lists are empty. */
function textOf(value: unknown): string {
  if (!value || Array.isArray(value)) return ''
  return isObject(value) ? '[object Object]' : String(value)
}

/** Returns the one element of a list, also of nested lists. A list of another length is not a handle. */
function onlyElement(value: unknown): unknown {
  let element = value
  while (Array.isArray(element)) element = element.length === 1 ? element[0] : undefined
  return element
}

function handleTaken(handle: string): ServiceRefusal {
  return refused(409, 'handle taken', `"${handle}" belongs to another key`)
}

function capReached(cap: number): ServiceRefusal {
  return new ServiceRefusal(503, { error: 'identity cap reached' }, `there are ${cap} identities`, 3600)
}

function refused(status: number, error: string, hint: string): ServiceRefusal {
  return new ServiceRefusal(status, { error }, hint)
}
